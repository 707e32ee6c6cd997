"""Fetch sends the bytes that are there, within its sizes, waits for those that are not, and keeps sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.fetching.reading import FILE_RANGE_BYTES_MIN
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.uuid import random_uuid
from tests.shell.running_node import (
    batch,
    bytes_of,
    connect,
    fetch_request,
    records_of,
    running_node,
    trio_test,
    until_parked,
)


def stamped(content: bytes, base_offset: int) -> bytes:
    """A batch as the leader stores it: its base offset, and leader epoch 0."""
    return base_offset.to_bytes(8, "big") + content[8:12] + bytes(4) + content[16:]


def told(response: FetchResponse) -> dict[tuple[str, int], int]:
    """(topic, partition) -> error code."""
    return {
        (topic.topic, data.partition_index): data.error_code
        for topic in response.responses
        for data in topic.partitions
    }


@trio_test
async def test_every_version_fetches(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        topic_id = await client.create_topic("orders")
        await client.produce("orders", b"a", b"b")
        for version in range(4, 19):
            request = fetch_request({"orders" if version < 13 else topic_id: {0: 0}})
            response = await client.ask(request, FetchResponse, version)
            (topic,) = response.responses
            assert topic.topic == ("orders" if version < 13 else "")
            assert topic.topic_id == (bytes(16) if version < 13 else topic_id)
            (data,) = topic.partitions
            assert (data.error_code, data.high_watermark, data.last_stable_offset) == (ErrorCode.NONE, 2, 2)
            assert [record.value for record in records_of(data)] == [b"a", b"b"]


@trio_test
async def test_small_and_large_ranges_of_many_partitions_are_exact(tmp_path: Path) -> None:
    """From memory and by sendfile, in one answer and pipelined."""
    sizes = (10, FILE_RANGE_BYTES_MIN + 7, 1, 400_000, FILE_RANGE_BYTES_MIN - 200, 70_000)
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", len(sizes) + 1)
        stored = {}
        for partition, size in enumerate(sizes):
            first, second = batch([bytes([partition]) * size]), batch([b"!"] * (partition + 1))
            for content in (first, second):
                await client.produce_batch("orders", content, partition)
            stored[partition] = stamped(first, 0) + stamped(second, 1)
        stored[len(sizes)] = b""
        request = fetch_request({"orders": dict.fromkeys(stored, 0)})
        await client.stream.send_all(b"".join(client.frame(request, 12) for _ in range(10)))
        for _ in range(10):
            response = await client.receive(FetchResponse)
            (topic,) = response.responses
            assert {data.partition_index: bytes_of(data) for data in topic.partitions} == stored


@trio_test
async def test_a_fetch_within_a_batch_gets_the_whole_batch(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b", b"c")
        assert [record.offset for record in records_of(await client.fetch("orders", 2))] == [0, 1, 2]
        assert records_of(await client.fetch("orders", 3)) == []


@trio_test
async def test_sizes_hold_but_for_the_first_batch(tmp_path: Path) -> None:
    """KIP-74: max_bytes and partition_max_bytes, and a consumer that always advances."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 3)
        content = batch([b"x" * 1_000])
        size = len(content)
        for partition in (1, 2):
            for _ in range(3):
                await client.produce_batch("orders", content, partition)

        async def batches(max_bytes: int, partition_max_bytes: int) -> list[float]:
            request = fetch_request(
                {"orders": {0: 0, 1: 0, 2: 0}}, max_bytes=max_bytes, partition_max_bytes=partition_max_bytes
            )
            (topic,) = (await client.ask(request, FetchResponse, 12)).responses
            return [len(bytes_of(data)) / size for data in topic.partitions]

        assert await batches(1 << 20, 1 << 20) == [0, 3, 3]
        assert await batches(1 << 20, 2 * size) == [0, 2, 2]
        assert await batches(1 << 20, 2 * size - 1) == [0, 1, 1]
        assert await batches(1 << 20, size - 1) == [0, 1, 0], "only the first non-empty partition exceeds its limit"
        assert await batches(4 * size, 1 << 20) == [0, 3, 1]
        assert await batches(5 * size - 1, 2 * size) == [0, 2, 2]
        assert await batches(1, 1) == [0, 1, 0]
        assert await batches(0, 0) == [0, 1, 0]
        assert await batches(-1, -1) == [0, 1, 0]


