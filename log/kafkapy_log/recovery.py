"""From a partition's directory to its segments, offsets, leader epochs and producers.

After a clean stop nothing but the end of the last segment is read. After any other stop the log is walked batch by
batch with its CRC, from the recovery point on; the first that is not whole ends the log, and indexes are made anew.
Bytes after it are kept as a stray, unless they are the torn end of the last write: see `damage.py`.
Files derived from the log are not trusted there: a missing or corrupt index, snapshot or epoch file is rebuilt.

Recovery begins where the segment with the recovery point begins, as in Apache Kafka, unless a snapshot of the producers
lies within that segment, at the recovery point or below. Such a one is only written when the records and the indexes
below it were synced (see `Flush`), so recovery begins there, and what was read once need not be read after every crash.

Blocks for as long as the unflushed part of the log takes to read.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kafkapy_log.checkpoint_files import LEADER_EPOCH_CHECKPOINT, CorruptFileError, parse_leader_epoch_checkpoint
from kafkapy_log.damage import CutRecords, Damage, LostRecords, WholeBatches, cut_off
from kafkapy_log.durable_files import read_file, write_file
from kafkapy_log.file_names import (
    DELETED_SUFFIX,
    INDEX_SUFFIX,
    LOG_SUFFIX,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
    file_name,
    parse_offset,
)
from kafkapy_log.file_pool import FilePool
from kafkapy_log.indexed_segment import IndexRebuildNeeded
from kafkapy_log.indexes import CorruptIndexError
from kafkapy_log.leader_epochs import LeaderEpochCache
from kafkapy_log.producer_state import CorruptSnapshotError, ProducerState
from kafkapy_log.segment import Segment
from kafkapy_log.segment_batches import BatchPosition
from kafkapy_log.settings import LogSettings
from kafkapy_log.swap import CLEANED_SUFFIX, SWAP_SUFFIX, finish_swaps
from kafkapy_log.transaction_index import TransactionIndex
from kafkapy_log.transaction_markers import read_marker
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BatchHeader


class LoadedLog(NamedTuple):
    """The content of a directory. There is always an active segment, perhaps without a file yet."""

    segments: list[Segment]
    log_start_offset: int
    log_end_offset: int
    recovery_point: int
    leader_epochs: LeaderEpochCache
    producers: ProducerState
    snapshot_offsets: list[int]  # ascending
    unflushed_segments: list[Segment]
    """What was recovered may be in the page cache only."""
    indexed_end_offset: int
    """The indexes and the epoch file of the records below this offset are on the disk."""
    settled_bytes: int
    """Of the last segment: how many bytes a recovery would not have to read now."""
    damage: Damage | None
    """What had to be taken out of the log."""


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
    """Load a log. `recovery_point` and `log_start_offset` are those of the checkpoints, else 0. Raises OSError."""
    segments, snapshot_offsets = _list_directory(directory, pool, now_ms)
    leader_epochs, epochs_known = _load_leader_epochs(directory)
    producers = ProducerState()
    epochs_on_disk = leader_epochs.entries if epochs_known else None
    first_unflushed = len(segments)
    settled_bytes = indexed_end_offset = 0
    log_end_offset = log_start_offset
    damage: Damage | None = None
    if segments and clean:
        log_end_offset, damage = _end_offset(segments, settings)
        indexed_end_offset = log_end_offset
        settled_bytes = segments[-1].size
        if not epochs_known:
            _assign_epochs(leader_epochs, segments)
    elif segments:
        recovery = _Recovery(directory, settings, segments, snapshot_offsets, leader_epochs, producers)
        if not recovery.resume(recovery_point, log_start_offset, epochs_known=epochs_known):
            recovery.start_over(recovery_point, log_start_offset, epochs_known=epochs_known)
        first_unflushed = recovery.first
        indexed_end_offset = recovery.begins_at
        settled_bytes = recovery.settled_bytes
        log_end_offset = recovery.run(recovery_point)
        damage = recovery.damage
    if log_end_offset < log_start_offset:
        # Files were lost, but the records below log_start_offset stay deleted: begin at that offset, without records.
        damage = damage or LostRecords(directory.name, log_end_offset, log_start_offset)
        for segment in segments:
            delete_now(segment)
        segments = []
        log_end_offset = log_start_offset
        settled_bytes = 0
        leader_epochs.clear()
    if not segments:
        segments = [Segment(pool, directory, log_start_offset, size=0, created_ms=now_ms)]
    log_start_offset = max(log_start_offset, segments[0].base_offset)
    leader_epochs.truncate_from_end(log_end_offset)
    leader_epochs.truncate_from_start(log_start_offset)
    if leader_epochs.entries == epochs_on_disk:
        leader_epochs.changed = False
    _remove_stray_snapshots(directory, segments, snapshot_offsets)
    if clean or not log_start_offset <= producers.end_offset <= log_end_offset:
        rebuild_producers(
            producers,
            directory,
            segments,
            snapshot_offsets,
            log_start_offset=log_start_offset,
            log_end_offset=log_end_offset,
            index_interval_bytes=settings.index_interval_bytes,
        )
    producers.end_offset = log_end_offset
    producers.remove_expired(now_ms, settings.producer_id_expiration_ms)
    return LoadedLog(
        segments,
        log_start_offset,
        log_end_offset,
        log_end_offset if clean else min(recovery_point, log_end_offset),
        leader_epochs,
        producers,
        snapshot_offsets,
        segments[first_unflushed:],
        min(indexed_end_offset, log_end_offset),
        settled_bytes,
        damage,
    )


class _Recovery:
    """Recovers one log with at least one segment: `resume` or else `start_over`, then `run`."""

    def __init__(
        self,
        directory: Path,
        settings: LogSettings,
        segments: list[Segment],
        snapshot_offsets: list[int],
        leader_epochs: LeaderEpochCache,
        producers: ProducerState,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._segments = segments
        self._snapshot_offsets = snapshot_offsets
        self._leader_epochs = leader_epochs
        self._producers = producers
        self.first = 0
        self.begins_at = 0
        self._next_offset = 0
        self._first_size = 0  # of the first segment's file
        self.settled_bytes = 0
        """Of the last segment: bytes that were not read, since they and their indexes had been synced."""
        self.damage: CutRecords | None = None

    def _begin_at_segment_of(self, recovery_point: int) -> Segment:
        self.first = max(0, sum(segment.base_offset <= recovery_point for segment in self._segments) - 1)
        segment = self._segments[self.first]
        self._first_size = segment.size
        return segment

    def resume(self, recovery_point: int, log_start_offset: int, *, epochs_known: bool) -> bool:
        """Make `run` begin within a segment, at a snapshot. False: there is no valid one. Raises OSError."""
        segment = self._begin_at_segment_of(recovery_point)
        offset = next((offset for offset in reversed(self._snapshot_offsets) if offset <= recovery_point), -1)
        if not epochs_known or offset <= segment.base_offset or offset < log_start_offset:
            return False
        try:
            self._producers.load_snapshot(read_file(self._directory / file_name(offset, SNAPSHOT_SUFFIX)), offset)
        except (CorruptSnapshotError, FileNotFoundError):
            return False
        next_offset = segment.resume(offset)
        if next_offset is None:
            return False
        self.begins_at, self._next_offset = offset, next_offset
        if len(self._segments) == self.first + 1:
            self.settled_bytes = segment.size
        self._forget_snapshots_above(offset)
        self._leader_epochs.truncate_from_end(next_offset)
        return True

    def start_over(self, recovery_point: int, log_start_offset: int, *, epochs_known: bool) -> None:
        """Make `run` begin at the base offset of the segment that holds the recovery point. Raises OSError."""
        segment = self._begin_at_segment_of(recovery_point)
        self.begins_at = self._next_offset = segment.base_offset
        self._forget_snapshots_above(segment.base_offset)
        before = self._segments[: self.first]
        # A transaction may have begun in an earlier segment.
        rebuild_producers(
            self._producers,
            self._directory,
            before,
            self._snapshot_offsets,
            log_start_offset=min(log_start_offset, segment.base_offset),
            log_end_offset=segment.base_offset,
            index_interval_bytes=self._settings.index_interval_bytes,
        )
        if not epochs_known:
            _assign_epochs(self._leader_epochs, before)
        self._leader_epochs.truncate_from_end(segment.base_offset)
        segment.start_over()

    def run(self, recovery_point: int) -> int:
        """Read the rest, cut off damaged bytes, and rebuild derived files. Returns the log end. Raises OSError."""
        segments = self._segments
        file_size = self._first_size
        for index in range(self.first, len(segments)):
            segment = segments[index]
            if index > self.first:
                file_size = segment.size
                self._next_offset = segment.base_offset
                self._write_snapshot(segment.base_offset)
                segment.start_over()
            batches = WholeBatches(segment, self._next_offset, file_size)
            self._read(segment, batches)
            if segment.size < file_size:
                # Below the recovery point everything was on the disk.
                may_be_torn = self._next_offset >= recovery_point
                self.damage = cut_off(segment, batches, file_size, segments[index + 1 :], may_be_torn=may_be_torn)
                del segments[index + 1 :]
                break
            if index + 1 < len(segments):
                segment.write_indexes()
                segment.forget_indexes()
        return self._next_offset

    def _read(self, segment: Segment, batches: WholeBatches) -> None:
        producers, leader_epochs = self._producers, self._leader_epochs
        known_end_offset = producers.end_offset
        index_interval_bytes = self._settings.index_interval_bytes
        for header, batch in batches:
            segment.appended(header.last_offset, header.max_timestamp, header.size_bytes, index_interval_bytes)
            self._next_offset = header.next_offset
            if header.partition_leader_epoch > leader_epochs.latest_epoch:
                leader_epochs.assign(header.partition_leader_epoch, header.base_offset)
            if header.producer_id < 0 or header.base_offset < known_end_offset:
                continue
            if not header.is_control:
                producers.update(header, header.base_offset)
            elif marker := read_marker(batch):
                aborted = producers.end_transaction(header, marker)
                if aborted is not None:
                    segment.transaction_index.append(aborted)
        producers.end_offset = max(known_end_offset, self._next_offset)

    def _write_snapshot(self, offset: int) -> None:
        """Write the snapshot that was written when the segment at that offset was begun."""
        write_file(self._directory / file_name(offset, SNAPSHOT_SUFFIX), self._producers.to_snapshot(), fsync=False)
        self._snapshot_offsets.append(offset)

    def _forget_snapshots_above(self, offset: int) -> None:
        while self._snapshot_offsets and self._snapshot_offsets[-1] > offset:
            (self._directory / file_name(self._snapshot_offsets.pop(), SNAPSHOT_SUFFIX)).unlink(missing_ok=True)


def _assign_epochs(leader_epochs: LeaderEpochCache, segments: Iterable[Segment]) -> None:
    """Add the leader epochs of the batches of `segments`."""
    for segment in segments:
        for header, _ in segment.headers_from(0):
            if header.partition_leader_epoch > leader_epochs.latest_epoch:
                leader_epochs.assign(header.partition_leader_epoch, header.base_offset)


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
    """Rebuild `producers` at `log_end_offset`: from the latest valid snapshot, then from the batches after it.

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
            with suppress(IndexRebuildNeeded):  # then the whole segment is read, as for a rebuild
                position = segment.position_before(producers.end_offset, index_interval_bytes)
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

    A transaction may have begun in an earlier segment, so the producer state is followed from there on. Raises OSError.
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
    """Add the batches of `segment` from `position` on to `producers`, except those that it has already.

    Aborted transactions go into `transaction_index` if one is given.
    """
    for found in segment.headers_from(position):
        header = found.header
        if header.base_offset < producers.end_offset or header.producer_id < 0:
            continue
        if not header.is_control:
            producers.update(header, header.base_offset)
        elif marker := read_marker(segment.read_batch(found)):
            aborted = producers.end_transaction(header, marker)
            if aborted is not None and transaction_index is not None:
                transaction_index.append(aborted)


