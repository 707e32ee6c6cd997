"""A node on a platform that has no epoll serves as any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy.network import socket_loop
from kafkapy.network.poller import SelectorPoller
from kafkapy_wire.messages.fetch import FetchResponse
from tests.shell.running_node import (
    batch,
    bytes_of,
    connect,
    fetch_request,
    running_node,
    trio_test,
    until_parked,
)


@trio_test
async def test_requests_waits_large_answers_and_hang_ups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_loop, "open_poller", SelectorPoller)
    async with running_node(tmp_path) as node, connect(node) as producer, connect(node) as consumer:
        await producer.create_topic("orders")
        await consumer.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await until_parked(node)
        large = batch([b"L" * 900_000])
        for _ in range(8):  # far more than the sockets hold
            await producer.produce_batch("orders", large)
        await consumer.receive(FetchResponse)
        await consumer.send(fetch_request({"orders": {0: 0}}), 12)
        await until_parked(node)
        response = await consumer.receive(FetchResponse)
        assert len(bytes_of(response.responses[0].partitions[0])) == 8 * len(large)
        await consumer.send(fetch_request({"orders": {0: 8}}, max_wait_ms=3_600_000), 12)
        await until_parked(node)
        consumer.stream.socket.close()
        while len(node.server.connections) > 1:
            await trio.lowlevel.checkpoint()
        assert node.bugs.count == 0
