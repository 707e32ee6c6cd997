"""The log of one partition: segments in one directory, appended at one end and read anywhere.

Concurrency. One thread owns a log (the event loop's): every method is a plain `def`, so what it checks still holds when
it changes something. Only `Flush.sync` and `cleaner.clean` are for a worker thread, between a beginning and an end on
the owner's.

System calls. An append is one write, a read is none: positions of recent batches are remembered, and a FileSlice
opens its file only when it is sent. A read elsewhere searches an index file with a few of pread. Index files are
written when a segment is rolled or the log is closed.
"""

from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from kafkapy_log.append_validation import (
    Buffer,
    CheckedBatch,
    conform_built,
    larger_than_segment,
    record_rules,
    validate_produced,
)
from kafkapy_log.damage import Tell
from kafkapy_log.disk_errors import StorageCause, StorageErrors
from kafkapy_log.file_pool import FilePool
from kafkapy_log.file_slice import EMPTY_SLICE, FileSlice
from kafkapy_log.log_compaction import LogCompaction
from kafkapy_log.log_files import LogFiles
from kafkapy_log.log_flushing import LogFlushing
from kafkapy_log.log_indexing import LogIndexing
from kafkapy_log.log_times import LogTimes
from kafkapy_log.producer_state import UNGUARDED, Verification
from kafkapy_log.recovery import load_log
from kafkapy_log.replicated_batches import in_runs, validate_replicated
from kafkapy_log.retention import LogRetention
from kafkapy_log.segment_list import SegmentPosition
from kafkapy_log.settings import LogSettings
from kafkapy_log.transaction_index import AbortedTransaction
from kafkapy_log.transaction_markers import BuiltMarker, EndTransactionMarker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import BatchHeader, TimestampType
from kafkapy_wire.records.building import BuiltBatch

PRODUCE_VERSION_MAX: Final = 13

_PREFIX = Struct(">qii")  # base offset, batch length, partition leader epoch: what the leader writes


class AppendResult(NamedTuple):
    """The offsets of appended records. `log_append_time_ms` is -1 unless the broker's clock has stamped them.

    A duplicate of an idempotent producer gets the offsets and the timestamp of the batch that was stored before.
    """

    base_offset: int
    last_offset: int
    log_append_time_ms: int
    log_start_offset: int


class SegmentInfo(NamedTuple):
    """A snapshot of one segment. `max_timestamp` is -1 if no batch has a timestamp."""

    base_offset: int
    next_offset: int
    size_bytes: int
    max_timestamp: int


