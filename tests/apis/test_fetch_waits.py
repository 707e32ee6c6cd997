"""What a fetch waits for, and all that ends its wait, as in Apache Kafka: the differential tests ask it the same.

The clock stands still unless a test moves it, so what is answered was not waited for.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio.testing

from kafkapy import turns
from kafkapy.node import Node
from kafkapy_controller.image import PartitionImage
from kafkapy_log import Verification
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchRequest, FetchResponse, PartitionData
from kafkapy_wire.uuid import Uuid, random_uuid
from tests.shell.running_node import (
    Client,
    batch,
    bytes_of,
    connect,
    fetch_request,
    records_of,
    running_node,
    trio_test,
    until_parked,
)

NONE, GONE = ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
WAIT_MS = 3_600_000
PLENTY = 1 << 30
ONE_MB = 1 << 20

KEPT = {"log.retention.ms": "-1"}
"""Waits take the clock past the first look for old segments, and the records of tests are stamped 1970."""


def busy(node: Node) -> int:
    """How many connections have a request that waits."""
    return sum(connection.busy for connection in node.server.connections)


def only(response: FetchResponse) -> PartitionData:
    ((data,),) = (topic.partitions for topic in response.responses)
    return data


def waiting_fetch(
    topic: str | Uuid,
    offset: int = 0,
    *,
    min_bytes: int = 1,
    partition_max_bytes: int = PLENTY,
    max_bytes: int = PLENTY,
    isolation_level: int = 0,
) -> FetchRequest:
    """Of the first partition of one topic."""
    request = fetch_request(
        {topic: {0: offset}},
        max_wait_ms=WAIT_MS,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        partition_max_bytes=partition_max_bytes,
    )
    request.isolation_level = isolation_level
    return request


async def still_waits(node: Node, count: int = 1) -> bool:
    await trio.testing.wait_all_tasks_blocked()
    return busy(node) == count


async def at_last(node: Node, client: Client) -> FetchResponse:
    """The answer that comes because the time is up, and not before."""
    assert await still_waits(node)
    node.clock.advance(WAIT_MS)
    return await client.receive(FetchResponse)


@trio_test
async def test_39_mb_come_without_a_wait_for_a_mib_at_a_time(tmp_path: Path) -> None:
    """fetch.min.bytes and max.partition.fetch.bytes of 1 MiB: what is left of a MiB behind whole batches counts."""
    async with running_node(tmp_path, KEPT) as node, connect(node) as client:
        await client.create_topic("orders")
        content, count = batch([bytes(1_000)] * 16), 2_500
        for _ in range(count):
            await client.produce_batch("orders", content, acks=1)
        offset, received = 0, 0
        while offset < 16 * count:
            request = waiting_fetch("orders", offset, min_bytes=ONE_MB, partition_max_bytes=ONE_MB)
            if (count * len(content) - received) < ONE_MB:
                request.max_wait_ms = 0  # the last piece is smaller, and that is waited for
            data = only(await client.ask(request, FetchResponse, 12))
            batches = len(bytes_of(data)) // len(content)
            received += batches * len(content)
            offset += 16 * batches
        assert received == count * len(content) > 39_000_000


@pytest.mark.parametrize(
    ("offset", "size", "limit", "is_enough"),
    [
        (0, 0, 0, True),
        (0, 1, 0, False),
        (1, 0, 0, True),
        (1, 0, 50, True),
        (0, 0, 50, True),
        (0, 1, 50, False),
    ],
)
def test_min_bytes_count_what_is_there(offset: int, size: int, limit: int, is_enough: bool, tmp_path: Path) -> None:
    """From the batch that holds the fetch offset to the end, up to partition_max_bytes.

    `size`: bytes asked for above what is there; `limit`: bytes of the third batch that partition_max_bytes leaves.
    """

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client:
            await client.create_topic("orders")
            content = batch([b"x" * 400, b"y" * 100])
            for _ in range(3):
                await client.produce_batch("orders", content)
            there = 2 * len(content) + limit if limit else 3 * len(content)
            request = waiting_fetch(
                "orders", offset, min_bytes=there + size, partition_max_bytes=there if limit else PLENTY
            )
            await client.send(request, 12)
            if not is_enough:
                assert len(records_of(only(await at_last(node, client)))) == 4 if limit else 6
            else:
                assert records_of(only(await client.receive(FetchResponse)))

    run()


@trio_test
async def test_bytes_that_the_request_has_no_room_for_count(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        content = batch([b"x" * 400])
        for partition in (0, 1):
            await client.produce_batch("orders", content, partition)
        room = 2 * len(content) - 1
        request = fetch_request({"orders": {0: 0, 1: 0}}, max_wait_ms=WAIT_MS, min_bytes=room, max_bytes=room)
        (topic,) = (await client.ask(request, FetchResponse, 12)).responses
        assert [len(records_of(data)) for data in topic.partitions] == [1, 0]


@trio_test
async def test_a_batch_above_the_limit_counts_whole_when_it_is_there_and_cut_when_it_comes(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        content = batch([b"x" * 400])
        request = waiting_fetch("orders", min_bytes=len(content), partition_max_bytes=10)
        await client.send(request, 12)
        await until_parked(node)
        await producer.produce_batch("orders", content)
        assert len(records_of(only(await at_last(node, client)))) == 1
        assert len(records_of(only(await client.ask(request, FetchResponse, 12)))) == 1


@trio_test
async def test_no_byte_of_a_partition_with_a_limit_of_0_counts(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        await client.send(waiting_fetch("orders", partition_max_bytes=0), 12)
        await until_parked(node)
        await producer.produce("orders", b"value")
        assert len(records_of(only(await at_last(node, client)))) == 1


@trio_test
async def test_an_offset_in_an_older_segment_is_answered_at_once(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client:
        await client.create_topic("orders", segment_bytes=str(ONE_MB))
        for _ in range(2):
            await client.produce("orders", b"x" * 600_000)
        for offset in (0, 1):
            await client.send(waiting_fetch("orders", offset, min_bytes=PLENTY), 12)
            if offset == 0:
                assert len(records_of(only(await client.receive(FetchResponse)))) == 1
        assert len(records_of(only(await at_last(node, client)))) == 1


@pytest.mark.parametrize("rolls", [True, False])
def test_a_record_that_begins_a_segment_ends_the_wait(rolls: bool, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as producer:
            await producer.create_topic("orders", segment_bytes=str(ONE_MB))
            await producer.produce("orders", b"x" * 600_000)
            await client.send(waiting_fetch("orders", 1, min_bytes=PLENTY), 12)
            await until_parked(node)
            await producer.produce("orders", b"x" * (600_000 if rolls else 6))
            response = await client.receive(FetchResponse) if rolls else await at_last(node, client)
            assert [record.offset for record in records_of(only(response))] == [1]

    run()


@pytest.mark.parametrize("version", [12, 18])
def test_what_did_not_exist_when_the_fetch_came_is_told_so_in_the_end(version: int, tmp_path: Path) -> None:
    """As in Apache Kafka: a consumer of a deleted topic beside another one would ask without a pause otherwise."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
            topic_id = await admin.create_topic("orders")
            known: str | Uuid = "orders" if version < 13 else topic_id
            unknown: str | Uuid = "later" if version < 13 else random_uuid()
            request = fetch_request({known: {0: 0, 7: 0}, unknown: {0: 0}}, max_wait_ms=WAIT_MS)
            await client.send(request, version)
            await until_parked(node)
            await admin.create_topic("later")
            await admin.produce("later", b"value")
            response = await at_last(node, client)
            told = [data for topic in response.responses for data in topic.partitions]
            codes = [NONE, GONE, GONE] if version < 13 else [NONE, ErrorCode.UNKNOWN_TOPIC_ID, GONE]
            assert [data.error_code for data in told] == codes
            assert [data.aborted_transactions for data in told] == [None, [], []]

    run()


