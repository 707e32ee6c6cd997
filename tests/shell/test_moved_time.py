"""A node whose time a test moves: nothing waits for the machine's clock."""

from __future__ import annotations

from pathlib import Path

import trio

from kafkapy.clock import ManualClock
from kafkapy_wire.messages.fetch import FetchResponse
from tests.shell.running_node import connect, fetch_request, running_node, trio_test, until_parked


@trio_test
async def test_a_request_that_waits_is_answered_when_time_moves_to_its_deadline(tmp_path: Path) -> None:
    clock = ManualClock()
    patient = {"connections.max.idle.ms": "7200000"}
    async with running_node(tmp_path, patient, clock=clock) as node, connect(node) as client:
        await client.create_topic("orders")
        clock.freeze()
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await until_parked(node)
        asked_at_ms = clock.now_ms()
        while any(connection.busy for connection in node.server.connections):
            assert clock.jump() is not None
            await trio.lowlevel.checkpoint()
        await client.receive(FetchResponse)
        assert 3_600_000 <= clock.now_ms() - asked_at_ms < 4_000_000


@trio_test
async def test_a_node_whose_time_stands_still_stops_all_the_same(tmp_path: Path) -> None:
    clock = ManualClock(frozen=True)
    async with running_node(tmp_path, clock=clock) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await until_parked(node)
        node.stopping.set()
        assert await client.closed_by_broker()
