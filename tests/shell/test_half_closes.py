"""Clients that have sent all that they will: what waits is given up, what does something is done and answered."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.faults import Fault, FaultEngine
from kafkapy.network import socket_loop
from kafkapy.network.connection import WAITING_BYTES_MAX
from kafkapy.network.poller import SelectorPoller
from kafkapy.node import Node
from kafkapy_wire.api_keys import ApiKey, response_class
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.messages.sync_group import SyncGroupRequest
from tests.shell.running_node import (
    Client,
    api_key,
    batch,
    connect,
    fetch_request,
    produce_request,
    running_node,
    trio_test,
    until_parked,
)

FOR_EVER_MS = 2**31 - 1
FETCH = fetch_request({"orders": {0: 0}}, max_wait_ms=FOR_EVER_MS)
PRODUCE = produce_request("others", batch([b"a"]))
HALF_A_FRAME = (90_000_000).to_bytes(4, "big") + bytes(WAITING_BYTES_MAX + 5_000)
UNREAD = 20  # answers, far more than the sockets hold
IDLE = {"connections.max.idle.ms": "5000"}


def hold(node: Node, key: ApiKey) -> Fault:
    """Requests are done as always. The answers to those of one API key wait until `release`."""
    engine = FaultEngine()
    engine.attach(node.broker, node.dispatcher, node.server.connection_of)
    answered = {"where": "acks != 0"} if key is ApiKey.PRODUCE else {}
    return engine.add({"api": key.name, "hold": "after", **answered})


async def until_connected(node: Node, count: int) -> None:
    while len(node.server.connections) != count:
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def node_with_topics(
    directory: Path, settings: dict[str, str] | None = None
) -> AsyncIterator[tuple[Node, Client]]:
    async with running_node(directory, settings) as node, connect(node) as other:
        await other.create_topic("orders")
        await other.create_topic("others")
        await other.find_coordinator("a-group")
        yield node, other
        assert node.bugs.count == 0


def joining(member_id: str) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id="a-group",
        member_id=member_id,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=60_000,
        protocol_type="any",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


async def join(client: Client) -> JoinGroupResponse:
    member_id = (await client.ask(joining(""), JoinGroupResponse)).member_id
    return await client.ask(joining(member_id), JoinGroupResponse)


async def a_fetch(node: Node, other: Client, leaving: Client) -> bytes:
    return leaving.frame(FETCH, 12)


async def a_join_group(node: Node, other: Client, leaving: Client) -> bytes:
    """Of the second member, while the first has not joined again."""
    await join(other)
    member_id = (await leaving.ask(joining(""), JoinGroupResponse)).member_id
    return leaving.frame(joining(member_id))


async def a_sync_group(node: Node, other: Client, leaving: Client) -> bytes:
    """Of a member, while the leader has not sent its own."""
    leader = await join(other)
    member_id = (await leaving.ask(joining(""), JoinGroupResponse)).member_id
    await leaving.send(joining(member_id))
    await until_parked(node)
    await other.ask(joining(leader.member_id), JoinGroupResponse)
    member = await leaving.receive(JoinGroupResponse)
    return leaving.frame(
        SyncGroupRequest(
            group_id="a-group",
            generation_id=member.generation_id,
            member_id=member.member_id,
            protocol_type="any",
            protocol_name="range",
        )
    )


@pytest.mark.parametrize("half", [False, True], ids=["closed", "half-closed"])
@pytest.mark.parametrize("behind", [b"", b"a frame", HALF_A_FRAME], ids=["nothing", "a frame", "64 kB"])
@pytest.mark.parametrize("waits", [a_fetch, a_join_group, a_sync_group])
def test_a_request_that_only_waits_is_given_up_whatever_is_behind_it(
    waits: Callable[..., object], behind: bytes, half: bool, tmp_path: Path
) -> None:
    @trio_test
    async def run() -> None:
        async with node_with_topics(tmp_path, {"group.initial.rebalance.delay.ms": "0"}) as (node, other):
            async with connect(node) as leaving:
                frame: bytes = await waits(node, other, leaving)  # type: ignore[misc]
                behind_it = leaving.frame(PRODUCE, 12) if behind == b"a frame" else behind
                await leaving.stream.send_all(frame + behind_it)
                await until_parked(node)
                await trio.testing.wait_all_tasks_blocked()
                if half:
                    await leaving.stream.send_eof()
                    await until_connected(node, 1)
            await until_connected(node, 1)
            assert await other.values("others") == [], "what is behind it is not handled"

    run()


@trio_test
async def test_answers_before_a_fetch_that_is_given_up_still_leave(tmp_path: Path) -> None:
    async with node_with_topics(tmp_path) as (node, _), connect(node) as leaving:
        held = hold(node, ApiKey.PRODUCE)
        frames = [leaving.frame(request, 12) for request in (PRODUCE, MetadataRequest(topics=[]), FETCH, PRODUCE)]
        await leaving.stream.send_all(b"".join(frames))
        await until_parked(node)
        await leaving.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        held.release(1)
        await leaving.receive(ProduceResponse)
        await leaving.receive(MetadataResponse)
        assert await leaving.closed_by_broker()


async def park_behind_unread_answers(node: Node, other: Client, deaf: Client, *requests: Message) -> None:
    """Have `UNREAD` large answers for a client that reads none, and handle its requests behind them."""
    await other.produce_batch("others", batch([b"L" * 900_000]))
    frames = [deaf.frame(fetch_request({"others": {0: 0}}), 12) for _ in range(UNREAD)]
    await deaf.stream.send_all(b"".join([*frames, *(deaf.frame(request, 12) for request in requests)]))
    await until_parked(node)
    (connection,) = [one for one in node.server.connections if one.busy]
    assert not connection._kept


@pytest.fixture
def long_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames of a client that have come are handled before any answer is sent."""
    monkeypatch.setattr(socket_loop, "SHARE_SECONDS", 60)


