"""Faults of connections: the words of Toxiproxy, as clients of a running node meet them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import trio
import trio.testing

from kafkapy.faults import FaultEngine
from kafkapy.faults.paced_transport import BANDWIDTH_STEP_SECONDS
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import (
    Client,
    bytes_of,
    connect,
    fetch_request,
    port_of,
    running_node,
    trio_test,
    until_parked,
)


async def seconds_of(call: Callable[[], Awaitable[object]]) -> float:
    before = trio.current_time()
    await call()
    return trio.current_time() - before


async def heartbeat(client: Client) -> None:
    await client.ask(HeartbeatRequest(group_id="g"), HeartbeatResponse)


@trio_test
async def test_latency_holds_for_the_connection_that_was_met(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client, connect(node) as other:
        client.client_id = "slow"
        fault = engine.add({"client_id": "slow", "latency_ms": 30, "jitter_ms": 10, "seed": 1, "times": 1})
        assert await seconds_of(lambda: heartbeat(client)) >= 0.02
        assert node.dispatcher.faults is None, "the connection is known"
        assert await seconds_of(lambda: heartbeat(client)) >= 0.02
        other.client_id = "fast"
        for _ in range(5):  # sent ahead: their answers leave together
            await client.send(HeartbeatRequest(group_id="g"))
        await heartbeat(other)
        for _ in range(5):
            await client.receive(HeartbeatResponse)
        await client.send(HeartbeatRequest(group_id="g"))
        await until_parked(node)
        engine.remove(fault.id)  # what waits leaves at once
        await client.receive(HeartbeatResponse)
        assert node.bugs.count == engine.bugs.count == 0


@trio_test
async def test_a_slicer_and_a_bandwidth_change_no_byte(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client:
        await client.create_topic("orders")
        for _ in range(3):
            await client.produce("orders", b"x" * 3_000)  # long enough that they are sent from the file
        whole = bytes_of(await client.fetch("orders"))
        for rule in (
            {"slicer_bytes": 200, "slicer_variation_bytes": 150, "slicer_delay_ms": 1},
            {"slicer_bytes": 1_000},
            {"bandwidth_bytes_per_second": 200_000},
            {"bandwidth_bytes_per_second": 300_000, "slicer_bytes": 3_000, "latency_ms": 5},
        ):
            fault = engine.add(rule)
            assert bytes_of(await client.fetch("orders")) == whole
            assert bytes_of(await client.fetch("orders")) == whole
            assert fault.fired == 2
            engine.remove(fault.id)
        engine.add({"bandwidth_bytes_per_second": 100_000})
        answers_of_both = fetch_request({"orders": {0: 0}})
        for _ in range(2):
            await client.send(answers_of_both, 12)
        before = trio.current_time()
        for _ in range(2):
            await client.receive(FetchResponse)
        assert trio.current_time() - before >= (2 * len(whole) - 5_000) / 100_000
        assert node.bugs.count == engine.bugs.count == 0


@trio_test
async def test_a_slow_upload_changes_no_byte_and_ends_with_its_fault(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client:
        await client.create_topic("orders")
        values = [bytes([number]) * 20_000 for number in range(4)]
        fault = engine.add({"api": "Produce", "upload_bytes_per_second": 200_000})
        before = trio.current_time()
        for value in values:
            await client.produce("orders", value)
        # The first request was read before it met the fault.
        assert trio.current_time() - before >= (3 * 20_000 - 200_000 * BANDWIDTH_STEP_SECONDS) / 200_000
        assert fault.fired == 4
        async with connect(node) as other:  # which sends no Produce: it was never slow
            await heartbeat(other)
        engine.add({"upload_bytes_per_second": 1})
        await heartbeat(client)
        await client.send(HeartbeatRequest(group_id="g"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        engine.clear()  # what waits is read at once
        await client.receive(HeartbeatResponse)
        assert await client.values("orders") == values
        assert node.bugs.count == engine.bugs.count == 0


@trio_test
async def test_a_client_that_goes_while_it_uploads_slowly_is_let_go(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node:
        fault = engine.add({"upload_bytes_per_second": 20})
        client = Client(await trio.open_tcp_stream("127.0.0.1", port_of(node)))
        await heartbeat(client)
        await client.send(HeartbeatRequest(group_id="g"))
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        engine.remove(fault.id)
        with trio.fail_after(30):
            while node.server.connections:  # noqa: ASYNC110
                await trio.sleep(0.001)
        assert node.bugs.count == engine.bugs.count == 0


@trio_test
async def test_limit_data_ends_the_connection_after_so_many_bytes(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node:
        for limit in (0, 1, 25, 40):
            engine.add({"limit_data_bytes": limit})
            async with connect(node) as client:
                await client.stream.send_all(b"".join(client.frame(HeartbeatRequest(group_id="g")) for _ in range(5)))
                received = b""
                while more := await client.stream.receive_some():
                    received += more
                assert len(received) == limit
            engine.clear()
        assert node.bugs.count == engine.bugs.count == 0


@trio_test
async def test_a_slow_close(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client:
        engine.add({"api": "Metadata", "slow_close_ms": 30, "disconnect": "after"})
        await client.send(MetadataRequest(topics=[]))
        assert await seconds_of(client.closed_by_broker) >= 0.02
        assert not node.server.connections


@trio_test
async def test_a_connection_that_is_made_slow_reads_no_further_requests(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client:
        fault = engine.add({"latency_ms": 1 << 30})
        await client.send(MetadataRequest(topics=[]))
        await until_parked(node)
        await client.send(MetadataRequest(topics=[]))
        await trio.testing.wait_all_tasks_blocked()
        assert fault.fired == 1
        engine.clear()
        for _ in range(2):
            await client.receive(MetadataResponse)


@trio_test
async def test_a_node_stops_at_once_with_slow_connections(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client, connect(node) as other:
        engine.add({"api": "Metadata", "latency_ms": 1 << 30, "slow_close_ms": 1 << 30})
        engine.add({"api": "Heartbeat", "hold": "before"})
        await client.send(MetadataRequest(topics=[]))
        await other.send(HeartbeatRequest(group_id="g"))
        await until_parked(node, 2)
    assert node.bugs.count == engine.bugs.count == 0
