"""Whatever a peer sends costs that peer its connection and one line in the log; the others go on."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.apis import list_offsets
from kafkapy.network import admission, host_limits
from kafkapy.node import Node
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.list_offsets import ListOffsetsRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.shell.running_node import (
    Client,
    batch,
    bytes_of,
    connect,
    fetch_request,
    port_of,
    produce_request,
    running_node,
    trio_test,
    until_parked,
)

SIZE_OF_A_FRAME = (100 << 20).to_bytes(4, "big")
HEADER = bytes.fromhex("0012 0000 0000002a 0001 78")  # ApiVersions v0, correlation id 42, client id "x"


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


NONSENSE = {
    "an HTTP request": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "an HTTP request"),
    "a TLS hello": (bytes.fromhex("1603010200010001fc0303") + bytes(512), "a TLS handshake"),
    "an SSH client": (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH client"),
    "garbage": (b"\xff" * 100, "a request of -1 bytes"),
    "an oversized length": (((100 << 20) + 1).to_bytes(4, "big"), "a request of 104857601 bytes"),
    "a negative length": (b"\x80\0\0\0", "a request of -2147483648 bytes"),
    "an empty frame": (framed(b""), "a request of 0 bytes has no header"),
    "half a header": (framed(HEADER[:7]), "a request of 7 bytes has no header"),
    "a header cut short": (framed(HEADER[:-1]), ""),
    "an unknown API key": (framed(b"\x7f\0" + HEADER[2:]), "API key 32512, which is not served"),
    "a negative API key": (framed(b"\xff\xff" + HEADER[2:]), "API key -1, which is not served"),
    "an unsupported version": (framed(b"\0\x03\0\x7f" + HEADER[4:]), "Metadata v127, which is not served"),
    "a negative version": (framed(b"\0\x03\xff\xff" + HEADER[4:]), "Metadata v-1, which is not served"),
    "an array of two billion": (framed(b"\0\x03\0\x00" + HEADER[4:] + b"\x7f\xff\xff\xff"), ""),
}


@asynccontextmanager
async def raw_stream(node: Node) -> AsyncIterator[trio.SocketStream]:
    stream = await trio.open_tcp_stream("127.0.0.1", port_of(node))
    try:
        yield stream
    finally:
        stream.socket.close()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_closes_its_connection_with_one_line(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent, told = NONSENSE[what]

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as other, raw_stream(node) as stream:
            await other.create_topic("orders")
            await stream.send_all(sent)
            assert await Client(stream).closed_by_broker()
            await trio.testing.wait_all_tasks_blocked()
            (line,) = warnings_in(caplog)
            assert line.startswith("closing the connection from 127.0.0.1:")
            assert told in line
            assert "\n" not in line
            assert await other.produce("orders", b"a") == 0
            assert len(node.server.connections) == 1

    run()


@trio_test
async def test_answers_before_the_nonsense_still_leave(tmp_path: Path) -> None:
    """Kafka handles one request after the other, so what was right before is answered."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.stream.send_all(client.frame(MetadataRequest(topics=[])) + b"\xff" * 8)
        assert (await client.receive(MetadataResponse)).brokers
        assert await client.closed_by_broker()


@trio_test
async def test_a_peer_that_goes_away_within_a_frame_is_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node:
        for sent in (b"", b"\0", framed(HEADER)[:-1]):
            async with raw_stream(node) as stream:
                if sent:
                    await stream.send_all(sent)
        while node.server.connections:
            await trio.lowlevel.checkpoint()
    assert not warnings_in(caplog)


@trio_test
async def test_frames_may_come_byte_by_byte(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for byte in client.frame(MetadataRequest(topics=[])):
            await client.stream.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert (await client.receive(MetadataResponse)).brokers


@trio_test
async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """Parked ones too: what comes behind them waits."""
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        frames = [client.frame(MetadataRequest(topics=[MetadataRequestTopic(name="orders")])) for _ in range(50)]
        frames.append(client.frame(fetch_request({"orders": {0: 0}}, max_wait_ms=60_000), 12))
        frames.append(client.frame(ApiVersionsRequest(client_software_name="a", client_software_version="1")))
        await client.stream.send_all(b"".join(frames))
        for _ in range(50):
            assert (await client.receive(MetadataResponse)).topics[0].name == "orders"
        await until_parked(node)
        await producer.produce("orders", b"a")
        assert (await client.receive(FetchResponse)).responses[0].partitions[0].high_watermark == 1
        assert (await client.receive(ApiVersionsResponse)).api_keys


@trio_test
async def test_silence_ends_at_the_idle_timeout_also_within_a_frame_or_a_long_poll(tmp_path: Path) -> None:
    """Apache Kafka's selector does not ask whether a request waits: a poll that is longer than the limit is cut off."""
    settings = {"connections.max.idle.ms": "5000"}
    async with (
        running_node(tmp_path, settings) as node,
        connect(node) as polling,
        connect(node) as idle,
        connect(node) as busy,
        raw_stream(node) as half,
    ):
        await half.send_all(framed(HEADER)[:9])
        await polling.create_topic("orders")
        await idle.ask(MetadataRequest(topics=[]), MetadataResponse)
        await polling.send(fetch_request({"orders": {0: 0}}, max_wait_ms=60_000), 12)
        await until_parked(node)
        for _ in range(12):
            node.clock.advance(500)
            await busy.ask(MetadataRequest(topics=[]), MetadataResponse)
        assert await idle.closed_by_broker()
        assert await Client(half).closed_by_broker()
        assert await polling.closed_by_broker()
        assert len(node.server.connections) == 1
        assert await busy.produce("orders", b"a") == 0


@trio_test
async def test_idle_connections_live_for_ever_when_the_setting_is_negative(tmp_path: Path) -> None:
    async with running_node(tmp_path, {"connections.max.idle.ms": "-1"}) as node, connect(node) as client:
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)
        node.clock.advance(1_000_000_000)
        await trio.testing.wait_all_tasks_blocked()
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@trio_test
async def test_announced_bytes_cost_nothing_before_they_come(tmp_path: Path) -> None:
    count = 200
    async with running_node(tmp_path) as node:
        before = resident_bytes()
        streams = []
        for _ in range(count):
            stream = await trio.open_tcp_stream("127.0.0.1", port_of(node))
            await stream.send_all(SIZE_OF_A_FRAME + HEADER)
            streams.append(stream)
        while len(node.server.connections) < count:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert resident_bytes() - before < 60 << 20, "a few hundred kilobytes a connection, not 100 megabytes"
        for stream in streams:
            stream.socket.close()


