"""fsync in a running node: by flush.messages before the answer, by flush.ms and after a roll in the background."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Semaphore

import pytest
import trio
import trio.testing

import kafkapy_log.flush
from kafkapy.errors import ShutdownError
from kafkapy.node import Node
from kafkapy_log import Flush, PartitionLog
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.produce import ProduceResponse
from tests.shell.running_node import (
    TOPIC,
    Client,
    batch,
    connect,
    produce_request,
    running_node,
    trio_test,
    until_parked,
)

WAIT_SECONDS_MAX = 60


class SlowDisk:
    """Every round of fsyncs waits until it is let through; `rounds` has how many logs were in each."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self._permits = Semaphore(0)

    def let_through(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            self._permits.release()

    def hold(self) -> None:
        """From now on none is let through, however many were before."""
        while self._permits.acquire(blocking=False):
            pass

    def sync_all(self, flushes: list[Flush], *, fsync: bool) -> list[OSError | None]:
        assert fsync
        self.rounds.append(len(flushes))
        assert self._permits.acquire(timeout=WAIT_SECONDS_MAX)
        return [None] * len(flushes)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    with monkeypatch.context() as patch:
        patch.setattr(kafkapy_log.flush, "sync_all", disk.sync_all)
        yield disk
        disk.let_through(100)


def log_of(node: Node, topic: str) -> PartitionLog:
    return node.broker.partitions.leader(topic, 0).log


@trio_test
async def test_with_flush_messages_what_is_answered_is_on_the_disk(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("safe", flush_messages="1")
        await client.create_topic("plain")
        for number in range(3):
            await client.produce("safe", b"a", b"b")
            await client.produce("plain", b"a", b"b")
            assert log_of(node, "safe").recovery_point == 2 * number + 2
        assert log_of(node, "plain").recovery_point == 0


@trio_test
async def test_so_many_records_may_wait_for_the_disk(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("safe", flush_messages="5")
        points = []
        for _ in range(6):
            await client.produce("safe", b"a", b"b")
            points.append(log_of(node, "safe").recovery_point)
        assert points == [0, 0, 6, 6, 6, 12]


def test_requests_that_come_during_an_fsync_share_the_next(tmp_path: Path, slow_disk: SlowDisk) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, durable=True) as node, connect(node) as plain:
            for name in ("first", "second"):
                await plain.create_topic(name, flush_messages="1")
            await plain.create_topic("plain")
            answered: list[str] = []

            async def produce(topic: str) -> None:
                async with connect(node) as client:
                    await client.produce(topic, b"a")
                    answered.append(topic)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(produce, "first")
                await until_parked(node)
                for topic in ("first", "second", "first", "second"):
                    nursery.start_soon(produce, topic)
                await until_parked(node, 5)
                assert await plain.produce("plain", b"not held up") == 0
                assert await plain.values("first") == [], "nobody reads what may be lost with the power"
                assert answered == []
                slow_disk.let_through(2)
            assert len(answered) == 5
            assert slow_disk.rounds == [1, 2]
            slow_disk.let_through(100)

    run()


@trio_test
async def test_a_setting_that_changes_holds_for_the_next_append(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a")
        await client.alter_config(TOPIC, "orders", "flush.messages", "1")
        await client.produce("orders", b"b")
        assert log_of(node, "orders").recovery_point == 2


def test_what_could_not_be_synced_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything after it: the kernel may have dropped the pages, and would report success the next time."""

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path / "data", durable=True) as node, connect(node) as client:
            await client.create_topic("safe", flush_messages="1")
            await client.create_topic("other")
            with monkeypatch.context() as patch:
                patch.setattr(os, "fdatasync", fail)
                answer = await client.produce_batch("safe", batch([b"a"]))
            assert (answer.error_code, answer.base_offset) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
            await trio.sleep_forever()

    with pytest.raises(ShutdownError, match=r"stopped, since the disk under .* \(safe-0: Input/output error\)"):
        run()


@trio_test
async def test_what_could_not_be_flushed_for_now_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_descriptor_left(*_: object, **__: object) -> Flush:
        raise OSError(24, "Too many open files")

    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("safe", flush_messages="1")
        records = batch([b"a"], producer_id=7, producer_epoch=0, base_sequence=0)
        with monkeypatch.context() as patch:
            patch.setattr("kafkapy_log.log_flushing.Flush", no_descriptor_left)
            answer = await client.produce_batch("safe", records)
            assert (answer.error_code, answer.base_offset) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
            answer = await client.produce_batch("safe", records)
            assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR, "stored, and still not on the disk"
        assert log_of(node, "safe").recovery_point == 0
        answer = await client.produce_batch("safe", records)
        assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, 0)
        assert log_of(node, "safe").recovery_point == 1
        assert await client.produce("safe", b"b") == 1
    assert "safe-0 cannot be written (Too many open files): raise the limit of open files" in caplog.text


async def tick(node: Node, milliseconds: int) -> None:
    node.clock.advance(milliseconds)
    await trio.testing.wait_all_tasks_blocked()


async def recovery_point_reaches(log: PartitionLog, offset: int) -> None:
    while log.recovery_point < offset:
        await trio.lowlevel.checkpoint()


async def produce_much(client: Client, topic: str) -> None:
    for _ in range(5):
        await client.produce(topic, b"v" * 200)


@trio_test
async def test_rolled_segments_are_synced_in_the_background(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("orders", internal_segment_bytes="300")
        await produce_much(client, "orders")
        assert log_of(node, "orders").recovery_point == 0
        await tick(node, 1_000)
        await recovery_point_reaches(log_of(node, "orders"), 4)
        assert log_of(node, "orders").recovery_point == 4, "the active segment is not waited for"


@trio_test
async def test_flush_ms_bounds_how_long_records_wait_for_the_disk(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=True) as node, connect(node) as client:
        await client.create_topic("orders", flush_ms="5000")
        await client.produce("orders", b"a")
        for _ in range(5):
            await tick(node, 1_000)
            assert log_of(node, "orders").recovery_point == 0
        await tick(node, 1_000)
        await recovery_point_reaches(log_of(node, "orders"), 1)


@trio_test
async def test_a_node_whose_data_is_thrown_away_never_waits_for_the_disk(tmp_path: Path) -> None:
    async with running_node(tmp_path, durable=False) as node, connect(node) as client:
        await client.create_topic("orders", flush_messages="1", internal_segment_bytes="300")
        await produce_much(client, "orders")
        await tick(node, 1_000)
        assert log_of(node, "orders").recovery_point == 0


def test_coordinators_wait_for_their_fsync_too(tmp_path: Path, slow_disk: SlowDisk) -> None:
    """With log.flush.interval.messages=1 no answer leaves before what it rests on is on the disk."""

    @trio_test
    async def run() -> None:
        slow_disk.let_through(1_000)
        settings = {
            "log.flush.interval.messages": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.num.partitions": "1",
        }
        async with running_node(tmp_path, settings, durable=True) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.find_coordinator("t", key_type=1)
            await client.find_coordinator("g")
            producer = await client.ask(
                InitProducerIdRequest(transactional_id="t", transaction_timeout_ms=60_000), InitProducerIdResponse
            )
            records = batch(
                [b"a"], producer_id=producer.producer_id, producer_epoch=0, base_sequence=0, is_transactional=True
            )
            transactional = produce_request("orders", records)
            transactional.transactional_id = "t"
            produced = await client.ask(transactional, ProduceResponse, 12)
            assert produced.responses[0].partition_responses[0].error_code == ErrorCode.NONE
            commit = OffsetCommitRequest(
                group_id="g",
                topics=[
                    OffsetCommitRequestTopic(
                        name="orders", partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=1)]
                    )
                ],
            )
            assert (await client.ask(commit, OffsetCommitResponse, 9)).topics[0].partitions[0].error_code == 0
            slow_disk.hold()
            requests: list[tuple[Message, type[Message], int]] = [
                (commit, OffsetCommitResponse, 9),
                (
                    EndTxnRequest(
                        transactional_id="t", producer_id=producer.producer_id, producer_epoch=0, committed=True
                    ),
                    EndTxnResponse,
                    5,
                ),
                (InitProducerIdRequest(transactional_id="u", transaction_timeout_ms=1), InitProducerIdResponse, 4),
            ]
            answered: list[Message] = []

            async def ask(request: Message, response: type[Message], version: int) -> None:
                async with connect(node) as other:
                    answered.append(await other.ask(request, response, version))

            async with trio.open_nursery() as nursery:
                for request in requests:
                    nursery.start_soon(ask, *request)
                await until_parked(node, len(requests))
                assert answered == []
                slow_disk.let_through(1_000)
            assert len(answered) == len(requests)
            assert all(getattr(answer, "error_code", 0) == ErrorCode.NONE for answer in answered)

    run()
