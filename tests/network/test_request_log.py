"""One line for each request at debug, and one at info for a client that asks for what is not served."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from kafkapy.apis import API_MODULES
from kafkapy.context import Client as Peer
from kafkapy.context import RequestContext
from kafkapy.errors import NotServed
from kafkapy.log_lines import NAME_CHARACTERS_MAX, shown
from kafkapy.network.not_served import explain
from kafkapy.network.request_log import NAMES_MAX, RequestLog, names_in
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.shell.running_node import batch, connect, running_node, trio_test, until_parked

REQUEST = re.compile(r"127\.0\.0\.1:\d+ (?P<client>.*): (?P<asked>.*) -> (?P<said>.*) in \d+\.\d\d ms")


class Lines:
    """The requests that were logged so far, as `asked -> said`."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def of(self, name: str) -> list[str]:
        texts = [record.getMessage() for record in self._caplog.records if record.name == name]
        assert not any("\n" in text for text in texts)
        return texts

    @property
    def requests(self) -> list[str]:
        matches = [REQUEST.fullmatch(text) for text in self.of("kafkapy.requests")]
        return [f"{match['asked']} -> {match['said']}" for match in matches if match]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    caplog.set_level(logging.DEBUG, "kafkapy")
    return Lines(caplog)


@trio_test
async def test_a_request_and_its_answer_are_one_line(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a")
        await client.ask(HeartbeatRequest(group_id="g", member_id="nobody"), HeartbeatResponse)
        assert lines.of("kafkapy.requests")[0].startswith(
            f"127.0.0.1:{client.stream.socket.getsockname()[1]} 'a-test': "
        )
    asked_and_said = [re.sub(r" v\d+", "", line) for line in lines.requests]
    assert asked_and_said[0] == "CreateTopics of orders -> NONE"
    assert "Produce of orders-0 -> NONE" in asked_and_said
    assert asked_and_said[-1] == "Heartbeat of g -> NOT_COORDINATOR", "no group was ever here"
    assert len(lines.of("kafkapy.requests")) == len(lines.requests)


@trio_test
async def test_an_error_inside_an_answer_is_named(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path, {"auto.create.topics.enable": "false"}) as node, connect(node) as client:
        await client.create_topic("orders")
        taken = CreateTopicsRequest(topics=[CreatableTopic(name="orders"), CreatableTopic(name="a/b")])
        await client.ask(taken, CreateTopicsResponse, 7)
        # Its topics are encoded before the answer is: their errors are found all the same.
        await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="nope")]), MetadataResponse, 9)
        await client.ask(FindCoordinatorRequest(coordinator_keys=["g"], key_type=7), FindCoordinatorResponse, 4)
    assert lines.requests[-3:] == [
        "CreateTopics v7 of orders, a/b -> TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION",
        "Metadata v9 of nope -> UNKNOWN_TOPIC_OR_PARTITION",
        "FindCoordinator v4 of g -> INVALID_REQUEST",
    ]


@trio_test
async def test_a_parked_fetch_is_logged_when_it_is_answered_or_given_up(tmp_path: Path, lines: Lines) -> None:
    """Its topic is told by name, although the request has an id; the request that wakes it has a line of its own."""
    async with running_node(tmp_path) as node, connect(node) as producer:
        await producer.create_topic("orders")
        async with connect(node) as consumer:
            topic = node.broker.metadata.image.topics["orders"]
            asked = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
            request = FetchRequest(
                max_wait_ms=60_000,
                min_bytes=1,
                max_bytes=1 << 20,
                topics=[FetchTopic(topic_id=topic.topic_id, partitions=[asked])],
            )
            await consumer.send(request, 13)
            await until_parked(node)
            assert not any(line.startswith("Fetch") for line in lines.requests)
            await producer.produce("orders", b"a")
            while not any(line.startswith("Fetch") for line in lines.requests):
                await trio.lowlevel.checkpoint()
            asked.fetch_offset = 1
            await consumer.send(request, 13)
            await until_parked(node)
        while len([line for line in lines.requests if line.startswith("Fetch")]) < 2:
            await trio.lowlevel.checkpoint()
    fetches = [line for line in lines.requests if line.startswith("Fetch")]
    assert fetches == ["Fetch v13 of orders-0 -> NONE", "Fetch v13 of orders-0 -> given up, the client is gone"]
    assert any(line.startswith("Produce") and line.endswith("of orders-0 -> NONE") for line in lines.requests)