@pytest.mark.usefixtures("long_share")
@trio_test
async def test_large_answers_before_a_fetch_that_is_given_up_still_leave(tmp_path: Path) -> None:
    async with node_with_topics(tmp_path) as (node, other), connect(node) as leaving:
        await park_behind_unread_answers(node, other, leaving, FETCH)
        await leaving.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(UNREAD):
            (topic,) = (await leaving.receive(FetchResponse)).responses
            assert topic.partitions[0].records
        assert await leaving.closed_by_broker()


@pytest.mark.usefixtures("long_share")
@trio_test
async def test_a_fetch_that_is_answered_behind_unread_answers_outlives_a_half_close(tmp_path: Path) -> None:
    async with node_with_topics(tmp_path) as (node, other), connect(node) as leaving:
        await park_behind_unread_answers(node, other, leaving, FETCH)
        await other.produce("orders", b"now")
        await leaving.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()  # never so, while the loop is told of the hang-up again and again
        for _ in range(UNREAD + 1):
            (topic,) = (await leaving.receive(FetchResponse)).responses
            assert topic.partitions[0].records
        assert await leaving.closed_by_broker()


DOING: dict[str, Message] = {
    "Produce": PRODUCE,
    "CreateTopics": CreateTopicsRequest(topics=[CreatableTopic(name="new", num_partitions=1, replication_factor=1)]),
    "InitProducerId": InitProducerIdRequest(),
    "EndTxn": EndTxnRequest(transactional_id="t", producer_id=1),
    "OffsetCommit": OffsetCommitRequest(
        group_id="a-group",
        topics=[
            OffsetCommitRequestTopic(
                name="orders", partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=5)]
            )
        ],
    ),
}


