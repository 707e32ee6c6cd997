"""Compaction in particular: horizons, transactions, producers, merging, lag, limits, and what aborts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_log import LogSettings, PartitionLog, cleaner
from kafkapy_log.cleaner import CleanedSegment, CleaningAborted, UncleanableLog, clean
from kafkapy_log.offset_map import OffsetMap
from kafkapy_wire.records import Compression, ControlRecordType, build_end_transaction_marker
from tests.log.cleaning import (
    NOW,
    KeyAndValue,
    append,
    clean_log,
    latest_by_key,
    open_log,
    read_batches,
    read_records,
)

RETENTION_MS = 1_000
COMPACT = LogSettings(compact=True, delete=False, segment_bytes=400, delete_retention_ms=RETENTION_MS)


def values(log: PartitionLog) -> list[tuple[int, bytes | None, bytes | None]]:
    return [(record.offset, record.key, record.value) for record in read_records(log)]


def roll(log: PartitionLog) -> None:
    """Fill the active segment so that what was there before can be cleaned."""
    while log.segments()[-1].base_offset < log.log_end_offset - 1:
        append(log, (b"filler-%d" % log.log_end_offset, b"x" * 250))


def mark(log: PartitionLog, control_type: ControlRecordType, producer_id: int) -> None:
    marker = build_end_transaction_marker(
        control_type,
        timestamp=NOW,
        producer_id=producer_id,
        producer_epoch=0,
        coordinator_epoch=0,
        base_offset=log.log_end_offset,
        partition_leader_epoch=0,
    )
    log.append_as_follower(marker, now_ms=NOW)


def filled(directory: Path, *records: KeyAndValue, settings: LogSettings = COMPACT) -> PartitionLog:
    log = open_log(directory, settings)
    for record in records:
        append(log, record)
    roll(log)
    return log


@pytest.mark.parametrize("buffer_bytes", [1, 100, 333, 1_000])
def test_batches_of_all_sizes_go_through_a_small_write_buffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer_bytes: int
) -> None:
    monkeypatch.setattr(cleaner, "_WRITE_BYTES", buffer_bytes)
    records = [(b"%d" % (number % 20), b"%d" % number * (number % 7 * 30 + 1)) for number in range(60)]
    log = filled(tmp_path / "t-0", *records, settings=LogSettings(compact=True, delete=False, segment_bytes=3_000))
    clean_log(log)
    log.close(fsync=False)
    log = open_log(tmp_path / "t-0", COMPACT, clean=False)
    assert len([key for _, key, _ in values(log) if key in dict(records)]) < len(records), "some are gone"
    latest = latest_by_key(read_records(log))
    assert {key: latest[key] for key, _ in records} == dict(records)


def test_the_latest_record_of_each_key_stays_at_its_offset(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"c", b"1"), (b"b", b"2"))
    clean_log(log)
    assert values(log)[:3] == [(2, b"a", b"2"), (3, b"c", b"1"), (4, b"b", b"2")]


def test_a_record_without_a_key_goes(tmp_path: Path) -> None:
    """It can be there from a time before the topic was compacted."""
    log = open_log(tmp_path / "t-0", COMPACT)
    append(log, (b"a", b"1"), (None, b"lost"), (b"b", b"1"))
    roll(log)
    clean_log(log)
    assert values(log)[:2] == [(0, b"a", b"1"), (2, b"b", b"1")]


def test_a_tombstone_stays_until_its_delete_horizon(tmp_path: Path) -> None:
    """KIP-534: the horizon is set by the cleaning that first finds it, and does not move afterwards."""
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", None))
    checkpoint, _ = clean_log(log)
    (header, records) = read_batches(log)[0]
    assert header.has_delete_horizon
    assert header.base_timestamp == NOW + RETENTION_MS
    assert [(record.offset, record.timestamp, record.value) for record in records] == [(1, NOW, None)]
    roll(log)
    append(log, (b"z", b"z"))
    roll(log)
    checkpoint, _ = clean_log(log, checkpoint, now_ms=NOW + RETENTION_MS - 1)
    assert values(log)[0] == (1, b"a", None)
    append(log, (b"y", b"y"))
    roll(log)
    clean_log(log, checkpoint, now_ms=NOW + RETENTION_MS)
    assert b"a" not in {key for _, key, _ in values(log)}


def test_records_of_aborted_transactions_go_and_the_marker_follows_later(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", COMPACT)
    append(log, (b"a", b"aborted"), producer_id=7, sequence=0, transactional=True)
    mark(log, ControlRecordType.ABORT, 7)
    append(log, (b"a", b"committed"), producer_id=8, sequence=0, transactional=True)
    mark(log, ControlRecordType.COMMIT, 8)
    log.remove_expired_producers(NOW + 10**12)  # else their last sequences are kept
    roll(log)
    checkpoint, _ = clean_log(log)
    assert [header.base_offset for header, _ in read_batches(log)][:3] == [1, 2, 3]
    assert values(log)[1] == (2, b"a", b"committed")
    aborted = log.aborted_transactions(0, log.log_end_offset)
    assert [(transaction.producer_id, transaction.last_offset) for transaction in aborted] == [(7, 1)]
    for age_ms in (0, RETENTION_MS):  # the first time nothing is found of the transaction, and the horizon is set
        append(log, (b"n%d" % age_ms, b""))
        roll(log)
        checkpoint, _ = clean_log(log, checkpoint, now_ms=NOW + age_ms)
    assert [header.base_offset for header, _ in read_batches(log)][:2] == [2, 3], "the commit marker has its records"
    assert log.aborted_transactions(0, log.log_end_offset) == []


def test_an_aborted_transaction_of_before_says_nothing_of_its_producers_next_one(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", COMPACT)
    append(log, (b"a", b"old"))
    append(log, (b"a", b"aborted"), producer_id=7, sequence=0, transactional=True)
    mark(log, ControlRecordType.ABORT, 7)
    roll(log)
    checkpoint, _ = clean_log(log)
    assert log.aborted_transactions(0, log.log_end_offset), "its marker and its entry in the index are still there"
    append(log, (b"a", b"committed"), producer_id=7, sequence=1, transactional=True)
    mark(log, ControlRecordType.COMMIT, 7)
    roll(log)
    clean_log(log, checkpoint)
    assert [value for _, key, value in values(log) if key == b"a"] == [b"committed"]


def test_a_batch_that_ends_at_the_high_watermark_stays_as_a_header(tmp_path: Path) -> None:
    """Else the log might end below it one day. Further down nothing stays of a batch without records (KAFKA-20452)."""
    for high_watermark, kept in ((3, [(1, 3, 0)]), (4, [])):
        log = open_log(tmp_path / f"t-{high_watermark}", COMPACT)
        append(log, (b"a", b"1"))
        append(log, (None, b"x" * 200), (None, b"y"))
        append(log, (b"b", b"x" * 300))
        end, _ = clean_log(log, high_watermark=high_watermark)
        assert end == 3
        batches = [(header.base_offset, header.next_offset, len(records)) for header, records in read_batches(log)]
        assert batches == [(0, 1, 1), *kept, (3, 4, 1)]


def test_cleaning_ends_before_the_first_open_transaction(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", b"2"))
    before = log.log_end_offset
    append(log, (b"a", b"open"), producer_id=7, sequence=0, transactional=True)
    roll(log)
    append(log, (b"a", b"4"))
    roll(log)
    end, _ = clean_log(log)
    assert end <= before
    assert (before, b"a", b"open") in values(log)


def test_the_last_sequence_of_an_active_producer_can_still_be_read(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", COMPACT)
    for sequence in range(3):
        append(log, (b"a", b"%d" % sequence), producer_id=7, sequence=sequence)
    append(log, (b"a", b"of another"))
    roll(log)
    clean_log(log)
    header, records = read_batches(log)[0]
    assert (header.base_offset, header.last_sequence, header.record_count, records) == (2, 2, 0, [])
    log.close(clean=True, fsync=False)
    for path in (tmp_path / "t-0").glob("*.snapshot"):
        path.unlink()
    again = open_log(tmp_path / "t-0", COMPACT)
    assert [(one.producer_id, one.last_sequence) for one in again.producers.active_producers()] == [(7, 2)]


@pytest.mark.parametrize("compression", Compression)
def test_a_rewritten_batch_keeps_its_codec(tmp_path: Path, compression: Compression) -> None:
    log = open_log(tmp_path / "t-0", COMPACT)
    append(log, *((b"key-%d" % (n % 5), b"value" * 5) for n in range(20)), compression=compression)
    roll(log)
    clean_log(log)
    header, records = read_batches(log)[0]
    assert (header.compression, header.record_count, header.last_offset_delta) == (compression, 5, 19)
    assert [record.offset for record in records] == [15, 16, 17, 18, 19]


def test_cleaned_segments_are_merged_up_to_the_limit(tmp_path: Path) -> None:
    settings = LogSettings(compact=True, delete=False, segment_bytes=400)
    log = open_log(tmp_path / "t-0", settings)
    for number in range(30):
        append(log, (b"key-%d" % (number % 3), b"v" * 50))
    roll(log)
    before = len(log.segments())
    checkpoint, _ = clean_log(log)
    append(log, (b"new", b"v" * 200))
    append(log, (b"newer", b"v" * 200))
    clean_log(log, checkpoint)
    infos = log.segments()
    assert len(infos) < before / 2
    assert all(info.size_bytes <= 400 for info in infos)
    assert latest_by_key(read_records(log)).keys() >= {b"key-0", b"key-1", b"key-2", b"new"}


@pytest.mark.parametrize(("lag_ms", "cleaned"), [(0, True), (5_000, False), (1_000, True)])
def test_min_compaction_lag_protects_young_segments(tmp_path: Path, lag_ms: int, cleaned: bool) -> None:
    settings = LogSettings(compact=True, delete=False, segment_bytes=400, min_compaction_lag_ms=lag_ms)
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", b"2"), settings=settings)
    clean_log(log, now_ms=NOW + 2_000)
    assert (values(log)[0] == (1, b"a", b"2")) is cleaned


@pytest.mark.parametrize(
    ("ratio", "max_lag_ms", "due"), [(0.5, 2**62, True), (1.0, 2**62, False), (1.0, 1_000, True), (1.0, 5_000, False)]
)
def test_a_log_is_due_by_its_dirty_ratio_or_its_age(tmp_path: Path, ratio: float, max_lag_ms: int, due: bool) -> None:
    settings = LogSettings(compact=True, delete=False, segment_bytes=400, max_compaction_lag_ms=max_lag_ms)
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", b"2"), settings=settings)
    cleanable = log.compaction.find_cleanable(None, high_watermark=log.log_end_offset, now_ms=NOW + 2_000)
    assert cleanable.is_due(ratio) is due
    nothing_dirty = log.compaction.find_cleanable(
        cleanable.first_uncleanable_offset, high_watermark=log.log_end_offset, now_ms=NOW + 2_000
    )
    assert not nothing_dirty.is_due(0.0)


@pytest.mark.parametrize("checkpoint", [-5, 10_000])
def test_a_checkpoint_outside_the_log_starts_over(tmp_path: Path, checkpoint: int) -> None:
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", b"2"))
    cleanable = log.compaction.find_cleanable(checkpoint, high_watermark=log.log_end_offset, now_ms=NOW)
    assert (cleanable.first_dirty_offset, cleanable.checkpoint_is_wrong) == (0, True)


def test_who_reads_a_replaced_segment_reads_on(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", b"2"))
    old = log.segments()[0]
    reading = log.read(0, 10_000)
    clean_log(log)
    for path in log.take_deleted_files(NOW + 10**9):
        path.unlink(missing_ok=True)
    assert len(reading.read()) == old.size_bytes
    reading.release()


def change_nothing(log: PartitionLog) -> None:
    pass


def truncate(log: PartitionLog) -> None:
    log.truncate_to(log.log_end_offset - 1, now_ms=NOW)


def delete_records(log: PartitionLog) -> None:
    log.delete_records_before(log.segments()[1].base_offset, now_ms=NOW)


def compact_no_more(log: PartitionLog) -> None:
    log.update_settings(LogSettings(segment_bytes=400))


def close(log: PartitionLog) -> None:
    log.close(fsync=False)


def append_more(log: PartitionLog) -> None:
    append(log, (b"more", b"value"))
    roll(log)


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [
        (change_nothing, True),
        (append_more, True),
        (truncate, False),
        (delete_records, False),
        (compact_no_more, False),
        (close, False),
    ],
)
def test_what_changes_the_log_meanwhile_ends_the_cleaning(tmp_path: Path, change: object, goes_on: bool) -> None:
    log = filled(tmp_path / "t-0", *((b"key-%d" % (n % 4), b"v" * 100) for n in range(12)))
    end = log.log_end_offset
    cleanable = log.compaction.find_cleanable(None, high_watermark=end, now_ms=NOW)
    plan = log.compaction.begin(cleanable, high_watermark=end, now_ms=NOW)
    changed = False

    def swap_in(cleaned: CleanedSegment) -> bool:
        nonlocal changed
        if not changed:
            changed = True
            change(log)  # type: ignore[operator]
        return log.compaction.swap_in(cleaned, now_ms=NOW)

    try:
        clean(plan, OffsetMap(1 << 20), swap_in=swap_in, pace=lambda _: None, fsync=False)
    except CleaningAborted:
        assert not goes_on
    else:
        assert goes_on
    finally:
        plan.close()
    assert not list((tmp_path / "t-0").glob("*.cleaned"))
    if change is not close:
        offsets = [record.offset for record in read_records(log)]
        assert offsets == sorted(set(offsets))


def test_an_aborted_plan_ends_soon_and_leaves_nothing_behind(tmp_path: Path) -> None:
    log = filled(tmp_path / "t-0", (b"a", b"1"), (b"a", b"2"))
    before = values(log)
    end = log.log_end_offset
    plan = log.compaction.begin(
        log.compaction.find_cleanable(None, high_watermark=end, now_ms=NOW), high_watermark=end, now_ms=NOW
    )
    with pytest.raises(CleaningAborted):
        clean(plan, OffsetMap(1 << 20), swap_in=lambda _: True, pace=lambda _: plan.abort(), fsync=False)
    plan.close()
    assert values(log) == before
    assert not list((tmp_path / "t-0").glob("*.cleaned"))


def test_a_broken_batch_is_never_written_anew_under_a_good_checksum(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", COMPACT)
    append(log, (b"a", b"1"), (b"a", b"22222222"))
    roll(log)
    path = tmp_path / "t-0" / f"{0:020d}.log"
    content = bytearray(path.read_bytes())
    at = content.index(b"22222222")
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UncleanableLog, match="CRC"):
        clean_log(log)
    assert path.read_bytes() == content
