"""A recorded session that is sent again: with the ids of that run, until an answer differs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from compat_tests.ports import refusing_port
from kafkapy.node import Node
from kafkapy.recording import Exchange, Recording
from kafkapy.recording.replay import Replayed, ReplayFailed, replay
from kafkapy.recording.session import read_json_lines
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from kafkapy_wire.records import NewRecord, build_batch
from tests.shell.running_node import (
    Client,
    batch,
    connect,
    fetch_request,
    port_of,
    produce_request,
    running_node,
    until_parked,
)

SECONDS_MAX = 60
IDEMPOTENT = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1)
SUBSCRIPTION = b"\0\0" + b"\0\0\0\0" + b"\xff\xff\xff\xff"  # version 0, of no topic
Session = Callable[[Node, Client, Client], Awaitable[None]]


def record(directory: Path, session: Session) -> list[Exchange]:
    """The session, as a file would have it."""
    recording = Recording()

    async def run() -> None:
        with trio.fail_after(SECONDS_MAX):
            async with running_node(directory / "recorded") as node, connect(node) as client, connect(node) as other:
                recording.attach(node.dispatcher, node.node_id, node.broker.metadata)
                await session(node, client, other)

    trio.run(run)
    recording.write_json_lines(directory / "session.jsonl")
    return read_json_lines(directory / "session.jsonl")


def played(
    directory: Path,
    exchanges: list[Exchange],
    before: Callable[[Client], Awaitable[object]] | None = None,
    settings: dict[str, str] | None = None,
) -> Replayed:
    """What comes of it at another node, after `before`."""

    async def run() -> Replayed:
        with trio.fail_after(SECONDS_MAX):
            async with running_node(directory / "other", settings) as node, connect(node) as client:
                if before is not None:
                    await before(client)
                ask = partial(replay, exchanges, "127.0.0.1", port_of(node), timeout_seconds=SECONDS_MAX / 2)
                return await trio.to_thread.run_sync(ask)

    return trio.run(run)


async def with_ids(node: Node, client: Client, other: Client) -> None:
    """What needs ids that the broker has given out: topic ids, fetch sessions, members, generations, producers."""
    await client.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), ApiVersionsResponse)
    topic_id = await client.create_topic("orders")
    produced = (await client.ask(IDEMPOTENT, InitProducerIdResponse)).producer_id
    assert produced >= 0
    for sequence in range(2):
        records = batch([b"a"], producer_id=produced, producer_epoch=0, base_sequence=sequence)
        assert (await client.produce_batch("orders", records)).error_code == ErrorCode.NONE
    await in_a_transaction(client)
    await client.send(produce_request("orders", batch([b"unanswered"]), acks=0), 12, answered=False)
    first = await other.ask(fetch_request({topic_id: {0: 0}}, session_epoch=0), FetchResponse)
    assert first.session_id
    await other.send(
        fetch_request({topic_id: {0: 5}}, session_id=first.session_id, session_epoch=1, max_wait_ms=20_000)
    )
    await until_parked(node)
    await client.produce("orders", b"awaited")
    await other.receive(FetchResponse)
    await client.find_coordinator("a-group")
    protocol = JoinGroupRequestProtocol(name="range", metadata=SUBSCRIPTION)
    join = JoinGroupRequest(
        group_id="a-group", protocol_type="consumer", session_timeout_ms=10_000, rebalance_timeout_ms=10_000
    )
    join.protocols = [protocol]
    refused = await client.ask(join, JoinGroupResponse)
    assert refused.error_code == ErrorCode.MEMBER_ID_REQUIRED
    join.member_id = refused.member_id
    joined = await client.ask(join, JoinGroupResponse)
    assigned = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")
    who = {"group_id": "a-group", "generation_id": joined.generation_id, "member_id": joined.member_id}
    sync = SyncGroupRequest(**who, protocol_type="consumer", protocol_name="range", assignments=[assigned])  # type: ignore[arg-type]
    assert (await client.ask(sync, SyncGroupResponse)).error_code == ErrorCode.NONE
    assert (await client.ask(HeartbeatRequest(**who), HeartbeatResponse)).error_code == ErrorCode.NONE  # type: ignore[arg-type]
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=4)
    commit = OffsetCommitRequest(
        group_id="a-group", generation_id_or_member_epoch=joined.generation_id, member_id=joined.member_id
    )
    commit.topics = [OffsetCommitRequestTopic(name="orders", topic_id=topic_id, partitions=[partition])]
    answer = await client.ask(commit, OffsetCommitResponse)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.NONE


async def in_a_transaction(client: Client) -> None:
    await client.find_coordinator("a-transaction", key_type=1)
    request = InitProducerIdRequest(transactional_id="a-transaction", transaction_timeout_ms=10_000)
    given = await client.ask(request, InitProducerIdResponse, 4)
    add = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id="a-transaction",
        v3_and_below_producer_id=given.producer_id,
        v3_and_below_producer_epoch=given.producer_epoch,
        v3_and_below_topics=[AddPartitionsToTxnTopic(name="orders", partitions=[0])],
    )
    added = await client.ask(add, AddPartitionsToTxnResponse, 3)
    assert added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code == ErrorCode.NONE
    records = build_batch(
        [NewRecord(1_000, None, b"committed")],
        producer_id=given.producer_id,
        producer_epoch=given.producer_epoch,
        base_sequence=0,
        is_transactional=True,
    )
    produce = produce_request("orders", records)
    produce.transactional_id = "a-transaction"
    answer = await client.ask(produce, ProduceResponse, 11)
    assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE
    end = EndTxnRequest(
        transactional_id="a-transaction",
        producer_id=given.producer_id,
        producer_epoch=given.producer_epoch,
        committed=True,
    )
    assert (await client.ask(end, EndTxnResponse, 3)).error_code == ErrorCode.NONE


async def use_up_ids(client: Client) -> None:
    """So that the broker gives other producer ids and generations; all others are random."""
    for _ in range(3):
        await client.ask(IDEMPOTENT, InitProducerIdResponse)
    await client.find_coordinator("a-group")
    join = JoinGroupRequest(
        group_id="a-group", protocol_type="consumer", session_timeout_ms=10_000, rebalance_timeout_ms=10_000
    )
    join.protocols = [JoinGroupRequestProtocol(name="range", metadata=SUBSCRIPTION)]
    join.member_id = (await client.ask(join, JoinGroupResponse)).member_id
    assert (await client.ask(join, JoinGroupResponse)).generation_id == 1
    leave = LeaveGroupRequest(group_id="a-group", members=[MemberIdentity(member_id=join.member_id)])
    assert (await client.ask(leave, LeaveGroupResponse)).error_code == ErrorCode.NONE


def test_a_session_is_the_same_at_another_broker_which_gives_other_ids(tmp_path: Path) -> None:
    exchanges = record(tmp_path, with_ids)
    result = played(tmp_path, exchanges, before=use_up_ids)
    assert result.difference is None, str(result.difference)
    assert (result.requests, result.answers) == (len(exchanges), len(exchanges) - 1)


def test_the_first_answer_that_differs_is_told(tmp_path: Path) -> None:
    exchanges = record(tmp_path, with_ids)
    result = played(tmp_path, exchanges, before=lambda client: client.create_topic("orders"))
    assert result.difference is not None
    assert result.difference.exchange.api == "CreateTopics"
    assert str(result.difference).splitlines() == [
        str(result.difference.exchange),
        "topics[0].errorCode: recorded was NONE, and this time it is TOPIC_ALREADY_EXISTS",
    ]
    assert (result.requests, result.answers) == (2, 2)


def test_other_records_are_a_difference(tmp_path: Path) -> None:
    async def session(_node: Node, client: Client, _other: Client) -> None:
        await client.produce("orders", b"mine")
        await client.fetch("orders")

    async def make(client: Client) -> None:
        await client.create_topic("orders")

    exchanges = record(tmp_path, lambda node, client, other: _after(make(client), session(node, client, other)))[1:]
    assert played(tmp_path, exchanges, before=make).difference is None

    async def make_and_fill(client: Client) -> None:
        await make(client)
        await client.produce("orders", b"yours")

    result = played(tmp_path / "again", exchanges, before=make_and_fill)
    assert str(result.difference).splitlines()[1] == (
        "record 0 of responses[0].partitions[0].records: recorded was (False, None, b'mine', ()), "
        "and this time it is (False, None, b'yours', ())"
    )


async def _after(*each: Awaitable[None]) -> None:
    for one in each:
        await one


def test_a_connection_that_the_broker_closes_is_closed_again(tmp_path: Path) -> None:
    async def session(_node: Node, client: Client, other: Client) -> None:
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)
        frame = bytearray(other.frame(HeartbeatRequest(group_id="g"), answered=False))
        frame[6:8] = (99).to_bytes(2, "big")  # a version that there is not
        await other.stream.send_all(frame)
        assert await other.closed_by_broker()
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)

    result = played(tmp_path, record(tmp_path, session))
    assert (result.difference, result.requests) == (None, 3)


def test_a_fetch_that_the_client_gave_up_is_given_up(tmp_path: Path) -> None:
    async def session(node: Node, client: Client, other: Client) -> None:
        await client.create_topic("orders")
        await other.send(fetch_request({"orders": {0: 0}}, max_wait_ms=100_000), 12)
        await until_parked(node)
        await other.stream.aclose()
        while any(connection.busy for connection in node.server.connections):
            await trio.lowlevel.checkpoint()
        await client.produce("orders", b"one")

    exchanges = record(tmp_path, session)
    assert [each.outcome.value for each in exchanges] == ["answered", "given up", "answered"]
    assert played(tmp_path, exchanges).difference is None


@contextmanager
def listening(*answers: bytes) -> Iterator[int]:
    """A port with one connection, whose requests get these answers; then it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                for answer in answers:
                    if not sock.recv(1 << 16):
                        return
                    sock.sendall(answer)
                sock.recv(1 << 16)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(SECONDS_MAX)


