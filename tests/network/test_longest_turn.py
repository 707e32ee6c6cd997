"""The watch that other tests use tells how long the loop was held, and by whom."""

from __future__ import annotations

from pathlib import Path
from time import thread_time

import trio
import trio.testing

from kafkapy.network.connection import ANSWERED_BYTES_MAX
from kafkapy.turns import TURN_SECONDS
from kafkapy_wire.messages.metadata import MetadataRequest
from tests.network.longest_turn import watching
from tests.shell.running_node import Client, connect, running_node, trio_test


def hold(seconds: float) -> None:
    ends = thread_time() + seconds
    while thread_time() < ends:
        pass


def test_the_longest_step_is_told_with_its_task_and_stack() -> None:
    async def short() -> None:
        for _ in range(3):
            hold(0.002)
            await trio.lowlevel.checkpoint()

    async def long() -> None:
        await trio.lowlevel.checkpoint()
        hold(0.3)
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        with watching() as watch:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(short)
                nursery.start_soon(long)
        assert 0.3 <= watch.longest_seconds < 5
        assert watch.task_name.endswith("long")
        assert "hold" in watch.where
        assert "ms in" in str(watch)

    trio.run(main)


@trio_test
async def test_a_flood_of_pipelined_requests_leaves_others_their_turns(tmp_path: Path) -> None:
    """Thousands of requests from one client are at hand at once: no task waits for the end of them."""
    async with running_node(tmp_path) as node, connect(node) as flooding, connect(node) as other:
        await other.create_topic("orders")
        frame = flooding.frame(MetadataRequest(topics=[]))
        await flooding.stream.send_all(frame)
        await flooding.receive_frame()
        count = 2 * ANSWERED_BYTES_MAX // len(frame)

        async def flood() -> None:
            await flooding.stream.send_all(frame * count)

        with watching() as watch:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flood)
                nursery.start_soon(drain, flooding, count)
                assert await other.produce("orders", b"a") == 0
        assert watch.longest_seconds < 20 * TURN_SECONDS, watch


async def drain(client: Client, count: int) -> None:
    for _ in range(count):
        await client.receive_frame()
