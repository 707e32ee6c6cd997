"""Retention and compaction in a running node: by its clock, at once when settings change, beside its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from kafkapy import turns
from kafkapy.node import Node
from kafkapy.partitions.log_cleaning import IoThrottle, Pace
from kafkapy_controller.image import PartitionImage
from kafkapy_log.checkpoint_files import CLEANER_CHECKPOINT, TopicPartition, parse_offset_checkpoint
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from kafkapy_wire.records import NewRecord, build_batch
from tests.shell.running_node import BROKER, TOPIC, Client, connect, records_of, running_node, trio_test

HOUR_MS = 3_600_000
SMALL_SEGMENTS = "300"
PATIENT = {"connections.max.idle.ms": str(1_000 * HOUR_MS)}  # the tests move the clock by hours
# Compaction looks when it is told to: the tests set the settings that make it due, or move the clock.
RARELY = {**PATIENT, "log.cleaner.backoff.ms": str(HOUR_MS)}


async def produce_keyed(client: Client, topic: str, keys: str, *, timestamp: int, value: bytes = b"v" * 40) -> None:
    for number, key in enumerate(keys):
        records = [NewRecord(timestamp, key.encode(), b"%d-" % number + value)]
        answer = await client.produce_batch(topic, build_batch(records))
        assert answer.error_code == 0, answer


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def cleaning_slowly(directory: Path) -> AsyncIterator[tuple[Node, Client]]:
    """A node whose compaction of `table` has begun, and is throttled so that it would take hours."""
    settings = {**RARELY, "log.cleaner.io.max.bytes.per.second": "10"}
    async with running_node(directory, settings) as node, connect(node) as client:
        await client.create_topic("table", cleanup_policy="compact", internal_segment_bytes="100000")
        value = b"v" * 30_000
        await produce_keyed(client, "table", "abababababab", timestamp=node.clock.now_ms(), value=value)
        await client.alter_config(TOPIC, "table", "min.cleanable.dirty.ratio", "0.1")
        await until(lambda: node.log_cleaning.statistics().under_way)
        yield node, client


def start_offset(node: Node, topic: str) -> int:
    return node.broker.partitions.leader(topic, 0).log.log_start_offset


@trio_test
async def test_retention_deletes_when_the_clock_has_passed_it(tmp_path: Path) -> None:
    async with running_node(tmp_path, PATIENT) as node, connect(node) as client:
        await client.create_topic("orders", retention_ms=str(24 * HOUR_MS))
        await client.produce("orders", b"a", b"b", timestamp=node.clock.now_ms())
        node.clock.advance(23 * HOUR_MS)
        await client.produce("orders", b"not yet", timestamp=node.clock.now_ms() - 23 * HOUR_MS)
        assert await client.values("orders") == [b"a", b"b", b"not yet"]
        node.clock.advance(2 * HOUR_MS)
        await until(lambda: start_offset(node, "orders") == 3)
        assert await client.values("orders") == []
        assert await client.produce("orders", b"c", timestamp=node.clock.now_ms()) == 3


@pytest.mark.parametrize("resource", ["topic", "broker"])
def test_a_setting_that_changes_holds_at_once(resource: str, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, PATIENT) as node, connect(node) as client:
            await client.create_topic("orders", internal_segment_bytes=SMALL_SEGMENTS)
            for _ in range(8):
                await client.produce("orders", b"v" * 100, timestamp=node.clock.now_ms())
            if resource == "topic":
                await client.alter_config(TOPIC, "orders", "retention.bytes", "600")
            else:
                await client.alter_config(BROKER, "", "log.retention.bytes", "600")
            await until(lambda: start_offset(node, "orders") > 0)
            assert node.broker.partitions.leader("orders", 0).log.size_bytes >= 600

    run()


@trio_test
async def test_a_partition_that_nobody_has_asked_for_is_retained_too(tmp_path: Path) -> None:
    async with running_node(tmp_path, PATIENT) as node, connect(node) as client:
        await client.create_topic("orders", retention_ms=str(HOUR_MS))
        await client.produce("orders", b"a", timestamp=node.clock.now_ms())
    async with running_node(tmp_path) as node:
        await trio.testing.wait_all_tasks_blocked()
        assert not node.broker.partitions.opened()
        node.clock.advance(2 * HOUR_MS)
        await until(lambda: node.broker.partitions.opened() and start_offset(node, "orders") == 1)


@trio_test
async def test_compaction_runs_beside_clients_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    async with running_node(tmp_path, RARELY) as node, connect(node) as client:
        await client.create_topic("table", cleanup_policy="compact", internal_segment_bytes=SMALL_SEGMENTS)
        now_ms = node.clock.now_ms()
        await produce_keyed(client, "table", "abcabcabcabcab", timestamp=now_ms)
        log = node.broker.partitions.leader("table", 0).log
        end, before = log.segments()[-1].base_offset, log.size_bytes
        node.clock.advance(HOUR_MS)
        while node.log_cleaning.statistics().cleanings == 0:
            await client.fetch("table")
        kept = [
            (record.offset, record.key) for record in records_of(await client.fetch("table")) if record.offset < end
        ]
        assert len({key for _, key in kept}) == len(kept)
        assert log.size_bytes < before
        statistics = node.log_cleaning.statistics()
        assert (statistics.under_way, statistics.uncleanable) == ((), ())
        assert statistics.bytes_read > statistics.bytes_written > 0
        path = tmp_path / CLEANER_CHECKPOINT
        await until(path.exists)
        assert parse_offset_checkpoint(path.read_bytes()) == {("table", 0): end}
    async with running_node(tmp_path, RARELY) as node, connect(node) as client:
        assert node.broker.partitions.leader("table", 0).log.log_end_offset == 14
        node.clock.advance(HOUR_MS)
        await trio.testing.wait_all_tasks_blocked()
        assert node.log_cleaning.statistics().cleanings == 0, "what is clean is not cleaned again"


@trio_test
async def test_what_follows_a_truncation_is_not_taken_for_clean(tmp_path: Path) -> None:
    """An unclean leader has truncated its followers below what they had compacted; or the replica was moved away."""
    async with running_node(tmp_path, RARELY) as node, connect(node) as client:
        await client.create_topic("table", cleanup_policy="compact", internal_segment_bytes=SMALL_SEGMENTS)
        await produce_keyed(client, "table", "abcabcabcabcab", timestamp=node.clock.now_ms())
        node.clock.advance(HOUR_MS)
        path = tmp_path / CLEANER_CHECKPOINT
        await until(path.exists)
        (before,) = parse_offset_checkpoint(path.read_bytes()).values()
        partition = node.broker.partitions.leader("table", 0)
        partition.become(PartitionImage((1, 2), (2,), leader=2, leader_epoch=9, partition_epoch=9), now_ms=0)
        partition.truncate_to(before - 2, now_ms=0)
        end = partition.log.active_base_offset
        assert end < before
        await until(lambda: parse_offset_checkpoint(path.read_bytes()) == {("table", 0): end})

        node.directories.delete("table", 0)
        moved: Any = SimpleNamespace(deleted_topics=(), changed_configs=frozenset(), changed_partitions={("table", 0)})
        node.log_cleaning.follow_metadata(node.parts.metadata.image, moved)
        assert node.log_cleaning._checkpoints.of(TopicPartition("table", 0)) is None


@trio_test
async def test_a_dirty_log_that_nobody_has_asked_for_is_compacted_after_a_start(tmp_path: Path) -> None:
    """Apache Kafka's cleaner looks at every log at once; here those that need nothing stay closed."""
    settings = {**RARELY, "log.initial.task.delay.ms": str(1_000 * HOUR_MS)}
    async with running_node(tmp_path, {**settings, "log.cleaner.enable": "false"}) as node, connect(node) as client:
        for topic, keys in (("dirty", "ababababab"), ("short", "a")):
            await client.create_topic(topic, cleanup_policy="compact", internal_segment_bytes=SMALL_SEGMENTS)
            await produce_keyed(client, topic, keys, timestamp=node.clock.now_ms())
        await client.create_topic("kept", internal_segment_bytes=SMALL_SEGMENTS)
        await produce_keyed(client, "kept", "ababababab", timestamp=node.clock.now_ms())
    async with running_node(tmp_path, settings) as node:
        await until(lambda: node.log_cleaning.statistics().cleanings == 1)
        assert [partition.topic for partition in node.broker.partitions.opened()] == ["dirty"]
        await until((tmp_path / CLEANER_CHECKPOINT).exists)
    async with running_node(tmp_path, settings) as node:
        await trio.testing.wait_all_tasks_blocked()
        assert node.broker.partitions.opened() == [], "what is clean up to the checkpoint is not even opened"