@trio_test
async def test_beyond_max_connections_clients_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_node(tmp_path, {"max.connections": "2"}) as node, connect(node) as first:
        await first.ask(MetadataRequest(topics=[]), MetadataResponse)
        async with connect(node) as second, connect(node) as third:
            await second.ask(MetadataRequest(topics=[]), MetadataResponse)
            await third.send(MetadataRequest(topics=[]))
            await trio.testing.wait_all_tasks_blocked()
            assert len(node.server.connections) == 2
            second.stream.socket.close()
            assert (await third.receive(MetadataResponse)).brokers
    assert sum("max.connections" in line for line in warnings_in(caplog)) == 1


@trio_test
async def test_all_listeners_hear_of_room(tmp_path: Path) -> None:
    settings = {
        "listeners": "A://127.0.0.1:0,B://127.0.0.1:0",
        "listener.security.protocol.map": "A:PLAINTEXT,B:PLAINTEXT",
        "inter.broker.listener.name": "A",
        "max.connections": "1",
    }
    async with running_node(tmp_path, settings) as node:
        ports = [listener.port for listener in node.settings.now.advertised_listeners]
        for _ in range(3):
            streams = [await trio.open_tcp_stream("127.0.0.1", port) for port in ports]
            clients = [Client(stream) for stream in streams]
            for client in clients:
                await client.send(MetadataRequest(topics=[]))
            done = 0
            async with trio.open_nursery() as nursery:

                async def finish(client: Client) -> None:
                    nonlocal done
                    await client.receive(MetadataResponse)
                    client.stream.socket.close()
                    done += 1

                for client in clients:
                    nursery.start_soon(finish, client)
            assert done == 2


@trio_test
async def test_connections_leave_descriptors_for_the_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(admission, "descriptors_for_clients", lambda: 1)
    async with running_node(tmp_path) as node, connect(node) as first, connect(node) as second:
        await first.ask(MetadataRequest(topics=[]), MetadataResponse)
        await second.send(MetadataRequest(topics=[]))
        await trio.testing.wait_all_tasks_blocked()
        assert len(node.server.connections) == 1
        first.stream.socket.close()
        await second.receive(MetadataResponse)
    assert "ulimit -n" in caplog.text


@trio_test
async def test_connections_of_one_address_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_limits, "RESOLVED_BEFORE_ACCEPTING_SECONDS", 60)  # a busy machine resolves late
    settings = {"max.connections.per.ip": "1", "max.connections.per.ip.overrides": "127.0.0.2:0,localhost:2"}
    async with running_node(tmp_path, settings) as node:
        async with connect(node) as first, connect(node) as second, connect(node) as third:
            for client in (first, second):
                await client.ask(MetadataRequest(topics=[]), MetadataResponse)
            assert await third.closed_by_broker()
            with socket.socket() as other:
                other.bind(("127.0.0.2", 0))
                other.setblocking(False)
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(other))
                await stream.socket.connect(("127.0.0.1", port_of(node)))
                assert await Client(stream).closed_by_broker()
        while node.server.connections:
            await trio.lowlevel.checkpoint()
        async with connect(node) as again:
            await again.ask(MetadataRequest(topics=[]), MetadataResponse)
    assert [line for line in warnings_in(caplog) if "refusing a connection from 127.0.0.1: it has 2" in line]