class PartitionLog:
    """Offsets `[log_start_offset, log_end_offset)` of one partition.

    `flushing` brings it to the disk, `compaction` and `retention` take away what nobody needs, `indexing` makes indexes
    again, `times` finds records by timestamp. Disk errors raise StorageError. A full disk passes: what was
    written of a batch is cut off, and a later append may succeed. After any other error of a write the log has failed:
    it refuses changes until the next start, since the content of its files is then uncertain.
    """

    __slots__ = (
        "_files",
        "_rules",
        "_segments",
        "compaction",
        "flushing",
        "indexing",
        "leader_epochs",
        "producers",
        "retention",
        "times",
        "topic_partition",
    )

    def __init__(self, files: LogFiles) -> None:
        self.topic_partition = files.topic_partition
        self.flushing = LogFlushing(files)
        self.compaction = LogCompaction(files)
        self.retention = LogRetention(files)
        self.indexing = LogIndexing(files)
        self.times = LogTimes(files)
        self._files = files
        self._segments = files.segments
        self.leader_epochs = files.leader_epochs
        """Which of them began where. It is assigned one when this replica becomes leader, before any append."""
        self.producers = files.producers
        self._rules = record_rules(files.settings)

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
        tell: Tell | None = None,
    ) -> "PartitionLog":
        """The log in `directory`, which exists. Blocks while an unclean log is recovered.

        `tell` is called with damage that was cut out of the log, and later with missing records.

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
        if loaded.damage is not None and tell is not None:
            tell(loaded.damage)
        return cls(LogFiles(directory, settings, pool, loaded, tell))

    # -- state that others read

    @property
    def directory(self) -> Path:
        return self._files.directory

    @property
    def log_start_offset(self) -> int:
        """The first offset that can be read."""
        return self._files.log_start_offset

    @property
    def log_end_offset(self) -> int:
        """The offset that the next record will get."""
        return self._files.log_end_offset

    @property
    def last_stable_offset(self) -> int:
        """Where the earliest open transaction began, else the log's end; the caller bounds it by the high watermark."""
        first_open = self.producers.first_open_transaction_offset
        return self._files.log_end_offset if first_open < 0 else max(first_open, self._files.log_start_offset)

    @property
    def recovery_point(self) -> int:
        """All records below it are on the disk."""
        return self._files.flush_progress.recovery_point

    @property
    def settings(self) -> LogSettings:
        return self._files.settings

    def update_settings(self, settings: LogSettings) -> None:
        """Use these settings from now on; stored records do not change."""
        self._files.settings = settings
        self._rules = record_rules(settings)
        self._segments.index_interval_bytes = settings.index_interval_bytes
        self._segments.is_compacted = settings.compact

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    @property
    def segments_base_offset(self) -> int:
        """The base offset of the first segment: `log_start_offset` or lower."""
        return self._segments.first.base_offset

    @property
    def active_base_offset(self) -> int:
        """The base offset of the active segment."""
        return self._segments.active.base_offset

    @property
    def has_rolled(self) -> bool:
        """Whether there is a segment besides the active one."""
        return len(self._segments) > 1

    @property
    def failure(self) -> StorageCause | None:
        """The error after which the log refuses appends; None if it has not failed. A closed log has not failed."""
        return None if self._files.is_closed else self._files.failure

    @property
    def has_failed(self) -> bool:
        """A disk error has made the log refuse appends."""
        return self.failure is not None

    def segments(self) -> list[SegmentInfo]:
        """All segments, the oldest first and the active one last. Raises StorageError."""
        with self._files.storage_errors:
            return [
                SegmentInfo(
                    segment.base_offset,
                    self._segments.next_base_offset(index, self._files.log_end_offset),
                    segment.size,
                    self._segments.max_timestamp(segment),
                )
                for index, segment in enumerate(self._segments)
            ]

    def aborted_transactions(self, start_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Aborted transactions with records in `[start_offset, end_offset)`, in the order of their markers.
        Raises StorageError."""
        return self._files.aborted_transactions(start_offset, end_offset)

    def remove_expired_producers(self, now_ms: int) -> None:
        """Forget producers that wrote nothing for producer.id.expiration.ms."""
        self.producers.remove_expired(now_ms, self._files.settings.producer_id_expiration_ms)

    # -- appending

    def append_as_leader(
        self,
        batches: Buffer | CheckedBatch,
        *,
        leader_epoch: int,
        now_ms: int,
        api_version: int = PRODUCE_VERSION_MAX,
        at_once: bool = False,
        verification: Verification = Verification.NONE,
        guard: object = UNGUARDED,
    ) -> AppendResult:
        """Store the one batch of a client at the end, with offsets from there and `leader_epoch` in it. One write.

        `api_version` is Produce's, for its rules and messages; `verification` of a transactional batch, asked for
        when `producers.guard` was `guard`. With `at_once` it raises TakesLong, and has done nothing, for a batch that
        is to be validated by `check_produced` in another thread; what that returns is given as `batches` then.
        Raises KafkaError: see `validate_produced` and `ProducerState.check`; RECORD_LIST_TOO_LARGE: larger than
        segment.bytes; StorageError. Nothing is stored then.
        """
        files = self._files
        if files.failure is not None:
            files.refuse()
        if batches.__class__ is CheckedBatch:
            header, batch = batches
        else:
            header, batch = validate_produced(
                batches,  # type: ignore[arg-type]
                files.settings,
                self._rules,
                topic_partition=self.topic_partition,
                api_version=api_version,
                now_ms=now_ms,
                at_once=at_once,
            )
        if len(batch) > files.settings.segment_bytes:
            raise larger_than_segment(len(batch), files.settings, self.topic_partition)
        if header.producer_id >= 0:
            duplicate = self.producers.check_produced(header, verification, files.log_end_offset, guard)
            if duplicate is not None:
                return AppendResult(
                    duplicate.first_offset, duplicate.last_offset, duplicate.timestamp, files.log_start_offset
                )
        return self._append(header, batch, None, leader_epoch, now_ms)

    def check_produced(self, batches: Buffer, *, now_ms: int, api_version: int = PRODUCE_VERSION_MAX) -> CheckedBatch:
        """The validation that `append_as_leader` does before it appends. Any thread. Raises KafkaError."""
        settings, rules, name = self._files.settings, self._rules, self.topic_partition
        return CheckedBatch(
            *validate_produced(batches, settings, rules, topic_partition=name, api_version=api_version, now_ms=now_ms)
        )

    def append_built(
        self, built: BuiltBatch, *, leader_epoch: int, now_ms: int, transaction_version: int = 0
    ) -> AppendResult:
        """As `append_as_leader`, for batches of this process (of coordinators, markers), without validation.

        `built.header` has the stored batch's offset and epoch afterwards. `transaction_version` is a marker's.
        Raises KafkaError: MESSAGE_TOO_LARGE; see `ProducerState.check_from_coordinator` and `check_marker`;
        RECORD_LIST_TOO_LARGE: larger than segment.bytes; StorageError. Nothing is stored then.
        """
        files = self._files
        if files.failure is not None:
            files.refuse()
        header, batch = conform_built(built, files.settings, topic_partition=self.topic_partition, now_ms=now_ms)
        if len(batch) > files.settings.segment_bytes:
            raise larger_than_segment(len(batch), files.settings, self.topic_partition)
        marker = None
        if isinstance(built, BuiltMarker):
            marker = built.marker
            self.producers.check_marker(header, marker, files.log_end_offset, transaction_version)
        elif header.producer_id >= 0:
            self.producers.check_from_coordinator(header, files.log_end_offset)
        return self._append(header, batch, marker, leader_epoch, now_ms)

    def append_as_follower(
        self, batches: Buffer, *, leader_epoch: int | None = None, now_ms: int = 0
    ) -> AppendResult | None:
        """Append a leader's batches with their offsets and epochs. None if there is no whole batch.

        Batches of a later epoch than `leader_epoch`, in which they were fetched, are left out.
        Raises UnexpectedAppendOffset: below the log's end or going back; KafkaError CORRUPT_MESSAGE: nothing is stored
        then. StorageError: what came before is, if it takes several segments.
        """
        files = self._files
        if files.failure is not None:
            files.refuse()
        replicated = validate_replicated(batches, files.log_end_offset, leader_epoch, self.topic_partition)
        if not replicated:
            return None
        for run in in_runs(replicated, files.settings.segment_bytes):
            files.append_run(batches, run, now_ms)
        return AppendResult(replicated[0].header.base_offset, files.log_end_offset - 1, -1, files.log_start_offset)

    def _append(
        self, header: BatchHeader, batch: Buffer, marker: EndTransactionMarker | None, leader_epoch: int, now_ms: int
    ) -> AppendResult:
        """Append a valid batch. Raises StorageError."""
        files = self._files
        base_offset = files.log_end_offset
        last_offset = base_offset + header.last_offset_delta
        size = len(batch)
        segment = files.segment_for(size, last_offset, header.max_timestamp, now_ms)
        if marker is not None:
            files.transaction_index(segment)
        position = segment.size
        prefix = _PREFIX.pack(base_offset, header.batch_length, leader_epoch)
        files.write(segment, [prefix, memoryview(batch)[16:]], size)
        header.base_offset = base_offset
        header.partition_leader_epoch = leader_epoch
        files.index_batch(segment, header, position, leader_epoch, marker)
        log_append_time = now_ms if files.settings.message_timestamp_type is TimestampType.LOG_APPEND_TIME else -1
        return AppendResult(base_offset, last_offset, log_append_time, files.log_start_offset)

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
        files = self._files
        end_offset = files.log_end_offset
        if not files.log_start_offset <= fetch_offset <= end_offset:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Received request for offset {fetch_offset} for partition {self.topic_partition}, but we only have "
                f"log segments in the range {files.log_start_offset} to {end_offset}.",
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
        with files.storage_errors:
            return self._segments.read(
                fetch_offset,
                max_bytes,
                up_to_offset=up_to_offset,
                log_end_offset=end_offset,
                min_one_batch=min_one_batch,
            )

    def locate(self, offset: int) -> SegmentPosition:
        """See `SegmentList.locate`; also below `log_start_offset`, while it is there. Raises StorageError."""
        with self._files.storage_errors:
            return self._segments.locate(offset, log_end_offset=self._files.log_end_offset)

    # -- leader epochs

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the highest epoch known that is not above `epoch`; (-1, -1) without one (KIP-101)."""
        return self.leader_epochs.end_offset_for(epoch, self._files.log_end_offset)

    # -- truncating and deleting

    def truncate_to(self, offset: int, *, now_ms: int = 0) -> bool:
        """Remove records from `offset` on, with the whole batch that holds it. False: the log ends below it.

        A leader epoch that begins at the end goes in any case: this replica has led in it, and nothing was appended.
        Before the next append the lower recovery point is to be noted (`LogStore.checkpoints`): else recovery would
        believe that what is appended now below the old one had reached the disk. `LogCompaction.bounded_checkpoint`
        says what becomes of the cleaner's. Raises StorageError; KafkaError OFFSET_OUT_OF_RANGE: below 0.
        """
        files = self._files
        if offset < 0:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE, f"Cannot truncate {self.topic_partition} to {offset}")
        if offset >= files.log_end_offset:
            self.leader_epochs.truncate_from_end(files.log_end_offset)
            return False
        files.truncate_to(offset, now_ms)
        return True

    def truncate_fully_and_start_at(self, offset: int, *, now_ms: int = 0) -> None:
        """Remove all records; the log starts and ends at `offset`. See `truncate_to`. Raises StorageError."""
        self._files.truncate_fully_and_start_at(offset, now_ms)

    def delete_records_before(self, offset: int, *, now_ms: int = 0) -> int:
        """Move the log start offset forward to `offset`; returns the log start offset, which never moves back.

        Segments wholly below it are removed at once; the segment that holds `offset` stays whole.
        Raises KafkaError: OFFSET_OUT_OF_RANGE above the log's end; StorageError.
        """
        files = self._files
        if offset > files.log_end_offset:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Cannot increment the log start offset to {offset} of partition {self.topic_partition} since it is "
                f"larger than the log end offset {files.log_end_offset}",
            )
        if offset > files.log_start_offset:
            files.start_at(offset)
            with files.refusing_after_errors():
                files.drop(self._segments.up_to(self._segments.index_of(offset)), now_ms)
        return files.log_start_offset

    def take_deleted_files(self, now_ms: int) -> list[Path]:
        """Files whose file.delete.delay.ms is over, for a worker thread to unlink.

        One may be gone already: a segment that begins where a deleted one began takes its name when it is deleted too.
        """
        return self._files.take_deleted(now_ms)

    # -- the end

    def close(self, *, clean: bool = True, fsync: bool = True) -> None:
        """Close the descriptors. With `clean` the directory is first made ready to be opened without recovery.

        Blocks; with `fsync` until everything is on the disk. Raises StorageError; the log is closed even then.
        """
        try:
            if clean and (flush := self.flushing.begin_close()) is not None:
                self.flushing.sync(flush, fsync=fsync)
        finally:
            self._files.close()

    def renamed(self, directory: Path) -> None:
        """The directory has another name: the log goes on there."""
        self._files.renamed(directory)

    def moved(self, directory: Path) -> None:
        """The directory was renamed (to be deleted): running transfers go on, nothing is written any more."""
        self._files.moved(directory)