@trio_test
async def test_looking_for_dirty_logs_leaves_turns_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And two workers that look at the same time do not take the same log."""
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)
    topics = [f"table-{number}" for number in range(5)]
    settings = {**RARELY, "log.cleaner.threads": "2"}
    async with running_node(tmp_path, {**settings, "log.cleaner.enable": "false"}) as node, connect(node) as client:
        for topic in topics:
            await client.create_topic(topic, cleanup_policy="compact", internal_segment_bytes=SMALL_SEGMENTS)
            await produce_keyed(client, topic, "ababababab", timestamp=node.clock.now_ms())
        with trio.testing.assert_checkpoints():
            assert await node.log_cleaning._dirtiest() is not None
    async with running_node(tmp_path, settings) as node:
        await until(lambda: node.log_cleaning.statistics().cleanings == len(topics))
        await trio.testing.wait_all_tasks_blocked()
        assert node.log_cleaning.statistics().cleanings == len(topics)
        assert node.log_cleaning.statistics().uncleanable == ()


@trio_test
async def test_compaction_begins_when_the_topic_is_told_to_compact(tmp_path: Path) -> None:
    async with running_node(tmp_path, RARELY) as node, connect(node) as client:
        await client.create_topic("table", internal_segment_bytes=SMALL_SEGMENTS)
        await produce_keyed(client, "table", "ababababab", timestamp=node.clock.now_ms())
        await client.alter_config(TOPIC, "table", "cleanup.policy", "compact")
        await until(lambda: node.log_cleaning.statistics().cleanings == 1)


@trio_test
async def test_without_the_cleaner_nothing_is_compacted(tmp_path: Path) -> None:
    settings = {"log.cleaner.enable": "false", "log.cleaner.backoff.ms": "10"}
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        await client.create_topic("table", cleanup_policy="compact", internal_segment_bytes=SMALL_SEGMENTS)
        await produce_keyed(client, "table", "ababababab", timestamp=node.clock.now_ms())
        node.clock.advance(HOUR_MS)
        await trio.testing.wait_all_tasks_blocked()
        assert node.log_cleaning.statistics().cleanings == 0


@trio_test
async def test_a_stop_ends_a_throttled_cleaning(tmp_path: Path) -> None:
    """A thread cannot be cancelled: it is told to end. The test's own deadline is below what the throttle asks for."""
    async with cleaning_slowly(tmp_path) as (node, _):
        (under_way,) = node.log_cleaning.statistics().under_way
        assert (under_way.topic, under_way.partition) == ("table", 0)
        assert under_way.bytes_done < under_way.bytes_total
    assert not list((tmp_path / "table-0").glob("*.cleaned"))