@trio_test
async def test_limits_of_connections_change_while_running(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.alter_config(4, "", "max.connections.per.ip", "1")
        async with connect(node) as refused:
            assert await refused.closed_by_broker()
        await client.alter_config(4, "", "max.connections.per.ip.overrides", "127.0.0.1:2")
        async with connect(node) as admitted:
            await admitted.ask(MetadataRequest(topics=[]), MetadataResponse)


@trio_test
async def test_a_bug_in_a_handler_costs_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(request: object, context: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(list_offsets, "handle", handle)
    async with running_node(tmp_path) as node, connect(node) as other, connect(node) as client:
        await other.create_topic("orders")
        await client.send(ListOffsetsRequest())
        assert await client.closed_by_broker()
        assert await other.produce("orders", b"a") == 0
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "internal error in a request of 127.0.0.1:" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@trio_test
async def test_an_unknown_version_of_api_versions_is_answered_in_version_0(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        body = bytes.fromhex("0012 7fff 0000002a 0001 78") + b"whatever a later version has here"
        await client.stream.send_all(framed(body))
        frame = await client.receive_frame()
        assert bytes(frame[:4]) == b"\0\0\0\x2a"
        response = decode(ApiVersionsResponse, bytes(frame[4:]), 0)
        served = API_VERSIONS[ApiKey.API_VERSIONS]
        assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
        assert [(key.api_key, key.min_version, key.max_version) for key in response.api_keys] == [
            (18, served.min_version, served.max_version)
        ]
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)


@trio_test
async def test_a_slow_reader_gets_every_byte(tmp_path: Path) -> None:
    """Far more than the sockets hold, from memory and from files, while others are served."""
    async with running_node(tmp_path) as node, connect(node) as slow, connect(node) as other:
        await other.create_topic("orders", 2)
        small, large = batch([b"s" * 1_000]), batch([b"L" * 900_000])
        for _ in range(4):
            await other.produce_batch("orders", small, 0)
            await other.produce_batch("orders", large, 1)
        requests = 6
        request = fetch_request({"orders": {0: 0, 1: 0}})
        await slow.stream.send_all(b"".join(slow.frame(request, 12) for _ in range(requests)))
        await until_parked(node)
        assert await other.produce("orders", b"a") == 4, "nobody waits for the slow one"
        contents = set()
        for _ in range(requests):
            response = await slow.receive(FetchResponse)
            contents.add(tuple(bytes_of(data) for data in response.responses[0].partitions))
            await trio.testing.wait_all_tasks_blocked()
        for first, second in contents:
            assert len(second) == 4 * len(large)
            assert len(first) in (4 * len(small), 4 * len(small) + len(batch([b"a"])))


@trio_test
async def test_a_client_that_asks_and_never_reads_is_left_waiting(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as deaf, connect(node) as other:
        await other.create_topic("orders")
        await other.produce_batch("orders", batch([b"L" * 900_000]))
        frame = deaf.frame(fetch_request({"orders": {0: 0}}), 12)
        before = resident_bytes()
        with trio.move_on_after(0.5):
            while True:
                await deaf.stream.send_all(frame * 20)
        assert await other.produce("orders", b"a") == 1
        assert resident_bytes() - before < 60 << 20


@trio_test
async def test_acks_0_has_no_answer_and_a_failure_closes_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.send(produce_request("orders", batch([b"a"]), acks=0), 12, answered=False)
        assert await client.values("orders") == [b"a"]
        await client.send(produce_request("unknown", batch([b"a"]), acks=0), 12, answered=False)
        assert await client.closed_by_broker()
    assert "acks=0 failed with UNKNOWN_TOPIC_OR_PARTITION" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "", "[::]"])
def test_a_listener_on_every_interface_advertises_what_the_peer_has_reached(host: str, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, {"listeners": f"PLAINTEXT://{host}:0"}) as node:
            addresses = ["127.0.0.1", "127.0.0.3"] if host != "[::]" else ["::1", "127.0.0.1"]
            for address in addresses:
                async with connect(node, address) as client:
                    (broker,) = (await client.ask(MetadataRequest(topics=[]), MetadataResponse)).brokers
                    assert (broker.host, broker.port) == (address, port_of(node))
            peers = {connection.client.peer_host for connection in node.server.connections}
            assert not any(peer.startswith("::ffff:") for peer in peers)

    run()


@trio_test
async def test_localhost_is_reached_by_ipv4(tmp_path: Path) -> None:
    async with running_node(tmp_path, {"listeners": "PLAINTEXT://localhost:0"}) as node, connect(node) as client:
        (broker,) = (await client.ask(MetadataRequest(topics=[]), MetadataResponse)).brokers
        assert broker.host == "localhost"


@trio_test
async def test_bytes_behind_a_request_are_ignored(tmp_path: Path) -> None:
    """As Apache Kafka does: librdkafka 2.16 sends three bytes too many behind a MetadataRequest."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.stream.send_all(framed(HEADER + b"!!!"))
        answer = decode(ApiVersionsResponse, (await client.receive_frame())[4:], 0)
        assert answer.error_code == ErrorCode.NONE


@trio_test
async def test_idle_connections_of_one_peer_share_the_texts_of_its_addresses(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as one, connect(node) as other:
        for client in (one, other):
            await client.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)
        first, second = (connection.client for connection in node.server.connections)
        assert first.peer_port != second.peer_port
        assert first.peer_host is second.peer_host
        assert first.local_host is second.local_host