def found_coordinator(code: ErrorCode) -> bytes:
    coordinator = Coordinator(key="g", error_code=code, node_id=1, host="a", port=1)
    content = b"\0\0\0\1\0" + encode(FindCoordinatorResponse(coordinators=[coordinator]), 4)
    return len(content).to_bytes(4, "big") + content


@pytest.mark.parametrize(
    ("codes", "difference"),
    [
        ([ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NONE], None),
        ([ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.GROUP_AUTHORIZATION_FAILED], "GROUP_AUTHORIZATION_FAILED"),
    ],
)
def test_a_broker_that_is_not_ready_is_asked_again(
    codes: list[ErrorCode], difference: str | None, tmp_path: Path
) -> None:
    async def session(_node: Node, client: Client, _other: Client) -> None:
        request = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])
        await client.ask(request, FindCoordinatorResponse, 4)

    (exchange,) = record(tmp_path, session)
    with listening(*map(found_coordinator, codes)) as port:
        result = replay([exchange], "127.0.0.1", port, timeout_seconds=SECONDS_MAX / 2)
    assert (result.requests, result.answers) == (1, 1)
    assert (None if result.difference is None else result.difference.replayed) == difference


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "the outcome: recorded was an answer, and this time it is the broker has closed the connection"),
        (b"\x7f\xff\xff\xff", "the outcome: recorded was an answer, and this time it is an answer of 2147483647 bytes"),
        (b"\0\0\0\5\0\0\0\1\7", "the answer: recorded was a valid one, and this time it is bytes that are none"),
        (b"\0\0", "the outcome: recorded was an answer, and this time it is no answer within 0.5 s"),
    ],
)
def test_a_broker_that_answers_nonsense(answer: bytes, told: str, tmp_path: Path) -> None:
    async def session(_node: Node, client: Client, _other: Client) -> None:
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)

    (exchange,) = record(tmp_path, session)
    with listening(*([answer] if answer else [])) as port:
        result = replay([exchange], "127.0.0.1", port, timeout_seconds=0.5 if "within 0.5 s" in told else 30)
    assert str(result.difference).splitlines()[1] == told


def test_nobody_listens(tmp_path: Path) -> None:
    async def session(_node: Node, client: Client, _other: Client) -> None:
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)

    exchanges = record(tmp_path, session)
    refused = pytest.raises(ReplayFailed, match=r"cannot connect to 127\.0\.0\.1:\d+ \(Connection refused\)")
    with refusing_port() as port, refused:
        replay(exchanges, "127.0.0.1", port)
