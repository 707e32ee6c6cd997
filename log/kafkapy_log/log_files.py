"""State that the parts of one log share: its start and end, its segments, its epochs and producers.

`PartitionLog` appends, reads and truncates; `LogFlushing`, `LogCompaction` and `LogRetention` do the rest. All of them
work on one `LogFiles`, which creates and removes segments, and knows whether the log still accepts changes.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from kafkapy_log.append_validation import Buffer
from kafkapy_log.damage import MissingRecords, Tell
from kafkapy_log.disk_errors import StorageCause, StorageError, StorageErrors, passes
from kafkapy_log.file_names import partition_name
from kafkapy_log.file_pool import FilePool
from kafkapy_log.flush_progress import FlushProgress
from kafkapy_log.indexes import CorruptIndexError
from kafkapy_log.producer_snapshots import ProducerSnapshots
from kafkapy_log.recovery import LoadedLog, rebuild_producers, rebuild_transaction_indexes
from kafkapy_log.replicated_batches import ReplicatedBatch
from kafkapy_log.segment import Segment
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX
from kafkapy_log.segment_list import SegmentList
from kafkapy_log.settings import LogSettings
from kafkapy_log.transaction_index import AbortedTransaction, TransactionIndex
from kafkapy_log.transaction_markers import EndTransactionMarker
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BatchHeader
from kafkapy_wire.records.batch import BATCH_OVERHEAD_BYTES

JOINED_BYTES_MAX: Final = 16 * 1024
"""Up to this size one buffer costs less to write than two: of 200 bytes 1.0 µs instead of 1.4."""

TRANSACTION_INDEXES_READ_MAX: Final = 4
"""Of closed segments of one log. A fetch needs those of one or two segments."""


class LogFiles:
    """Offsets `[log_start_offset, log_end_offset)` in the files of `directory`.

    `failure`: why the log refuses changes; None if it accepts them. `truncations`: how often the end was
    cut off. `storage_errors`: the context for disk operations, in which errors become StorageError.
    """

    __slots__ = (
        "_deleted",
        "_looked_at_offset",
        "_pool",
        "_read_transactions",
        "directory",
        "failure",
        "flush_progress",
        "is_closed",
        "leader_epochs",
        "log_end_offset",
        "log_start_offset",
        "producers",
        "segments",
        "settings",
        "snapshots",
        "storage_errors",
        "topic_partition",
        "truncations",
    )

    def __init__(
        self, directory: Path, settings: LogSettings, pool: FilePool, loaded: LoadedLog, tell: Tell | None
    ) -> None:
        self.directory = directory
        self.topic_partition = name = partition_name(directory.name)
        self.storage_errors = StorageErrors(name)
        self.settings = settings
        self.log_start_offset = loaded.log_start_offset
        self.log_end_offset = loaded.log_end_offset
        self.segments = SegmentList(loaded.segments, settings.index_interval_bytes)
        if tell is not None:
            self.segments.tell_of_gap = partial(_tell_of_gap, tell, name)
        self.segments.is_compacted = settings.compact
        self.leader_epochs = loaded.leader_epochs
        self.producers = loaded.producers
        self.snapshots = ProducerSnapshots(directory, self.segments, loaded.snapshot_offsets)
        self.flush_progress = FlushProgress(
            loaded.recovery_point,
            unflushed=loaded.unflushed_segments,
            indexed_end_offset=loaded.indexed_end_offset,
            settled_bytes=loaded.settled_bytes,
        )
        self.truncations = 0
        self.failure: StorageCause | None = None
        self.is_closed = False
        self._pool = pool
        self._looked_at_offset = loaded.log_end_offset
        self._deleted: list[tuple[int, Path]] = []  # when each is to be unlinked
        self._read_transactions: list[Segment] = []  # closed ones whose transaction index is in memory, oldest first

    # -- taking changes

    def refuse(self) -> NoReturn:
        """Refuse a change, since the log has failed or is closed. Raises StorageError."""
        assert self.failure is not None
        raise StorageError(self.topic_partition, self.failure) from self.failure

    def not_stored(self, error: StorageCause) -> NoReturn:
        """An append has failed and left the log unchanged; if the error passes, try again. Raises StorageError."""
        if not passes(error):
            self.failure = error
        raise StorageError(self.topic_partition, error) from error

    @contextmanager
    def refusing_after_errors(self) -> Iterator[None]:
        """For a change of several steps: after an error between two steps the log refuses further changes."""
        try:
            with self.storage_errors:
                yield
        except StorageError as error:
            self.failure = error.cause
            raise

    def check_in_place(self) -> None:
        """See `LogFlushing.check_in_place`."""
        if self.log_end_offset == self._looked_at_offset or self.failure is not None:
            return
        self._looked_at_offset = self.log_end_offset
        file = self.segments.active.file
        if not self.segments.active.size:
            return
        with self.refusing_after_errors():
            found = file.path.stat()
            if file.fd >= 0 and not os.path.samestat(found, os.fstat(file.fd)):
                raise FileNotFoundError(errno.ENOENT, "another file has taken its place", str(file.path))

    def write(self, segment: Segment, buffers: list[Buffer], size: int) -> None:
        """Append all of `data` to the segment or nothing: after an error the written part is cut off again.

        Raises StorageError.
        """
        try:
            fd = segment.file.descriptor()
        except OSError as error:
            self.not_stored(error)
        try:
            if size <= JOINED_BYTES_MAX:
                written = os.pwrite(fd, b"".join(buffers), segment.size)
            else:
                written = os.pwritev(fd, buffers, segment.size)
            if written < size:  # a nearly full disk writes a part first, and only the next call has the error
                rest = memoryview(b"".join(buffers))[written:]
                while rest:
                    written = os.pwrite(fd, rest, segment.size + size - len(rest))
                    rest = rest[written:]
        except OSError as error:
            try:
                os.ftruncate(fd, segment.size)
            except OSError:  # recovery will cut the part off; nothing may be appended after it
                self.failure = error
            self.not_stored(error)

    def index_batch(
        self,
        segment: Segment,
        header: BatchHeader,
        position: int,
        leader_epoch: int,
        marker: EndTransactionMarker | None,
    ) -> None:
        """Add a batch, written at `position` with its final `base_offset`, to the indexes and the state."""
        base_offset = header.base_offset
        last_offset = base_offset + header.last_offset_delta
        size = BATCH_OVERHEAD_BYTES + header.batch_length
        segment.appended(last_offset, header.max_timestamp, size, self.settings.index_interval_bytes)
        if leader_epoch > self.leader_epochs.latest_epoch:
            self.leader_epochs.assign(leader_epoch, base_offset)
        if header.producer_id >= 0:
            if marker is not None:
                aborted = self.producers.end_transaction(header, marker)
                if aborted is not None:
                    segment.transaction_index.append(aborted)
            elif not header.is_control:
                self.producers.update(header, base_offset)
        self.producers.end_offset = self.log_end_offset = last_offset + 1
        self.segments.appended(base_offset, position)

    def append_run(self, data: Buffer, run: Sequence[ReplicatedBatch], now_ms: int) -> None:
        """Append batches of `data` that are adjacent and fit into one segment. Raises StorageError."""
        first, last = run[0], run[-1]
        size = last.position + last.header.size_bytes - first.position
        segment = self.segment_for(
            size,
            last.header.last_offset,
            max(batch.header.max_timestamp for batch in run),
            now_ms,
            first_offset=first.header.base_offset,
        )
        if any(batch.marker is not None for batch in run):
            self.transaction_index(segment)
        position = segment.size
        self.write(segment, [memoryview(data)[first.position : first.position + size]], size)
        for header, _, marker in run:
            self.index_batch(segment, header, position, header.partition_leader_epoch, marker)
            position = segment.size

    # -- a segment begins

    def segment_for(
        self, size: int, last_offset: int, max_timestamp: int, now_ms: int, *, first_offset: int | None = None
    ) -> Segment:
        """The active segment, rolled before if the coming batches do not belong in it; `first_offset`: of these.

        Raises StorageError.
        """
        segment, settings = self.segments.active, self.settings
        try:
            if segment.size:
                # By the timestamps of the batches, by the clock only where they have none.
                first = segment.first_batch_timestamp
                if first is None:
                    first = segment.timestamp_of_first_batch()
                waited_ms = max_timestamp - first if first >= 0 else now_ms - segment.created_ms
                must_roll = (
                    segment.size + size > settings.segment_bytes
                    or last_offset - segment.base_offset > RELATIVE_OFFSET_MAX
                    or waited_ms > settings.segment_ms - segment.roll_jitter_ms
                    or segment.has_full_index(settings.segment_index_bytes)
                )
            else:
                must_roll = last_offset - segment.base_offset > RELATIVE_OFFSET_MAX
            if must_roll:
                return self._roll(self.log_end_offset if first_offset is None else first_offset, now_ms)
        except (OSError, MalformedMessage, CorruptIndexError) as error:
            self.not_stored(error)
        if not segment.size:
            self.flush_progress.wrote_to(segment)
        return segment

    def _roll(self, base_offset: int, now_ms: int) -> Segment:
        """Close the active segment and begin another at `base_offset`. Raises OSError: then it may be tried again."""
        rolled = self.segments.active
        if rolled.size:
            rolled.write_indexes()
            self.snapshots.write(self.producers)
        segment = self.begin_segment(base_offset, now_ms)
        if rolled.size:
            self.flush_progress.rolled(rolled)
        else:
            self.drop([rolled], now_ms)
        return segment

    def begin_segment(self, base_offset: int, now_ms: int, *, with_file: bool = False) -> Segment:
        """Begin a new active segment. `with_file` creates its file now; otherwise the first batch does.

        Raises OSError: then nothing has changed.
        """
        segment = self._new_segment(base_offset, now_ms)
        if with_file:
            segment.file.descriptor()
        self.segments.append(segment)
        self.flush_progress.began(segment)
        return segment

    def _new_segment(self, base_offset: int, now_ms: int) -> Segment:
        jitter_max = min(self.settings.segment_jitter_ms, self.settings.segment_ms)
        # Not a matter of security; `random` takes longer to import than this ever runs.
        jitter = int.from_bytes(os.urandom(8), "big") % jitter_max if jitter_max > 0 else 0
        return Segment(self._pool, self.directory, base_offset, size=0, created_ms=now_ms, roll_jitter_ms=jitter)

    # -- segments go

    def drop(self, segments: list[Segment], now_ms: int, *, keep_snapshot_at: int = -1) -> None:
        """Remove a segment from the log; its files are deleted after file.delete.delay.ms. Raises OSError."""
        due_ms = now_ms + self.settings.file_delete_delay_ms
        for segment in segments:
            self.segments.remove(segment)
            self.flush_progress.dropped(segment)
            if segment in self._read_transactions:
                self._read_transactions.remove(segment)
            self._deleted.extend((due_ms, path) for path in segment.rename_deleted())
            if segment.base_offset != keep_snapshot_at:
                self.snapshots.remove(segment.base_offset)

    def take_deleted(self, now_ms: int) -> list[Path]:
        """Files whose file.delete.delay.ms is over."""
        if not self._deleted:  # the usual case, and this is called for thousands of logs
            return []
        due = [path for due_ms, path in self._deleted if due_ms <= now_ms]
        self._deleted = [entry for entry in self._deleted if entry[0] > now_ms]
        return due

    def start_at(self, offset: int) -> None:
        """Move the log start offset forward."""
        self.log_start_offset = offset
        self.leader_epochs.truncate_from_start(offset)

    # -- the end is cut off

    def truncate_to(self, offset: int, now_ms: int) -> None:
        """See `PartitionLog.truncate_to`; `offset` lies below the log's end. Raises StorageError."""
        if offset <= self.segments.first.base_offset:
            self.truncate_fully_and_start_at(offset, now_ms)
            return
        with self.refusing_after_errors():
            self.drop(self.segments.after(self.segments.index_of(offset)), now_ms)
            segment = self.segments.reactivate()
            self.transaction_index(segment)  # rebuilt if its file is damaged
            end_offset = offset
            found = segment.find(offset, self.settings.index_interval_bytes)
            if found is not None:
                end_offset = min(offset, found.header.base_offset)
                segment.truncate(found.position, end_offset - segment.base_offset)
            self.flush_progress.wrote_to(segment)
            self._end_at(end_offset)

    def truncate_fully_and_start_at(self, offset: int, now_ms: int) -> None:
        """Remove all records; the next record gets `offset`. Raises StorageError."""
        with self.refusing_after_errors():
            self.drop(list(self.segments), now_ms)
            segment = self._new_segment(offset, now_ms)
            self.segments.append(segment)
            try:
                segment.file.descriptor()  # its name tells the next start where the log goes on
            except OSError as error:
                if not passes(error):  # the disk is full: the first batch creates the file
                    raise
            self.log_start_offset = offset
            self.leader_epochs.clear()
            self._end_at(offset)

    def _end_at(self, offset: int) -> None:
        self.truncations += 1
        self.flush_progress.truncated(offset, self.segments.active)
        self.log_end_offset = offset
        self.log_start_offset = min(self.log_start_offset, offset)
        self.leader_epochs.truncate_from_end(offset)
        self.segments.forget_positions()
        if not len(self.producers):
            # As Apache Kafka: who knew no producer before has none afterwards, and reads nothing for that.
            self.snapshots.remove_above(offset)
            self.producers.end_offset = offset
            return
        rebuild_producers(
            self.producers,
            self.directory,
            list(self.segments),
            self.snapshots.offsets,
            log_start_offset=self.log_start_offset,
            log_end_offset=offset,
            index_interval_bytes=self.settings.index_interval_bytes,
        )

    # -- transactions

    def transaction_index(self, segment: Segment) -> TransactionIndex:
        """The segment's transaction index, rebuilt if its file is damaged. Raises StorageError.

        That of the active segment is in memory from now on, those of closed ones as long as they are among the
        TRANSACTION_INDEXES_READ_MAX that were read last.
        """
        index = self._load_transaction_index(segment)
        read = self._read_transactions
        if index and segment is not self.segments.active and segment not in read:
            read.append(segment)
            if len(read) > TRANSACTION_INDEXES_READ_MAX:
                read.pop(0).forget_transaction_index()
        return index

    def _load_transaction_index(self, segment: Segment) -> TransactionIndex:
        with self.storage_errors:
            try:
                return segment.transaction_index
            except CorruptIndexError:
                first = self.segments.index_of(segment.base_offset)
                rebuild_transaction_indexes(
                    first,
                    self.directory,
                    self.segments.up_to(first + 1),
                    self.snapshots.offsets,
                    log_start_offset=self.log_start_offset,
                    index_interval_bytes=self.settings.index_interval_bytes,
                )
                return segment.transaction_index

    def aborted_transactions(self, start_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Aborted transactions with records in `[start_offset, end_offset)`, in the order of their markers.
        Raises StorageError."""
        aborted: list[AbortedTransaction] = []
        for segment in self.segments.after(self.segments.index_of(start_offset) - 1):
            for transaction in self.transaction_index(segment).ending_at_or_after(start_offset):
                if transaction.first_offset < end_offset:
                    aborted.append(transaction)
                if transaction.last_stable_offset >= end_offset:
                    return aborted
        return aborted

    # -- the end

    def close(self) -> None:
        """Close the descriptors; nothing is written any more."""
        self.is_closed = True
        if self.failure is None:
            self.failure = OSError("the log is closed")
        for segment in self.segments:
            segment.retire()

    def renamed(self, directory: Path) -> None:
        """The directory has another name: the log goes on there."""
        self.directory = self.snapshots.directory = directory
        self._deleted = [(due_ms, directory / path.name) for due_ms, path in self._deleted]
        for segment in self.segments:
            segment.move(directory)

    def moved(self, directory: Path) -> None:
        """The directory was renamed, to be deleted: running transfers go on, nothing is written any more."""
        self.renamed(directory)
        self.is_closed = True
        self.failure = OSError("the log is deleted")
        for segment in self.segments:
            segment.retire()


def _tell_of_gap(tell: Tell, topic_partition: str, start_offset: int, end_offset: int) -> None:
    tell(MissingRecords(topic_partition, start_offset, end_offset))
