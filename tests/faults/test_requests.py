"""What faults do to requests of a running node: who is met, what is carried out, and what comes back."""

from __future__ import annotations

from pathlib import Path

import trio
import trio.testing

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
)
from kafkapy_wire.messages.produce import (
    ProduceResponse,
)
from kafkapy_wire.uuid import uuid_text
from tests.faults.fault_lab import errors_of, node_with_faults, produce_to, stored
from tests.shell.running_node import (
    batch,
    bytes_of,
    connect,
    fetch_request,
    produce_request,
    records_of,
    trio_test,
    until_parked,
)


@trio_test
async def test_an_injected_error_suppresses_what_it_claims_has_failed_and_nothing_else(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        engine.add({"api": "Produce", "topic": "orders", "partition": [1, 2], "error": "NOT_LEADER_OR_FOLLOWER"})
        request = produce_to(("orders", 0), ("orders", 1), ("others", 0), ("orders", 2))
        response = await client.ask(request, ProduceResponse, 12)
        refused = ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert errors_of(response) == {
            ("orders", 0): 0,
            ("orders", 1): refused,
            ("others", 0): 0,
            ("orders", 2): refused,
        }
        bad = [one for topic in response.responses for one in topic.partition_responses if one.error_code]
        assert [one.base_offset for one in bad] == [-1, -1], "as the broker itself refuses a partition"
        assert await stored(client) == [b"orders-0", b"others-0"]


@trio_test
async def test_a_refusal_of_everything_carries_nothing_out(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        fault = engine.add(
            {"api": "Produce", "topic": "o*", "error": "REQUEST_TIMED_OUT", "message": "not today", "times": 1}
        )
        response = await client.ask(produce_to(("orders", 0), ("others", 0)), ProduceResponse, 12)
        assert set(errors_of(response).values()) == {ErrorCode.REQUEST_TIMED_OUT}
        assert response.responses[0].partition_responses[0].error_message == "not today"
        assert await stored(client) == []
        await client.produce("orders", b"a")
        assert await stored(client) == [b"a"]
        assert (fault.matched, fault.fired, fault.is_spent) == (1, 1, True)


@trio_test
async def test_a_topic_is_known_by_name_and_by_id_whatever_the_request_has(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        ids = {name: topic.topic_id for name, topic in node.broker.metadata.image.topics.items()}
        for match in ({"topic": "orders"}, {"topic_id": uuid_text(ids["orders"])}):
            fault = engine.add({"api": "Produce", "error": "KAFKA_STORAGE_ERROR", **match})
            for version, given in ((12, None), (13, ids)):
                request = produce_to(("orders", 0), ("others", 0), ids=given)
                response = await client.ask(request, ProduceResponse, version)
                codes = [topic.partition_responses[0].error_code for topic in response.responses]
                assert sorted(codes) == [0, ErrorCode.KAFKA_STORAGE_ERROR]
                if given is not None:
                    assert {topic.topic_id for topic in response.responses} == set(ids.values())
            assert fault.fired == 2
            engine.clear()
        assert await client.values("orders") == []


@trio_test
async def test_an_error_may_be_a_lie(tmp_path: Path) -> None:
    """applied: the answer has the error of what was done. NONE: the answer looks well, and nothing was done."""
    async with node_with_faults(tmp_path) as (engine, _, client):
        engine.add({"api": "Produce", "partition": 1, "error": "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "applied": True})
        engine.add({"api": "Produce", "partition": 2, "error": "NONE"})
        response = await client.ask(produce_to(("orders", 0), ("orders", 1), ("orders", 2)), ProduceResponse, 12)
        applied = ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        assert errors_of(response) == {("orders", 0): 0, ("orders", 1): applied, ("orders", 2): 0}
        assert await stored(client) == [b"orders-0", b"orders-1"]
        engine.clear()
        engine.add({"api": "Produce", "error": "REQUEST_TIMED_OUT", "applied": True})
        response = await client.ask(produce_to(("others", 0)), ProduceResponse, 12)
        assert errors_of(response) == {("others", 0): ErrorCode.REQUEST_TIMED_OUT}
        assert await client.values("others") == [b"others-0"]


@trio_test
async def test_a_produce_without_an_answer_that_is_refused_ends_its_connection(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client), connect(node) as other:
        engine.add({"api": "Produce", "partition": 1, "error": "NOT_LEADER_OR_FOLLOWER"})
        await other.send(produce_to(("orders", 0), ("orders", 1), acks=0), 12, answered=False)
        assert await other.closed_by_broker()
        assert await stored(client) == [b"orders-0"]


@trio_test
async def test_a_request_refused_as_a_whole_is_answered_as_its_api_does(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        engine.add({"api": "Heartbeat", "group": "g", "error": "REBALANCE_IN_PROGRESS", "throttle_time_ms": 7})
        answer = await client.ask(HeartbeatRequest(group_id="g"), HeartbeatResponse)
        assert (answer.error_code, answer.throttle_time_ms) == (ErrorCode.REBALANCE_IN_PROGRESS, 7)
        engine.add({"api": "Fetch", "error": "FETCH_SESSION_ID_NOT_FOUND", "at": "top"})
        fetched = await client.ask(fetch_request({"orders": {0: 0}}), FetchResponse, 12)
        assert (fetched.error_code, fetched.responses) == (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, [])
        engine.clear()
        engine.add({"api": "Produce", "error": "INVALID_REQUIRED_ACKS"})
        response = await client.ask(produce_to(("orders", 0)), ProduceResponse, 12)
        assert errors_of(response) == {("orders", 0): ErrorCode.INVALID_REQUIRED_ACKS}


@trio_test
async def test_groups_and_partitions_of_a_commit(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        await client.find_coordinator("g")
        engine.add({"api": "OffsetCommit", "group": "g", "partition": 1, "error": "OFFSET_METADATA_TOO_LARGE"})
        engine.add({"api": "OffsetFetch", "partition": 2, "error": "UNSTABLE_OFFSET_COMMIT"})
        partitions = [OffsetCommitRequestPartition(partition_index=index, committed_offset=5) for index in range(3)]
        commit = OffsetCommitRequest(
            group_id="g", topics=[OffsetCommitRequestTopic(name="orders", partitions=partitions)]
        )
        committed = await client.ask(commit, OffsetCommitResponse, 8)
        codes = {one.partition_index: one.error_code for one in committed.topics[0].partitions}
        assert codes == {0: 0, 1: ErrorCode.OFFSET_METADATA_TOO_LARGE, 2: 0}
        # Of all topics of the group: the request names none.
        fetch = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
        (group,) = (await client.ask(fetch, OffsetFetchResponse, 8)).groups
        found = {one.partition_index: (one.committed_offset, one.error_code) for one in group.topics[0].partitions}
        assert found == {0: (5, 0), 2: (5, ErrorCode.UNSTABLE_OFFSET_COMMIT)}


@trio_test
async def test_keys_of_find_coordinator_are_groups_or_transactional_ids(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        engine.add({"api": "FindCoordinator", "group": "g*", "error": "COORDINATOR_NOT_AVAILABLE"})
        for version in (3, 4, 6):
            for key_type, refused in ((0, True), (1, False)):
                request = FindCoordinatorRequest(key_type=key_type)
                if version < 4:
                    request.key = "g1"
                    codes = [(await client.ask(request, FindCoordinatorResponse, version)).error_code]
                else:
                    request.coordinator_keys = ["g1", "x"]
                    answer = await client.ask(request, FindCoordinatorResponse, version)
                    codes = [{one.key: one.error_code for one in answer.coordinators}["g1"]]
                    assert {one.key: one.error_code for one in answer.coordinators}["x"] == 0
                assert codes == [ErrorCode.COORDINATOR_NOT_AVAILABLE if refused else 0]


def named(*names: str) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=True)


@trio_test
async def test_metadata_of_a_refused_topic_creates_none_and_has_the_brokers(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        engine.add({"api": "Metadata", "topic": "new", "error": "LEADER_NOT_AVAILABLE"})
        for names in (("new",), ("new", "others")):
            for version in (0, 1, 9, 12):
                answer = await client.ask(named(*names), MetadataResponse, version)
                assert [broker.node_id for broker in answer.brokers] == [node.node_id]
                codes = {topic.name: topic.error_code for topic in answer.topics}
                assert codes == {"new": ErrorCode.LEADER_NOT_AVAILABLE} | ({"others": 0} if len(names) > 1 else {})
        assert "new" not in node.broker.metadata.image.topics
        engine.clear()
        engine.add({"api": "Metadata", "topic": "orders", "partition": 1, "error": "LEADER_NOT_AVAILABLE"})
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        found = {topic.name: [(one.error_code, one.leader_id) for one in topic.partitions] for topic in answer.topics}
        here = (0, node.node_id)
        assert found == {"orders": [here, (ErrorCode.LEADER_NOT_AVAILABLE, -1), here], "others": [here]}


@trio_test
async def test_a_fetch_session_is_met_by_what_it_has(tmp_path: Path) -> None:
    """A consumer names its partitions once; later fetches of the session name none, or those with a new offset."""
    async with node_with_faults(tmp_path) as (engine, _, client):
        await client.produce("orders", b"a")
        request = fetch_request({"orders": {0: 0, 1: 0}, "others": {0: 0}}, session_epoch=0)
        opened = await client.ask(request, FetchResponse, 12)
        assert opened.session_id
        fault = engine.add(
            {"api": "Fetch", "topic": "orders", "partition": 1, "error": "OFFSET_OUT_OF_RANGE", "times": 1}
        )
        again = fetch_request({}, session_id=opened.session_id, session_epoch=1, max_wait_ms=1 << 30, min_bytes=1 << 30)
        answer = await client.ask(again, FetchResponse, 12)
        (topic,) = answer.responses
        assert {one.partition_index: one.error_code for one in topic.partitions} == {
            0: 0,
            1: ErrorCode.OFFSET_OUT_OF_RANGE,
        }
        assert records_of(topic.partitions[0])[0].value == b"a"
        assert fault.fired == 1
        # The session has the partition still, and tells of it again.
        again = fetch_request({}, session_id=opened.session_id, session_epoch=2)
        answer = await client.ask(again, FetchResponse, 12)
        assert {one.partition_index: one.error_code for one in answer.responses[0].partitions} == {0: 0, 1: 0}
        engine.add({"api": "Fetch", "topic": "none", "disconnect": "before"})
        await client.ask(fetch_request({}, session_id=opened.session_id, session_epoch=3), FetchResponse, 12)


@trio_test
async def test_lost_answers_and_lost_requests_are_different_faults(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        for where, done in (("before", []), ("after", [b"x"]), ("middle", [b"x"])):
            for word in ("disconnect", "reset_peer"):
                fault = engine.add({"api": "Produce", word: where})
                async with connect(node) as other:
                    await other.send(produce_request("others", batch([b"x"])), 12)
                    received = b""
                    try:
                        while more := await other.stream.receive_some():
                            received += more
                        assert word == "disconnect"
                    except trio.BrokenResourceError:
                        assert word == "reset_peer"
                    if where != "middle":
                        assert received == b""
                    elif word == "disconnect":
                        assert 4 < len(received) < 4 + int.from_bytes(received[:4], "big")
                assert fault.fired == 1
                engine.clear()
                assert await client.values("others") == done
                await client.delete_topic("others")
                await client.create_topic("others")


@trio_test
async def test_a_black_hole(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        for where, done in (("before", []), ("after", [b"x"])):
            fault = engine.add({"api": "Produce", "black_hole": where})
            async with connect(node) as left, connect(node) as lost:
                for one in (left, lost):
                    await one.send(produce_request("others", batch([b"x"])), 12)
                    await one.send(MetadataRequest(topics=[]))
                await until_parked(node, 2)
                await left.stream.send_eof()  # its request is given up
                assert await left.closed_by_broker()
                engine.remove(fault.id)
                assert await lost.closed_by_broker()
            assert await client.values("others") == done * 2


@trio_test
async def test_a_black_hole_ends_after_its_time(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        engine.add({"api": "Metadata", "black_hole": "before", "timeout_ms": 1})
        await client.send(MetadataRequest(topics=[]))
        assert await client.closed_by_broker()


@trio_test
async def test_a_barrier_holds_until_it_is_released(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client), connect(node) as one, connect(node) as other:
        fault = engine.add({"api": "Produce", "hold": "before"})
        for each in (one, other):
            await each.send(produce_request("others", batch([b"x"])), 12)
        await fault.wait_held(2)
        assert await client.values("others") == []
        assert fault.release(1) == 1
        await one.receive(ProduceResponse)
        assert await client.values("others") == [b"x"]
        assert fault.release() == 1
        await other.receive(ProduceResponse)
        await client.produce("others", b"not held any more")
        assert fault.is_spent
        after = engine.add({"api": "Produce", "hold": "after"})
        await one.send(produce_request("others", batch([b"y"])), 12)
        await after.wait_held()
        assert len(await client.values("others")) == 4
        engine.remove(after.id)
        await one.receive(ProduceResponse)


@trio_test
async def test_a_held_request_is_carried_out_although_its_client_has_left(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        fault = engine.add({"api": ["Produce", "Fetch"], "hold": "before"})
        async with connect(node) as fetching:
            await fetching.send(fetch_request({"orders": {0: 0}}), 12)
            await fault.wait_held(1)
        while fault.held:  # a fetch is given up
            await trio.testing.wait_all_tasks_blocked()
        async with connect(node) as leaving:
            await leaving.send(produce_request("others", batch([b"x"])), 12)
            await fault.wait_held(1)
            await leaving.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        fault.release()
        assert await client.values("others") == [b"x"]


@trio_test
async def test_delays_are_in_real_time_while_the_clock_of_the_node_stands(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        node.clock.freeze()  # type: ignore[attr-defined]  # a ManualClock
        fault = engine.add({"delay_ms": 5, "answer_delay_ms": 5, "jitter_ms": 3, "seed": 1})
        before = trio.current_time()
        await client.produce("others", b"x")
        assert trio.current_time() - before >= 0.004
        assert fault.fired == 1


@trio_test
async def test_edited_answers(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        engine.add({"api": "Metadata", "topic": "orders", "edit": {"topics.partitions.leaderId": 7, "controllerId": 9}})
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert answer.controller_id == 9
        leaders = {topic.name: {one.leader_id for one in topic.partitions} for topic in answer.topics}
        assert leaders == {"orders": {7}, "others": {node.node_id}}
        engine.clear()
        engine.add(
            {"api": "Metadata", "partition": 1, "edit": {"topics.partitions.isrNodes": [], "topics.errorCode": 3}}
        )
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert {topic.error_code for topic in answer.topics} == {3}
        assert [len(one.isr_nodes) for one in answer.topics[0].partitions] in ([1, 0, 1], [1])
        engine.clear()
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert answer.controller_id == node.node_id, "what the node itself has is unchanged"


@trio_test
async def test_corrupt_checksums_leave_the_log_alone(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        values = [b"x" * 3_000] * 3  # long enough that they are sent from the file
        for value in values:
            await client.produce("orders", value)
            await client.produce("others", value)
        whole = bytes_of(await client.fetch("orders"))
        engine.add({"api": "Fetch", "topic": "orders", "corrupt_crc": True})
        response = await client.ask(fetch_request({"orders": {0: 0}, "others": {0: 0}}), FetchResponse, 12)
        data = {topic.topic: bytes_of(topic.partitions[0]) for topic in response.responses}
        size = len(whole) // 3
        assert data["others"] != data["orders"]
        assert len(data["orders"]) == len(whole)
        different = [
            index for index, (one, other) in enumerate(zip(data["orders"], whole, strict=True)) if one != other
        ]
        assert different == [start + offset for start in (0, size, 2 * size) for offset in range(17, 21)]
        engine.clear()
        assert bytes_of(await client.fetch("orders")) == whole
        assert await client.values("others") == values


@trio_test
async def test_stale_metadata_is_that_of_when_the_fault_was_added(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        fault = engine.add({"api": ["Metadata", "DescribeTopicPartitions"], "stale_metadata": True})
        await client.create_topic("new")
        await client.delete_topic("others")
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert {topic.name for topic in answer.topics} == {"orders", "others"}
        answer = await client.ask(named("newer"), MetadataResponse)
        assert answer.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert "newer" not in node.broker.metadata.image.topics
        engine.remove(fault.id)
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert {topic.name for topic in answer.topics} == {"orders", "new"}


@trio_test
async def test_how_often(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):

        async def refused(count: int = 8, **when: object) -> list[int]:
            """Which of so many requests are refused, the first being 1."""
            fault = engine.add({"api": "Heartbeat", "error": "NOT_COORDINATOR", **when})
            codes = [
                (await client.ask(HeartbeatRequest(group_id="g"), HeartbeatResponse)).error_code for _ in range(count)
            ]
            found = [number for number, code in enumerate(codes, 1) if code == ErrorCode.NOT_COORDINATOR]
            assert fault.fired == len(found)
            engine.clear()
            return found

        await client.find_coordinator("g")
        assert await refused() == [1, 2, 3, 4, 5, 6, 7, 8]
        assert await refused(times=2) == [1, 2]
        assert await refused(nth=3) == [3]
        assert await refused(nth=[1, 4]) == [1, 4]
        assert await refused(every=3) == [3, 6]
        assert await refused(every=2, skip=1, times=2) == [3, 5]
        assert await refused(skip=6) == [7, 8]
        by_chance = await refused(40, probability=0.5, seed=3)
        assert by_chance == await refused(40, probability=0.5, seed=3)
        assert 5 < len(by_chance) < 35
        assert by_chance != await refused(40, probability=0.5, seed=4)


@trio_test
async def test_who_is_met(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        heartbeat = HeartbeatRequest(group_id="g", member_id="m-1", generation_id=4, group_instance_id="i-1")
        client.client_id = "billing[1]"

        async def meets(**which: object) -> bool:
            fault = engine.add({"api": "Heartbeat", "error": "UNKNOWN_SERVER_ERROR", **which})
            answer = await client.ask(heartbeat, HeartbeatResponse)
            assert (answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR) == bool(fault.fired) == bool(fault.matched)
            engine.remove(fault.id)
            return bool(fault.fired)

        assert await meets(version=4)
        assert not await meets(version="0-3")
        assert await meets(broker=node.node_id)
        assert not await meets(broker=[node.node_id + 1])
        assert await meets(listener="PLAIN*")
        assert not await meets(listener="EXTERNAL")
        assert await meets(client_id="billing[?]")
        assert not await meets(client_id=["bill", "b"])
        assert await meets(client_software="unknown", client_version="*")
        assert not await meets(client_software="librdkafka")
        assert await meets(principal="User:ANONYMOUS")
        assert not await meets(principal="User:alice")
        assert await meets(group=["x", "g"])
        assert not await meets(group="G")
        assert await meets(member="m-*")
        assert await meets(member="i-1")
        assert not await meets(member="m")
        assert await meets(where="generationId >= 4")
        assert await meets(where=["generationId in [3, 4]", 'groupInstanceId matches "i-*"'])
        assert not await meets(where=["generationId == 4", "groupInstanceId == null"])
        assert await meets(sender="anyone")