@pytest.mark.parametrize("in_session", [False, True])
@pytest.mark.parametrize("version", [12, 18])
def test_a_partition_that_vanishes_ends_the_wait(version: int, in_session: bool, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
            ids = {name: await admin.create_topic(name) for name in ("stays", "goes")}
            stays, goes = (name if version < 13 else ids[name] for name in ids)
            request = fetch_request({stays: {0: 0}, goes: {0: 0}}, max_wait_ms=WAIT_MS)
            if in_session:
                opening = fetch_request({stays: {0: 0}, goes: {0: 0}}, session_epoch=0)
                opened = await client.ask(opening, FetchResponse, version)
                request = fetch_request({}, max_wait_ms=WAIT_MS, session_id=opened.session_id, session_epoch=1)
            await client.send(request, version)
            await until_parked(node)
            await admin.delete_topic("goes")
            response = await client.receive(FetchResponse)
            data = response.responses[-1].partitions[0]
            assert (data.error_code, data.aborted_transactions) == (GONE, None)
            assert len(response.responses) == 1 if in_session else 2

    run()


@trio_test
async def test_a_session_by_topic_ids_keeps_the_names(tmp_path: Path) -> None:
    """KIP-516. Without a session, and for an id that it never knew a topic of, it is UNKNOWN_TOPIC_ID."""
    async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
        stays, goes, never = await admin.create_topic("stays"), await admin.create_topic("goes"), random_uuid()
        opening = fetch_request({stays: {0: 0}, goes: {0: 0, 9: 0}, never: {0: 0}}, session_epoch=0)
        opened = await client.ask(opening, FetchResponse)

        async def codes(epoch: int, *, waits: bool) -> dict[tuple[Uuid, int], int]:
            request = fetch_request({}, max_wait_ms=WAIT_MS, session_id=opened.session_id, session_epoch=epoch)
            await client.send(request)
            response = await at_last(node, client) if waits else await client.receive(FetchResponse)
            return {(t.topic_id, d.partition_index): d.error_code for t in response.responses for d in t.partitions}

        unknown = {(never, 0): ErrorCode.UNKNOWN_TOPIC_ID}
        assert await codes(1, waits=True) == unknown | {(goes, 9): GONE}
        await admin.delete_topic("goes")
        assert await codes(2, waits=True) == unknown | {(goes, 0): GONE, (goes, 9): GONE}
        await admin.create_topic("goes")
        inconsistent = ErrorCode.INCONSISTENT_TOPIC_ID
        assert await codes(3, waits=False) == unknown | {(goes, 0): inconsistent, (goes, 9): GONE}
        old = await client.ask(fetch_request({goes: {0: 0}}, max_wait_ms=WAIT_MS), FetchResponse)
        assert only(old).error_code == ErrorCode.UNKNOWN_TOPIC_ID


@trio_test
async def test_a_wait_for_a_topic_made_anew_ends_with_what_was_gone(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
        topic_id = await admin.create_topic("orders")
        await client.send(waiting_fetch(topic_id), 18)
        await until_parked(node)
        await admin.delete_topic("orders")
        await admin.create_topic("orders")
        assert only(await client.receive(FetchResponse)).error_code == GONE


def open_transaction(node: Node, topic: str) -> None:
    """One record at the end of the first partition that stays in an open transaction."""
    records = batch([b"open"], producer_id=1, producer_epoch=0, base_sequence=0, is_transactional=True)
    node.broker.partitions.leader(topic, 0).append_produced(
        records, now_ms=1_000, request_version=12, verification=Verification.IN_TRANSACTION
    )


@trio_test
async def test_read_committed_behind_the_last_stable_offset_has_nothing_to_wait_for(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as producer:
        await producer.create_topic("orders")
        await producer.produce("orders", b"x" * 100)
        open_transaction(node, "orders")
        await producer.produce("orders", b"behind it")
        for offset in (2, 3):
            data = only(await client.ask(waiting_fetch("orders", offset, isolation_level=1), FetchResponse, 12))
            assert (data.error_code, data.last_stable_offset, bytes_of(data)) == (NONE, 1, b"")
            assert data.aborted_transactions == []
        await client.send(waiting_fetch("orders", 1, isolation_level=1), 12)
        await until_parked(node)
        await producer.produce("orders", b"news")
        assert records_of(only(await at_last(node, client))) == [], "at the last stable offset it waits"
        await client.send(waiting_fetch("orders", 0, min_bytes=1_000, isolation_level=1), 12)
        await until_parked(node)
        await producer.produce("orders", b"x" * 2_000)
        assert len(records_of(only(await at_last(node, client)))) == 1, "what is not stable does not count"


@pytest.mark.parametrize(
    ("offset", "min_bytes", "code"), [(0, 1_000, ErrorCode.OFFSET_OUT_OF_RANGE), (3, 1_000, NONE), (3, 1, NONE)]
)
def test_a_log_start_that_moves_ends_no_wait(offset: int, min_bytes: int, code: ErrorCode, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
            await admin.create_topic("orders")
            await admin.produce("orders", b"a", b"b", b"c")
            await client.send(waiting_fetch("orders", offset, min_bytes=min_bytes), 12)
            await until_parked(node)
            node.broker.partitions.leader("orders", 0).delete_records_before(3, now_ms=0)
            assert only(await at_last(node, client)).error_code == code

    run()


@trio_test
async def test_enough_that_comes_after_the_log_start_has_moved_ends_the_wait(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
        await admin.create_topic("orders")
        await admin.produce("orders", b"a", b"b", b"c")
        await client.send(waiting_fetch("orders", 0, min_bytes=1_000), 12)
        await until_parked(node)
        node.broker.partitions.leader("orders", 0).delete_records_before(3, now_ms=0)
        await admin.produce("orders", b"x" * 1_000)
        data = only(await client.receive(FetchResponse))
        assert (data.error_code, data.high_watermark) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)


@pytest.mark.parametrize(
    ("leader", "epoch_given", "version", "code"),
    [
        (1, True, 12, ErrorCode.FENCED_LEADER_EPOCH),
        (2, True, 12, ErrorCode.FENCED_LEADER_EPOCH),
        (2, False, 10, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (2, False, 11, None),
        (1, False, 12, None),
    ],
)
def test_a_new_leader_epoch_ends_the_wait_of_who_named_the_old_one(
    leader: int, epoch_given: bool, version: int, code: ErrorCode | None, tmp_path: Path
) -> None:
    """A new leader ends it for those that cannot read from a follower, which they can from version 11 on (KIP-320,
    KIP-392).
    """

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
            await admin.create_topic("orders")
            partition = node.broker.partitions.leader("orders", 0)
            request = waiting_fetch("orders")
            request.topics[0].partitions[0].current_leader_epoch = partition.leader_epoch if epoch_given else -1
            await client.send(request, version)
            await until_parked(node)
            state = PartitionImage((1, 2), (1,), leader=leader, leader_epoch=partition.leader_epoch + 1)
            partition.become(state, now_ms=0)
            response = await at_last(node, client) if code is None else await client.receive(FetchResponse)
            data = only(response)
            assert (data.error_code, data.aborted_transactions) == (code or NONE, None)

    run()


@trio_test
async def test_an_unknown_leader_epoch_is_not_waited_for(tmp_path: Path) -> None:
    async with running_node(tmp_path, KEPT) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        request = fetch_request({"orders": {0: 0, 1: 0}}, max_wait_ms=WAIT_MS)
        request.topics[0].partitions[1].current_leader_epoch = 7
        (topic,) = (await client.ask(request, FetchResponse, 12)).responses
        assert [data.error_code for data in topic.partitions] == [NONE, ErrorCode.UNKNOWN_LEADER_EPOCH]


@pytest.mark.parametrize("vanishes", [False, True])
def test_a_fetch_that_takes_turns_waits_alike(vanishes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so many partitions that they are read, watched and counted in turns of the event loop."""
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, KEPT) as node, connect(node) as client, connect(node) as admin:
            await admin.create_topic("orders", 100)
            await admin.create_topic("goes")
            content = batch([b"x" * 100])
            wanted: dict[str | Uuid, dict[int, int]] = {
                "unknown": {0: 0},
                "goes": {0: 0},
                "orders": dict.fromkeys(range(100), 0),
            }
            await client.send(fetch_request(wanted, max_wait_ms=WAIT_MS, min_bytes=2 * len(content)), 12)
            await until_parked(node)
            await admin.produce_batch("orders", content, 99)
            assert await still_waits(node)
            if vanishes:
                await admin.delete_topic("goes")
            else:
                await admin.produce_batch("orders", content, 0)
            response = await client.receive(FetchResponse)
            assert [topic.topic for topic in response.responses] == ["goes", "orders", "unknown"]
            goes, *orders, unknown = (data for topic in response.responses for data in topic.partitions)
            assert (goes.error_code, unknown.error_code) == (GONE if vanishes else NONE, GONE)
            counts = [len(records_of(data)) for data in orders]
            assert (counts[0], counts[99], sum(counts)) == ((0, 1, 1) if vanishes else (1, 1, 2))

    run()
