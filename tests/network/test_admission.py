"""Who may connect, and when: limits by listener, by host and by rate; nobody locks out the others."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.network import host_limits, server
from kafkapy.network.connection_rate import ConnectionRate
from kafkapy.network.host_limits import HostLimits
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy.settings.listeners import parse_counts_by_host
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import BROKER, Client, connect, port_of, running_node, trio_test

TWO_LISTENERS = {
    "listeners": "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0",
    "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
    "inter.broker.listener.name": "INSIDE",
}
ASK = MetadataRequest(topics=[])


@asynccontextmanager
async def client_of(node: Node, listener_name: str) -> AsyncIterator[Client]:
    port = next(one.port for one in node.settings.now.advertised_listeners if one.name == listener_name)
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        yield Client(stream)
    finally:
        stream.socket.close()


async def is_let_in(node: Node, client: Client) -> bool:
    """Whether a client that has connected is served; False: it waits in the backlog."""
    await trio.testing.wait_all_tasks_blocked()
    port = client.stream.socket.getsockname()[1]
    return any(connection.client.peer_port == port for connection in node.server.connections)


# -- rates


def allowed_at(rate: ConnectionRate, limit: int, now_ms: float, *, window_count: int = 11) -> int:
    """How many connections are let in at once."""
    count = 0
    while not rate.delay_ms(limit, now_ms, window_ms=1_000, window_count=window_count):
        rate.record(now_ms, window_ms=1_000, window_count=window_count)
        count += 1
    return count


def test_a_burst_fills_all_windows_but_one_then_the_limit_holds() -> None:
    rate = ConnectionRate()
    assert allowed_at(rate, 5, 0) == 50
    assert rate.delay_ms(5, 0, window_ms=1_000, window_count=11) == 200
    assert allowed_at(rate, 5, 199) == 0
    later = [allowed_at(rate, 5, now_ms) for now_ms in range(200, 11_000, 200)]
    assert sum(later) == 4, "5 a second make 55 in all windows"
    assert rate.delay_ms(5, 1_000, window_ms=1_000, window_count=11) == 1_000, "nobody waits for more than a window"
    assert allowed_at(rate, 5, 11_000) == 50, "the burst is over and forgotten"


def test_old_windows_are_forgotten() -> None:
    rate = ConnectionRate()
    assert allowed_at(rate, 1, 0, window_count=3) == 2
    assert allowed_at(rate, 1, 3_000, window_count=3) == 2


def test_with_one_window_some_are_let_in_all_the_same() -> None:
    rate = ConnectionRate()
    assert [allowed_at(rate, 1, now_ms, window_count=1) for now_ms in (0, 999, 1_000)] == [1, 0, 1]


@trio_test
async def test_connections_beyond_the_rate_wait_for_their_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """max.connection.creation.rate, over quota.window.num windows of quota.window.size.seconds."""
    given = {"max.connection.creation.rate": "2", "quota.window.num": "2", "quota.window.size.seconds": "3"}
    async with running_node(tmp_path, given) as node:
        node.clock.freeze()  # type: ignore[attr-defined]  # tests have a ManualClock
        async with connect(node) as one, connect(node) as two, connect(node) as three:
            clients = [one, two, three]
            for _ in range(3):
                async with connect(node) as client:
                    await client.ask(ASK, MetadataResponse)
            for client in clients:
                await client.ask(ASK, MetadataResponse)
            async with connect(node) as late:
                assert not await is_let_in(node, late)
                node.clock.advance(499)
                assert not await is_let_in(node, late)
                node.clock.advance(1)
                await late.ask(ASK, MetadataResponse)
    assert "max.connection.creation.rate" in caplog.text


@trio_test
async def test_a_listener_has_limits_of_its_own(tmp_path: Path) -> None:
    given = {**TWO_LISTENERS, "listener.name.outside.max.connections": "1"}
    async with running_node(tmp_path, given) as node, client_of(node, "OUTSIDE") as first:
        await first.ask(ASK, MetadataResponse)
        async with client_of(node, "OUTSIDE") as second, client_of(node, "INSIDE") as other:
            assert not await is_let_in(node, second)
            await other.ask(ASK, MetadataResponse)
            first.stream.socket.close()
            await second.ask(ASK, MetadataResponse)


@trio_test
async def test_a_listener_has_a_rate_of_its_own(tmp_path: Path) -> None:
    given = {**TWO_LISTENERS, "listener.name.outside.max.connection.creation.rate": "1", "quota.window.num": "2"}
    async with running_node(tmp_path, given) as node:
        node.clock.freeze()  # type: ignore[attr-defined]  # tests have a ManualClock
        async with client_of(node, "OUTSIDE") as first, client_of(node, "OUTSIDE") as second:
            await first.ask(ASK, MetadataResponse)
            assert not await is_let_in(node, second)
            async with client_of(node, "INSIDE") as other:
                await other.ask(ASK, MetadataResponse)
            node.clock.advance(1_000)
            await second.ask(ASK, MetadataResponse)


@trio_test
async def test_the_listener_between_brokers_is_protected(tmp_path: Path) -> None:
    """As in Apache Kafka: it is let in beyond max.connections, and an idle client of another listener goes."""
    given = {**TWO_LISTENERS, "max.connections": "1"}
    async with running_node(tmp_path, given) as node, client_of(node, "OUTSIDE") as client:
        await client.ask(ASK, MetadataResponse)
        async with client_of(node, "INSIDE") as broker:
            await broker.ask(ASK, MetadataResponse)
            assert await client.closed_by_broker()
            async with client_of(node, "OUTSIDE") as waiting:
                assert not await is_let_in(node, waiting)


@trio_test
async def test_with_a_rate_of_0_one_is_let_in_each_window(tmp_path: Path) -> None:
    """As in Apache Kafka: nobody is locked out for good."""
    given = {"max.connection.creation.rate": "0", "quota.window.size.seconds": "2"}
    async with running_node(tmp_path, given) as node:
        node.clock.freeze()  # type: ignore[attr-defined]  # tests have a ManualClock
        async with connect(node) as first, connect(node) as second:
            assert not await is_let_in(node, first)
            node.clock.advance(2_000)
            await first.ask(ASK, MetadataResponse)
            assert not await is_let_in(node, second)
            node.clock.advance(2_000)
            await second.ask(ASK, MetadataResponse)


@trio_test
async def test_clients_that_leave_do_not_make_others_wait_longer(tmp_path: Path) -> None:
    async with running_node(tmp_path, {"max.connection.creation.rate": "1", "quota.window.num": "2"}) as node:
        node.clock.freeze()  # type: ignore[attr-defined]  # tests have a ManualClock
        async with connect(node) as leaving:
            await leaving.ask(ASK, MetadataResponse)
            waiting = Client(await trio.open_tcp_stream("127.0.0.1", port_of(node)))
            assert not await is_let_in(node, waiting)
            node.clock.advance(900)
        async with waiting.stream:
            while node.server.connections:
                await trio.lowlevel.checkpoint()
            assert not await is_let_in(node, waiting)
            node.clock.advance(100)
            await waiting.ask(ASK, MetadataResponse)


# -- hosts

UNRESOLVABLE = ["a" * 64, "a..b", "..", ".", "-", "%", "x" * 300, "no-such-host.invalid"]


async def alter(client: Client, name: str, value: str, resource: str = "") -> tuple[int, str | None]:
    change = AlterableConfig(name=name, config_operation=0, value=value)
    altered = AlterConfigsResource(resource_type=BROKER, resource_name=resource, configs=[change])
    response = await client.ask(IncrementalAlterConfigsRequest(resources=[altered]), IncrementalAlterConfigsResponse)
    return response.responses[0].error_code, response.responses[0].error_message


@trio_test
async def test_a_host_that_no_resolver_takes_shuts_out_nobody(tmp_path: Path) -> None:
    """It is refused where it can be no name at all; whatever was stored, the node goes on, and starts again."""
    async with running_node(tmp_path) as node:
        for host in UNRESOLVABLE:
            async with connect(node) as client:
                error, _ = await alter(client, "max.connections.per.ip.overrides", f"{host}:5,127.0.0.1:9")
                assert error in (ErrorCode.NONE, ErrorCode.INVALID_REQUEST)
                assert error == ErrorCode.NONE or host not in ("-", "%", "no-such-host.invalid")
            async with connect(node) as client:
                await client.ask(ASK, MetadataResponse)
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.ask(ASK, MetadataResponse)


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "..", "", "a b", "c/d", "\u00e4"])
def test_what_can_be_no_host_is_refused_in_kafkas_words(host: str) -> None:
    with pytest.raises(ValueError, match=r"max\.connections\.per\.ip\.overrides contains invalid addresses : "):
        parse_counts_by_host(f"{host}:5")


@trio_test
async def test_names_are_resolved_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolve(name: str) -> list[str]:
        asked.append(name)
        trio.from_thread.run(trio.lowlevel.checkpoint)  # fails unless a worker thread of trio's calls it
        if name == "broken":
            raise UnicodeError("label too long")
        if name == "unknown":
            raise socket.gaierror(-2, "Name or service not known")
        return ["10.0.0.1", "10.0.0.2"]

    monkeypatch.setattr(host_limits, "_resolve", resolve)
    limits = HostLimits[int]("a setting")
    given = {"broken": 1, "unknown": 2, "known": 3, "10.0.0.9": 4, "::ffff:10.0.0.8": 5}
    limits.use(given)
    assert (limits.allowed("10.0.0.9"), limits.allowed("10.0.0.8"), limits.allowed("10.0.0.1")) == (4, 5, None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(limits.run)
        await limits.resolved()
        assert (limits.allowed("10.0.0.1"), limits.allowed("10.0.0.2")) == (3, 3)
        limits.use(dict(given))  # as when another setting has changed
        assert limits.allowed("10.0.0.1") == 3
        limits.use({"known": 7})
        assert limits.allowed("10.0.0.1") == 7  # before it is resolved again, it has its old addresses
        await limits.resolved()
        assert (limits.allowed("10.0.0.1"), limits.allowed("10.0.0.9")) == (7, None)
        nursery.cancel_scope.cancel()
    assert asked == ["broken", "unknown", "known", "known"]


# -- nobody is shut out


@trio_test
async def test_a_bug_in_letting_one_in_shuts_out_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as there:
        await there.ask(ASK, MetadataResponse)
        with monkeypatch.context() as broken:
            broken.setattr(server, "PlainTransport", lambda _sock: 1 / 0)
            async with connect(node) as unlucky:
                assert await unlucky.closed_by_broker()
        async with connect(node) as lucky:
            await lucky.ask(ASK, MetadataResponse)
        assert len(node.bugs.kept) == 1
    assert "ZeroDivisionError" in caplog.text


LOCKS_OUT = [
    {"max.connections": "0"},
    {"listener.name.plaintext.max.connections": "0"},
]


@pytest.mark.parametrize("values", LOCKS_OUT)
def test_nobody_locks_everybody_out_for_good(
    values: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused when it is set, and left out when Apache Kafka has stored it."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            for name, value in values.items():
                error, message = await alter(client, name, value, "1")
                assert error == ErrorCode.INVALID_REQUEST
                assert message is not None
                assert "no client could connect any more" in message
            async with connect(node) as another:
                await another.ask(ASK, MetadataResponse)

    run()
    with caplog.at_level(logging.WARNING):
        assert Settings().with_dynamic({}, values).network.max_connections > 0
    assert "ignoring the dynamic setting" in caplog.text


def test_whoever_may_change_the_file_may_close_the_door() -> None:
    assert Settings({"max.connections": "0"}).network.max_connections == 0