@pytest.mark.parametrize("behind", [False, True], ids=["alone", "with frames behind"])
@pytest.mark.parametrize("what", DOING)
def test_a_request_that_does_something_is_answered_after_a_half_close(what: str, behind: bool, tmp_path: Path) -> None:
    request = DOING[what]
    key = api_key(request)

    @trio_test
    async def run() -> None:
        async with node_with_topics(tmp_path) as (node, other), connect(node) as leaving:
            held = hold(node, key)
            version = 9 if key is ApiKey.OFFSET_COMMIT else 12 if key is ApiKey.PRODUCE else None
            frames = [leaving.frame(request, version)]
            if behind:
                frames += [
                    leaving.frame(produce_request("orders", batch([b"b"]), acks=0), 12, answered=False),
                    leaving.frame(MetadataRequest(topics=[]), 12),
                    leaving.frame(request, version),
                ]
            await leaving.stream.send_all(b"".join(frames))
            await until_parked(node)
            await leaving.stream.send_eof()
            await trio.testing.wait_all_tasks_blocked()
            held.release(1)
            await leaving.receive(response_class(key))
            if behind:
                await leaving.receive(MetadataResponse)
                await until_parked(node)
                held.release(1)
                await leaving.receive(response_class(key))
            assert await leaving.closed_by_broker()
            await until_connected(node, 1)
            node.dispatcher.faults = None
            assert await other.values("orders") == ([b"b"] if behind else [])

    run()


@trio_test
async def test_frames_that_are_in_the_socket_at_a_half_close_are_answered(tmp_path: Path) -> None:
    async with node_with_topics(tmp_path) as (node, _), connect(node) as leaving:
        held = hold(node, ApiKey.CREATE_TOPICS)
        await leaving.send(DOING["CreateTopics"])
        await until_parked(node)
        large = produce_request("others", batch([b"x" * 100_000]))
        frames = b"".join(leaving.frame(large, 12) for _ in range(3)) + HALF_A_FRAME
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leaving.stream.send_all, frames)
            await trio.testing.wait_all_tasks_blocked()
            held.release(1)
        await leaving.stream.send_eof()
        await leaving.receive(response_class(ApiKey.CREATE_TOPICS))
        for _ in range(3):
            (topic,) = (await leaving.receive(ProduceResponse)).responses
            assert topic.partition_responses[0].error_code == ErrorCode.NONE
        assert await leaving.closed_by_broker()


@trio_test
async def test_a_reset_ends_the_connection_while_a_request_is_done(tmp_path: Path) -> None:
    async with node_with_topics(tmp_path) as (node, other):
        held = hold(node, ApiKey.PRODUCE)
        async with connect(node) as leaving:
            await leaving.send(PRODUCE, 12)
            await until_parked(node)
            await leaving.stream.send_eof()
            await trio.testing.wait_all_tasks_blocked()
            leaving.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await until_connected(node, 1)
        held.release(1)
        assert await other.values("others") == [b"a"]


@pytest.mark.parametrize("half", [False, True], ids=["open", "half-closed"])
@pytest.mark.parametrize("behind", [(), (FETCH,)], ids=["nothing", "a fetch that waits"])
@pytest.mark.usefixtures("long_share")
def test_one_that_never_reads_is_closed_as_idle(behind: tuple[Message, ...], half: bool, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with node_with_topics(tmp_path, IDLE) as (node, other), connect(node) as deaf:
            await park_behind_unread_answers(node, other, deaf, *behind)
            if half:
                await deaf.stream.send_eof()
            await closed_as_idle(node, other, 1)

    run()


@trio_test
async def test_where_no_hang_up_is_told_a_fetch_with_a_frame_behind_it_is_closed_as_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_loop, "open_poller", SelectorPoller)
    async with node_with_topics(tmp_path, IDLE) as (node, other), connect(node) as patient:
        await patient.send(FETCH, 12)
        await until_parked(node)
        async with connect(node) as leaving:
            await leaving.stream.send_all(leaving.frame(FETCH, 12) + leaving.frame(PRODUCE, 12))
            await until_parked(node, 2)
        await closed_as_idle(node, other, 2)


@trio_test
async def test_a_peer_that_vanishes_without_a_fin_is_found_out_by_keepalive(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node):
        await until_connected(node, 1)
        (connection,) = node.server.connections
        with socket.socket(fileno=os.dup(connection._transport.fileno())) as ours:
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def closed_as_idle(node: Node, other: Client, count: int) -> None:
    """Of the connections, so many are; `other` is not."""
    connected = len(node.server.connections)
    for _ in range(14):
        node.clock.advance(500)
        await other.ask(MetadataRequest(topics=[]), MetadataResponse)
    assert len(node.server.connections) == connected - count
