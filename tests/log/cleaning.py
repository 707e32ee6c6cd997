"""What the tests of compaction are built with: keyed batches, one whole cleaning, and what can be read afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kafkapy_log import FilePool, LogSettings, PartitionLog
from kafkapy_log.cleaner import CleanedSegment, CleaningProgress, clean
from kafkapy_log.offset_map import OffsetMap
from kafkapy_wire.records import BatchHeader, Compression, NewRecord, Record, build_batch, decode_records, split_batches

NOW = 1_700_000_000_000
ALL_FIT = 1 << 20
NO_DELAY = 2**63 - 1

KeyAndValue = tuple[bytes | None, bytes | None]


def open_log(
    directory: Path,
    settings: LogSettings,
    *,
    clean: bool = True,
    log_start_offset: int = 0,
    pool: FilePool | None = None,
    recovery_point: int = 0,
) -> PartitionLog:
    directory.mkdir(exist_ok=True)
    return PartitionLog.open(
        directory,
        settings,
        now_ms=NOW,
        clean=clean,
        log_start_offset=log_start_offset,
        recovery_point=recovery_point,
        pool=pool,
    )


def append(
    log: PartitionLog,
    *records: KeyAndValue,
    timestamp: int = NOW,
    compression: Compression = Compression.NONE,
    producer_id: int = -1,
    sequence: int = -1,
    transactional: bool = False,
) -> int:
    """One batch as a leader has it; returns its base offset."""
    base_offset = log.log_end_offset
    batch = build_batch(
        [NewRecord(timestamp, key, value) for key, value in records],
        base_offset=base_offset,
        compression=compression,
        partition_leader_epoch=0,
        producer_id=producer_id,
        producer_epoch=0 if producer_id >= 0 else -1,
        base_sequence=sequence,
        is_transactional=transactional,
    )
    log.append_as_follower(batch, now_ms=NOW)
    return base_offset


def clean_log(
    log: PartitionLog,
    checkpoint: int | None = None,
    *,
    now_ms: int = NOW,
    keys_max: int = ALL_FIT,
    high_watermark: int | None = None,
) -> tuple[int, CleaningProgress]:
    """Clean what can be cleaned, whether it is due or not; returns (the checkpoint to go on from, what was done)."""
    if high_watermark is None:
        high_watermark = log.log_end_offset
    cleanable = log.compaction.find_cleanable(checkpoint, high_watermark=high_watermark, now_ms=now_ms)
    if not cleanable.dirty_bytes:
        return cleanable.first_dirty_offset, CleaningProgress()
    plan = log.compaction.begin(cleanable, high_watermark=high_watermark, now_ms=now_ms)

    def swap_in(cleaned: CleanedSegment) -> bool:
        return log.compaction.swap_in(cleaned, now_ms=now_ms)

    try:
        end = clean(plan, OffsetMap(keys_max * 160), swap_in=swap_in, pace=lambda _: None, fsync=False)
    finally:
        plan.close()
    return end, plan.progress


def read_batches(log: PartitionLog, offset: int | None = None) -> list[tuple[BatchHeader, list[Record]]]:
    """Everything from `offset` on, the log's start by default, as a consumer gets it."""
    batches: list[tuple[BatchHeader, list[Record]]] = []
    offset = log.log_start_offset if offset is None else offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 600)
        if not piece.length:
            break
        content = piece.read()
        piece.release()
        batches += [(header, list(decode_records(batch))) for header, batch in split_batches(content)]
        assert piece.next_offset > offset
        offset = piece.next_offset
    return batches


def read_records(log: PartitionLog, offset: int | None = None) -> list[Record]:
    start = log.log_start_offset if offset is None else offset
    return [record for _, records in read_batches(log, start) for record in records if record.offset >= start]


def latest_by_key(records: Iterable[Record]) -> dict[bytes | None, bytes | None]:
    """What a consumer knows after reading: tombstones remove."""
    table = {record.key: record.value for record in records}
    return {key: value for key, value in table.items() if value is not None}