@trio_test
async def test_deleted_segments_leave_the_disk_when_their_topic_says(tmp_path: Path) -> None:
    """file.delete.delay.ms, whatever the broker's log.segment.delete.delay.ms is for the other topics."""

    def deleted(topic: str) -> int:
        return sum(1 for _ in (tmp_path / f"{topic}-0").glob("*.log.deleted"))

    async with running_node(tmp_path, PATIENT) as node, connect(node) as client:
        for topic, delay_ms in (("soon", 5_000), ("default", 60_000), ("late", 100_000)):
            await client.create_topic(topic, internal_segment_bytes=SMALL_SEGMENTS, file_delete_delay_ms=str(delay_ms))
            await produce_keyed(client, topic, "ababababab", timestamp=node.clock.now_ms())
            await client.alter_config(TOPIC, topic, "retention.bytes", "1")
            await until(lambda topic=topic: deleted(topic))  # type: ignore[misc]  # the default binds it
        node.clock.advance(4_000)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert deleted("soon")
        node.clock.advance(2_000)
        await until(lambda: not deleted("soon"))
        assert deleted("default")
        node.clock.advance(60_000)
        await until(lambda: not deleted("default"))
        assert deleted("late")
        node.clock.advance(40_000)
        await until(lambda: not deleted("late"))


@trio_test
async def test_a_deleted_topic_is_not_cleaned_any_more(tmp_path: Path) -> None:
    async with cleaning_slowly(tmp_path) as (node, client):
        await client.delete_topic("table")
        await until(lambda: not node.log_cleaning.statistics().under_way)
        assert node.log_cleaning.statistics().uncleanable == ()


@trio_test
async def test_deleted_records_of_a_compacted_topic_give_back_their_segments(tmp_path: Path) -> None:
    async with running_node(tmp_path, RARELY) as node, connect(node) as client:
        await client.create_topic("table", cleanup_policy="compact,delete", internal_segment_bytes=SMALL_SEGMENTS)
        await produce_keyed(client, "table", "abcdefghij", timestamp=node.clock.now_ms())
        wanted = DeleteRecordsTopic(name="table", partitions=[DeleteRecordsPartition(partition_index=0, offset=7)])
        response = await client.ask(DeleteRecordsRequest(topics=[wanted], timeout_ms=1_000), DeleteRecordsResponse)
        assert response.topics[0].partitions[0].low_watermark == 7
        assert node.broker.partitions.leader("table", 0).log.segments_base_offset > 0


def test_the_throttle_lets_through_its_rate() -> None:
    throttle = IoThrottle()
    assert throttle.seconds_for(10**12, now=1.0) == 0
    throttle.bytes_per_second = 1_000.0
    assert throttle.seconds_for(500, now=2.0) == pytest.approx(0.5)
    assert throttle.seconds_for(500, now=2.0) == pytest.approx(1.0)
    assert throttle.seconds_for(100, now=10.0) == pytest.approx(0.1), "what was not used is not saved up"


def test_a_paced_worker_looks_whether_to_go_on() -> None:
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    throttle = IoThrottle()
    throttle.bytes_per_second = 1.0
    pace = Pace(throttle, stop)

    def work() -> None:
        while True:
            pace.spend(1_000_000)

    with pytest.raises(StoppedError):
        work()