@trio_test
async def test_a_produce_without_an_answer_is_a_line(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        data = TopicProduceData(name="orders", partition_data=[PartitionProduceData(index=0, records=batch([b"a"]))])
        await client.send(ProduceRequest(acks=0, timeout_ms=1000, topic_data=[data]), 9, answered=False)
        await client.values("orders")
    assert "Produce v9 of orders-0 -> no answer" in lines.requests


@trio_test
async def test_a_client_id_forges_no_line_and_fills_no_disk(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        client.client_id = "evil\nDEBUG kafkapy.requests: forged" + "x" * 30_000
        await client.ask(HeartbeatRequest(group_id="g\n" * 10_000), HeartbeatResponse)
    (line,) = lines.of("kafkapy.requests")
    assert r"'evil\\nDEBUG" in line
    assert len(line) < 1_000


def test_what_a_request_names() -> None:
    commit = OffsetCommitRequest(
        group_id="g",
        topics=[
            OffsetCommitRequestTopic(
                name="a", partitions=[OffsetCommitRequestPartition(partition_index=n) for n in (3, 4)]
            ),
            OffsetCommitRequestTopic(name="b"),
        ],
    )
    assert list(names_in(commit, {})) == ["a-3", "a-4", "b", "g"]
    assert list(names_in(FindCoordinatorRequest(key="g"), {})) == ["g"]
    assert list(names_in(MetadataRequest(topics=None), {})) == []


@trio_test
async def test_of_many_names_some_are_told(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path, {"auto.create.topics.enable": "false"}) as node, connect(node) as client:
        topics = [MetadataRequestTopic(name=f"t{number}") for number in range(400)]
        await client.ask(MetadataRequest(topics=topics), MetadataResponse, 9)
    told = ", ".join(f"t{number}" for number in range(NAMES_MAX))
    assert lines.requests == [f"Metadata v9 of {told}, ... -> UNKNOWN_TOPIC_OR_PARTITION"]


@trio_test
async def test_without_debug_lines_a_request_goes_to_the_dispatcher_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So a request that nobody logs takes the same way as ever."""
    caplog.set_level(logging.INFO, "kafkapy")
    async with running_node(tmp_path / "plain") as node:
        assert node.dispatcher.enter == node.dispatcher.answer
        assert node.dispatcher.accounts == ()
    caplog.set_level(logging.DEBUG, "kafkapy")
    async with running_node(tmp_path / "logged") as node:
        assert isinstance(node.dispatcher.log, RequestLog)
        assert node.dispatcher.enter == node.dispatcher.log.answer


@trio_test
async def test_requests_are_logged_while_the_level_of_their_logger_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client may change it (KIP-412), and connections that are open go on."""
    caplog.set_level(logging.INFO, "kafkapy")
    caplog.handler.setLevel(logging.DEBUG)
    lines = Lines(caplog)
    async with running_node(tmp_path) as node, connect(node) as client:
        for level, begins in (("DEBUG", "Metadata"), ("INFO", "")):
            caplog.clear()
            await client.alter_config(8, "1", "kafkapy.requests", level)
            await client.ask(MetadataRequest(topics=[]), MetadataResponse)
            assert [line[: len("Metadata")] for line in lines.requests] == ([begins] if begins else [])
        assert node.dispatcher.enter == node.dispatcher.answer
        await client.alter_config(8, "1", "kafkapy.requests", "DEBUG")
    assert node.dispatcher.log is None, "the level is back"


@trio_test
async def test_a_client_that_asks_for_what_is_not_served_is_told_of_at_info(
    tmp_path: Path, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    key = next(key for key in ApiKey if key not in API_MODULES)
    async with running_node(tmp_path) as node, connect(node) as client:
        client.client_id = "new-consumer"
        await client.stream.send_all(client.frame(request_class(key)(), API_VERSIONS[key].max_version))
        assert await client.closed_by_broker()
    (closing,) = [line for line in lines.of("kafkapy.connection") if "not served" in line]
    assert f"client 'new-consumer' asks for {API_VERSIONS[key].message_name} v" in closing
    assert [record.levelname for record in caplog.records if record.getMessage() == closing] == ["INFO"]


def explained(key: int, version: int, served: range) -> str:
    without_limits: Any = SimpleNamespace(api_limits=None)
    context = RequestContext(without_limits, Peer("PLAINTEXT", "127.0.0.1", 4711, "127.0.0.1"))
    context.client_id = "old"
    return explain(NotServed(key, version, served), context)


def test_what_to_do_about_it_is_said() -> None:
    begin = "closing the connection from 127.0.0.1:4711: client 'old' asks for "
    assert explained(ApiKey.VOTE, 0, range(0)) == (
        f"{begin}Vote v0, which is not served: docs/compatibility.md lists what is served"
    )
    assert explained(1, 2, range(4, 19)) == (
        f"{begin}Fetch v2, which is not served: versions 4 to 18 are served, so use a newer client"
    )
    assert explained(1, 99, range(4, 19)).endswith("versions 4 to 18 are served, so use an older client")
    assert explained(9999, 0, range(0)) == f"{begin}API key 9999, which is not served: Apache Kafka has no such API"
    for key in ApiKey:
        assert explained(key, 0, range(0)).count("\n") == 0


@trio_test
async def test_a_topic_that_a_client_has_made_by_asking_is_told_of(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        client.client_id = "app"
        request = MetadataRequest(topics=[MetadataRequestTopic(name="orders")], allow_auto_topic_creation=True)
        await client.ask(request, MetadataResponse)
        await client.ask(request, MetadataResponse)
        port = client.stream.socket.getsockname()[1]
    (line,) = lines.of("kafkapy.apis.metadata")
    assert line == (
        f"created topic orders, which client 'app' at 127.0.0.1:{port} has asked for (auto.create.topics.enable)"
    )


def test_texts_of_clients_are_escaped_and_cut() -> None:
    assert shown("größe") == "größe"
    assert shown("a\nb\x1b[2J") == r"a\nb\x1b[2J"
    assert shown("x" * 10_000) == "x" * NAME_CHARACTERS_MAX + "... (10000 characters)"


def test_the_heartbeat_of_the_new_protocol_names_its_group() -> None:
    assert list(names_in(ConsumerGroupHeartbeatRequest(group_id="g"), {})) == ["g"]
