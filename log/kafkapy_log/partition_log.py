"""The log of one partition: segments in one directory, appended at one end and read anywhere.

Concurrency. One thread owns a log (the event loop's): every method is a plain `def`, so what it checks still holds when
it changes something. Only `Flush.sync` is for a worker thread, between `begin_flush` and `end_flush` on the owner's.

System calls. An append is one pwritev, a read is none: positions of recent batches are remembered, and a FileSlice
opens its file only when it is sent. A read elsewhere searches an index file with a few of pread. Index files are
written when a segment is rolled or the log is closed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from kafkapy_log.append_validation import Buffer, record_rules, validate_from_client, validate_from_coordinator
from kafkapy_log.checkpoint_files import leader_epoch_checkpoint
from kafkapy_log.disk_errors import StorageCause, StorageError, StorageErrors, passes
from kafkapy_log.file_pool import FilePool
from kafkapy_log.file_slice import EMPTY_SLICE, FileSlice
from kafkapy_log.flush import Flush
from kafkapy_log.flush_progress import FlushProgress
from kafkapy_log.indexes import OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, CorruptIndexError
from kafkapy_log.producer_snapshots import ProducerSnapshots
from kafkapy_log.producer_state import (
    ActiveProducer,
    AppendOrigin,
    BatchMetadata,
    EndTransactionMarker,
    Verification,
)
from kafkapy_log.recovery import (
    LoadedLog,
    end_transaction_marker,
    load_log,
    rebuild_producers,
    rebuild_transaction_indexes,
)
from kafkapy_log.retention import deletable_count
from kafkapy_log.segment import (
    RELATIVE_OFFSET_MAX,
    SNAPSHOT_SUFFIX,
    Segment,
    file_name,
)
from kafkapy_log.segment_list import SegmentList, TimestampAndOffset
from kafkapy_log.settings import LogSettings
from kafkapy_log.swap import CLEANED_SUFFIX, SWAP_SUFFIX, rename_all, undo_rename
from kafkapy_log.transaction_index import AbortedTransaction, TransactionIndex
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import BatchHeader, TimestampType, crc_matches, split_batches

if TYPE_CHECKING:
    from kafkapy_log.cleanable import Cleanable
    from kafkapy_log.cleaner import CleanedSegment, CleaningPlan

PRODUCE_VERSION_MAX: Final = 13

_PREFIX = Struct(">qii")  # base offset, batch length, partition leader epoch: what the leader writes


class AppendResult(NamedTuple):
    """Where records went. `log_append_time_ms` -1 unless the broker's clock stamped them.

    A duplicate of an idempotent producer gets the offsets and the timestamp of the batch that was stored before.
    """

    base_offset: int
    last_offset: int
    log_append_time_ms: int
    log_start_offset: int


class SegmentInfo(NamedTuple):
    """One segment as others may see it. `max_timestamp` -1: no batch has one."""

    base_offset: int
    next_offset: int
    size_bytes: int
    max_timestamp: int


class UnexpectedAppendOffset(Exception):
    """A replica was given a batch that begins below its log's end, or goes back within itself."""


