"""A node writes snapshots when they are due, deletes old ones with the log below them, and starts from what is left."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.clock import ManualClock
from kafkapy.metadata.broken import BrokenMetadata
from kafkapy.metadata.snapshot_content import SnapshotContent, read_snapshot_content
from kafkapy.metadata.snapshots import SnapshotWriter
from kafkapy_controller import MetadataImage
from kafkapy_controller.metadata_batches import SnapshotId, check_header, read_batches, read_snapshot
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.voters import QuorumMembership
from kafkapy_log import PartitionLog, StorageError
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid
from tests.apis.topic_lab import Lab, lab, topic

METADATA = "__cluster_metadata-0"
BYTES, INTERVAL = "metadata.log.max.record.bytes.between.snapshots", "metadata.log.max.snapshot.interval.ms"
RETENTION_BYTES, RETENTION_MS = "metadata.max.retention.bytes", "metadata.max.retention.ms"
SEGMENT_BYTES, DELETE_DELAY = "internal.metadata.log.segment.bytes", "internal.metadata.delete.delay.millis"
FIRST = SnapshotId(0, 0)
HOUR_MS = 3_600_000


def check(node: Lab) -> list[SnapshotId]:
    """Let the generator look; the snapshots afterwards."""
    trio.run(node.snapshot_generator.check)
    return snapshots(node)


def snapshots(node: Lab) -> list[SnapshotId]:
    return sorted(filter(None, map(SnapshotId.parse, os.listdir(node.metadata_log.log.directory))))


def end_of(node: Lab) -> SnapshotId:
    """The snapshot of what is published now."""
    return SnapshotId(node.image.offset + 1, node.image.epoch)


def read(node: Lab, snapshot: SnapshotId) -> SnapshotContent:
    directory = node.metadata_log.log.directory
    return read_snapshot_content(directory / snapshot.file_name, snapshot, QuorumMembership(0, ()))


def frozen_clock(node: Lab) -> ManualClock:
    clock = node.broker.clock
    assert isinstance(clock, ManualClock)
    clock.freeze()
    return clock


def topic_ids(node: Lab) -> dict[str, Uuid]:
    return {name: found.topic_id for name, found in node.image.topics.items()}


def make_topics(node: Lab, *names: str) -> None:
    for name in names:
        node.create(topic(name, 3))


# When


def test_a_snapshot_is_written_after_so_many_bytes_of_the_log(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "2000"}) as node:
        assert check(node) == [FIRST]
        make_topics(node, "a")
        assert check(node) == [FIRST]
        make_topics(node, *"bcdefgh")
        written = end_of(node)
        assert check(node) == [FIRST, written]
        assert read(node, written).image == node.image
        make_topics(node, "i")
        assert check(node) == [FIRST, written]
        make_topics(node, *"jklmnop")
        assert check(node) == [FIRST, written, end_of(node)]


def test_a_change_whose_bytes_were_counted_before_it_was_published_makes_a_snapshot_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has it sooner: when the change before is published, or the snapshot begun that has not got it."""
    with lab(tmp_path, {BYTES: "1"}) as node:
        make_topics(node, "a")
        assert check(node)[-1] == end_of(node)
        monkeypatch.setattr(PartitionLog, "size_bytes", node.metadata_log.log.size_bytes)
        make_topics(node, "b")
        assert check(node)[-1] == end_of(node)


def test_a_snapshot_is_written_after_so_long_if_something_was_committed(tmp_path: Path) -> None:
    with lab(tmp_path, {INTERVAL: str(HOUR_MS)}) as node:
        clock = frozen_clock(node)
        clock.advance(HOUR_MS - 1_000)
        assert check(node) == [FIRST]
        clock.advance(1_000)
        written = end_of(node)
        assert check(node) == [FIRST, written]
        node.broker.clock.advance(10 * HOUR_MS)
        assert check(node) == [FIRST, written], "nothing has changed since"
        make_topics(node, "a")
        assert check(node) == [FIRST, written, end_of(node)]


def test_without_an_interval_only_the_bytes_count(tmp_path: Path) -> None:
    with lab(tmp_path, {INTERVAL: "0"}) as node:
        make_topics(node, "a")
        node.broker.clock.advance(10_000 * HOUR_MS)
        assert check(node) == [FIRST]


