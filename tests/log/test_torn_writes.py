"""A power failure: whatever the disk kept of what was not synced, the store opens and has all that was.

`test_recovery.py` cuts single files; here a whole store is at work (rolls, snapshots, indexes, checkpoints, epochs,
transactions), and the disk loses, keeps and mixes pages, names and renames as it likes. Seeds are in the test's name.

What is promised of records that were not synced: those that are still there are as they were written, in order, at
their offsets. A gap is possible where a later segment reached the disk before the end of an earlier one, as in Apache
Kafka, which cannot tell it from what compaction removed.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, LogStore, PartitionLog, Verification, build_marker
from kafkapy_wire.records import (
    ControlRecordType,
    NewRecord,
    build_batch,
    decode_records,
    read_batch_header,
    read_control_record_type,
    split_batches,
)
from kafkapy_wire.uuid import random_uuid
from tests.log.simulated_disk import SimulatedDisk

NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=6_000, index_interval_bytes=200)
PARTITIONS = 2
PRODUCERS = (7, 8)
TRANSACTIONAL = 9
STEPS = 60
SEEDS = int(os.environ.get("KAFKAPY_TORN_WRITE_SEEDS", "40"))  # the long form: KAFKAPY_TORN_WRITE_SEEDS=10000


def open_store(directory: Path) -> LogStore:
    return LogStore.open(
        directory, node_id=1, cluster_id="cluster", now_ms=NOW_MS, settings_for=lambda _: SETTINGS, fsync=True
    )


def logs_of(store: LogStore) -> list[PartitionLog]:
    logs = [store.get("orders", partition, now_ms=NOW_MS) for partition in range(PARTITIONS)]
    return [log for log in logs if log is not None]


def batches_of(log: PartitionLog) -> dict[int, bytes]:
    """Base offset -> batch, without the leader epoch that the broker stamps beside the CRC."""
    found: dict[int, bytes] = {}
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 1 << 20)
        for header, batch in split_batches(piece.read()):
            found[header.base_offset] = bytes(batch)
        if not len(piece):  # a gap before an empty last segment
            break
        assert piece.next_offset > offset
        offset = piece.next_offset
    return found


class Workload:
    """Appends, rolls, flushes and checkpoints of one store, and what must be left of them."""

    def __init__(self, store: LogStore, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.logs = logs_of(store)
        self.written = [batches_of(log) for log in self.logs]
        self.flushed = [log.log_end_offset for log in self.logs]  # below it everything is on the disk
        self.leader_epoch = max(0, *(log.leader_epochs.latest_epoch for log in self.logs))
        self.sequences = [
            {entry.producer_id: entry.last_sequence for entry in log.producers.active_producers()} for log in self.logs
        ]

    def run(self) -> None:
        for _ in range(self.chance.randrange(STEPS)):
            index = self.chance.randrange(len(self.logs))
            step: Callable[[int], None] = self.chance.choices(
                (
                    self.append,
                    self.transaction,
                    self.flush,
                    self.flush_rolled,
                    self.settle,
                    self.checkpoint,
                    self.new_epoch,
                ),
                (20, 4, 2, 2, 2, 2, 1),
            )[0]
            step(index)

    def append(self, index: int) -> None:
        producer_id = self.chance.choice(PRODUCERS)
        self._append(index, producer_id, self.chance.randint(1, 4), Verification.NONE)

    def _append(self, index: int, producer_id: int, count: int, verification: Verification) -> None:
        log, sequences = self.logs[index], self.sequences[index]
        sequence = sequences.get(producer_id, -1) + 1
        value = self.chance.randbytes(self.chance.choice((10, 100, 500)))
        batch = build_batch(
            [NewRecord(NOW_MS + sequence, b"key", value) for _ in range(count)],
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=sequence,
            is_transactional=producer_id == TRANSACTIONAL,
        )
        self._appended(
            index,
            log.append_as_leader(
                batch, leader_epoch=self.leader_epoch, now_ms=NOW_MS, verification=verification
            ).base_offset,
        )
        sequences[producer_id] = sequence + count - 1

    def transaction(self, index: int) -> None:
        for _ in range(self.chance.randint(1, 2)):
            self._append(index, TRANSACTIONAL, 1, Verification.IN_TRANSACTION)
        if self.chance.random() < 0.8:
            marker = build_marker(
                self.chance.choice((ControlRecordType.ABORT, ControlRecordType.COMMIT)),
                timestamp=NOW_MS,
                producer_id=TRANSACTIONAL,
                producer_epoch=0,
                coordinator_epoch=0,
            )
            result = self.logs[index].append_built(marker, leader_epoch=self.leader_epoch, now_ms=NOW_MS)
            self._appended(index, result.base_offset)

    def _appended(self, index: int, offset: int) -> None:
        ((header, batch),) = split_batches(self.logs[index].read(offset, 1).read())
        self.written[index][header.base_offset] = bytes(batch)

    def flush(self, index: int) -> None:
        self.logs[index].flushing.flush()
        self.flushed[index] = self.logs[index].log_end_offset
        assert self.logs[index].recovery_point == self.flushed[index]

    def flush_rolled(self, index: int) -> None:
        log = self.logs[index]
        if flush := log.flushing.begin(rolled_only=True):
            flush.sync()
            log.flushing.end(flush)
            self.flushed[index] = max(self.flushed[index], log.recovery_point)

    def settle(self, index: int) -> None:
        log = self.logs[index]
        if flush := log.flushing.begin(settle=True):
            flush.sync()
            log.flushing.end(flush)
            self.flushed[index] = log.log_end_offset

    def checkpoint(self, _index: int) -> None:
        self.store.write_checkpoints({})

    def new_epoch(self, _index: int) -> None:
        self.leader_epoch += 1


def assert_recovered(
    log: PartitionLog, written: dict[int, bytes], flushed: int, *, is_torn_by_hand: bool = False
) -> None:
    """All that was flushed is there, and nothing that was not written."""
    found = batches_of(log)
    assert log.log_end_offset >= flushed
    assert {offset: batch for offset, batch in written.items() if offset < flushed}.items() <= found.items()
    assert found.items() <= written.items()
    last_sequences: dict[int, int] = {}
    expected_offset, has_gap = 0, False
    for offset, batch in found.items():
        header = read_batch_header(batch)
        has_gap |= offset != expected_offset
        expected_offset = header.next_offset
        if header.producer_id >= 0 and not header.is_control:
            last_sequences[header.producer_id] = header.last_sequence
        assert log.end_offset_for_epoch(header.partition_leader_epoch)[1] > offset
        assert next(split_batches(log.read(header.last_offset, 1).read()))[0].base_offset == offset
    has_gap |= expected_offset != log.log_end_offset
    producers = {entry.producer_id: entry.last_sequence for entry in log.producers.active_producers()}
    for segment in log.segments() if not is_torn_by_hand else ():
        own = [batch for offset, batch in found.items() if segment.base_offset <= offset < segment.next_offset]
        assert segment.max_timestamp == max((read_batch_header(batch).max_timestamp for batch in own), default=-1)
    if not has_gap and not is_torn_by_hand:
        aborted = [(entry.first_offset, entry.last_offset) for entry in log.aborted_transactions(0, log.log_end_offset)]
        assert aborted == aborted_among(found)
    if has_gap:  # a snapshot may know of batches that are gone: their producers had been answered
        assert all(producers[producer_id] >= sequence for producer_id, sequence in last_sequences.items())
    else:
        assert producers == last_sequences


def aborted_among(batches: dict[int, bytes]) -> list[tuple[int, int]]:
    """(first offset, offset of the marker) of the transactions that were aborted, by the markers."""
    first_offset = -1
    aborted = []
    for offset, batch in batches.items():
        header = read_batch_header(batch)
        if not header.is_control:
            if header.is_transactional and first_offset < 0:
                first_offset = offset
            continue
        record = next(decode_records(batch))
        if first_offset >= 0 and read_control_record_type(record.key) is ControlRecordType.ABORT:
            aborted.append((first_offset, offset))
        first_offset = -1
    return aborted


def first_store(directory: Path) -> LogStore:
    store = open_store(directory)
    for partition in range(PARTITIONS):
        store.create("orders", partition, random_uuid(), now_ms=NOW_MS)
    return store


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_power_failure_takes_nothing_that_was_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    directory = tmp_path / "0"
    first_store(directory).close()
    for crash in range(1, 5):
        disk = SimulatedDisk(directory, monkeypatch)
        workload = Workload(open_store(directory), chance)
        workload.run()
        stops_cleanly = chance.random() < 0.2
        if stops_cleanly:
            if chance.random() < 0.5:  # as with thousands of logs: the whole file system is synced
                monkeypatch.setattr("kafkapy_log.log_closing.SYNC_WHOLE_LOGS_MIN", 1)
            workload.store.close()
            workload.flushed = [max(batches, default=-1) + 1 for batches in workload.written]
        directory = tmp_path / str(crash)
        disk.lose_power(directory, chance)
        if not stops_cleanly:
            workload.store.close(clean=False)
        disk.close()
        monkeypatch.undo()
        for attempt in ("recovered", "opened after another crash", "opened after a clean stop"):
            store = open_store(directory)
            for index, log in enumerate(logs_of(store)):
                try:
                    assert_recovered(log, workload.written[index], workload.flushed[index])
                except AssertionError as error:
                    error.add_note(f"seed {seed}, crash {crash}, partition {index}, {attempt}")
                    raise
            store.close(clean=attempt == "opened after another crash")


def derived_files(directory: Path) -> list[Path]:
    """Everything but the records and the identity: what a store can do without."""
    return [
        path
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.suffix != ".log" and path.name not in ("meta.properties", ".lock")
    ]


def test_every_prefix_of_every_derived_file_opens_to_the_same_log(tmp_path: Path) -> None:
    """Indexes, transaction indexes, snapshots, epochs, checkpoints, partition.metadata: torn at every byte."""
    chance = random.Random(1)
    whole = tmp_path / "whole"
    workload = Workload(first_store(whole), chance)
    for index in range(PARTITIONS):
        for _ in range(8):
            workload.append(index)
        workload.transaction(index)
    for log in workload.logs:
        log.flushing.flush()
    workload.store.close()
    (whole / ".kafka_cleanshutdown").unlink()
    torn = derived_files(whole)
    assert {path.suffix for path in torn} >= {".index", ".timeindex", ".snapshot", ".txnindex", ".metadata", ""}
    for path in torn:
        name = path.relative_to(whole)
        content = path.read_bytes()
        for length in range(len(content)):
            left = tmp_path / "left"
            shutil.copytree(whole, left)
            (left / name).write_bytes(content[:length])
            store = open_store(left)
            for index, log in enumerate(logs_of(store)):
                try:
                    assert batches_of(log) == workload.written[index]
                    end_offset = max(workload.written[index]) + 1
                    # Index files that were synced, and lost whole entries since, are taken for whole.
                    assert_recovered(log, workload.written[index], end_offset, is_torn_by_hand=True)
                except AssertionError as error:
                    error.add_note(f"{name}: {length} bytes of {len(content)}")
                    raise
            store.close(clean=False)
            shutil.rmtree(left)


def test_the_simulated_disk_loses_what_was_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the test's own instrument: it does lose, and it does keep."""
    root = tmp_path / "root"
    root.mkdir()
    disk = SimulatedDisk(root, monkeypatch)
    with (root / "file").open("wb", buffering=0) as file:
        file.write(b"a" * 10_000)
        os.fsync(file.fileno())
        fd = os.open(root, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        file.write(b"b" * 10_000)
    (root / "unsynced").write_bytes(b"c")
    left = set()
    for seed in range(30):
        target = tmp_path / str(seed)
        disk.lose_power(target, random.Random(seed))
        content = (target / "file").read_bytes()
        assert content[:10_000] == b"a" * 10_000
        assert set(content[10_000:]) <= set(b"b\0")
        left.add((len(content), content.count(b"b"), (target / "unsynced").exists()))
    assert len(left) > 10
    disk.close()


def test_a_clean_shutdown_marker_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have logs opened unread that were written since."""
    directory = tmp_path / "data"
    first_store(directory).close()
    assert (directory / ".kafka_cleanshutdown").exists()
    disk = SimulatedDisk(directory, monkeypatch)
    store = open_store(directory)
    assert store.had_clean_shutdown
    for seed in range(20):
        disk.lose_power(tmp_path / str(seed), random.Random(seed))
        assert not (tmp_path / str(seed) / ".kafka_cleanshutdown").exists()
    store.close(clean=False)
    disk.close()
