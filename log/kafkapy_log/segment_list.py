"""The segments of one log in order: finds the segment of an offset, and reads slices and records from it.

The positions of batches that were appended lately, and of those where reads ended lately, are remembered, so that
reading at the end and reading on from where the last read ended need no system call. Indexes are in memory for the
segment that is written to only.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from kafkapy_log.append_validation import AT_ONCE_BYTES_MAX, AT_ONCE_RECORDS_MAX
from kafkapy_log.file_slice import EMPTY_SLICE, FileSlice
from kafkapy_log.segment import Segment
from kafkapy_log.segment_batches import SEGMENT_BYTES_MAX, BatchPosition
from kafkapy_wire.compression import DECOMPRESSED_BYTES_MAX
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import BatchHeader, decode_records
from kafkapy_wire.records.batch import COMPRESSION_MASK
from kafkapy_wire.records.runs import RecordTooLarge

_APPENDED_POSITIONS_MAX: Final = 512
_READ_POSITIONS_MAX: Final = 32


class TimestampAndOffset(NamedTuple):
    """A record found by its time; `leader_epoch` -1 when unknown."""

    timestamp: int
    offset: int
    leader_epoch: int


class SegmentPosition(NamedTuple):
    """A position in the segment that begins at `base_offset`."""

    base_offset: int
    position: int


class TimestampedBatch:
    """A stored batch whose header says that it has a record with at least `timestamp`. It belongs to nobody: a worker
    thread may look into it.
    """

    __slots__ = ("_batch", "_header", "_record_bytes_max", "_start_offset", "is_only", "timestamp")

    def __init__(
        self,
        header: BatchHeader,
        batch: bytes,
        timestamp: int,
        start_offset: int,
        record_bytes_max: int,
        *,
        is_only: bool,
    ) -> None:
        self._header = header
        self._batch = batch
        self._start_offset = start_offset
        self._record_bytes_max = record_bytes_max
        self.timestamp = timestamp
        self.is_only = is_only
        """No later batch is to be looked into where this one has no such record."""

    @property
    def next_offset(self) -> int:
        return self._header.next_offset

    @property
    def takes_long(self) -> bool:
        """Whether reading its records may take more than a few milliseconds."""
        if not self._header.attributes & COMPRESSION_MASK:
            return self._header.record_count > AT_ONCE_RECORDS_MAX
        # A small batch may decompress to any size, but only if it has few records, or a wrong record count.
        return len(self._batch) > AT_ONCE_BYTES_MAX or self._header.record_count > AT_ONCE_RECORDS_MAX

    def first_record(self, max_bytes: int = DECOMPRESSED_BYTES_MAX) -> TimestampAndOffset | None:
        """The first record with at least the timestamp; None if the header was wrong.

        Raises MalformedMessage: it cannot be read, or is larger than `max_bytes` when decompressed; KafkaError
        INVALID_RECORD: a record is larger than max.decompressed.message.bytes.
        """
        try:
            for record in decode_records(self._batch, max_bytes=max_bytes, record_bytes_max=self._record_bytes_max):
                if record.timestamp >= self.timestamp and record.offset >= self._start_offset:
                    return TimestampAndOffset(record.timestamp, record.offset, self._header.partition_leader_epoch)
        except RecordTooLarge as error:
            raise KafkaError(ErrorCode.INVALID_RECORD, str(error)) from None
        return None


class SegmentList:
    """The segments of one log; never empty. `active` is the last one."""

    __slots__ = (
        "_appended_offsets",
        "_appended_positions",
        "_read_positions",
        "_rebuild_at_once_bytes",
        "_segments",
        "active",
        "index_interval_bytes",
        "is_compacted",
        "tell_of_gap",
    )

    def __init__(self, segments: list[Segment], index_interval_bytes: int) -> None:
        self._segments = segments
        self.active = segments[-1]
        self.index_interval_bytes = index_interval_bytes
        self.is_compacted = False
        """Whether a gap between two segments is what compaction leaves."""
        self.tell_of_gap: Callable[[int, int], None] | None = None
        """Told of any other one that a read meets: from the offset that was asked for to where a segment begins."""
        self._rebuild_at_once_bytes = SEGMENT_BYTES_MAX
        # Where the last batches of the active segment lie, in ascending order, by offsets relative to its base offset.
        # An idle partition keeps them, so they take 8 bytes a batch.
        self._appended_offsets = array("I")
        self._appended_positions = array("I")
        # Offset -> position where a read ended before the end of its segment, in whichever segment. Oldest first.
        self._read_positions: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    @property
    def first(self) -> Segment:
        return self._segments[0]

    def up_to(self, index: int) -> list[Segment]:
        """The segments before `index`."""
        return self._segments[:index]

    def after(self, index: int) -> list[Segment]:
        """The segments after `index`."""
        return self._segments[index + 1 :]

    def index_of(self, offset: int) -> int:
        """The index of the segment whose range contains `offset`."""
        return max(0, bisect_right(self._segments, offset, key=_base_offset) - 1)

    def begins_at(self, offset: int) -> bool:
        """Whether `offset` is where a segment begins."""
        return self._segments[self.index_of(offset)].base_offset == offset

    def next_base_offset(self, index: int, log_end_offset: int) -> int:
        """The base offset of the segment after `index`, or the log end offset."""
        return self._segments[index + 1].base_offset if index + 1 < len(self._segments) else log_end_offset

    # -- changing

    @property
    def rebuild_at_once_bytes(self) -> int:
        """See `IndexedSegment`."""
        return self._rebuild_at_once_bytes

    @rebuild_at_once_bytes.setter
    def rebuild_at_once_bytes(self, size: int) -> None:
        self._rebuild_at_once_bytes = size
        for segment in self._segments:
            segment.rebuild_at_once_bytes = size

    def append(self, segment: Segment) -> None:
        """Make `segment` the active one; the segment before it is closed."""
        if self._segments:
            self._segments[-1].forget_indexes()
        segment.rebuild_at_once_bytes = self._rebuild_at_once_bytes
        self._segments.append(segment)
        self.active = segment
        self.forget_positions()

    def insert(self, segment: Segment) -> None:
        """Insert a segment at its place before the active one."""
        segment.rebuild_at_once_bytes = self._rebuild_at_once_bytes
        self._segments.insert(bisect_right(self._segments, segment.base_offset, key=_base_offset), segment)
        self.forget_positions()

    def remove(self, segment: Segment) -> None:
        """Remove a segment. After removing the last one, append another or call `reactivate`."""
        self._segments.remove(segment)
        self.forget_positions()

    def reactivate(self) -> Segment:
        """Make the last segment active again, after later ones were removed. Raises OSError."""
        active = self.active = self._segments[-1]
        active.ensure_indexes(self.index_interval_bytes)
        active.load_max_timestamp(self.index_interval_bytes)
        return active

    def max_timestamp(self, segment: Segment) -> int:
        """The highest timestamp of a segment; -1 if it has none. Raises OSError."""
        segment.load_max_timestamp(self.index_interval_bytes)
        return segment.max_timestamp

    # -- positions

    def appended(self, offset: int, position: int) -> None:
        """The batch that begins at `offset` is now the last of the active segment and lies at `position`."""
        offsets = self._appended_offsets
        if len(offsets) >= _APPENDED_POSITIONS_MAX:
            del offsets[: _APPENDED_POSITIONS_MAX // 2]
            del self._appended_positions[: _APPENDED_POSITIONS_MAX // 2]
        offsets.append(offset - self.active.base_offset)
        self._appended_positions.append(position)

    def remember(self, offset: int, position: int) -> None:
        """Remember where a read has ended: the next batch begins at `position`, with `offset` or a later one."""
        positions = self._read_positions
        if len(positions) >= _READ_POSITIONS_MAX:
            del positions[next(iter(positions))]
        positions[offset] = position

    def remembered(self, offset: int) -> int | None:
        """The remembered position of the batch at `offset` or the first one after it; None: use the index."""
        offsets = self._appended_offsets
        if offsets:
            relative = offset - self.active.base_offset
            if relative == offsets[-1]:  # the usual read of a waiting consumer
                return self._appended_positions[-1]
            if relative >= offsets[0]:
                entry = bisect_left(offsets, relative)
                if entry < len(offsets) and offsets[entry] == relative:
                    return self._appended_positions[entry]
        return self._read_positions.get(offset)

    def forget_positions(self) -> None:
        """Forget remembered positions, as offsets may have moved."""
        self._appended_offsets = array("I")
        self._appended_positions = array("I")
        self._read_positions = {}

    # -- reading

    def read(
        self, fetch_offset: int, max_bytes: int, *, up_to_offset: int, log_end_offset: int, min_one_batch: bool
    ) -> FileSlice:
        """See `PartitionLog.read`; here `fetch_offset < up_to_offset <= log_end_offset`.

        Raises OSError, MalformedMessage.
        """
        located = self._locate(fetch_offset)
        if located is None:
            return EMPTY_SLICE
        index, position = located
        segment = self._segments[index]
        end, next_offset = segment.size, self.next_base_offset(index, log_end_offset)
        if up_to_offset < next_offset:
            end, next_offset = self._end_below(segment, up_to_offset), up_to_offset
        if end - position > max_bytes:
            end, next_offset = segment.whole_batches_until(position, position + max_bytes, self.index_interval_bytes)
            if end == position and min_one_batch:
                header = next(segment.headers_from(position)).header
                end, next_offset = position + header.size_bytes, header.next_offset
            if position < end < segment.size:
                self.remember(next_offset, end)
        if end <= position:
            return EMPTY_SLICE
        return FileSlice(segment.file, position, end - position, next_offset)

    def locate(self, offset: int, *, log_end_offset: int) -> SegmentPosition:
        """The position of the batch that holds `offset`, or of the first one after it; without one the log end, where
        the next append goes unless it begins a segment.

        Raises OSError, MalformedMessage.
        """
        located = self._locate(offset) if offset < log_end_offset else None
        if located is None:
            return SegmentPosition(self.active.base_offset, self.active.size)
        index, position = located
        return SegmentPosition(self._segments[index].base_offset, position)

    def _locate(self, offset: int) -> tuple[int, int] | None:
        """(index of the segment, position) of the batch that holds `offset`, or of the first one after it."""
        index = self.index_of(offset)
        position = self.remembered(offset)
        while position is None:
            segment = self._segments[index]
            found = segment.find(offset, self.index_interval_bytes)
            if found is not None:
                position = found.position
            elif segment is self.active:
                return None
            else:  # compaction has left a gap at the end of the segment, or nothing of it
                index += 1
                segment = self._segments[index]
                position = 0 if segment.size else None
                if segment.base_offset > offset and self.tell_of_gap is not None and not self.is_compacted:
                    self.tell_of_gap(offset, segment.base_offset)
        return index, position

    def _end_below(self, segment: Segment, offset: int) -> int:
        """The position after the batches that end below `offset`."""
        position = self.remembered(offset) if offset >= segment.base_offset else None
        if position is not None:
            return position
        found = segment.find(offset, self.index_interval_bytes)
        return segment.size if found is None else found.position

    # -- finding

    def first_with_timestamp(
        self, timestamp: int, *, start_offset: int, log_end_offset: int, record_bytes_max: int
    ) -> TimestampedBatch | None:
        """The first batch from `start_offset` on whose header has at least this timestamp. Raises OSError,
        MalformedMessage.
        """
        for index, segment in enumerate(self._segments):
            if self.next_base_offset(index, log_end_offset) <= start_offset or not segment.size:
                continue
            if self.max_timestamp(segment) >= timestamp:
                found = self._first_in(segment, timestamp, start_offset, record_bytes_max)
                if found is not None:
                    return found
        return None

    def latest(self, record_bytes_max: int) -> TimestampedBatch | None:
        """The first batch with the highest timestamp, which is -1 where no record has one; None in an empty log.

        As in Apache Kafka the header of a batch is believed, and it alone is looked into: there is no record where none
        has the timestamp that it claims, which validation of produced batches lets happen below -1 only.
        Raises OSError, MalformedMessage.
        """
        segment = max(self._segments, key=self.max_timestamp)
        timestamp = segment.max_timestamp
        for found in segment.headers_from(segment.position_before_timestamp(timestamp, self.index_interval_bytes)):
            if found.header.max_timestamp == timestamp:
                return _timestamped(segment, found, timestamp, segment.base_offset, record_bytes_max, is_only=True)
        return None

    def _first_in(
        self, segment: Segment, timestamp: int, start_offset: int, record_bytes_max: int
    ) -> TimestampedBatch | None:
        interval = self.index_interval_bytes
        position = segment.position_before_timestamp(timestamp, interval)
        if start_offset > segment.base_offset:
            position = max(position, segment.position_before(start_offset, interval))
        for found in segment.headers_from(position):
            if found.header.max_timestamp >= timestamp and found.header.next_offset > start_offset:
                return _timestamped(segment, found, timestamp, start_offset, record_bytes_max, is_only=False)
        return None


def _timestamped(
    segment: Segment,
    found: BatchPosition,
    timestamp: int,
    start_offset: int,
    record_bytes_max: int,
    *,
    is_only: bool,
) -> TimestampedBatch:
    return TimestampedBatch(
        found.header, segment.read_batch(found), timestamp, start_offset, record_bytes_max, is_only=is_only
    )


def _base_offset(segment: Segment) -> int:
    return segment.base_offset
