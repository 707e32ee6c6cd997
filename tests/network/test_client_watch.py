"""A node notices who asks for the addresses of its brokers and for nothing else: raw requests, and a real client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kafkapy import told_clients
from kafkapy.clock import ManualClock
from kafkapy.node import Node
from kafkapy.told_clients import ROUND_MS, STUCK_MS
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.shell.running_node import Client, running_node, trio_test

NOWHERE = {"advertised.listeners": "PLAINTEXT://nowhere.invalid:9092"}
AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
ASK_EVERY_MS = 1_000
TOLD = "was told to connect to nowhere.invalid:9092 (listener PLAINTEXT)"


class Lines:
    """Those that the node has logged about clients that may be stuck."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "kafkapy.server")
        self._caplog = caplog

    @property
    def texts(self) -> list[str]:
        texts = [record.getMessage() for record in self._caplog.records]
        return [text for text in texts if "was told to connect" in text]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    return Lines(caplog)


@asynccontextmanager
async def at_bootstrap(node: Node) -> AsyncIterator[Client]:
    """A connection to where the node listens, which is not what it advertises."""
    stream = await trio.open_tcp_stream("127.0.0.1", node.settings.now.listeners[0].port)
    try:
        yield Client(stream)
    finally:
        stream.socket.close()


async def brokers(client: Client) -> None:
    await client.ask(MetadataRequest(topics=[]), MetadataResponse)


async def orders(client: Client) -> None:
    topics = [MetadataRequestTopic(name="orders")]
    await client.ask(MetadataRequest(topics=topics, allow_auto_topic_creation=False), MetadataResponse)


async def missing_topic(client: Client) -> None:
    topics = [MetadataRequestTopic(name="missing")]
    await client.ask(MetadataRequest(topics=topics, allow_auto_topic_creation=False), MetadataResponse)


async def all_topics(client: Client) -> None:
    await client.ask(MetadataRequest(topics=None), MetadataResponse)


async def coordinator(client: Client) -> None:
    await client.ask(FindCoordinatorRequest(coordinator_keys=["a-group"]), FindCoordinatorResponse)


async def versions(client: Client) -> None:
    request = ApiVersionsRequest(client_software_name="a-check", client_software_version="1")
    await client.ask(request, ApiVersionsResponse)


async def groups(client: Client) -> None:
    await client.ask(ListGroupsRequest(), ListGroupsResponse)


async def ask_for_long(node: Node, client: Client, *asked: Callable[[Client], Awaitable[None]]) -> None:
    assert isinstance(node.clock, ManualClock)
    for _ in range(0, 3 * STUCK_MS, ASK_EVERY_MS):
        for ask in asked:
            await ask(client)
        node.clock.advance(ASK_EVERY_MS)


@pytest.mark.parametrize("settings", [{}, AUTHORIZED], ids=["", "authorizer"])
@pytest.mark.parametrize("ask", [brokers, orders, coordinator])
@trio_test
async def test_a_client_that_only_asks_where_to_connect_is_told_of(
    ask: Callable[[Client], Awaitable[None]], settings: Mapping[str, str], tmp_path: Path, lines: Lines
) -> None:
    async with running_node(tmp_path, {**NOWHERE, **settings}) as node, at_bootstrap(node) as client:
        await client.create_topic("orders")
        client.client_id = "stuck"
        await ask_for_long(node, client, versions, ask)
        assert [TOLD in line for line in lines.texts] == [True]
        own_port = node.settings.now.listeners[0].port
        assert f"set advertised.listeners=PLAINTEXT://127.0.0.1:{own_port}, or" in lines.texts[0]
        assert node.dispatcher.watch is None, "nobody is watched any more, and requests cost nothing more"


@pytest.mark.parametrize("settings", [{}, AUTHORIZED], ids=["", "authorizer"])
@pytest.mark.parametrize(
    "asked",
    [(brokers, all_topics), (all_topics,), (missing_topic,), (versions,), (brokers, groups), (coordinator, groups)],
    ids=lambda asked: "+".join(ask.__name__ for ask in asked),
)
@trio_test
async def test_a_client_that_gets_what_it_wants_is_not(
    asked: tuple[Callable[[Client], Awaitable[None]], ...],
    settings: Mapping[str, str],
    tmp_path: Path,
    lines: Lines,
) -> None:
    async with running_node(tmp_path, {**NOWHERE, **settings}) as node, at_bootstrap(node) as client:
        await client.create_topic("orders")
        client.client_id = "innocent"
        await ask_for_long(node, client, *asked)
        assert lines.texts == []
        assert node.dispatcher.watch is None


@trio_test
async def test_it_may_be_served_on_another_connection(tmp_path: Path, lines: Lines) -> None:
    async with running_node(tmp_path, NOWHERE) as node, at_bootstrap(node) as client, at_bootstrap(node) as other:
        await brokers(client)
        await groups(other)
        await ask_for_long(node, client, brokers)
        assert lines.texts == []


@trio_test
async def test_librdkafka_cannot_resolve_the_advertised_host(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer and a consumer of their own client ids; one line for both, as they have one address."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    monkeypatch.setattr(told_clients, "STUCK_MS", 1_000)
    monkeypatch.setattr(told_clients, "ROUND_MS", ROUND_MS // 5)

    def work(bootstrap: str) -> None:
        config = {"bootstrap.servers": bootstrap, "log_level": 0, "error_cb": lambda _: None}
        producer = confluent_kafka.Producer({**config, "client.id": "producer"})
        producer.produce("orders", b"1")
        consumer = confluent_kafka.Consumer({**config, "client.id": "consumer", "group.id": "a-group"})
        consumer.subscribe(["orders"])
        try:
            while not lines.texts:
                consumer.poll(0.05)
                producer.poll(0)
                trio.from_thread.check_cancelled()
        finally:
            producer.purge()
            consumer.close()

    async with running_node(tmp_path, NOWHERE) as node:
        await trio.to_thread.run_sync(work, f"127.0.0.1:{node.settings.now.listeners[0].port}")
    assert [TOLD in line for line in lines.texts] == [True]


@trio_test
async def test_librdkafka_that_is_served_or_only_lists_is_not_told_of(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another address than the one that is advertised, and with a rule that would take any two requests for more."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    admin = pytest.importorskip("confluent_kafka.admin")
    monkeypatch.setattr(told_clients, "STUCK_MS", 300)
    monkeypatch.setattr(told_clients, "ROUND_MS", 0)

    def work(bootstrap: str) -> None:
        config = {"bootstrap.servers": bootstrap, "topic.metadata.refresh.interval.ms": 100}
        producer = confluent_kafka.Producer({**config, "client.id": "producer"})
        producer.produce("orders", b"1")
        assert producer.flush(30) == 0
        consumer = confluent_kafka.Consumer(
            {**config, "client.id": "consumer", "group.id": "a-group", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe(["orders"])
        message = consumer.poll(30)
        assert message is not None
        assert message.value() == b"1"
        for _ in range(10):
            admin.AdminClient({**config, "client.id": "lists"}).list_topics(timeout=30)
            consumer.poll(0.05)
        consumer.close()

    settings = {"listeners": "PLAINTEXT://0.0.0.0:0", "advertised.listeners": "PLAINTEXT://127.0.0.2:0"}
    async with running_node(tmp_path, settings) as node:
        port = node.settings.now.listeners[0].port
        assert [str(one) for one in node.settings.now.advertised_listeners] == [f"PLAINTEXT://127.0.0.2:{port}"]
        await trio.to_thread.run_sync(work, f"127.0.0.1:{port}")
    assert lines.texts == []
