"""Clients that leave, stop in the middle or do not read: what they asked for is done or given up, and nothing stays."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.network.connection import WAITING_BYTES_MAX
from kafkapy.node import Node
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from kafkapy_wire.messages.produce import ProduceResponse
from tests.shell.running_node import (
    batch,
    connect,
    fetch_request,
    produce_request,
    running_node,
    trio_test,
    until_parked,
)


async def until_connected(node: Node, count: int) -> None:
    """Return when so many connections are left."""
    while len(node.server.connections) != count:
        await trio.lowlevel.checkpoint()


def reset(stream: trio.SocketStream) -> None:
    """Close at once, without a word to the peer but RST."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


@pytest.mark.parametrize("end", [trio.SocketStream.send_eof, reset], ids=["shut", "reset"])
def test_a_client_that_leaves_while_its_request_waits_is_noticed(end: object, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as other, connect(node) as leaving:
            await other.create_topic("orders")
            await leaving.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
            await until_parked(node)
            if end is reset:
                reset(leaving.stream)
            else:
                await leaving.stream.send_eof()
            await until_connected(node, 1)
            assert await other.produce("orders", b"a") == 0
            assert node.bugs.count == 0

    run()


@trio_test
async def test_half_a_frame_behind_a_request_that_waits_does_not_hide_a_hang_up(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as other, connect(node) as leaving:
        await other.create_topic("orders")
        waits = leaving.frame(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        await leaving.stream.send_all(waits + b"\0\0\1\0half a frame")
        await until_parked(node)
        await leaving.stream.send_all(b", and more of it")
        await trio.testing.wait_all_tasks_blocked()
        leaving.stream.socket.close()
        await until_connected(node, 1)


@trio_test
async def test_what_was_asked_for_before_a_hang_up_is_done(tmp_path: Path) -> None:
    """As in Apache Kafka: a consumer may commit its offsets and close without waiting for the answer."""
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=5)
    commit = OffsetCommitRequest(
        group_id="a-group", topics=[OffsetCommitRequestTopic(name="orders", partitions=[partition])]
    )
    async with running_node(tmp_path) as node, connect(node) as other:
        await other.create_topic("orders")
        await other.find_coordinator("a-group")
        async with connect(node) as leaving:
            await leaving.send(commit, 9)
        await until_connected(node, 1)
        await trio.testing.wait_all_tasks_blocked()
        wanted = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="a-group", topics=None)])
        (group,) = (await other.ask(wanted, OffsetFetchResponse, 9)).groups
        assert group.topics[0].partitions[0].committed_offset == 5


@trio_test
async def test_requests_behind_one_that_waits_are_not_collected(tmp_path: Path) -> None:
    """Their bytes stay in the socket, and all are answered once it is their turn."""
    async with running_node(tmp_path) as node, connect(node) as other, connect(node) as client:
        await other.create_topic("orders")
        await other.create_topic("others")
        count, value = 40, b"x" * 100_000
        waits = client.frame(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000), 12)
        frames = [client.frame(produce_request("others", batch([value])), 12) for _ in range(count)]
        await client.stream.send_all(waits)
        await until_parked(node)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.stream.send_all, b"".join(frames))
            for _ in range(10):
                await trio.testing.wait_all_tasks_blocked()
            assert await other.offset("others", -1) == 0
            (waiting,) = [connection for connection in node.server.connections if connection.busy]
            assert len(waiting._kept or b"") <= 2 * WAITING_BYTES_MAX
            assert await other.produce("orders", b"now") == 0
            await client.receive(FetchResponse)
            for _ in range(count):
                (topic,) = (await client.receive(ProduceResponse)).responses
                assert topic.partition_responses[0].error_code == ErrorCode.NONE
        assert await other.offset("others", -1) == count


@trio_test
async def test_a_client_that_never_reads_its_answers_is_closed_as_idle(tmp_path: Path) -> None:
    async with (
        running_node(tmp_path, {"connections.max.idle.ms": "5000"}) as node,
        connect(node) as other,
        connect(node) as deaf,
    ):
        await other.create_topic("orders")
        await other.produce_batch("orders", batch([b"L" * 900_000]))
        frame = deaf.frame(fetch_request({"orders": {0: 0}}), 12)
        with trio.move_on_after(0.2):
            while True:
                await deaf.stream.send_all(frame * 20)
        await until_parked(node)
        for _ in range(14):
            node.clock.advance(500)
            await other.ask(MetadataRequest(topics=[]), MetadataResponse)
        assert len(node.server.connections) == 1
        assert node.bugs.count == 0


@trio_test
async def test_frames_of_many_connections_in_pieces(tmp_path: Path) -> None:
    """They receive into one buffer, and none gets the bytes of another."""
    async with running_node(tmp_path) as node, connect(node) as other:
        await other.create_topic("orders", 5)
        clients = [
            await trio.open_tcp_stream("127.0.0.1", int(node.bootstrap_address.rsplit(":", 1)[1])) for _ in "abcde"
        ]
        values = [bytes([97 + index]) * 70_000 for index in range(5)]
        frames = [
            other.frame(produce_request("orders", batch([value]), index, acks=0), 12, answered=False)
            for index, value in enumerate(values)
        ]
        for position in range(0, len(frames[0]), 9_001):
            for stream, frame in zip(clients, frames, strict=True):
                await stream.send_all(frame[position : position + 9_001])
            await trio.testing.wait_all_tasks_blocked()
        for index, value in enumerate(values):
            assert await other.values("orders", index) == [value]
        for stream in clients:
            stream.socket.close()