def test_what_a_start_has_read_does_not_count(tmp_path: Path) -> None:
    """As in Apache Kafka, where the first image that is published begins the counting."""
    with lab(tmp_path) as node:
        make_topics(node, *"abcdefgh")
        size_bytes = node.metadata_log.log.size_bytes
    with lab(tmp_path, {BYTES: str(size_bytes)}) as node:
        make_topics(node, "i")
        assert check(node) == [FIRST]


def test_a_metadata_transaction_that_is_open_is_waited_for(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1"}) as node:
        make_topics(node, "a")
        begun: list[MetadataRecord] = [m.BeginTransactionRecord(name="t"), m.ProducerIdsRecord(next_producer_id=1000)]
        append(node, *begun)
        assert node.image.open_transaction is not None
        assert check(node) == [FIRST]
        append(node, m.EndTransactionRecord())
        written = end_of(node)
        assert check(node) == [FIRST, written]
        assert read(node, written).image.next_producer_id == 1000


def append(node: Lab, *records: MetadataRecord) -> None:
    node.controller._append(list(records))
    node.metadata_log.flush()


# What


@pytest.mark.parametrize("kraft_version", [0, 1])
def test_the_snapshot_is_what_apache_kafka_would_write(tmp_path: Path, kraft_version: int) -> None:
    with lab(tmp_path, {BYTES: "1"}, kraft_version=kraft_version) as node:
        frozen_clock(node).advance(5_000)
        make_topics(node, "a")
        node.broker.clock.advance(700)
        written = end_of(node)
        check(node)
        content = read(node, written)
        assert content.image == node.image
        assert content.image.kraft_version == kraft_version
        assert content.membership.voter_ids == ([1] if kraft_version else [])
        data = (node.metadata_log.log.directory / written.file_name).read_bytes()
        first, *rest = read_snapshot(data)
        now_ms = node.broker.clock.now_ms()
        assert check_header(first) == now_ms - 700, "when the last record was appended"
        assert {batch.epoch for batch in (first, *rest)} == {written.epoch}
        assert len(first.control_records) == (3 if kraft_version else 1)


def test_after_a_restart_the_snapshot_and_the_log_after_it_give_the_image(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1"}) as node:
        make_topics(node, "a", "b")
        check(node)
        node.run(node.controller.delete_topics(DeleteTopicsRequest(topic_names=["a"], timeout_ms=10_000)))
        make_topics(node, "c")
        image, topics = node.image, topic_ids(node)
    with lab(tmp_path) as node:
        assert topic_ids(node) == topics
        assert node.image.configs == image.configs
        assert node.metadata_log.epoch == 2


# Old ones


def test_a_snapshot_that_is_too_old_goes_and_the_log_begins_after_it(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1", RETENTION_MS: "1000"}) as node:
        frozen_clock(node)
        log = node.metadata_log.log
        make_topics(node, "a")
        second = end_of(node)
        assert check(node) == [FIRST, second]
        assert log.log_start_offset == 0
        node.broker.clock.advance(1_001)
        assert check(node) == [second]
        assert log.log_start_offset == second.end_offset
        make_topics(node, "b")
        third = end_of(node)
        assert check(node) == [third], "its time is that of its last record, which is over, too"
        assert log.log_start_offset == third.end_offset
        node.broker.clock.advance(10**9)
        assert check(node) == [third]
        topics = topic_ids(node)
    for _ in range(2):
        with lab(tmp_path) as node:
            assert topic_ids(node) == topics
            assert node.metadata_log.log.log_start_offset == third.end_offset
            make_topics(node, f"again-{node.metadata_log.epoch}")
            topics = topic_ids(node)


def test_old_snapshots_go_when_they_and_the_log_are_too_large(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1", RETENTION_BYTES: "6000", RETENTION_MS: "-1"}) as node:
        make_topics(node, "a")
        assert len(check(node)) == 2
        for name in "bcdefghi":
            make_topics(node, name)
            check(node)
        kept = snapshots(node)
        assert kept[-1] == end_of(node)
        assert len(kept) < 5
        assert node.metadata_log.log.log_start_offset == kept[0].end_offset > 0


def test_segments_below_the_log_start_are_deleted_after_their_delay(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1", RETENTION_MS: "0", SEGMENT_BYTES: "1000", DELETE_DELAY: "7000"}) as node:
        log = node.metadata_log.log
        make_topics(node, *"abcdefgh")
        names = {path.name for path in log.directory.glob("*.log")}
        assert len(names) > 2
        node.broker.clock.advance(1)
        check(node)
        left = {path.name for path in log.directory.glob("*.log")}
        assert left == {max(names)}
        assert list(log.directory.glob("*.deleted"))
        node.broker.clock.advance(7_000)
        check(node)
        assert not list(log.directory.glob("*.deleted"))
        topics = topic_ids(node)
    with lab(tmp_path) as node:
        assert topic_ids(node) == topics


@pytest.mark.parametrize("log_start", ["lost", "noted"])
def test_a_crash_after_the_deletion_is_no_loss(tmp_path: Path, log_start: str) -> None:
    with lab(tmp_path, {BYTES: "1", RETENTION_MS: "0", SEGMENT_BYTES: "1000"}) as node:
        log = node.metadata_log.log
        make_topics(node, *"abcdefgh")
        node.broker.clock.advance(1)
        (kept,) = check(node)
        make_topics(node, "i")
        assert 0 < log.segments_base_offset < log.log_start_offset == kept.end_offset
        if log_start == "noted":
            node.store.write_checkpoints({})
        topics = topic_ids(node)
        node.store.close(clean=False)
        node.close = lambda clean=True: None  # type: ignore[method-assign,misc]  # it crashed
    with lab(tmp_path) as node:
        assert topic_ids(node) == topics
        assert node.metadata_log.log.log_start_offset == kept.end_offset


def test_a_snapshot_that_the_log_cannot_do_without_is_to_be_restored(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1", RETENTION_MS: "0"}) as node:
        make_topics(node, "a")
        node.broker.clock.advance(1)
        (kept,) = check(node)
    file = tmp_path / METADATA / kept.file_name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BrokenMetadata, match=rf"{kept.file_name} cannot be read .*restore it from a copy"):
        Lab(tmp_path, {}, fsync=False, kraft_version=1)


# Trouble


@contextmanager
def refusing_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(self: SnapshotWriter, _: bytes) -> None:
        raise StorageError(self.snapshot.file_name, OSError(28, "No space left on device"))

    with monkeypatch.context() as patched:
        patched.setattr(SnapshotWriter, "write", refuse)
        yield


def test_a_full_disk_costs_a_snapshot_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with lab(tmp_path, {BYTES: "1"}) as node:
        make_topics(node, "a")
        with refusing_disk(monkeypatch), pytest.raises(StorageError) as refused:
            check(node)
        node.snapshot_generator._note(refused.value)
        node.snapshot_generator._note(refused.value)
        (warning,) = caplog.records
        assert warning.levelno == logging.WARNING
        assert "no metadata is lost" in warning.getMessage()
        assert warning.getMessage().endswith("make room on the disk")
        assert [name for name in os.listdir(tmp_path / METADATA) if name.endswith(".part")] == []
        assert check(node) == [FIRST], "it is not tried again at once"
        make_topics(node, "b")
        assert check(node) == [FIRST, end_of(node)]


def test_a_snapshot_that_was_overtaken_by_one_of_the_leaders_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = SnapshotWriter.finish
    with lab(tmp_path, {BYTES: "1"}) as node:
        make_topics(node, "a")
        later = SnapshotId(10_000, 9)
        generator = node.snapshot_generator

        def overtaken(self: SnapshotWriter) -> None:
            finish(self)
            generator._snapshots.add(later)

        monkeypatch.setattr(SnapshotWriter, "finish", overtaken)
        trio.run(generator._write, node.image)
        assert snapshots(node) == [FIRST]
        assert list(generator._snapshots.known) == [FIRST, later]


def test_an_older_image_may_be_read_while_its_snapshot_is_written(tmp_path: Path) -> None:
    """Decisions go on between the turns; the snapshot is that of the image with which it began."""
    with lab(tmp_path, {BYTES: "1"}) as node:
        make_topics(node, *"abcdef")
        image, written = node.image, end_of(node)
        seen: list[MetadataImage] = []

        async def change() -> None:
            await node.controller.allocate_producer_ids().wait()
            seen.append(node.image)

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.snapshot_generator._write, image)
                nursery.start_soon(change)

        trio.run(both)
        assert seen[0].next_producer_id > image.next_producer_id
        assert read(node, written).image == image


def test_records_of_batches_are_those_of_the_image_whatever_their_number(tmp_path: Path) -> None:
    with lab(tmp_path, {BYTES: "1"}) as node:
        node.create(topic("large", 950))
        written = end_of(node)
        check(node)
        data = (tmp_path / METADATA / written.file_name).read_bytes()
        counts = [len(batch.records) for batch in read_batches(data, 0)]
        assert max(counts) == 200
        assert sum(counts) > 950
        assert read(node, written).image == node.image