class PartitionLog:
    """Offsets `[log_start_offset, log_end_offset)` of one partition.

    `recovery_point`: everything below it is on the disk. Errors of the disk raise StorageError. A full disk passes:
    what was written of a batch is cut off, and a later append may succeed. After any other error of a write the log has
    failed: it takes no more until it is opened anew, since what its files hold is then uncertain.
    """

    __slots__ = (
        "_closed",
        "_deleted_files",
        "_failure",
        "_flush_progress",
        "_leader_epochs",
        "_pool",
        "_producers",
        "_rules",
        "_segments",
        "_settings",
        "_snapshots",
        "_truncations",
        "directory",
        "log_end_offset",
        "log_start_offset",
        "topic_partition",
    )

    def __init__(
        self, directory: Path, settings: LogSettings, pool: FilePool, loaded: LoadedLog, topic_partition: str
    ) -> None:
        self.directory = directory
        self.topic_partition = topic_partition
        self.log_start_offset = loaded.log_start_offset
        self.log_end_offset = loaded.log_end_offset
        self._settings = settings
        self._rules = record_rules(settings)
        self._pool = pool
        self._segments = SegmentList(loaded.segments, settings.index_interval_bytes)
        self._leader_epochs = loaded.leader_epochs
        self._producers = loaded.producers
        self._snapshots = ProducerSnapshots(directory, self._segments, loaded.snapshot_offsets)
        self._flush_progress = FlushProgress(
            loaded.recovery_point,
            unflushed=loaded.unflushed_segments,
            indexed_end_offset=loaded.indexed_end_offset,
            settled_bytes=loaded.settled_bytes,
        )
        self._deleted_files: list[tuple[int, Path]] = []
        self._truncations = 0
        self._failure: StorageCause | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        settings: LogSettings,
        *,
        now_ms: int,
        recovery_point: int = 0,
        log_start_offset: int = 0,
        clean: bool,
        pool: FilePool | None = None,
    ) -> "PartitionLog":
        """The log in `directory`, which exists. Blocks while an unclean log is recovered.

        Raises StorageError.
        """
        pool = FilePool() if pool is None else pool
        with StorageErrors(directory.name):
            loaded = load_log(
                directory,
                pool,
                settings,
                now_ms=now_ms,
                clean=clean,
                recovery_point=recovery_point,
                log_start_offset=log_start_offset,
            )
        return cls(directory, settings, pool, loaded, directory.name)

    # -- what others may know

    @property
    def settings(self) -> LogSettings:
        return self._settings

    def update_settings(self, settings: LogSettings) -> None:
        """From now on; what is stored stays as it is."""
        self._settings = settings
        self._rules = record_rules(settings)
        self._segments.index_interval_bytes = settings.index_interval_bytes

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    @property
    def segments_base_offset(self) -> int:
        """Where the first segment begins: at `log_start_offset` or below."""
        return self._segments.first.base_offset

    @property
    def active_base_offset(self) -> int:
        """Where the segment begins that is written to."""
        return self._segments.active.base_offset

    @property
    def has_rolled(self) -> bool:
        """Whether there is a segment beside the one that is written to."""
        return len(self._segments) > 1

    @property
    def failure(self) -> StorageCause | None:
        """What has made the log refuse appends, None as long as it takes them; a closed log has not failed."""
        return None if self._closed else self._failure

    @property
    def has_failed(self) -> bool:
        """A disk error has made the log refuse appends."""
        return self._failure is not None and not self._closed

    @property
    def latest_leader_epoch(self) -> int:
        """-1 when no epoch is known."""
        return self._leader_epochs.latest_epoch

    @property
    def last_stable_offset(self) -> int:
        """Where the earliest open transaction began, else the log's end; the caller bounds it by the high watermark."""
        first_open = self._producers.first_open_transaction_offset
        return self.log_end_offset if first_open < 0 else max(first_open, self.log_start_offset)

    @property
    def unflushed_record_count(self) -> int:
        """For flush.messages: offsets above the recovery point."""
        return self.log_end_offset - self._flush_progress.recovery_point

    @property
    def recovery_point(self) -> int:
        """Everything below it is on the disk."""
        return self._flush_progress.recovery_point

    @property
    def recovery_point_to_note(self) -> int:
        """For the checkpoint file; see `FlushProgress`."""
        return self._flush_progress.recovery_point_to_note

    @property
    def unsettled_bytes(self) -> int:
        """What recovery would have to read of the segment that is written to, were there a crash now."""
        return self._flush_progress.unsettled_bytes(self._segments.active)

    def segments(self) -> list[SegmentInfo]:
        """Oldest first; the last one is being written to. Raises StorageError."""
        with StorageErrors(self.topic_partition):
            return [
                SegmentInfo(
                    segment.base_offset,
                    self._segments.next_base_offset(index, self.log_end_offset),
                    segment.size,
                    self._segments.max_timestamp(segment),
                )
                for index, segment in enumerate(self._segments)
            ]

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether records of a transaction of this producer and epoch wait for their marker here."""
        return self._producers.has_open_transaction(producer_id, producer_epoch)

    def aborted_transactions(self, start_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those with records in `[start_offset, end_offset)`, in the order of their markers.

        Raises StorageError.
        """
        aborted: list[AbortedTransaction] = []
        for segment in self._segments.after(self._segments.index_of(start_offset) - 1):
            for transaction in self._transaction_index(segment).ending_at_or_after(start_offset):
                if transaction.first_offset < end_offset:
                    aborted.append(transaction)
                if transaction.last_stable_offset >= end_offset:
                    return aborted
        return aborted

    def _transaction_index(self, segment: Segment) -> TransactionIndex:
        """The segment's index, in memory from now on, made anew where its file is damaged.

        Raises StorageError.
        """
        with StorageErrors(self.topic_partition):
            try:
                return segment.transaction_index
            except CorruptIndexError:
                first = self._segments.index_of(segment.base_offset)
                rebuild_transaction_indexes(
                    first,
                    self.directory,
                    self._segments.up_to(first + 1),
                    self._snapshots.offsets,
                    log_start_offset=self.log_start_offset,
                    index_interval_bytes=self._settings.index_interval_bytes,
                )
                return segment.transaction_index

    def active_producers(self) -> list[ActiveProducer]:
        """What DescribeProducers reports."""
        return self._producers.active_producers()

    def remove_expired_producers(self, now_ms: int) -> None:
        """Forget producers that wrote nothing for producer.id.expiration.ms."""
        self._producers.remove_expired(now_ms, self._settings.producer_id_expiration_ms)

    # -- appending

    def append_as_leader(
        self,
        batches: Buffer,
        *,
        leader_epoch: int,
        now_ms: int,
        origin: AppendOrigin = AppendOrigin.CLIENT,
        api_version: int = PRODUCE_VERSION_MAX,
        verification: Verification = Verification.NONE,
        transaction_version: int = 0,
    ) -> AppendResult:
        """Store one batch at the end, with offsets from there and `leader_epoch` in it. One pwritev.

        `api_version` is Produce's, for its rules and messages; `verification` of a client's transactional batch;
        `transaction_version` of a coordinator's marker.
        Raises KafkaError: see `append_validation` and `ProducerState.check`; RECORD_LIST_TOO_LARGE: larger than
        segment.bytes; StorageError. Nothing is stored then.
        """
        if self._failure is not None:
            self._refuse()
        if origin is AppendOrigin.CLIENT:
            header, batch = validate_from_client(
                batches,
                self._settings,
                self._rules,
                topic_partition=self.topic_partition,
                api_version=api_version,
                now_ms=now_ms,
            )
        else:
            header, batch = validate_from_coordinator(
                batches, self._settings, self._rules, topic_partition=self.topic_partition, now_ms=now_ms
            )
        size = len(batch)
        if size > self._settings.segment_bytes:
            raise KafkaError(
                ErrorCode.RECORD_LIST_TOO_LARGE,
                f"Message batch size is {size} bytes in append to partition {self.topic_partition}, which exceeds the "
                f"maximum configured segment size of {self._settings.segment_bytes}.",
            )
        base_offset = self.log_end_offset
        marker = None
        if header.producer_id >= 0:
            marker, duplicate = self._check_producer(
                header, batch, base_offset, origin, verification, transaction_version
            )
            if duplicate is not None:
                return AppendResult(
                    duplicate.first_offset, duplicate.last_offset, duplicate.timestamp, self.log_start_offset
                )
        last_offset = base_offset + header.last_offset_delta
        segment = self._segment_for(size, last_offset, header.max_timestamp, now_ms)
        if marker is not None:
            self._transaction_index(segment)
        position = segment.size
        prefix = _PREFIX.pack(base_offset, header.batch_length, leader_epoch)
        self._write(segment, [prefix, memoryview(batch)[16:]], size)
        header.base_offset = base_offset
        self._took_in(segment, header, position, leader_epoch, marker)
        log_append_time = now_ms if self._settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME else -1
        return AppendResult(base_offset, last_offset, log_append_time, self.log_start_offset)

    def append_as_follower(self, batches: Buffer, *, now_ms: int = 0) -> AppendResult | None:
        """Store batches as the leader has them: offsets and epochs are in them. None when there are none.

        Nothing is stored when it raises UnexpectedAppendOffset: below the log's end or going back; KafkaError
        CORRUPT_MESSAGE; StorageError.
        """
        if self._failure is not None:
            self._refuse()
        headers = []
        next_offset = self.log_end_offset
        max_timestamp = -1
        markers: dict[int, EndTransactionMarker | None] = {}
        try:
            for header, batch in split_batches(batches):
                if not crc_matches(batch):
                    raise KafkaError(
                        ErrorCode.CORRUPT_MESSAGE,
                        f"Record is corrupt (stored crc = {header.crc}) in topic partition {self.topic_partition}.",
                    )
                if header.base_offset < next_offset:
                    raise UnexpectedAppendOffset(
                        f"offset {header.base_offset} in an append to {self.topic_partition} at {next_offset}"
                    )
                if header.is_control and header.producer_id >= 0:
                    markers[header.base_offset] = end_transaction_marker(batch)
                next_offset = header.next_offset
                max_timestamp = max(max_timestamp, header.max_timestamp)
                headers.append(header)
        except MalformedMessage as malformed:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"{malformed} ({self.topic_partition})") from malformed
        if not headers:
            return None
        size = len(batches)
        first_offset, last_offset = headers[0].base_offset, next_offset - 1
        if not self._segments.active.size and len(self._segments) == 1 and first_offset > self.log_end_offset:
            self.truncate_fully_and_start_at(first_offset, now_ms=now_ms)
        segment = self._segment_for(size, last_offset, max_timestamp, now_ms, first_offset)
        if markers:
            self._transaction_index(segment)
        position = segment.size
        self._write(segment, [batches], size)
        for header in headers:
            self._took_in(segment, header, position, header.partition_leader_epoch, markers.get(header.base_offset))
            position = segment.size
        return AppendResult(first_offset, last_offset, -1, self.log_start_offset)

    def _check_producer(
        self,
        header: BatchHeader,
        batch: Buffer,
        offset: int,
        origin: AppendOrigin,
        verification: Verification,
        transaction_version: int,
    ) -> tuple[EndTransactionMarker | None, BatchMetadata | None]:
        if header.is_control:
            marker = end_transaction_marker(batch)
            if marker is not None:
                self._producers.check_marker(header, marker, offset, transaction_version)
            return marker, None
        if not header.is_transactional and self._producers.is_next(header):
            return None, None
        if origin is AppendOrigin.CLIENT:
            duplicate = self._producers.find_duplicate(header)
            if duplicate is not None:
                return None, duplicate
            if header.is_transactional:
                self._producers.check_verified(header, verification, offset)
        self._producers.check(header, offset, origin)
        return None, None

    def _took_in(
        self,
        segment: Segment,
        header: BatchHeader,
        position: int,
        leader_epoch: int,
        marker: EndTransactionMarker | None,
    ) -> None:
        """A batch with its final `base_offset` is in the file at `position`."""
        base_offset = header.base_offset
        last_offset = base_offset + header.last_offset_delta
        segment.appended(last_offset, header.max_timestamp, header.size_bytes, self._settings.index_interval_bytes)
        if leader_epoch > self._leader_epochs.latest_epoch:
            self._leader_epochs.assign(leader_epoch, base_offset)
        if header.producer_id >= 0:
            if marker is not None:
                aborted = self._producers.end_transaction(header, marker)
                if aborted is not None:
                    segment.transaction_index.append(aborted)
            elif not header.is_control:
                self._producers.update(header, base_offset)
        self._producers.end_offset = self.log_end_offset = last_offset + 1
        self._segments.remember(base_offset, position)

    def _write(self, segment: Segment, buffers: list[Buffer], size: int) -> None:
        """All of it at the end of the segment, or nothing: what a failing disk took is cut off again."""
        try:
            fd = segment.file.descriptor()
        except OSError as error:
            self._not_stored(error)
        try:
            written = os.pwritev(fd, buffers, segment.size)
            if written < size:  # a disk that is nearly full takes a part first and tells why with the next call
                rest = memoryview(b"".join(buffers))[written:]
                while rest:
                    written = os.pwrite(fd, rest, segment.size + size - len(rest))
                    rest = rest[written:]
        except OSError as error:
            try:
                os.ftruncate(fd, segment.size)
            except OSError:  # then recovery cuts it off: nothing may be appended behind it
                self._failure = error
            self._not_stored(error)

    def _not_stored(self, error: OSError) -> NoReturn:
        """Nothing of an append is in the log. When the error is one that passes, the next one may try again."""
        if not passes(error):
            self._failure = error
        raise StorageError(self.topic_partition, error) from error

    @contextmanager
    def _refusing_after_errors(self) -> Iterator[None]:
        """For changes of several steps: an error between them makes the log take no more, as in an append."""
        try:
            with StorageErrors(self.topic_partition):
                yield
        except StorageError as error:
            self._failure = error.cause
            raise

    def _refuse(self) -> NoReturn:
        assert self._failure is not None
        raise StorageError(self.topic_partition, self._failure) from self._failure

    # -- rolling

    def _segment_for(
        self, size: int, last_offset: int, max_timestamp: int, now_ms: int, first_offset: int | None = None
    ) -> Segment:
        """The active segment, after rolling it when the coming batches do not belong in it."""
        segment, settings = self._segments.active, self._settings
        try:
            if (
                segment.size + size > settings.segment_bytes
                or last_offset - segment.base_offset > RELATIVE_OFFSET_MAX
                or (segment.size and self._has_waited(segment, max_timestamp, now_ms))
                or self._index_is_full(segment)
            ):
                return self._roll(self.log_end_offset if first_offset is None else first_offset, now_ms)
        except OSError as error:
            self._not_stored(error)
        if not segment.size:
            self._flush_progress.wrote_to(segment)
        return segment

    def _has_waited(self, segment: Segment, max_timestamp: int, now_ms: int) -> bool:
        """Whether segment.ms is over: by the timestamps of the batches, by the clock only where they have none."""
        first = self._first_timestamp(segment)
        waited_ms = max_timestamp - first if first >= 0 else now_ms - segment.created_ms
        return waited_ms > self._settings.segment_ms - segment.roll_jitter_ms

    def _index_is_full(self, segment: Segment) -> bool:
        index_bytes = self._settings.segment_index_bytes
        return (
            len(segment.offset_index.offsets) >= index_bytes // OFFSET_ENTRY_BYTES
            # One entry less than fits: the last place is for the entry that closing the segment adds.
            or len(segment.time_index.offsets) >= index_bytes // TIME_ENTRY_BYTES - 1
        )

    def _roll(self, base_offset: int, now_ms: int) -> Segment:
        """Close the active segment and begin one at `base_offset`. Raises OSError: then it may be tried again."""
        rolled = self._segments.active
        if rolled.size:
            rolled.write_indexes()
            self._snapshots.write(self._producers)
        segment = self._begin_segment(base_offset, now_ms)
        if rolled.size:
            self._flush_progress.rolled(rolled)
        else:
            self._drop_segments([rolled], now_ms)
        return segment

    def _begin_segment(self, base_offset: int, now_ms: int, *, with_file: bool = False) -> Segment:
        """Write to a new one from now on. `with_file` makes its file at once, which else the first batch does.

        Raises OSError: then all is as it was.
        """
        segment = self._new_segment(base_offset, now_ms)
        if with_file:
            segment.file.descriptor()
        self._segments.append(segment)
        self._flush_progress.began(segment)
        return segment

    def _new_segment(self, base_offset: int, now_ms: int) -> Segment:
        jitter_max = min(self._settings.segment_jitter_ms, self._settings.segment_ms)
        # Not a matter of security; `random` takes longer to import than this ever runs.
        jitter = int.from_bytes(os.urandom(8), "big") % jitter_max if jitter_max > 0 else 0
        return Segment(self._pool, self.directory, base_offset, size=0, created_ms=now_ms, roll_jitter_ms=jitter)

    # -- reading

    def read(
        self, fetch_offset: int, max_bytes: int, *, up_to_offset: int | None = None, min_one_batch: bool = True
    ) -> FileSlice:
        """Whole batches from the one that holds `fetch_offset`, at most `max_bytes` of them, all in one segment.

        With `min_one_batch` the first batch comes whole even when it is larger, so that a consumer always advances
        (KIP-74). It may begin below `fetch_offset`: clients skip. Batches end at or below `up_to_offset` (the high
        watermark or the last stable offset); empty when there are none.
        Raises KafkaError: OFFSET_OUT_OF_RANGE outside `[log_start_offset, log_end_offset]`; StorageError.
        """
        end_offset = self.log_end_offset
        if not self.log_start_offset <= fetch_offset <= end_offset:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Received request for offset {fetch_offset} for partition {self.topic_partition}, but we only have "
                f"log segments in the range {self.log_start_offset} to {end_offset}.",
            )
        if up_to_offset is None or up_to_offset > end_offset:
            up_to_offset = end_offset
        if fetch_offset >= up_to_offset or (max_bytes <= 0 and not min_one_batch):
            return EMPTY_SLICE
        position = self._segments.remembered(fetch_offset)
        if position is not None and up_to_offset == end_offset:
            segment = self._segments.active
            if fetch_offset >= segment.base_offset and segment.size - position <= max_bytes:
                return FileSlice(segment.file, position, segment.size - position, end_offset)
        with StorageErrors(self.topic_partition):
            return self._segments.read(
                fetch_offset,
                max_bytes,
                up_to_offset=up_to_offset,
                log_end_offset=end_offset,
                min_one_batch=min_one_batch,
            )

    # -- finding

    def offset_for_timestamp(self, timestamp: int) -> TimestampAndOffset | None:
        """The first record at or above `log_start_offset` whose timestamp is at least `timestamp`; None without one.

        Decodes one batch. Raises StorageError.
        """
        with StorageErrors(self.topic_partition):
            return self._segments.first_with_timestamp(
                timestamp, log_start_offset=self.log_start_offset, log_end_offset=self.log_end_offset
            )

    def offset_of_max_timestamp(self) -> TimestampAndOffset | None:
        """The first record with the highest timestamp of the log; None when no record has one (KIP-734).

        Decodes one batch. Raises StorageError.
        """
        with StorageErrors(self.topic_partition):
            return self._segments.latest()

    # -- leader epochs

    def assign_leader_epoch(self, epoch: int, start_offset: int) -> None:
        """This replica leads from `start_offset` on in `epoch`; called when it becomes leader, before any append."""
        self._leader_epochs.assign(epoch, start_offset)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the highest epoch known that is not above `epoch`; (-1, -1) without one (KIP-101)."""
        return self._leader_epochs.end_offset_for(epoch, self.log_end_offset)

    def leader_epoch_for_offset(self, offset: int) -> int:
        """-1 when unknown."""
        return self._leader_epochs.epoch_for_offset(offset)

    # -- truncating and deleting

    def truncate_to(self, offset: int, *, now_ms: int = 0) -> bool:
        """Forget everything from `offset` on; False when the log ends there or before.

        A batch that holds `offset` and begins before it goes too: the log then ends where that batch began.
        Raises StorageError.
        """
        if offset >= self.log_end_offset:
            return False
        if offset <= self._segments.first.base_offset:
            self.truncate_fully_and_start_at(offset, now_ms=now_ms)
            return True
        with self._refusing_after_errors():
            self._drop_segments(self._segments.after(self._segments.index_of(offset)), now_ms)
            segment = self._segments.reactivate()
            end_offset = offset
            found = segment.find(offset, self._settings.index_interval_bytes)
            if found is not None:
                end_offset = min(offset, found.header.base_offset)
                segment.truncate(found.position, end_offset - segment.base_offset)
            self._flush_progress.wrote_to(segment)
            self._ends_at(end_offset)
        return True

    def truncate_fully_and_start_at(self, offset: int, *, now_ms: int = 0) -> None:
        """Forget everything; the next record gets `offset`. Raises StorageError."""
        with self._refusing_after_errors():
            self._drop_segments(list(self._segments), now_ms)
            self._segments.append(self._new_segment(offset, now_ms))
            self.log_start_offset = offset
            self._leader_epochs.clear()
            self._ends_at(offset)

    def _ends_at(self, offset: int) -> None:
        self._truncations += 1
        self._flush_progress.truncated(offset, self._segments.active)
        self.log_end_offset = offset
        self.log_start_offset = min(self.log_start_offset, offset)
        self._leader_epochs.truncate_from_end(offset)
        self._segments.forget_positions()
        rebuild_producers(
            self._producers,
            self.directory,
            list(self._segments),
            self._snapshots.offsets,
            log_start_offset=self.log_start_offset,
            log_end_offset=offset,
            index_interval_bytes=self._settings.index_interval_bytes,
        )

    def delete_records_before(self, offset: int, *, now_ms: int = 0) -> int:
        """Let the log start at `offset` or where it starts already, whichever is later; returns where that is.

        Segments that lie wholly below go at once; bytes of the segment that holds `offset` stay.
        Raises KafkaError: OFFSET_OUT_OF_RANGE above the log's end; StorageError.
        """
        if offset > self.log_end_offset:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Cannot increment the log start offset to {offset} of partition {self.topic_partition} since it is "
                f"larger than the log end offset {self.log_end_offset}",
            )
        if offset > self.log_start_offset:
            self.log_start_offset = offset
            self._leader_epochs.truncate_from_start(offset)
            with self._refusing_after_errors():
                self._drop_segments(self._segments.up_to(self._segments.index_of(offset)), now_ms)
        return self.log_start_offset

    def _drop_segments(self, segments: list[Segment], now_ms: int, *, keep_snapshot_at: int = -1) -> None:
        """Out of the log now, off the disk after file.delete.delay.ms. Raises OSError."""
        due_ms = now_ms + self._settings.file_delete_delay_ms
        for segment in segments:
            self._segments.remove(segment)
            self._flush_progress.dropped(segment)
            self._deleted_files.extend((due_ms, path) for path in segment.rename_deleted())
            if segment.base_offset != keep_snapshot_at:
                self._snapshots.remove(segment.base_offset)

    def take_deleted_files(self, now_ms: int) -> list[Path]:
        """Files whose file.delete.delay.ms is over, for a worker thread to unlink.

        One may be gone already: a segment that begins where a deleted one began takes its name when it is deleted too.
        """
        if not self._deleted_files:  # as nearly always, and thousands of logs are asked
            return []
        due = [path for due_ms, path in self._deleted_files if due_ms <= now_ms]
        self._deleted_files = [entry for entry in self._deleted_files if entry[0] > now_ms]
        return due

    # -- retention and compaction

    def delete_old_segments(self, *, high_watermark: int, now_ms: int) -> int:
        """Drop the segments that retention.ms, retention.bytes and the log start offset leave over; how many.

        When all of it has expired, the segment that was written to goes too, and an empty one begins.
        Raises StorageError.
        """
        if self._closed or self._failure is not None:
            return 0
        with StorageErrors(self.topic_partition):
            segments = list(self._segments)
            count = deletable_count(
                segments,
                self._settings,
                log_start_offset=self.log_start_offset,
                log_end_offset=self.log_end_offset,
                high_watermark=high_watermark,
                now_ms=now_ms,
                largest_timestamp=self._segments.max_timestamp,
            )
            if not count:
                return 0
            if count == len(segments):
                # Its file is there before the old ones go: it tells the next start where the log goes on. Nothing else
                # is written: the disk may be full, and this is what makes room.
                self._begin_segment(self.log_end_offset, now_ms, with_file=True)
            kept = list(self._segments)[count]
        if kept.base_offset > self.log_start_offset:
            self.log_start_offset = kept.base_offset
            self._leader_epochs.truncate_from_start(self.log_start_offset)
        with self._refusing_after_errors():
            self._drop_segments(segments[:count], now_ms)
        return count

    def cleanable(self, checkpoint: int | None, *, high_watermark: int, now_ms: int) -> "Cleanable":
        """What compaction could clean now; `checkpoint` is where the last cleaning ended, None when there was none.

        Raises StorageError.
        """
        from kafkapy_log.cleanable import find_cleanable  # nothing of it is needed to start

        with StorageErrors(self.topic_partition):
            return find_cleanable(
                list(self._segments),
                self._settings,
                checkpoint=checkpoint,
                log_start_offset=self.log_start_offset,
                log_end_offset=self.log_end_offset,
                last_stable_offset=min(self.last_stable_offset, high_watermark),
                now_ms=now_ms,
                largest_timestamp=self._segments.max_timestamp,
                first_timestamp=self._first_timestamp,
            )

    def begin_cleaning(self, cleanable: "Cleanable", *, now_ms: int) -> "CleaningPlan":
        """For `cleaner.clean` in any thread, which gives its results to `swap_in`; then `CleaningPlan.close`.

        Raises StorageError.
        """
        from kafkapy_log.cleaner import CleaningPlan  # nothing of it is needed to start

        first_dirty, end_offset = cleanable.first_dirty_offset, cleanable.first_uncleanable_offset
        with StorageErrors(self.topic_partition):
            sources = [segment for segment in self._segments if segment.base_offset < end_offset]
            dirty_segment = sources[self._segments.index_of(first_dirty)]
            return CleaningPlan(
                self.directory,
                sources,
                cleanable,
                self._settings,
                dirty_position=dirty_segment.position_before(first_dirty, self._settings.index_interval_bytes),
                aborted_transactions=self.aborted_transactions(self._segments.first.base_offset, end_offset),
                last_records=self._producers.last_records(),
                log_version=self._truncations,
                now_ms=now_ms,
            )

    def swap_in(self, cleaned: "CleanedSegment", *, now_ms: int) -> bool:
        """Have a cleaned segment take the place of those it was made from; False: the log is another by now.

        Raises StorageError.
        """
        present = set(self._segments)
        if (
            self._closed
            or self._failure is not None
            or not self._settings.compact
            or cleaned.log_version != self._truncations
            or not present.issuperset(cleaned.replaced)
        ):
            return False
        base_offset = cleaned.segment.base_offset
        with StorageErrors(self.topic_partition):
            try:
                rename_all(self.directory, base_offset, CLEANED_SUFFIX, SWAP_SUFFIX)
            except OSError:  # nothing has changed yet
                undo_rename(self.directory, base_offset)
                raise
        with self._refusing_after_errors():
            self._drop_segments(cleaned.replaced, now_ms, keep_snapshot_at=base_offset)
            rename_all(self.directory, base_offset, SWAP_SUFFIX, "")
        cleaned.segment.forget_indexes()
        self._segments.insert(cleaned.segment)
        return True

    def _first_timestamp(self, segment: Segment) -> int:
        """Of the first batch of a segment that has one. Raises OSError."""
        first = segment.first_batch_timestamp
        if first is None:
            first = segment.first_batch_timestamp = next(segment.headers_from(0)).header.max_timestamp
        return first

    # -- to the disk

    def begin_flush(self, *, rolled_only: bool = False, settle: bool = False) -> Flush | None:
        """What is to be brought to the disk now; None when there is nothing or another flush is under way.

        With `rolled_only` the active segment is left out: what Kafka does on a roll, where flush.messages and flush.ms
        do not ask for more, so that recovery never has much to read. With `settle` come the indexes of the active one
        and a snapshot of the producers, so that recovery would begin where this flush ends.
        Owner's thread; then `Flush.sync` anywhere; then `end_flush` on the owner's thread, whatever came of it.
        Raises StorageError.
        """
        if self._flush_progress.is_under_way or self._failure is not None:
            return None
        if settle:
            return self._begin_settling() if self.unsettled_bytes else None
        end_offset = self._segments.active.base_offset if rolled_only else self.log_end_offset
        if end_offset <= self.recovery_point:
            return None
        flush = self._flush_of(end_offset, [], rolled_only=rolled_only)
        self._flush_progress.begin(self._segments.active, end_offset, rolled_only=rolled_only, settles=False)
        return flush

    def _begin_settling(self) -> Flush:
        active, end_offset = self._segments.active, self.log_end_offset
        with StorageErrors(self.topic_partition):
            if not active.indexes_written:
                active.write_indexes()
        snapshot = None
        if self._lacks_snapshot:
            snapshot = (file_name(end_offset, SNAPSHOT_SUFFIX), self._producers.to_snapshot())
        flush = self._flush_of(end_offset, active.index_names(), snapshot=snapshot)
        self._flush_progress.begin(active, end_offset, rolled_only=False, settles=True)
        return flush

    @property
    def _lacks_snapshot(self) -> bool:
        """Whether no snapshot says who the producers are now; a log that begins at its end needs none."""
        end_offset = self._producers.end_offset
        return end_offset > self._segments.first.base_offset and not self._snapshots.covers(end_offset)

    def _flush_of(
        self,
        end_offset: int,
        index_names: Iterable[str],
        *,
        rolled_only: bool = False,
        snapshot: tuple[str, bytes] | None = None,
    ) -> Flush:
        active = self._segments.active
        segments = self._flush_progress.to_flush(active, rolled_only=rolled_only)
        names = list(index_names)
        for segment in segments:
            if segment is not active:
                names += segment.index_names()
        epochs = leader_epoch_checkpoint(self._leader_epochs.entries) if self._leader_epochs.changed else None
        with StorageErrors(self.topic_partition):
            flush = Flush(self.directory, [segment.file for segment in segments], names, epochs, end_offset, snapshot)
        self._leader_epochs.changed = False
        return flush

    def end_flush(self, flush: Flush, error: OSError | None = None) -> None:
        """`flush.sync` is through, or has failed with `error`: then the recovery point stays where it is.

        After a failed fsync the log takes no more appends; see `SyncFailed`. When it did not come so far, since the
        disk had no room for the checkpoint beside the log, the next flush takes the same segments again.
        """
        flush.close()
        if error is not None:
            if not passes(error):
                self._failure = error
            self._leader_epochs.changed = True
            self._flush_progress.failed(set(self._segments))
            return
        is_of_this_log = self._flush_progress.succeeded(self._segments.active, flush.end_offset)
        if flush.snapshot_name and is_of_this_log:
            self._snapshots.note(flush.end_offset)
        elif flush.snapshot_name:  # it tells of records that are gone
            self._snapshots.unlink(flush.end_offset)

    def flush(self) -> None:
        """Everything appended so far is on the disk afterwards. Blocks; on the owner's thread.

        Raises StorageError.
        """
        flush = self.begin_flush()
        if flush is not None:
            self._sync(flush, fsync=True)

    def _sync(self, flush: Flush, *, fsync: bool) -> None:
        try:
            flush.sync(fsync=fsync)
        except OSError as error:
            self.end_flush(flush, error)
            raise StorageError(self.topic_partition, error) from error
        self.end_flush(flush)

    def begin_close(self) -> Flush | None:
        """Write what lets the directory be opened without recovery; `sync` of the result brings it to the disk.

        Then `end_flush` and `close`. Raises StorageError.
        """
        if self._closed or self._failure is not None:
            return None
        # An epoch in which nothing was ever written need not be kept: who leads in it assigns it again.
        epochs_to_write = self._leader_epochs.changed and self.size_bytes > 0
        is_settled = self._segments.active.indexes_written and not self._lacks_snapshot
        if is_settled and not epochs_to_write and self.log_end_offset <= self.recovery_point:
            return None
        return self._begin_settling()

    def close(self, *, clean: bool = True, fsync: bool = True) -> None:
        """Give back descriptors. With `clean` the directory is first made ready to be opened without recovery.

        Blocks: with `fsync` until all of it is on the disk. Raises StorageError; closed even then.
        """
        try:
            flush = self.begin_close() if clean else None
            if flush is not None:
                self._sync(flush, fsync=fsync)
        finally:
            self._closed = True
            if self._failure is None:
                self._failure = OSError("the log is closed")
            for segment in self._segments:
                segment.retire()

    def moved(self, directory: Path) -> None:
        """The directory has been renamed (to be deleted): transfers under way go on, nothing is written any more."""
        self.directory = self._snapshots.directory = directory
        self._closed = True
        self._failure = OSError("the log is deleted")
        for segment in self._segments:
            segment.move(directory)
            segment.retire()
