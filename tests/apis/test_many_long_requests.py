"""Many long requests at once leave a small one of somebody else its turn: it waits for a few of theirs, not for all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import thread_time

import pytest
import trio

from kafkapy_wire.message import Message
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from tests.descriptors import descriptors
from tests.garbage import no_garbage_collection
from tests.network.longest_turn import watching
from tests.shell.running_node import Client, batch, connect, fetch_request, running_node, trio_test, until_parked

TOPIC = "wide"
PARTITIONS = range(2_000)
LONG_REQUESTS = 16
WAIT_CPU_SECONDS_MAX = 0.06
"""What the loop, and this test, may do for others while a small request waits. It was 120 ms and more before one of
such requests had its turn at a time, and 20 ms since."""
FETCHES_OF_ONE = 600
DESCRIPTORS_BESIDES = 1_000
HOLD_SECONDS_MAX = 0.012


async def longest_wait(honest: Client, long_requests: list[tuple[Client, bytes]]) -> float:
    """The most CPU seconds that passed between a small produce and its answer, until the long ones are answered."""
    longest, open_count = 0.0, len(long_requests)

    async def ask(client: Client, frame: bytes) -> None:
        nonlocal open_count
        await client.stream.send_all(frame)
        await client.stream.receive_some(1)
        open_count -= 1

    with no_garbage_collection():
        async with trio.open_nursery() as nursery:
            for client, frame in long_requests:
                nursery.start_soon(ask, client, frame)
            while open_count:
                began = thread_time()
                await honest.produce("orders", b"small")
                longest = max(longest, thread_time() - began)
    return longest


def long_fetch() -> Message:
    return fetch_request({TOPIC: dict.fromkeys(PARTITIONS, 0)}, max_wait_ms=0)


def long_produce() -> Message:
    data = [PartitionProduceData(index=index, records=batch([b"value"])) for index in PARTITIONS]
    return ProduceRequest(acks=-1, timeout_ms=60_000, topic_data=[TopicProduceData(name=TOPIC, partition_data=data)])


@pytest.mark.parametrize("kind", [long_fetch, long_produce])
def test_a_small_request_waits_for_a_few_turns_of_many_long_ones(kind: Callable[[], Message], tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as honest, AsyncExitStack() as stack:
            await honest.create_topic(TOPIC, len(PARTITIONS))
            await honest.create_topic("orders")
            await honest.ask(long_produce(), ProduceResponse, 12)  # logs are opened
            clients = [await stack.enter_async_context(connect(node)) for _ in range(LONG_REQUESTS)]
            requests = [(client, client.frame(kind(), 12)) for client in clients]
            seconds = await longest_wait(honest, requests)
            assert seconds < WAIT_CPU_SECONDS_MAX, f"{seconds * 1_000:.0f} ms"

    run()


def test_many_fetches_of_one_partition_are_answered_in_turns(tmp_path: Path) -> None:
    @descriptors(2 * FETCHES_OF_ONE + DESCRIPTORS_BESIDES)
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as producer, AsyncExitStack() as stack:
            await producer.create_topic("orders")
            clients = [await stack.enter_async_context(connect(node)) for _ in range(FETCHES_OF_ONE)]
            for client in clients:
                await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
            await until_parked(node, FETCHES_OF_ONE)
            with watching() as watch:
                await producer.produce("orders", b"news")
                while any(connection.busy for connection in node.server.connections):
                    await trio.lowlevel.checkpoint()
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
            for client in clients:
                response = await client.receive(FetchResponse)
                assert response.responses[0].partitions[0].records

    run()
