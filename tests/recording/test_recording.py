"""Recordings of a running node: what is in them, in which order, and what assertions say."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.cluster import Cluster, members_of
from kafkapy.long_messages import AT_ONCE_BYTES_MAX
from kafkapy.node import Node
from kafkapy.recording import InvalidFilter, NotRecorded, Outcome, Recording
from kafkapy.recording.recording import ENTRY_BYTES
from kafkapy.recording.tap import CUT_BYTES, KEPT_BYTES_MAX
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.produce import ProduceRequest, ProduceResponse
from tests.shell.running_node import (
    Client,
    batch,
    connect,
    fetch_request,
    produce_request,
    records_of,
    running_node,
    trio_test,
    until_parked,
)

ASKED = ApiVersionsRequest(client_software_name="a-library", client_software_version="1.2")


@contextmanager
def recorded(node: Node, *, bytes_max: int = 1 << 26, with_nodes: bool = False) -> Iterator[Recording]:
    recording = Recording(bytes_max=bytes_max, with_nodes=with_nodes)
    recording.attach(node.dispatcher, node.node_id, node.broker.metadata)
    yield recording
    recording.stop()


@asynccontextmanager
async def recorded_node(directory: Path) -> AsyncIterator[tuple[Node, Recording, Client]]:
    async with running_node(directory) as node, connect(node) as client:
        with recorded(node) as recording:
            yield node, recording, client


@trio_test
async def test_an_exchange_has_the_request_and_its_answer(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (node, recording, client):
        await client.ask(ASKED, ApiVersionsResponse, 4)
        await client.create_topic("orders")
        client.client_id = "billing"
        await client.produce("orders", b"one", b"two")
        (exchange,) = recording.select("Produce")
        assert isinstance(exchange.request, ProduceRequest)
        assert exchange.request.topic_data[0].name == "orders"
        assert isinstance(exchange.response, ProduceResponse)
        assert exchange.response.responses[0].partition_responses[0].base_offset == 0
        assert (exchange.api, exchange.api_key, exchange.api_version) == ("Produce", ApiKey.PRODUCE, 12)
        assert (exchange.client_id, exchange.software) == ("billing", "a-library 1.2")
        assert exchange.node_id == node.node_id
        assert exchange.listener == "PLAINTEXT"
        assert exchange.principal == "User:ANONYMOUS"
        assert exchange.peer == f"127.0.0.1:{client.stream.socket.getsockname()[1]}"
        assert exchange.outcome is Outcome.ANSWERED
        assert not exchange.errors
        assert exchange.topics == {"orders"}
        assert not exchange.groups
        assert exchange.request_size_bytes == len(exchange.request_frame) + 4
        assert exchange.response_size_bytes == len(exchange.response_frame) + 4
        assert exchange.duration_ms is not None
        assert exchange.duration_ms >= 0
        assert [each.api for each in recording] == ["ApiVersions", "CreateTopics", "Produce"]
        assert [each.connection for each in recording] == [exchange.connection] * 3
        assert [each.number for each in recording] == sorted(each.number for each in recording)
        assert re.fullmatch(
            rf"\d\d:\d\d:\d\d\.\d\d\d node {node.node_id} 127\.0\.0\.1:\d+ 'billing': "
            rf"#{exchange.number} Produce v12 of orders -> NONE in \d+\.\d\d ms",
            str(exchange),
        )


@trio_test
async def test_fetched_records_that_go_from_the_file_to_the_socket_are_in_the_answer(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (_, recording, client):
        await client.create_topic("orders", 2)
        await client.produce("orders", b"one", b"two")
        await client.produce("orders", b"three", partition=1)
        response = await client.ask(fetch_request({"orders": {0: 0, 1: 0}}), FetchResponse, 12)
        recorded_response = recording.last("Fetch").response
        assert isinstance(recorded_response, FetchResponse)
        for ours, theirs in zip(
            recorded_response.responses[0].partitions, response.responses[0].partitions, strict=True
        ):
            assert records_of(ours) == records_of(theirs) != []


@trio_test
async def test_a_request_that_waits_is_in_its_place_and_ends_when_it_is_answered(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (node, recording, client), connect(node) as producer:
        await client.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=10_000), 12)
        await until_parked(node)
        waiting = recording.last("Fetch")
        assert (waiting.outcome, waiting.duration_ms, waiting.response) == (Outcome.WAITING, None, None)
        assert "Fetch v12 of orders -> waiting" in str(waiting)
        await producer.produce("orders", b"one")
        await client.receive(FetchResponse)
        assert waiting.outcome is Outcome.WAITING, "an exchange is as it was when it was looked at"
        assert [each.api for each in recording] == ["CreateTopics", "Fetch", "Produce"]
        answered = recording.last("Fetch")
        assert (answered.outcome, answered.number) == (Outcome.ANSWERED, waiting.number)
        assert isinstance(answered.response, FetchResponse)
        assert [record.value for record in records_of(answered.response.responses[0].partitions[0])] == [b"one"]


@trio_test
async def test_the_outcomes_without_an_answer(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (node, recording, client):
        await client.create_topic("orders")
        await client.send(produce_request("orders", batch([b"one"]), acks=0), 12, answered=False)
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)
        exchange = recording.last("Produce")
        assert (exchange.outcome, exchange.response, exchange.response_size_bytes) == (Outcome.NOT_ANSWERED, None, 0)
        async with connect(node) as other:
            await other.send(fetch_request({"orders": {0: 1}}, max_wait_ms=10_000), 12)
            await until_parked(node)
        while recording.count("Fetch", outcome="waiting"):
            await trio.lowlevel.checkpoint()
        assert recording.last("Fetch").outcome is Outcome.GIVEN_UP
        async with connect(node) as other:
            await other.send(HeartbeatRequest(group_id="g"), 4)
            broken = bytearray(other.frame(HeartbeatRequest(group_id="g" * 100), 4))
            broken[0:4] = (len(broken) - 4 - 90).to_bytes(4, "big")
            await other.stream.send_all(broken[: len(broken) - 90])
            await other.receive(HeartbeatResponse)
            assert await other.closed_by_broker()
        closed = recording.last("Heartbeat")
        assert (closed.outcome, closed.request, closed.response) == (Outcome.CLOSED, None, None)
        assert closed.reason
        assert f"closed ({closed.reason})" in str(closed)
        async with connect(node) as other:
            await other.stream.send_all(b"\0\0\0\x0a" + b"\x7f\xff\0\x07\0\0\0\x2a\xff\xff")  # API key 32767 v7
            assert await other.closed_by_broker()
        unknown = recording.last(32767)
        assert (unknown.api, unknown.api_version, unknown.correlation_id) == ("API key 32767", 7, 42)
        assert (unknown.request, unknown.client_id, unknown.outcome) == (None, None, Outcome.CLOSED)


@trio_test
async def test_an_api_versions_that_is_too_new_is_told_in_version_0(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (_, recording, client):
        frame = bytearray(client.frame(ASKED, 4))
        frame[6:8] = (99).to_bytes(2, "big")
        await client.stream.send_all(frame)
        await client.receive_frame()
        assert recording.last("ApiVersions").errors == ("UNSUPPORTED_VERSION",)


@trio_test
async def test_filters(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (node, recording, client), connect(node) as other:
        client.client_id, other.client_id = "billing-1", "audit"
        await client.ask(ASKED, ApiVersionsResponse)
        await client.create_topic("orders")
        await other.create_topic("events")
        await client.produce("orders", b"one")
        await other.find_coordinator("a-group")
        await other.find_coordinator("a-transaction", key_type=1)
        await other.ask(HeartbeatRequest(group_id="a-group", member_id="m", generation_id=1), HeartbeatResponse)
        assert recording.count() == len(recording) == 7
        assert recording.count("produce") == recording.count(0) == recording.count(["Produce", "Fetch"]) == 1
        assert recording.count(client="billing-1") == recording.count(client="billing-*") == 3
        assert recording.count(client="billing") == 0
        assert recording.count(topic="orders") == 2
        assert recording.count("CreateTopics", topic="*e*") == 2
        assert [each.api for each in recording.select(group="a-group")] == ["FindCoordinator", "Heartbeat"]
        assert [each.api for each in recording.select(transactional_id="a-transaction")] == ["FindCoordinator"]
        assert recording.count(node=node.node_id) == 7
        assert recording.count(node=node.node_id + 1) == 0
        assert recording.count(connection=recording.last("Produce").connection) == 3
        assert recording.count(software="a-library") == recording.count(software="a-library 1.2") == 3
        assert recording.count(listener="PLAINTEXT", principal="User:*") == 7
        assert [each.api for each in recording.select(error="UNKNOWN_*")] == ["Heartbeat"]
        assert recording.count(error="NONE") == 6
        assert recording.count(outcome="answered") == 7
        assert recording.count(after=recording.last("Produce").number) == 3
        assert recording.count(where=lambda exchange: exchange.request_size_bytes > 10_000) == 0
        assert {name: len(found) for name, found in recording.by_client().items()} == {"billing-1": 3, "audit": 4}


@pytest.mark.parametrize(
    ("api", "given", "message"),
    [
        ("Fetsh", {}, "api: there is no API 'Fetsh' (did you mean 'Fetch'?)"),
        (-1, {}, "api: -1 is no API key"),
        (None, {"topics": "a"}, "topics: there is no such filter: there are api, client, topic, .* 'topic'"),
        (None, {"node": "1"}, "node: a number is expected, not '1'"),
        (None, {"principal": "alice"}, "principal: a principal has a type in front, .*did you mean 'User:alice'"),
        (None, {"client": 1}, "client: a text is expected, not 1"),
        (None, {"outcome": "answerd"}, "outcome: it is one of answered, .*did you mean 'answered'"),
        (None, {"where": "x"}, "where: a function of an exchange is expected"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(api: str | int | None, given: dict[str, object], message: str) -> None:
    field, _, reason = message.partition(": ")
    with pytest.raises(
        InvalidFilter, match=re.escape(field) + ": " + reason.replace("(", r"\(").replace("?)", r"\?\)")
    ):
        Recording().select(api, **given)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(InvalidFilter):
        Recording().assert_sequence({"api": api, **given})


@trio_test
async def test_sequences(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (_, recording, client):
        await client.ask(ASKED, ApiVersionsResponse)
        await client.create_topic("orders")
        await client.produce("orders", b"one")
        await client.produce("orders", b"two")
        found = recording.assert_sequence("ApiVersions", {"api": "Produce", "topic": "orders"}, "Produce")
        assert [each.api for each in found] == ["ApiVersions", "Produce", "Produce"]
        recording.assert_sequence("ApiVersions", "CreateTopics", "Produce", "Produce", exactly=True, client="a-test")
        recording.assert_sequence("Produce", "Produce", exactly=True, topic="orders", after=found[0].number + 1)
        with pytest.raises(NotRecorded) as failed:
            recording.assert_sequence("Produce", "CreateTopics")
        first, *lines = str(failed.value).splitlines()
        assert first.startswith("number 2 of what was expected, CreateTopics, was not recorded there after number 1")
        assert first.endswith(" (but once before it):")
        assert [line[0] for line in lines] == [" ", " ", "1", " ", ">"]
        assert lines[-1] == "> (the end)"
        with pytest.raises(NotRecorded, match=r"no exchange with client 'a-tset' was recorded: .*, of 'a-test'"):
            recording.assert_sequence("Produce", client="a-tset")
        with pytest.raises(NotRecorded, match="number 2 of what was expected, Produce,") as failed:
            recording.assert_sequence("ApiVersions", "Produce", exactly=True)
        assert next(line for line in str(failed.value).splitlines() if line.startswith("> ")).endswith("ms")
        with pytest.raises(NotRecorded, match="number 2 of what was expected, nothing more,"):
            recording.assert_sequence("ApiVersions", exactly=True)
        with pytest.raises(NotRecorded, match=r"of Fetch with topic 'orders' was recorded: there is 2 Produce, 1 "):
            recording.last("Fetch", topic="orders")


@trio_test
async def test_topics_given_by_id_are_named_even_when_they_are_deleted(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (_, recording, client):
        topic_id = await client.create_topic("orders")
        await client.ask(fetch_request({topic_id: {0: 0}}), FetchResponse)
        assert recording.count("Fetch", topic="orders") == 1
        await client.delete_topic("orders")
        assert recording.count("Fetch", topic="orders") == 1


@trio_test
async def test_memory_is_bounded_and_what_was_dropped_is_counted(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        with recorded(node, bytes_max=20_000) as recording:
            await client.create_topic("orders")
            for n in range(20):
                await client.produce("orders", bytes(1_000 + n))
            assert 0 < len(recording) < 20
            assert recording.dropped + len(recording) == 21
            kept = sum(len(each.request_frame) + len(each.response_frame) + ENTRY_BYTES for each in recording)
            assert 18_000 < kept <= 20_000
            assert [each.api for each in recording] == ["Produce"] * len(recording)
            assert recording.timeline().startswith(f"({recording.dropped} older exchanges were dropped)\n")
            # The answer of one that waits counts when it is there, but not if the exchange was dropped.
            await client.send(fetch_request({"orders": {0: 20}}, max_wait_ms=10_000), 12)
            await until_parked(node)
            async with connect(node) as other:
                for _ in range(20):
                    await other.ask(MetadataRequest(topics=[MetadataRequestTopic(name="orders")]), MetadataResponse)
                recording.clear()
                assert (len(recording), recording.dropped) == (0, 0)
                await other.produce("orders", bytes(5_000))
            await client.receive(FetchResponse)
            assert [each.api for each in recording] == ["Produce"]
            assert (
                recording._bytes
                == len(recording.last().request_frame) + len(recording.last().response_frame) + ENTRY_BYTES
            )


@trio_test
async def test_long_requests_and_answers_are_told_by_their_size(tmp_path: Path) -> None:
    size = KEPT_BYTES_MAX
    async with recorded_node(tmp_path) as (_, recording, client):
        await client.create_topic("orders", max_message_bytes=str(2 * size))
        await client.produce("orders", bytes(size))
        produce = recording.last("Produce")
        assert (produce.is_whole, produce.request, produce.client_id) == (False, None, "a-test")
        assert produce.request_size_bytes > size
        assert len(produce.request_frame) == CUT_BYTES
        assert produce.errors == ()
        await client.fetch("orders")
        fetch = recording.last("Fetch")
        assert (fetch.is_whole, fetch.response) == (False, None)
        assert fetch.topics == {"orders"}
        assert fetch.response_size_bytes > size
        assert len(fetch.response_frame) <= CUT_BYTES


@trio_test
async def test_several_recordings_each_have_what_came_while_they_were_on(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        with recorded(node) as first:
            await client.create_topic("a")
            with recorded(node) as second:
                second.attach(node.dispatcher, node.node_id, node.broker.metadata)  # once more is once
                await client.create_topic("b")
            await client.create_topic("c")
        assert node.dispatcher.tap is None
        await client.create_topic("d")
        assert [sorted(each.topics) for each in first] == [["a"], ["b"], ["c"]]
        assert [sorted(each.topics) for each in second] == [["b"]]


@trio_test
async def test_a_request_that_waits_when_the_recording_stops_is_answered_in_it(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (node, recording, client), connect(node) as producer:
        await client.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=10_000), 12)
        await until_parked(node)
        recording.stop()
        await producer.produce("orders", b"one")
        await client.receive(FetchResponse)
        assert [(each.api, each.outcome) for each in recording] == [
            ("CreateTopics", Outcome.ANSWERED),
            ("Fetch", Outcome.ANSWERED),
        ]


@trio_test
async def test_what_ends_is_told_to_watchers(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (node, recording, client), connect(node) as producer:
        await client.create_topic("orders")
        seen: list[str] = []
        end = recording.watch(lambda exchange: seen.append(f"{exchange.api} {exchange.outcome.value}"))
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=10_000), 12)
        await until_parked(node)
        await producer.produce("orders", b"one")
        await client.receive(FetchResponse)
        assert seen == ["Fetch answered", "Produce answered"]
        end()
        await client.ask(FindCoordinatorRequest(coordinator_keys=["g"]), FindCoordinatorResponse)
        assert len(seen) == 2


@pytest.mark.parametrize("with_nodes", [False, True])
def test_requests_of_nodes_are_recorded_if_they_are_wanted(with_nodes: bool, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        cluster = Cluster(tmp_path, members_of(2), host="127.0.0.1", durable=False, kept=False)
        async with cluster.started():
            recording = Recording(with_nodes=with_nodes)
            for node in cluster.nodes.values():
                recording.attach(node.dispatcher, node.node_id, node.broker.metadata)
                recording.attach(node.controller_dispatcher, node.node_id, node.broker.metadata)
            async with connect(cluster.nodes[1]) as client:
                topic = CreatableTopic(name="orders", num_partitions=1, replication_factor=2)
                request = CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
                assert (await client.ask(request, CreateTopicsResponse)).topics[0].error_code == 0
                metadata = await client.ask(MetadataRequest(topics=None), MetadataResponse)
            leader_id = metadata.topics[0].partitions[0].leader_id
            async with connect(cluster.nodes[leader_id]) as client:
                await client.produce("orders", b"one")  # acks=all: the follower has fetched it
        assert recording.count("Produce", node=leader_id) == 1
        if with_nodes:
            assert recording.count("Fetch", node=leader_id, topic="orders", software="kafkapy-node") > 0
            assert recording.count("BrokerHeartbeat") > 0
        else:
            assert {each.api for each in recording} == {"CreateTopics", "Metadata", "Produce"}

    run()


@trio_test
async def test_requests_that_are_decoded_and_answered_in_turns_are_recorded(tmp_path: Path) -> None:
    async with recorded_node(tmp_path) as (_, recording, client):
        names = [MetadataRequestTopic(name=f"no-such-topic-{n}") for n in range(20_000)]
        request = MetadataRequest(topics=names, allow_auto_topic_creation=False)
        assert len(client.frame(request, answered=False)) > AT_ONCE_BYTES_MAX
        response = await client.ask(request, MetadataResponse)
        exchange = recording.last("Metadata")
        assert exchange.response == response
        assert isinstance(exchange.request, MetadataRequest)
        assert exchange.request.topics is not None
        assert len(exchange.request.topics) == len(names)
        assert exchange.errors == ("UNKNOWN_TOPIC_OR_PARTITION",)


@trio_test
async def test_requests_are_logged_and_recorded_at_the_same_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="kafkapy.requests")
    async with recorded_node(tmp_path) as (node, recording, client), connect(node) as producer:
        await client.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=10_000), 12)
        await until_parked(node)
        await producer.produce("orders", b"one")
        await client.receive(FetchResponse)
        assert [(each.api, each.errors) for each in recording] == [
            ("CreateTopics", ()),
            ("Fetch", ()),
            ("Produce", ()),
        ]
        assert [each.outcome for each in recording] == [Outcome.ANSWERED] * 3
    told = [record.getMessage() for record in caplog.records if record.name == "kafkapy.requests"]
    assert [re.sub(r".*: (\w+) v.*", r"\1", line) for line in told] == ["CreateTopics", "Fetch", "Produce"]
