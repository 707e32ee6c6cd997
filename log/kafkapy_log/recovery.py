"""From a partition's directory to its segments, offsets, leader epochs and producers.

After a clean stop nothing but the end of the last segment is read. After any other stop every segment from the
recovery point on is walked batch by batch with its CRC; the first that is not whole ends the log, and indexes are made
anew. What can be derived from the log is never trusted: a missing or corrupt index, snapshot or epoch file is rebuilt.

Blocks for as long as the unflushed part of the log takes to read.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy_log.checkpoint_files import LEADER_EPOCH_CHECKPOINT, CorruptFileError, parse_leader_epoch_checkpoint
from kafkapy_log.durable_files import read_file
from kafkapy_log.file_pool import FilePool
from kafkapy_log.indexes import CorruptIndexError
from kafkapy_log.leader_epochs import LeaderEpochCache
from kafkapy_log.producer_state import CorruptSnapshotError, EndTransactionMarker, ProducerState
from kafkapy_log.segment import (
    DELETED_SUFFIX,
    INDEX_SUFFIX,
    LOG_SUFFIX,
    RELATIVE_OFFSET_MAX,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
    BatchPosition,
    Segment,
    file_name,
)
from kafkapy_log.settings import LogSettings
from kafkapy_log.swap import CLEANED_SUFFIX, SWAP_SUFFIX, finish_swaps
from kafkapy_log.transaction_index import TransactionIndex
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
    BatchHeader,
    crc_matches,
    decode_records,
    read_batch_header,
    read_control_record_type,
    read_coordinator_epoch,
)

_READ_BYTES: Final = 1 << 20
_OFFSET_DIGITS: Final = 20


class LoadedLog(NamedTuple):
    """What a directory holds. There is always a last segment, perhaps without a file yet."""

    segments: list[Segment]
    log_start_offset: int
    log_end_offset: int
    recovery_point: int
    leader_epochs: LeaderEpochCache
    producers: ProducerState
    snapshot_offsets: list[int]  # ascending


def load_log(
    directory: Path,
    pool: FilePool,
    settings: LogSettings,
    *,
    now_ms: int,
    clean: bool,
    recovery_point: int,
    log_start_offset: int,
) -> LoadedLog:
    """`recovery_point` and `log_start_offset` are what the checkpoint files say, 0 without an entry. Raises OSError."""
    segments, snapshot_offsets = _list_directory(directory, pool, now_ms)
    leader_epochs, epochs_known = _load_leader_epochs(directory)
    first_epoch_segment = 0 if not epochs_known else len(segments)
    first_unflushed = len(segments)
    if not clean:
        first_unflushed = max(0, sum(segment.base_offset <= recovery_point for segment in segments) - 1)
        _recover_from(first_unflushed, segments, settings)
        first_epoch_segment = min(first_epoch_segment, first_unflushed)
    log_end_offset = _end_offset(segments, settings) if segments else log_start_offset
    if log_end_offset < log_start_offset:
        # Files were lost, yet the records below log_start_offset are deleted for good: begin where new ones may come.
        for segment in segments:
            delete_now(segment)
        segments = []
        log_end_offset = log_start_offset
        leader_epochs.clear()
    if not segments:
        segments = [Segment(pool, directory, log_start_offset, size=0, created_ms=now_ms)]
    log_start_offset = max(log_start_offset, segments[0].base_offset)
    for segment in segments[first_epoch_segment:]:
        leader_epochs.truncate_from_end(segment.base_offset)
        for header, _ in segment.headers_from(0):
            if header.partition_leader_epoch > leader_epochs.latest_epoch:
                leader_epochs.assign(header.partition_leader_epoch, header.base_offset)
    leader_epochs.truncate_from_end(log_end_offset)
    leader_epochs.truncate_from_start(log_start_offset)
    producers = ProducerState()
    _remove_stray_snapshots(directory, segments, snapshot_offsets)
    if not clean:
        rebuild_transaction_indexes(
            first_unflushed,
            directory,
            segments,
            snapshot_offsets,
            log_start_offset=log_start_offset,
            index_interval_bytes=settings.index_interval_bytes,
        )
    rebuild_producers(
        producers,
        directory,
        segments,
        snapshot_offsets,
        log_start_offset=log_start_offset,
        log_end_offset=log_end_offset,
        index_interval_bytes=settings.index_interval_bytes,
    )
    producers.remove_expired(now_ms, settings.producer_id_expiration_ms)
    return LoadedLog(
        segments,
        log_start_offset,
        log_end_offset,
        log_end_offset if clean else min(recovery_point, log_end_offset),
        leader_epochs,
        producers,
        snapshot_offsets,
    )


def rebuild_producers(
    producers: ProducerState,
    directory: Path,
    segments: Sequence[Segment],
    snapshot_offsets: list[int],
    *,
    log_start_offset: int,
    log_end_offset: int,
    index_interval_bytes: int,
) -> None:
    """Make `producers` what the log says at `log_end_offset`: the latest good snapshot, then the batches after it.

    Snapshots beyond the end and corrupt ones are deleted. Raises OSError.
    """
    producers.clear(log_start_offset)
    while snapshot_offsets:
        offset = snapshot_offsets[-1]
        path = directory / file_name(offset, SNAPSHOT_SUFFIX)
        if log_start_offset <= offset <= log_end_offset:
            try:
                producers.load_snapshot(read_file(path), offset)
                break
            except (CorruptSnapshotError, FileNotFoundError):
                pass
        path.unlink(missing_ok=True)
        snapshot_offsets.pop()
    for index, segment in enumerate(segments):
        following = segments[index + 1].base_offset if index + 1 < len(segments) else log_end_offset
        if following <= producers.end_offset or not segment.size:
            continue
        position = 0
        if producers.end_offset > segment.base_offset:
            segment.ensure_indexes(index_interval_bytes)
            position = segment.offset_index.position_before(producers.end_offset - segment.base_offset)
        replay(producers, segment, position)
    producers.end_offset = log_end_offset


def rebuild_transaction_indexes(
    first: int,
    directory: Path,
    segments: Sequence[Segment],
    snapshot_offsets: Sequence[int],
    *,
    log_start_offset: int,
    index_interval_bytes: int,
) -> None:
    """Make the transaction indexes of `segments[first:]` anew: their files may lack entries, or have too many.

    Where a transaction began may lie in a segment before, so the producers are followed from there on. Raises OSError.
    """
    rebuilt = segments[first:]
    if not any(found.header.is_control for segment in rebuilt for found in segment.headers_from(0)):
        for segment in rebuilt:
            segment.replace_transaction_index(TransactionIndex())
    else:
        base_offset = rebuilt[0].base_offset
        producers = ProducerState()
        rebuild_producers(
            producers,
            directory,
            segments[:first],
            [offset for offset in snapshot_offsets if offset <= base_offset],
            log_start_offset=min(log_start_offset, base_offset),
            log_end_offset=base_offset,
            index_interval_bytes=index_interval_bytes,
        )
        for segment in rebuilt:
            index = TransactionIndex()
            replay(producers, segment, 0, index)
            segment.replace_transaction_index(index)
    for segment in rebuilt[:-1]:
        segment.write_transaction_index()


def replay(
    producers: ProducerState, segment: Segment, position: int, transaction_index: TransactionIndex | None = None
) -> None:
    """Take in the batches of `segment` from `position` on that `producers` has not seen.

    Aborted transactions go into `transaction_index` if one is given.
    """
    for found in segment.headers_from(position):
        header = found.header
        if header.base_offset < producers.end_offset or header.producer_id < 0:
            continue
        if not header.is_control:
            producers.update(header, header.base_offset)
        elif marker := end_transaction_marker(segment.read_batch(found)):
            aborted = producers.end_transaction(header, marker)
            if aborted is not None and transaction_index is not None:
                transaction_index.append(aborted)


def end_transaction_marker(batch: bytes | bytearray | memoryview) -> EndTransactionMarker | None:
    """What a control batch with a producer id says; None when compaction has emptied it. Raises MalformedMessage."""
    for record in decode_records(batch):
        return EndTransactionMarker(
            read_control_record_type(record.key), read_coordinator_epoch(record.value), record.timestamp
        )
    return None


def delete_now(segment: Segment) -> None:
    """Remove a segment that nobody can be reading: the log is only being opened."""
    segment.file.retire()
    for suffix in (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
        segment.path(suffix).unlink(missing_ok=True)


def _list_directory(directory: Path, pool: FilePool, now_ms: int) -> tuple[list[Segment], list[int]]:
    sizes: dict[int, int] = {}
    snapshot_offsets: list[int] = []
    indexes: list[tuple[int, str]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            stem, dot, extension = entry.name.rpartition(".")
            suffix = dot + extension
            if suffix in (CLEANED_SUFFIX, SWAP_SUFFIX):
                finish_swaps(directory)
                return _list_directory(directory, pool, now_ms)
            if suffix == DELETED_SUFFIX:
                Path(entry.path).unlink(missing_ok=True)
            elif len(stem) != _OFFSET_DIGITS or not stem.isdecimal():
                continue
            elif suffix == LOG_SUFFIX:
                sizes[int(stem)] = entry.stat().st_size
            elif suffix == SNAPSHOT_SUFFIX:
                snapshot_offsets.append(int(stem))
            elif suffix in (INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
                indexes.append((int(stem), entry.path))
    for base_offset, path in indexes:
        if base_offset not in sizes:
            Path(path).unlink(missing_ok=True)
    segments = [
        Segment(pool, directory, base_offset, size=size, created_ms=now_ms)
        for base_offset, size in sorted(sizes.items())
    ]
    return segments, sorted(snapshot_offsets)


def _load_leader_epochs(directory: Path) -> tuple[LeaderEpochCache, bool]:
    """The cache, and whether the file could be read; a log that never had a batch has no file."""
    try:
        entries = parse_leader_epoch_checkpoint(read_file(directory / LEADER_EPOCH_CHECKPOINT))
    except (FileNotFoundError, CorruptFileError):
        return LeaderEpochCache([]), False
    return LeaderEpochCache(entries), True


def _recover_from(first: int, segments: list[Segment], settings: LogSettings) -> None:
    for index in range(first, len(segments)):
        segment = segments[index]
        file_size = segment.size
        segment.rebuild(_whole_batches(segment, file_size), settings.index_interval_bytes)
        if segment.size < file_size:
            os.ftruncate(segment.file.descriptor(), segment.size)
            for later in segments[index + 1 :]:
                delete_now(later)
            del segments[index + 1 :]
            return
        if index + 1 < len(segments):
            segment.write_indexes()


def _whole_batches(segment: Segment, file_size: int) -> Iterator[BatchPosition]:
    """Batches up to the first that is torn, has another CRC, or goes back in offsets."""
    position, next_offset = 0, segment.base_offset
    chunk, chunk_start = b"", 0
    while position + BATCH_HEADER_BYTES <= file_size:
        if position + BATCH_HEADER_BYTES > chunk_start + len(chunk):
            chunk_start, chunk = position, os.pread(segment.file.descriptor(), _READ_BYTES, position)
        try:
            header = read_batch_header(chunk, position - chunk_start)
        except MalformedMessage:
            return
        end = position + header.size_bytes
        last_relative_offset = header.last_offset - segment.base_offset
        if end > file_size or header.base_offset < next_offset or last_relative_offset > RELATIVE_OFFSET_MAX:
            return
        if end > chunk_start + len(chunk):
            chunk_start = position
            chunk = os.pread(segment.file.descriptor(), max(_READ_BYTES, header.size_bytes), position)
        if not crc_matches(memoryview(chunk)[position - chunk_start : end - chunk_start]):
            return
        yield BatchPosition(header, position)
        position, next_offset = end, header.next_offset


def _end_offset(segments: list[Segment], settings: LogSettings) -> int:
    """The offset after the last batch, found from the last index entry on; a torn end is cut off."""
    last = segments[-1]
    try:
        header = _last_header(last)
    except (CorruptIndexError, FileNotFoundError, MalformedMessage):
        _recover_from(len(segments) - 1, segments, settings)
        header = _last_header(last)
    return header.next_offset if header is not None else last.base_offset


def _last_header(segment: Segment) -> BatchHeader | None:
    segment.load_max_timestamp()
    header, end = None, 0
    for header, position in segment.headers_from(segment.offset_index.last_position_up_to(segment.size)):
        end = position + header.size_bytes
    if end != segment.size:
        raise MalformedMessage(f"the last batch ends at {end}, the file at {segment.size}")
    return header


def _remove_stray_snapshots(directory: Path, segments: Iterable[Segment], snapshot_offsets: list[int]) -> None:
    """Keep those taken when a segment was begun and the last one, from a clean stop; as Kafka does."""
    base_offsets = {segment.base_offset for segment in segments}
    for offset in snapshot_offsets[:-1]:
        if offset not in base_offsets:
            (directory / file_name(offset, SNAPSHOT_SUFFIX)).unlink(missing_ok=True)
            snapshot_offsets.remove(offset)
