"""Which segments go by time, by size and below the log start offset."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, PartitionLog
from kafkapy_wire.records import TimestampType
from tests.log.cleaning import NOW, append, open_log, read_records

HOUR_MS = 3_600_000


def log_of_ages(directory: Path, *ages_ms: int, **settings: object) -> PartitionLog:
    """One segment for each age: its only batch was stamped and written so long ago."""
    given: dict[str, object] = {"segment_bytes": 80, "retention_ms": 24 * HOUR_MS, **settings}
    log = open_log(directory, LogSettings(**given))  # type: ignore[arg-type]
    for age_ms in ages_ms:
        append(log, (b"key", b"value"), timestamp=NOW - age_ms)
    age_files(directory, [NOW - age_ms for age_ms in ages_ms])
    return log


def age_files(directory: Path, written_ms: list[int]) -> None:
    for path, at in zip(sorted(directory.glob("*.log")), written_ms, strict=True):
        os.utime(path, ns=(at * 1_000_000, at * 1_000_000))


def retain(log: PartitionLog, now_ms: int = NOW, high_watermark: int | None = None) -> int:
    end = log.log_end_offset if high_watermark is None else high_watermark
    return log.retention.delete_old_segments(high_watermark=end, now_ms=now_ms)


@pytest.mark.parametrize(
    ("ages_h", "retention_h", "deleted"),
    [
        ([50, 40, 30, 1], 24, 3),
        ([50, 1, 40, 1], 24, 1),  # oldest first: what lies behind a young segment stays
        ([50, 40, 30], 24, 3),  # all of it, with the one that was written to
        ([24, 1], 24, 0),  # exactly as old is not too old
        ([50, 40], 100, 0),
        ([50, 40], 0, 2),
    ],
)
def test_segments_go_when_their_largest_timestamp_is_too_old(
    tmp_path: Path, ages_h: list[int], retention_h: int, deleted: int
) -> None:
    log = log_of_ages(tmp_path / "t-0", *(age * HOUR_MS for age in ages_h), retention_ms=retention_h * HOUR_MS)
    assert retain(log) == deleted
    assert log.log_start_offset == deleted
    assert [record.offset for record in read_records(log)] == list(range(deleted, len(ages_h)))
    assert log.log_end_offset == len(ages_h)


def test_negative_retention_keeps_everything(tmp_path: Path) -> None:
    log = log_of_ages(tmp_path / "t-0", 10_000 * HOUR_MS, 0, retention_ms=-1)
    assert retain(log) == 0


def test_a_fully_expired_log_goes_on_at_its_end_after_a_restart(tmp_path: Path) -> None:
    log = log_of_ages(tmp_path / "t-0", 50 * HOUR_MS, 50 * HOUR_MS)
    assert retain(log) == 2
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (2, 2, 0)
    assert retain(log) == 0, "an empty log has nothing to delete"
    for clean in (True, False):
        log.close(clean=clean, fsync=False)
        log = open_log(tmp_path / "t-0", log.settings, clean=clean)
        assert (log.log_start_offset, log.log_end_offset) == (2, 2)
    assert append(log, (b"key", b"value")) == 2


@pytest.mark.parametrize("from_last_write", [False, True])
def test_records_stamped_1970_are_as_old_as_that_unless_their_write_counts(
    tmp_path: Path, from_last_write: bool
) -> None:
    """See kafka #5748: a test that stamps records 1970 loses them to retention while it runs."""
    settings = LogSettings(segment_bytes=80, retention_ms=24 * HOUR_MS, retention_from_last_write=from_last_write)
    log = open_log(tmp_path / "t-0", settings)
    for _ in range(3):
        append(log, (b"key", b"value"), timestamp=1)
    age_files(tmp_path / "t-0", [NOW] * 3)
    assert retain(log, NOW + 23 * HOUR_MS) == (0 if from_last_write else 3)
    assert retain(log, NOW + 25 * HOUR_MS) == (3 if from_last_write else 0)


def test_records_without_a_timestamp_are_as_old_as_their_write(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogSettings(segment_bytes=80, retention_ms=24 * HOUR_MS))
    for _ in range(3):
        append(log, (b"key", b"value"), timestamp=-1)
    age_files(tmp_path / "t-0", [NOW] * 3)
    assert retain(log, NOW + 23 * HOUR_MS) == 0
    assert retain(log, NOW + 25 * HOUR_MS) == 3


def test_without_timestamps_the_time_of_the_last_write_counts(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogSettings(segment_bytes=80, retention_ms=HOUR_MS))
    append(log, (b"key", b"value"), timestamp=-1)
    append(log, (b"key", b"value"), timestamp=-1)
    age_files(tmp_path / "t-0", [NOW - 2 * HOUR_MS, NOW])
    assert retain(log) == 1


@pytest.mark.parametrize(
    ("retention_segments", "extra_bytes", "deleted"), [(2, 0, 3), (2, 1, 2), (5, 0, 0), (0, 0, 5), (9, 0, 0)]
)
def test_the_oldest_segments_go_until_retention_bytes_are_left(
    tmp_path: Path, retention_segments: int, extra_bytes: int, deleted: int
) -> None:
    """As many whole segments go as fit into the surplus: what is left is never below the bound."""
    log = log_of_ages(tmp_path / "t-0", 0, 0, 0, 0, 0)
    size = log.size_bytes // 5
    log.update_settings(LogSettings(segment_bytes=80, retention_bytes=retention_segments * size + extra_bytes))
    assert retain(log) == deleted
    assert log.log_start_offset == deleted


def test_nothing_above_the_high_watermark_goes(tmp_path: Path) -> None:
    log = log_of_ages(tmp_path / "t-0", *[50 * HOUR_MS] * 4)
    assert retain(log, high_watermark=2) == 2
    assert log.log_start_offset == 2


def test_compaction_alone_deletes_nothing_by_age_or_size(tmp_path: Path) -> None:
    log = log_of_ages(tmp_path / "t-0", 50 * HOUR_MS, 50 * HOUR_MS, compact=True, delete=False, retention_bytes=0)
    assert retain(log) == 0


def test_compact_and_delete_deletes_by_age(tmp_path: Path) -> None:
    log = log_of_ages(tmp_path / "t-0", 50 * HOUR_MS, 1, compact=True, delete=True)
    assert retain(log) == 1


def test_deleted_files_are_marked_and_given_out_after_their_delay(tmp_path: Path) -> None:
    log = log_of_ages(tmp_path / "t-0", 50 * HOUR_MS, 0, file_delete_delay_ms=60_000)
    reading = log.read(0, 1000)
    assert retain(log) == 1
    assert sorted(path.suffix for path in (tmp_path / "t-0").glob("00000000000000000000.*")) == [".deleted"] * 3
    assert log.take_deleted_files(NOW + 59_999) == []
    due = log.take_deleted_files(NOW + 60_000)
    for path in due:
        path.unlink()
    assert len(due) == 3
    assert len(reading.read()) == 76, "who was reading goes on"
    reading.release()


def test_log_append_time_counts_where_the_topic_has_it(tmp_path: Path) -> None:
    settings = LogSettings(segment_bytes=80, retention_ms=HOUR_MS, message_timestamp_type=TimestampType.LOG_APPEND_TIME)
    log = open_log(tmp_path / "t-0", settings)
    append(log, (b"key", b"value"), timestamp=NOW - 2 * HOUR_MS)
    append(log, (b"key", b"value"), timestamp=NOW)
    age_files(tmp_path / "t-0", [NOW - 2 * HOUR_MS, NOW])
    assert retain(log) == 1
