"""Indexes of closed segments that are made anew in a worker thread, while the log goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from kafkapy_log import LogSettings, PartitionLog, StorageError
from kafkapy_log.indexed_segment import IndexRebuildNeeded
from kafkapy_wire.records import NewRecord, build_batch, split_batches

NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=2000, index_interval_bytes=1, file_delete_delay_ms=0)


def written_log(directory: Path) -> PartitionLog:
    """Three segments; the offset index of the first one is gone."""
    directory.mkdir(exist_ok=True)
    log = PartitionLog.open(directory, SETTINGS, now_ms=NOW_MS, clean=True)
    while len(log.segments()) < 3:
        batch = build_batch([NewRecord(NOW_MS + log.log_end_offset, b"key", b"v" * 40)])
        log.append_as_leader(batch, leader_epoch=0, now_ms=NOW_MS)
    log.close()
    log = PartitionLog.open(directory, SETTINGS, now_ms=NOW_MS, clean=True)
    (directory / f"{0:020d}.index").unlink()
    log.indexing.rebuild_at_once_bytes = 0
    return log


def base_offset_read(log: PartitionLog, offset: int) -> int:
    header, _ = next(split_batches(log.read(offset, 1).read()))
    return header.base_offset


LOOK_UPS: list[Callable[[PartitionLog], object]] = [
    lambda log: base_offset_read(log, 5),
    lambda log: log.times.offset_for_timestamp(NOW_MS + 5),
    lambda log: log.segments()[0].max_timestamp,
    lambda log: log.times.offset_of_max_timestamp(),
    lambda log: log.retention.delete_old_segments(high_watermark=log.log_end_offset, now_ms=NOW_MS),
]


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_a_look_up_is_asked_again_when_the_indexes_are_there(
    tmp_path: Path, look_up: Callable[[PartitionLog], object]
) -> None:
    log = written_log(tmp_path / "at once")
    log.indexing.rebuild_at_once_bytes = 10_000
    expected = look_up(log)
    log.close()
    log = written_log(tmp_path / "later")
    for _ in range(2):
        with pytest.raises(IndexRebuildNeeded) as needed:
            look_up(log)
    rebuild = log.indexing.begin_rebuild(needed.value)
    worker = Thread(target=rebuild.run)
    worker.start()
    log.append_as_leader(build_batch([NewRecord(NOW_MS, b"key", b"v")]), leader_epoch=0, now_ms=NOW_MS)
    worker.join()
    log.indexing.end_rebuild(rebuild)
    assert look_up(log) == expected
    assert (log.directory / f"{0:020d}.index").exists()


def test_a_segment_that_went_meanwhile_gets_no_files(tmp_path: Path) -> None:
    log = written_log(tmp_path)
    changes: list[Callable[[], object]] = [
        lambda: log.truncate_to(log.log_end_offset - 1),
        lambda: log.delete_records_before(log.log_end_offset),
    ]
    for change in changes:
        with pytest.raises(IndexRebuildNeeded) as needed:
            base_offset_read(log, 5)
        rebuild = log.indexing.begin_rebuild(needed.value)
        change()
        rebuild.run()
        log.indexing.end_rebuild(rebuild)
        assert not (tmp_path / f"{0:020d}.index").exists()
    assert log.segments()[0].base_offset > 0


def test_nobody_needs_to_know_of_it(tmp_path: Path) -> None:
    log = written_log(tmp_path)
    log.indexing.rebuild_at_once_bytes = 2**31
    assert base_offset_read(log, 5) == 5
    assert (tmp_path / f"{0:020d}.index").exists()


def test_batches_that_cannot_be_read_are_looked_at_once(tmp_path: Path) -> None:
    log = written_log(tmp_path)
    with (tmp_path / f"{0:020d}.log").open("r+b") as file:
        file.seek(16)
        file.write(b"\7")  # no magic
    with pytest.raises(IndexRebuildNeeded) as needed:
        base_offset_read(log, 5)
    rebuild = log.indexing.begin_rebuild(needed.value)
    rebuild.run()
    log.indexing.end_rebuild(rebuild)
    for _ in range(2):
        with pytest.raises(StorageError, match="magic 7") as unreadable:
            base_offset_read(log, 5)
        assert not unreadable.value.passes


def test_a_disk_that_fails_meanwhile_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = written_log(tmp_path)
    with pytest.raises(IndexRebuildNeeded) as needed:
        base_offset_read(log, 5)
    rebuild = log.indexing.begin_rebuild(needed.value)

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        rebuild.run()
    with pytest.raises(StorageError, match="Input/output error"):
        log.indexing.end_rebuild(rebuild)
    log.indexing.rebuild_at_once_bytes = 2**31
    assert base_offset_read(log, 5) == 5


def test_a_truncation_waits_for_no_worker(tmp_path: Path) -> None:
    """It cannot be left half done: producers are read again from where a snapshot ends."""
    log = written_log(tmp_path)
    assert log.truncate_to(7)
    assert log.log_end_offset == 7
    assert base_offset_read(log, 5) == 5