@trio_test
async def test_fetch_max_bytes_of_the_broker_bounds_every_answer(tmp_path: Path) -> None:
    async with running_node(tmp_path, {"fetch.max.bytes": "2048"}) as node, connect(node) as client:
        await client.create_topic("orders")
        for _ in range(4):
            await client.produce("orders", b"x" * 900)
        assert len(records_of(await client.fetch("orders"))) == 2
        assert len(await client.values("orders")) == 4


@trio_test
async def test_a_parked_fetch_is_woken_by_what_is_produced(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders", 2)
        for offset, partition in enumerate((0, 0, 0)):
            await client.send(fetch_request({"orders": {0: offset, 1: 0}}, max_wait_ms=3_600_000), 12)
            await until_parked(node)
            await producer.produce("orders", b"news", partition=partition)
            response = await client.receive(FetchResponse)
            first, second = response.responses[0].partitions
            assert [record.offset for record in records_of(first)] == [offset]
            assert records_of(second) == []
        assert all(not partition.is_watched for partition in node.broker.partitions.opened())


@trio_test
async def test_a_fetch_parked_on_one_partition_is_answered_by_its_news(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        for offset, size in enumerate((100, 50_000, 100)):  # copied, a file range, copied
            await client.send(fetch_request({"orders": {0: offset}}, max_wait_ms=3_600_000), 12)
            await until_parked(node)
            assert node.broker.partitions.leader("orders", 0).is_watched
            await producer.produce("orders", b"x" * size)
            (data,) = (await client.receive(FetchResponse)).responses[0].partitions
            assert [(record.offset, len(record.value or b"")) for record in records_of(data)] == [(offset, size)]
            assert (data.high_watermark, data.last_stable_offset) == (offset + 1, offset + 1)
            assert not node.broker.partitions.leader("orders", 0).is_watched


@trio_test
async def test_min_bytes_are_waited_for(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders", 2)
        content = batch([b"x" * 100])
        request = fetch_request({"orders": {0: 0, 1: 0}}, max_wait_ms=3_600_000, min_bytes=3 * len(content))
        await client.send(request, 12)
        await until_parked(node)
        for partition in (0, 1):
            await producer.produce_batch("orders", content, partition)
            await trio.testing.wait_all_tasks_blocked()
            assert [connection.busy for connection in node.server.connections].count(True) == 1
        await producer.produce_batch("orders", content, 1)
        response = await client.receive(FetchResponse)
        assert [len(records_of(data)) for data in response.responses[0].partitions] == [1, 2]


@trio_test
async def test_max_wait_ends_on_the_node_s_clock(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000, min_bytes=1_000_000), 12)
        await until_parked(node)
        await producer.produce("orders", b"little", timestamp=node.clock.now_ms())
        node.clock.advance(3_599_000)
        await trio.testing.wait_all_tasks_blocked()
        assert [connection.busy for connection in node.server.connections].count(True) == 1
        node.clock.advance(1_000)
        response = await client.receive(FetchResponse)
        assert len(records_of(response.responses[0].partitions[0])) == 1, "what is there leaves when the time is up"
        assert not node.broker.partitions.leader("orders", 0).is_watched


@trio_test
async def test_an_error_is_answered_at_once(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for topic in ("orders", "others"):
            await client.create_topic(topic)
        request = fetch_request({"orders": {0: 0}, "others": {0: 1}}, max_wait_ms=3_600_000)
        response = await client.ask(request, FetchResponse, 12)
        assert told(response) == {("orders", 0): ErrorCode.NONE, ("others", 0): ErrorCode.OFFSET_OUT_OF_RANGE}
        request = fetch_request({"orders": {1: 0}, "unknown": {0: 0}}, max_wait_ms=3_600_000)
        response = await client.ask(request, FetchResponse, 12)
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert told(response) == {("orders", 1): unknown, ("unknown", 0): unknown}


@trio_test
async def test_what_does_not_exist_is_told_with_the_records_of_others(tmp_path: Path) -> None:
    """As in Apache Kafka: a consumer of a deleted topic beside another one would ask without a pause otherwise."""
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await client.create_topic("orders")
        request = fetch_request({"orders": {0: 0, 1: 0}, "unknown": {0: 0}}, max_wait_ms=3_600_000)
        await client.send(request, 12)
        await until_parked(node)
        await producer.produce("orders", b"value")
        response = await client.receive(FetchResponse)
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert told(response) == {("orders", 0): ErrorCode.NONE, ("orders", 1): unknown, ("unknown", 0): unknown}


@pytest.mark.parametrize(("min_bytes", "max_bytes", "partition_max_bytes"), [(9_000, 500, 9_000), (700, 9_000, 700)])
def test_records_that_do_not_fit_are_not_waited_for(
    min_bytes: int, max_bytes: int, partition_max_bytes: int, tmp_path: Path
) -> None:
    """Whole batches are sent: fewer bytes than `min_bytes` may be all that the sizes let through."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            for _ in range(3):
                await client.produce("orders", bytes(400))
            request = fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000)
            request.min_bytes, request.max_bytes = min_bytes, max_bytes
            request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes
            response = await client.ask(request, FetchResponse, 12)
            assert len(records_of(response.responses[0].partitions[0])) == 1

    run()


@trio_test
async def test_a_parked_fetch_whose_session_went_on_is_out_of_step(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as other:
        await client.create_topic("orders")
        request = fetch_request({"orders": {0: 0}}, session_epoch=0)
        opened = await client.ask(request, FetchResponse, 12)
        first, second = (
            FetchRequest(session_id=opened.session_id, session_epoch=epoch, max_wait_ms=3_600_000, min_bytes=1)
            for epoch in (1, 2)
        )
        await client.send(first, 12)
        await until_parked(node)
        await other.send(second, 12)
        await until_parked(node, 2)
        async with connect(node) as producer:
            await producer.produce("orders", b"value")
        overtaken = await client.receive(FetchResponse)
        assert overtaken.error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH
        assert (await other.receive(FetchResponse)).responses


@pytest.mark.parametrize("offset", [-1, -5, 3, 1 << 62])
def test_offsets_outside_of_the_log_are_out_of_range(offset: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"a", b"b")
            data = await client.fetch("orders", offset, max_wait_ms=3_600_000)
            assert data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
            assert (data.high_watermark, data.last_stable_offset, data.log_start_offset) == (-1, -1, -1)
            assert bytes_of(data) == b""

    run()


@trio_test
async def test_an_unknown_topic_id_has_its_own_error(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        topic_id = await client.create_topic("orders")
        for wanted, partition, expected in (
            (random_uuid(), 0, ErrorCode.UNKNOWN_TOPIC_ID),
            (topic_id, 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ):
            request = fetch_request({wanted: {partition: 0}}, max_wait_ms=3_600_000)
            response = await client.ask(request, FetchResponse, 13)
            assert response.error_code == ErrorCode.NONE
            assert response.responses[0].partitions[0].error_code == expected


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(-1, ErrorCode.NONE), (0, ErrorCode.NONE), (1, ErrorCode.UNKNOWN_LEADER_EPOCH)],
)
def test_leader_epochs_are_compared(epoch: int, expected: ErrorCode, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            request = fetch_request({"orders": {0: 0}})
            request.topics[0].partitions[0].current_leader_epoch = epoch
            assert told(await client.ask(request, FetchResponse, 12)) == {("orders", 0): expected}

    run()


@trio_test
async def test_an_older_leader_epoch_is_fenced_and_divergence_is_told(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b")
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.produce("orders", b"c")
        epoch = node.broker.partitions.leader("orders", 0).leader_epoch
        assert epoch > 0, "a leader that comes back leads in a new epoch"
        request = fetch_request({"orders": {0: 0}})
        wanted = request.topics[0].partitions[0]
        wanted.current_leader_epoch = epoch - 1
        assert told(await client.ask(request, FetchResponse, 12)) == {("orders", 0): ErrorCode.FENCED_LEADER_EPOCH}
        wanted.current_leader_epoch = epoch
        wanted.last_fetched_epoch, wanted.fetch_offset = 0, 3
        (data,) = (await client.ask(request, FetchResponse, 12)).responses[0].partitions
        assert (data.diverging_epoch.epoch, data.diverging_epoch.end_offset) == (0, 2)
        assert bytes_of(data) == b""


@trio_test
async def test_a_fetch_parked_on_a_topic_that_is_deleted_is_answered_at_once(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as by_name, connect(node) as by_id, connect(node) as admin:
        topic_id = await admin.create_topic("orders")
        await admin.create_topic("others")
        await by_name.send(fetch_request({"others": {0: 0}, "orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await by_id.send(fetch_request({topic_id: {0: 0}}, max_wait_ms=3_600_000), 18)
        await until_parked(node, 2)
        await admin.delete_topic("orders")
        response = await by_name.receive(FetchResponse)
        assert told(response) == {("others", 0): 0, ("orders", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
        (data,) = (await by_id.receive(FetchResponse)).responses[0].partitions
        assert data.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@trio_test
async def test_a_topic_made_again_is_another_one_and_empty(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        first_id = await client.create_topic("orders", 2)
        await client.produce("orders", b"old")
        await client.delete_topic("orders")
        second_id = await client.create_topic("orders", 1)
        assert second_id != first_id
        assert await client.values("orders") == []
        assert await client.produce("orders", b"new") == 0
        old = await client.ask(fetch_request({first_id: {0: 0}}), FetchResponse)
        assert old.responses[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_ID
    async with running_node(tmp_path) as node, connect(node) as client:
        assert await client.values("orders") == [b"new"]


@trio_test
async def test_a_transfer_goes_on_while_its_topic_is_deleted(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as slow, connect(node) as admin:
        await admin.create_topic("orders")
        content = batch([b"L" * 1_000_000])
        for _ in range(12):
            await admin.produce_batch("orders", content)
        await slow.send(fetch_request({"orders": {0: 0}}), 12)
        await until_parked(node)
        await admin.delete_topic("orders")
        await node.housekeeping.remove_deleted()
        (data,) = (await slow.receive(FetchResponse)).responses[0].partitions
        assert bytes_of(data) == b"".join(stamped(content, offset) for offset in range(12))


@pytest.mark.parametrize("version", [7, 12, 13, 18])
def test_a_session_tells_only_what_is_new(version: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            topic_id = await client.create_topic("orders", 3)
            topic = "orders" if version < 13 else topic_id

            async def ask(request: FetchRequest) -> FetchResponse:
                return await client.ask(request, FetchResponse, version)

            def indexes(response: FetchResponse) -> list[int]:
                return [data.partition_index for topic in response.responses for data in topic.partitions]

            full = await ask(fetch_request({topic: {0: 0, 1: 0, 2: 0}}, session_epoch=0))
            assert full.session_id != 0
            assert indexes(full) == [0, 1, 2]
            session = full.session_id

            quiet = await ask(fetch_request({}, session_id=session, session_epoch=1))
            assert (quiet.session_id, quiet.error_code, quiet.responses) == (session, ErrorCode.NONE, [])
            await client.produce("orders", b"a", partition=1)
            news = await ask(fetch_request({}, session_id=session, session_epoch=2))
            assert indexes(news) == [1]
            assert len(records_of(news.responses[0].partitions[0])) == 1

            advanced = fetch_request({topic: {1: 1}}, session_id=session, session_epoch=3)
            assert indexes(await ask(advanced)) == []
            wrong = await ask(fetch_request({}, session_id=session, session_epoch=3))
            assert wrong.error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH
            unknown = await ask(fetch_request({}, session_id=session ^ 1, session_epoch=1))
            assert unknown.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
            closed = await ask(fetch_request({topic: {0: 0}}, session_id=session, session_epoch=-1))
            assert (closed.session_id, indexes(closed)) == (0, [0])
            gone = await ask(fetch_request({}, session_id=session, session_epoch=4))
            assert gone.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND

    run()


@trio_test
async def test_a_parked_session_hears_that_its_topic_was_deleted(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as admin:
        topic_id = await admin.create_topic("orders")
        full = await client.ask(fetch_request({topic_id: {0: 0}}, session_epoch=0), FetchResponse)
        incremental = fetch_request({}, session_id=full.session_id, session_epoch=1, max_wait_ms=3_600_000)
        await client.send(incremental)
        await until_parked(node)
        await admin.delete_topic("orders")
        (data,) = (await client.receive(FetchResponse)).responses[0].partitions
        assert data.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@trio_test
async def test_a_partition_asked_for_twice_is_answered_once(tmp_path: Path) -> None:
    """As in Apache Kafka, where the last one counts."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a")
        wanted = [FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20) for offset in (1, 0)]
        request = FetchRequest(
            min_bytes=1, max_bytes=1 << 20, session_epoch=-1, topics=[FetchTopic(topic="orders", partitions=wanted)]
        )
        (data,) = (await client.ask(request, FetchResponse, 12)).responses[0].partitions
        assert len(records_of(data)) == 1
