"""Stopping a store of many logs: the file system is synced as a whole, and the marker says so last of all."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, LogStore, PartitionLog, StorageError, build_marker
from kafkapy_log.disk_errors import SyncFailed
from kafkapy_log.durable_files import can_sync_file_systems, sync_file_system
from kafkapy_log.log_closing import SYNC_WHOLE_LOGS_MIN
from kafkapy_wire.records import ControlRecordType, NewRecord, build_batch
from kafkapy_wire.uuid import ZERO_UUID
from tests.log.simulated_disk import SimulatedDisk
from tests.log.test_roles import LogView, view

NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=3000, index_interval_bytes=100)
MARKER = ".kafka_cleanshutdown"
pytestmark = pytest.mark.skipif(not can_sync_file_systems(), reason="only Linux says which writes have failed")


def open_store(directory: Path) -> LogStore:
    return LogStore.open(directory, node_id=1, now_ms=NOW_MS, settings_for=lambda _: SETTINGS)


def logs_of(store: LogStore) -> list[PartitionLog]:
    logs = []
    for topic, partition in sorted(store):
        log = store.get(topic, partition, now_ms=NOW_MS)
        assert log is not None
        logs.append(log)
    return logs


def write(log: PartitionLog, kind: int) -> None:
    """Of all kinds there are: empty, one batch, of an idempotent producer, a transaction, several segments."""
    producer_id = 9 if kind in (2, 3) else -1
    for n in range((0, 1, 3, 3, 40)[kind]):
        batch = build_batch(
            [NewRecord(NOW_MS + n, b"key", b"v" * 100)],
            producer_id=producer_id,
            producer_epoch=0 if producer_id >= 0 else -1,
            base_sequence=n if producer_id >= 0 else -1,
        )
        log.append_as_leader(batch, leader_epoch=n // 2, now_ms=NOW_MS)
    if kind == 3:
        marker = build_marker(
            ControlRecordType.ABORT, timestamp=NOW_MS, producer_id=9, producer_epoch=1, coordinator_epoch=0
        )
        log.append_built(marker, leader_epoch=2, now_ms=NOW_MS)


def filled_store(directory: Path, log_count: int = SYNC_WHOLE_LOGS_MIN) -> LogStore:
    store = open_store(directory)
    for partition in range(log_count):
        write(store.create("orders", partition, ZERO_UUID, now_ms=NOW_MS), partition % 5)
    return store


def views(store: LogStore) -> list[LogView]:
    return [view(log) for log in logs_of(store)]


def test_many_logs_are_synced_together_and_opened_without_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled_store(tmp_path)
    before = views(store)
    synced: list[int] = []
    fsync_count = 0
    fsync = os.fsync

    def counted(fd: int) -> None:
        nonlocal fsync_count
        fsync_count += 1
        fsync(fd)

    def watched(fd: int) -> None:
        synced.append(fd)
        sync_file_system(fd)

    monkeypatch.setattr("kafkapy_log.flush.sync_file_system", watched)
    monkeypatch.setattr(os, "fsync", counted)
    monkeypatch.setattr(os, "fdatasync", counted)
    store.close()
    assert len(synced) == 2, "what snapshots tell of is on the disk before there is one"
    assert fsync_count < 10, "checkpoints and the marker"
    store = open_store(tmp_path)
    assert store.had_clean_shutdown
    assert store.unrecovered_count == 0
    assert views(store) == before
    store.close()
    assert views(open_store(tmp_path)) == before, "a stop that has nothing to write loses nothing"


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("one_of_thousands", [False, True])
def test_a_small_log_gets_few_files_where_there_are_thousands(
    tmp_path: Path, kind: int, *, one_of_thousands: bool
) -> None:
    log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
    write(log, kind)
    before = view(log)
    few = {".log"} if kind == 1 else {".log", ".snapshot"}
    for _ in range(3):
        close(log, one_of_thousands=one_of_thousands)
        names = {path.suffix for path in tmp_path.iterdir()}
        assert names == few if one_of_thousands else names > {".log", ".index", ".timeindex", ".snapshot"}
        log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
        assert view(log) == before


def close(log: PartitionLog, *, one_of_thousands: bool) -> None:
    flush = log.flushing.begin_close(one_of_thousands=one_of_thousands)
    if flush is not None:
        log.flushing.sync(flush, fsync=False)
    log.close(clean=False)


def test_damaged_records_of_a_small_log_are_not_cut_off(tmp_path: Path) -> None:
    """After a clean stop nobody may take them for a torn end: who reads them learns of the damage."""
    log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
    write(log, 2)
    close(log, one_of_thousands=True)
    path = tmp_path / f"{0:020d}.log"
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)
    log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
    assert (log.log_end_offset, log.size_bytes) == (3, len(content))
    assert log.read(0, 10_000).read() == content


def test_a_small_log_that_has_files_keeps_them_right(tmp_path: Path) -> None:
    """Apache Kafka believes an index that is there."""
    log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
    write(log, 1)
    flush = log.flushing.begin(settle=True)
    assert flush is not None
    log.flushing.sync(flush, fsync=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 5
    log.close()
    log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
    batch = build_batch([NewRecord(NOW_MS + 99, b"key", b"v")])
    log.append_as_leader(batch, leader_epoch=7, now_ms=NOW_MS)
    log.close()
    last_entry = (tmp_path / f"{0:020d}.timeindex").read_bytes()[-12:]
    assert last_entry == (NOW_MS + 99).to_bytes(8, "big") + (1).to_bytes(4, "big")
    assert b"7 1" in (tmp_path / "leader-epoch-checkpoint").read_bytes()


def fail_at(call: int) -> Callable[[int], None]:
    calls = 0

    def sync(_fd: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise SyncFailed(5, "Input/output error")

    return sync


@pytest.mark.parametrize("call", [1, 2])
def test_a_disk_that_fails_meanwhile_leaves_no_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    store = filled_store(tmp_path)
    before = views(store)
    monkeypatch.setattr("kafkapy_log.flush.sync_file_system", fail_at(call))
    with pytest.raises(StorageError, match="Input/output error") as failed:
        store.close()
    assert not failed.value.passes
    assert not (tmp_path / MARKER).exists()
    monkeypatch.undo()
    store = open_store(tmp_path)
    assert not store.had_clean_shutdown
    assert views(store) == before
    store.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_at_any_moment_of_the_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """With a marker all is there; without one recovery finds at least what was flushed before."""
    monkeypatch.setattr("kafkapy_log.log_closing.SYNC_WHOLE_LOGS_MIN", 1)
    filled_store(tmp_path / "data", 10).close()
    disk = SimulatedDisk(tmp_path / "data", monkeypatch)
    store = open_store(tmp_path / "data")
    flushed = views(store)
    for log, kind in zip(logs_of(store), (3, 2, 1, 4, 4, 1, 2, 3, 0, 1), strict=True):
        if not log.producers.active_producers():
            write(log, kind)
    before = views(store)
    chance = random.Random(seed)
    cuts: list[Path] = []

    def cut_power() -> None:
        cuts.append(tmp_path / f"cut-{len(cuts)}")
        disk.lose_power(cuts[-1], chance)

    def sync(_fd: int) -> None:
        cut_power()
        disk.sync_file_system()
        cut_power()

    monkeypatch.setattr("kafkapy_log.flush.sync_file_system", sync)
    fsync = os.fsync

    def watched(fd: int) -> None:
        cut_power()
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    store.close()
    cut_power()
    disk.close()
    monkeypatch.undo()
    with_marker = 0
    for cut in cuts:
        recovered = open_store(cut)
        found = views(recovered)
        with_marker += recovered.had_clean_shutdown
        if recovered.had_clean_shutdown:
            assert found == before
        for now, then in zip(found, flushed, strict=True):
            assert now.batches[: len(then.batches)] == then.batches
        recovered.close()
    assert 1 <= with_marker < len(cuts)
