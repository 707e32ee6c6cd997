"""The sparse indexes beside a segment: `.index` (offset -> position) and `.timeindex` (timestamp -> offset).

```
.index      relative offset i32 | position i32          last offset and first byte of a batch
.timeindex  timestamp i64 | relative offset i32         highest timestamp so far, last offset of the batch that has it
```
Both are built in memory and written when their segment is rolled, flushed or closed; a closed segment's are searched
on the disk (see `stored_indexes`). Kafka maps a preallocated file instead; a reader sees no difference, for it rebuilds
the index of every segment that was active in a crash.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

OFFSET_ENTRY_BYTES: Final = 8
TIME_ENTRY_BYTES: Final = 12
_TIME_ENTRY = struct.Struct(">qi")
assert _TIME_ENTRY.size == TIME_ENTRY_BYTES

_SWAPS = array("i", [1]).tobytes()[0] == 1  # this machine is little-endian, the files are not
assert array("i").itemsize == 4


class CorruptIndexError(Exception):
    """An index file does not fit its segment, and must be rebuilt."""


class OffsetEntry(NamedTuple):
    """At `position` begins the batch whose last offset is `offset`, or one before it; -1, 0: the segment begins there.

    Older releases of Kafka write one entry an append: the position of its first batch, the last offset of its last.
    `is_last`: the index has no later entry.
    """

    offset: int
    position: int
    is_last: bool


class TimeEntry(NamedTuple):
    """No batch before the one that holds `offset` is later than `timestamp`, which is that batch's."""

    timestamp: int
    offset: int


NO_TIME: Final = TimeEntry(-1, -1)


class OffsetIndex:
    """Entries in ascending order of offset and position."""

    __slots__ = ("offsets", "positions")

    def __init__(self) -> None:
        self.offsets = array("i")  # relative to the segment's base offset
        self.positions = array("i")

    def __len__(self) -> int:
        return len(self.offsets)

    def append(self, relative_offset: int, position: int) -> None:
        self.offsets.append(relative_offset)
        self.positions.append(position)

    def entry_before(self, relative_offset: int) -> OffsetEntry:
        """The last entry that is not above `relative_offset`: that of its batch, or one before."""
        return self._entry(bisect_right(self.offsets, relative_offset) - 1)

    def entry_up_to(self, position: int) -> OffsetEntry:
        """The last entry whose position is not above `position`."""
        return self._entry(bisect_right(self.positions, position) - 1)

    def _entry(self, number: int) -> OffsetEntry:
        is_last = number == len(self.offsets) - 1
        if number < 0:
            return OffsetEntry(-1, 0, is_last)
        return OffsetEntry(self.offsets[number], self.positions[number], is_last)

    def truncate(self, relative_offset: int) -> None:
        """Forget entries for `relative_offset` and above."""
        entry = bisect_left(self.offsets, relative_offset)
        del self.offsets[entry:]
        del self.positions[entry:]

    def to_bytes(self) -> bytes:
        entries = array("i", bytes(OFFSET_ENTRY_BYTES * len(self.offsets)))
        entries[0::2] = self.offsets
        entries[1::2] = self.positions
        if _SWAPS:
            entries.byteswap()
        return entries.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, log_bytes: int) -> "OffsetIndex":
        """Raises CorruptIndexError: torn, out of order, or pointing beyond the `log_bytes` of the segment."""
        if len(data) % OFFSET_ENTRY_BYTES:
            raise CorruptIndexError(f"offset index of {len(data)} bytes")
        entries = array("i", data)
        if _SWAPS:
            entries.byteswap()
        index = cls()
        index.offsets = entries[0::2]
        index.positions = entries[1::2]
        if len(index) and (
            index.offsets[0] < 0
            or index.positions[-1] >= log_bytes
            or not _ascending(index.offsets)
            or not _ascending(index.positions)
        ):
            raise CorruptIndexError("offset index out of order")
        return index


class TimeIndex:
    """Entries in ascending order of timestamp and offset: each says that no earlier batch has a later timestamp."""

    __slots__ = ("offsets", "timestamps")

    def __init__(self) -> None:
        self.timestamps = array("q")
        self.offsets = array("i")  # relative to the segment's base offset

    def __len__(self) -> int:
        return len(self.timestamps)

    def maybe_append(self, timestamp: int, relative_offset: int) -> None:
        """Add an entry if the timestamp is later than the last entry's; never for -1, "no timestamp"."""
        if timestamp > (self.timestamps[-1] if self.timestamps else -1):
            self.timestamps.append(timestamp)
            self.offsets.append(relative_offset)

    def entry_before(self, timestamp: int) -> TimeEntry:
        """The last entry that is not above `timestamp`; NO_TIME if there is none."""
        number = bisect_right(self.timestamps, timestamp) - 1
        return TimeEntry(self.timestamps[number], self.offsets[number]) if number >= 0 else NO_TIME

    def last(self) -> TimeEntry:
        """The last entry, or NO_TIME; in a closed segment it has the highest timestamp."""
        return TimeEntry(self.timestamps[-1], self.offsets[-1]) if self.timestamps else NO_TIME

    def truncate(self, relative_offset: int) -> None:
        """Forget entries for `relative_offset` and above."""
        entry = bisect_left(self.offsets, relative_offset)
        del self.offsets[entry:]
        del self.timestamps[entry:]

    def to_bytes(self) -> bytes:
        return b"".join(map(_TIME_ENTRY.pack, self.timestamps, self.offsets))

    @classmethod
    def from_bytes(cls, data: bytes) -> "TimeIndex":
        """Raises CorruptIndexError: torn or out of order."""
        if len(data) % TIME_ENTRY_BYTES:
            raise CorruptIndexError(f"time index of {len(data)} bytes")
        index = cls()
        for timestamp, offset in _TIME_ENTRY.iter_unpack(data):
            index.timestamps.append(timestamp)
            index.offsets.append(offset)
        if len(index) and (
            index.offsets[0] < 0 or not _ascending(index.timestamps) or not _ascending(index.offsets, strictly=False)
        ):
            raise CorruptIndexError("time index out of order")
        return index


def _ascending(numbers: "array[int]", *, strictly: bool = True) -> bool:
    if strictly:
        return all(map(int.__lt__, numbers, numbers[1:]))
    return all(map(int.__le__, numbers, numbers[1:]))
