"""A segment with its offset index and its time index, which find a batch by offset or timestamp.

The active segment has its indexes in memory; those of a closed segment are searched in their files. An entry is
checked against the batch at its position, so that it is safe to begin reading there. If
the check fails, both files are rebuilt from the batches, without a log line, as nothing is lost. That takes a second
for a gigabyte of small batches; `rebuild_at_once_bytes` makes large segments raise `IndexRebuildNeeded` instead.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from kafkapy_log.durable_files import read_file, write_file
from kafkapy_log.file_names import INDEX_SUFFIX, TIME_INDEX_SUFFIX
from kafkapy_log.file_pool import FilePool
from kafkapy_log.indexes import (
    OFFSET_ENTRY_BYTES,
    TIME_ENTRY_BYTES,
    CorruptIndexError,
    OffsetEntry,
    OffsetIndex,
    TimeEntry,
    TimeIndex,
)
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX, SEGMENT_BYTES_MAX, BatchPosition, SegmentBatches
from kafkapy_log.stored_indexes import StoredIndexes, StoredOffsetIndex, StoredTimeIndex
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, crc_matches

_UNINDEXED_BYTES_MAX: Final = 1 << 20  # of batches behind the last entry, beside a few times index.interval.bytes
_COMPARED_BYTES: Final = 1 << 17  # at the end of a log, with the last entry of its time index

_T = TypeVar("_T")


class IndexRebuildNeeded(KafkaError):
    """The indexes of a closed segment are missing or damaged, and it is too large to make them anew at once.

    Raised only where `LogIndexing.rebuild_at_once_bytes` was lowered. To a client it is an error that passes.
    """

    def __init__(self, segment: "IndexedSegment") -> None:
        super().__init__(ErrorCode.KAFKA_STORAGE_ERROR, f"the indexes of {segment.file.path} have to be made anew")
        self.segment = segment


class IndexedSegment(SegmentBatches):
    """`offset_of_max_timestamp` is the last offset of the first batch that has `max_timestamp`, the form in which the
    time index keeps it. A closed segment above `rebuild_at_once_bytes` has IndexRebuildNeeded raised by any look-up.
    """

    __slots__ = (
        "_indexed_size",
        "_indexes_rebuilt",
        "_malformed",
        "_max_timestamp_is_known",
        "_offset_index",
        "_stored_indexes",
        "_time_index",
        "bytes_since_index_entry",
        "has_index_files",
        "max_timestamp",
        "offset_of_max_timestamp",
        "rebuild_at_once_bytes",
    )

    def __init__(self, pool: FilePool, directory: Path, base_offset: int, *, size: int) -> None:
        super().__init__(pool, directory, base_offset, size=size)
        self._offset_index: OffsetIndex | None = None if size else OffsetIndex()
        self._time_index: TimeIndex | None = None if size else TimeIndex()
        self._stored_indexes: StoredIndexes | None = None
        self._indexed_size = size  # of the log when its index files were written
        self._indexes_rebuilt = False
        self._malformed = ""  # why they could not be
        self.bytes_since_index_entry = 0
        self.max_timestamp = -1
        self.offset_of_max_timestamp = base_offset
        self._max_timestamp_is_known = not size
        self.rebuild_at_once_bytes = SEGMENT_BYTES_MAX
        self.has_index_files = bool(size)
        """Whether there may be any, right or wrong."""

    # -- the indexes

    @property
    def offset_index(self) -> OffsetIndex:
        """In memory from now on, for a segment that is written to. Raises OSError, CorruptIndexError."""
        index = self._offset_index
        if index is None:
            index = self._offset_index = OffsetIndex.from_bytes(read_file(self.path(INDEX_SUFFIX)), self.size)
        return index

    @property
    def time_index(self) -> TimeIndex:
        """In memory from now on, for a segment that is written to. Raises OSError, CorruptIndexError."""
        index = self._time_index
        if index is None:
            index = self._time_index = TimeIndex.from_bytes(read_file(self.path(TIME_INDEX_SUFFIX)))
        return index

    def has_full_index(self, index_bytes: int) -> bool:
        """Whether an index has as many entries as segment.index.bytes allows. Raises OSError, CorruptIndexError."""
        offset_index, time_index = self._offset_index, self._time_index
        if offset_index is None or time_index is None:
            offset_index, time_index = self.offset_index, self.time_index
        return (
            len(offset_index.offsets) >= index_bytes // OFFSET_ENTRY_BYTES
            # One entry less than fits: the last place is for the entry that closing the segment adds.
            or len(time_index.offsets) >= index_bytes // TIME_ENTRY_BYTES - 1
        )

    @property
    def indexes_written(self) -> bool:
        """Whether the files have every entry."""
        return self._indexed_size == self.size

    def forget_indexes(self) -> None:
        """The segment is closed: free the indexes that are in the files."""
        if self.indexes_written and self.size:
            self._offset_index = None
            self._time_index = None

    def ensure_indexes(self, index_interval_bytes: int) -> None:
        """Load both indexes, and rebuild those whose files are missing or corrupt. Raises OSError, MalformedMessage."""
        self._close_stored_indexes()
        try:
            _ = self.offset_index, self.time_index
        except (FileNotFoundError, CorruptIndexError):
            self._take_from_batches(index_interval_bytes)

    def _ended_time_index(self) -> TimeIndex:
        self.time_index.maybe_append(self.max_timestamp, self.offset_of_max_timestamp - self.base_offset)
        return self.time_index

    # -- what is in them

    def appended(self, last_offset: int, max_timestamp: int, size: int, index_interval_bytes: int) -> None:
        """A batch of `size` bytes has been written at the end of the file."""
        position = self.size
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.offset_of_max_timestamp = last_offset
        if not position:
            self.first_batch_timestamp = max_timestamp
        if self.bytes_since_index_entry > index_interval_bytes:
            base_offset = self.base_offset
            self.offset_index.append(last_offset - base_offset, position)
            self.time_index.maybe_append(self.max_timestamp, self.offset_of_max_timestamp - base_offset)
            self.bytes_since_index_entry = 0
        self.bytes_since_index_entry += size
        self.size = position + size

    def rebuild(self, batches: Iterator[BatchPosition], index_interval_bytes: int) -> None:
        """Start over with empty indexes and take in `batches`; `size` becomes what they cover."""
        self._start_at(0, OffsetIndex(), TimeIndex())
        for header, position in batches:
            assert position == self.size, (position, self.size)
            self.appended(header.last_offset, header.max_timestamp, header.size_bytes, index_interval_bytes)

    def _start_at(self, size: int, offset_index: OffsetIndex, time_index: TimeIndex) -> None:
        self._offset_index, self._time_index = offset_index, time_index
        self.size = size
        self._indexed_size = -1
        self.bytes_since_index_entry = 0
        self.max_timestamp, self.offset_of_max_timestamp = -1, self.base_offset
        self._max_timestamp_is_known = True
        self.first_batch_timestamp = None
        self._malformed = ""

    def load_max_timestamp(self, index_interval_bytes: int) -> None:
        """Set `max_timestamp` from the last entry of a closed segment's time index. Raises OSError."""
        if self._max_timestamp_is_known:
            return
        with suppress(MalformedMessage):  # the batches cannot be read: use the file
            try:
                self._check_max_timestamp(index_interval_bytes)
            except CorruptIndexError:
                self._rebuild_indexes(index_interval_bytes)
        self._max_timestamp_is_known = True

    def _take_max_timestamp(self) -> None:
        """Set `max_timestamp` from the time index."""
        last = self._times.last()
        if last.timestamp > self.max_timestamp:
            self.max_timestamp = last.timestamp
            self.offset_of_max_timestamp = self.base_offset + last.offset

    def _check_max_timestamp(self, index_interval_bytes: int) -> None:
        self._take_max_timestamp()
        last = self._times.last()
        if last.offset >= 0:
            self._batch_of(last, index_interval_bytes)
        # That the file has lost its end shows in the end of the log, where the latest timestamps are as a rule.
        near_end = self._offsets.entry_up_to(max(0, self.size - _COMPARED_BYTES))
        for header, _ in self.headers_from(self._checked(near_end, index_interval_bytes)):
            if header.max_timestamp > last.timestamp:
                raise CorruptIndexError(f"time index ends with {last}, before {header.max_timestamp}")

    # -- looking up

    @property
    def _offsets(self) -> OffsetIndex | StoredOffsetIndex:
        index = self._offset_index
        return self._stored.offsets if index is None else index

    @property
    def _times(self) -> TimeIndex | StoredTimeIndex:
        index = self._time_index
        return self._stored.times if index is None else index

    @property
    def _stored(self) -> StoredIndexes:
        stored = self._stored_indexes
        if stored is None:
            stored = self._stored_indexes = StoredIndexes(
                self.file.pool, self.path(INDEX_SUFFIX), self.path(TIME_INDEX_SUFFIX), self.size
            )
        return stored

    def _close_stored_indexes(self) -> None:
        stored, self._stored_indexes = self._stored_indexes, None
        if stored is not None:
            stored.close()

    def position_before(self, offset: int, index_interval_bytes: int) -> int:
        """The position of the batch with `offset`, or of one shortly before it. Raises OSError, MalformedMessage."""
        relative_offset = offset - self.base_offset
        return self._look_up(
            lambda: self._checked(self._offsets.entry_before(relative_offset), index_interval_bytes),
            index_interval_bytes,
        )

    def position_before_timestamp(self, timestamp: int, index_interval_bytes: int) -> int:
        """Where a batch begins before which all are older than `timestamp`. Raises OSError, MalformedMessage."""
        if timestamp < 0:
            return 0  # an index has times only

        def look_up() -> int:
            # The entry may be of the very batch that reached a timestamp; nothing before it is as late.
            entry = self._times.entry_before(timestamp - 1)
            return 0 if entry.offset < 0 else self._batch_of(entry, index_interval_bytes).position

        return self._look_up(look_up, index_interval_bytes)

    def _look_up(self, look_up: "Callable[[], _T]", index_interval_bytes: int) -> _T:
        """The result of `look_up`; if an index is damaged, it is rebuilt and `look_up` called again."""
        try:
            return look_up()
        except CorruptIndexError:
            self._rebuild_indexes(index_interval_bytes)
        return look_up()

    def _checked(self, entry: OffsetEntry, index_interval_bytes: int) -> int:
        """The position of `entry`, if the batch there is not after its offset. Raises CorruptIndexError."""
        relative_offset, position, is_last = entry
        if position:
            self._check_batch(entry, self.base_offset + relative_offset)
        if is_last and self._lacks_entries(position, index_interval_bytes):
            raise CorruptIndexError(f"offset index ends with {entry}, the log at {self.size}")
        return position

    def _check_batch(self, entry: OffsetEntry, offset: int) -> None:
        position = entry.position
        try:
            if position < 0:
                raise MalformedMessage(f"position {position}")
            found = next(self.headers_from(position, min(self.size, position + BATCH_HEADER_BYTES)))
        except (MalformedMessage, StopIteration):
            raise CorruptIndexError(f"no batch at {entry}") from None
        if found.header.last_offset != offset and not self._begins_append(found, offset):
            raise CorruptIndexError(f"{entry} leads to a batch that ends with {found.header.last_offset}")

    def _begins_append(self, found: BatchPosition, last_offset: int) -> bool:
        """Whether it may be the first batch of an append that ended with `last_offset`; its CRC must say it is one."""
        header, position = found
        is_whole = header.base_offset <= last_offset and position + header.size_bytes <= self.size
        return is_whole and crc_matches(self.read_batch(found))

    def _lacks_entries(self, position: int, index_interval_bytes: int) -> bool:
        """Whether a file that ends with an entry for `position` has lost others: batches begin too far behind it."""
        if self._indexes_rebuilt or self._offset_index is not None:
            return False
        indexed_end = position + _UNINDEXED_BYTES_MAX + 4 * index_interval_bytes
        if self.size <= indexed_end:
            return False
        with suppress(MalformedMessage):
            return any(found.position > indexed_end for found in self.headers_from(position))
        return False

    def _batch_of(self, entry: TimeEntry, index_interval_bytes: int) -> BatchPosition:
        """The batch that `entry` is of. Raises CorruptIndexError: there is none."""
        offset = self.base_offset + entry.offset
        start = self._checked(self._offsets.entry_before(entry.offset), index_interval_bytes)
        with suppress(MalformedMessage):
            for found in self.headers_from(start):
                if found.header.last_offset < offset:
                    continue
                if found.header.base_offset <= offset and found.header.max_timestamp == entry.timestamp:
                    return found
                break
        raise CorruptIndexError(f"no batch is that of {entry}")

    def _rebuild_indexes(self, index_interval_bytes: int) -> None:
        """Rebuild both indexes from the batches: in memory if they were, else in the files.

        Raises OSError, MalformedMessage, IndexRebuildNeeded.
        """
        in_memory = self._offset_index is not None
        if not in_memory and self.size > self.rebuild_at_once_bytes and not self._malformed:
            raise IndexRebuildNeeded(self)
        self._close_stored_indexes()
        self._take_from_batches(index_interval_bytes)
        if not in_memory:
            # Synced, since no later flush syncs the files of a closed segment.
            self._write_rebuilt(fsync=True)

    def _take_from_batches(self, index_interval_bytes: int) -> None:
        """Rebuild the indexes in memory, and the timestamps, from the batches. If it raises, nothing changes."""
        if self._malformed:  # found once: not to be looked for with every request
            raise MalformedMessage(self._malformed)
        try:
            rebuilt = self.rebuilt_from(self.headers_from(0), index_interval_bytes)
        except MalformedMessage as malformed:
            self._malformed = str(malformed)
            raise
        self._take(rebuilt)

    def rebuilt_from(self, batches: Iterator[BatchPosition], index_interval_bytes: int) -> "IndexedSegment":
        """A copy of this segment with indexes from `batches`, which are all of its batches. Any thread.

        Raises MalformedMessage, and whatever `batches` raises.
        """
        rebuilt = IndexedSegment(self.file.pool, self._directory, self.base_offset, size=0)
        next_offset = self.base_offset
        for header, position in batches:
            if header.base_offset < next_offset or header.last_offset - self.base_offset > RELATIVE_OFFSET_MAX:
                raise MalformedMessage(f"batch with offset {header.base_offset} at {position} of {self!r}")
            rebuilt.appended(header.last_offset, header.max_timestamp, header.size_bytes, index_interval_bytes)
            next_offset = header.next_offset
        return rebuilt

    def use_rebuilt(self, rebuilt: "IndexedSegment | MalformedMessage") -> None:
        """Write the indexes of `rebuilt_from` into the files; or remember that the batches cannot be read."""
        if isinstance(rebuilt, MalformedMessage):
            self._malformed = str(rebuilt)
            return
        self._close_stored_indexes()
        self._take(rebuilt)
        self._write_rebuilt(fsync=False)  # the owner's thread waits for no disk: one that is torn is made anew again

    def _take(self, rebuilt: "IndexedSegment") -> None:
        self._offset_index, self._time_index = rebuilt.offset_index, rebuilt.time_index
        self._indexed_size = -1
        self._indexes_rebuilt = True
        self.bytes_since_index_entry = rebuilt.bytes_since_index_entry
        self.first_batch_timestamp = rebuilt.first_batch_timestamp
        self.max_timestamp = rebuilt.max_timestamp
        self.offset_of_max_timestamp = rebuilt.offset_of_max_timestamp
        self._max_timestamp_is_known = True

    def _write_rebuilt(self, *, fsync: bool) -> None:
        """Write the indexes into the files and free them; if that fails (a full disk), they stay in memory."""
        time_index = self._ended_time_index()
        self.has_index_files = True
        with suppress(OSError):
            write_file(self.path(INDEX_SUFFIX), self.offset_index.to_bytes(), fsync=fsync)
            write_file(self.path(TIME_INDEX_SUFFIX), time_index.to_bytes(), fsync=fsync)
            self._indexed_size = self.size
            self.forget_indexes()

    # -- reading

    def find(self, offset: int, index_interval_bytes: int) -> BatchPosition | None:
        """The first batch that ends at `offset` or later; None when all end before it.

        Raises OSError, MalformedMessage.
        """
        for found in self.headers_from(self.position_before(offset, index_interval_bytes)):
            if found.header.last_offset >= offset:
                return found
        return None

    def whole_batches_until(self, start: int, limit: int, index_interval_bytes: int) -> tuple[int, int]:
        """(end position, next offset) of the batches that begin at `start` and end at `limit` or before.

        `(start, -1)` when the first of them is larger. Raises OSError, MalformedMessage.
        """
        # The index leads to within index.interval.bytes of the limit; from there on headers are read.
        position = self._look_up(
            lambda: self._checked(self._offsets.entry_up_to(limit), index_interval_bytes),
            index_interval_bytes,
        )
        end, next_offset = start, -1
        for header, begin in self.headers_from(max(start, position)):
            if begin + header.size_bytes > limit:
                if begin > start and next_offset < 0:
                    return begin, header.base_offset
                break
            end, next_offset = begin + header.size_bytes, header.next_offset
        return end, next_offset