def delete_now(segment: Segment) -> None:
    """Delete a segment at once: the log is only being opened, so no client reads it."""
    segment.retire()
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
            elif (offset := parse_offset(stem)) is None:
                continue
            elif suffix == LOG_SUFFIX:
                sizes[offset] = entry.stat().st_size
            elif suffix == SNAPSHOT_SUFFIX:
                snapshot_offsets.append(offset)
            elif suffix in (INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
                indexes.append((offset, entry.path))
    for base_offset, path in indexes:
        if base_offset not in sizes:
            Path(path).unlink(missing_ok=True)
    segments = [
        Segment(pool, directory, base_offset, size=size, created_ms=now_ms)
        for base_offset, size in sorted(sizes.items())
    ]
    indexed = {base_offset for base_offset, _ in indexes}
    for segment in segments:
        segment.has_index_files = segment.base_offset in indexed
    return segments, sorted(snapshot_offsets)


def _load_leader_epochs(directory: Path) -> tuple[LeaderEpochCache, bool]:
    """The cache, and whether the file says something; a log that never had a batch has no file, or an empty one."""
    try:
        entries = parse_leader_epoch_checkpoint(read_file(directory / LEADER_EPOCH_CHECKPOINT))
    except FileNotFoundError:
        return LeaderEpochCache([]), False
    except CorruptFileError:
        entries = []
    leader_epochs = LeaderEpochCache(entries)
    leader_epochs.has_file = True
    return leader_epochs, bool(entries)


def _cut_to_whole_batches(segment: Segment, settings: LogSettings) -> CutRecords | None:
    """Cut the log after its last whole batch. After a clean stop every damaged batch was once whole."""
    file_size = segment.size
    batches = WholeBatches(segment, segment.base_offset, file_size)
    segment.rebuild((BatchPosition(header, segment.size) for header, _ in batches), settings.index_interval_bytes)
    return cut_off(segment, batches, file_size, (), may_be_torn=False) if segment.size < file_size else None


def _end_offset(segments: list[Segment], settings: LogSettings) -> tuple[int, CutRecords | None]:
    """The offset after the last batch, found from the last index entry on; an end that is not whole is cut off."""
    last, damage = segments[-1], None
    try:
        if not last.has_index_files:  # a small log was closed without: headers tell all, and damaged records stay
            last.ensure_indexes(settings.index_interval_bytes)
        header = _last_header(last)
    except (CorruptIndexError, FileNotFoundError, MalformedMessage):
        damage = _cut_to_whole_batches(last, settings)
        header = _last_header(last)
    last.load_max_timestamp(settings.index_interval_bytes)
    return (header.next_offset if header is not None else last.base_offset), damage


def _last_header(segment: Segment) -> BatchHeader | None:
    _ = segment.time_index  # it is the active segment
    header, end = None, 0
    for header, position in segment.headers_from(segment.offset_index.entry_up_to(segment.size).position):
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
