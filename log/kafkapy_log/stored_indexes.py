"""The indexes of a closed segment, searched in their files: they are not in memory.

A look-up reads a few hundred bytes of the file, whatever its size. What it finds is a hint: a file may have been cut,
zeroed or replaced. So the segment checks each entry that it uses against the batch there;
here only the entries that are read are compared with each other.
"""

import os
from bisect import bisect_right
from pathlib import Path
from struct import Struct
from typing import Final

from kafkapy_log.file_pool import FilePool, PooledFile
from kafkapy_log.indexes import NO_TIME, CorruptIndexError, OffsetEntry, TimeEntry

_OFFSET_ENTRY: Final = Struct(">ii")
_TIME_ENTRY: Final = Struct(">qi")
_BLOCK_ENTRIES: Final = 64  # in one read: neighbours cost next to nothing, and save half of the reads of a search

_Entry = tuple[int, int]


class _IndexFile(PooledFile):
    """A file of the pool, like the log itself, but only for reading."""

    __slots__ = ()
    flags = os.O_RDONLY | os.O_CLOEXEC


class _Entries:
    """The entries of one file, in ascending order of both fields; `search` goes by either.

    All lie between `below` and `above`.
    """

    __slots__ = ("_above", "_below", "_entry", "_file")

    def __init__(self, file: _IndexFile, entry: Struct, below: _Entry, above: _Entry) -> None:
        self._file = file
        self._entry = entry
        self._below = below
        self._above = above

    def count(self) -> int:
        """Raises OSError; CorruptIndexError: no file, or a torn entry."""
        try:
            size = os.fstat(self._file.descriptor()).st_size
        except FileNotFoundError as missing:
            raise CorruptIndexError(f"no {self._file.path.name}") from missing
        if size % self._entry.size:
            raise CorruptIndexError(f"{self._file.path.name} of {size} bytes")
        return size // self._entry.size

    def read(self, start: int, end: int) -> list[_Entry]:
        """`[start, end)`. Raises OSError; CorruptIndexError: fewer, or out of order."""
        entry = self._entry
        data = os.pread(self._file.descriptor(), (end - start) * entry.size, start * entry.size)
        if len(data) != (end - start) * entry.size:
            raise CorruptIndexError(f"{self._file.path.name} ends before entry {end}")
        entries: list[_Entry] = list(entry.iter_unpack(data))
        return entries

    def search(self, field: int, wanted: int, count: int, guess: int) -> tuple[int, _Entry]:
        """The last of `count` entries whose `field` is `wanted` or less, with its number; -1 and any without one.

        `guess`: a number near which it might be. Raises OSError, CorruptIndexError.
        """
        low, high = 0, count
        before, after = self._below, self._above  # what lies before `low` and at `high`
        while low < high:
            start = max(low, min(guess - _BLOCK_ENTRIES // 2, high - _BLOCK_ENTRIES))
            end = min(high, start + _BLOCK_ENTRIES)
            block = self.read(start, end)
            self._check_order(before, block[0])
            if end - start > 1:
                self._check_order(block[0], block[-1])
            self._check_order(block[-1], after)
            if block[0][field] > wanted:
                after, high = block[0], start
            elif block[-1][field] <= wanted:
                before, low = block[-1], end
            else:
                inside = bisect_right(block, wanted, key=lambda entry: entry[field])
                self._check_order(block[inside - 1], block[inside])
                return start + inside - 1, block[inside - 1]
            guess = (low + high) // 2
        return low - 1, before

    def _check_order(self, before: _Entry, after: _Entry) -> None:
        if not (before[0] < after[0] and before[1] <= after[1]):
            raise CorruptIndexError(f"{self._file.path.name}: {after} behind {before}")

    def close(self) -> None:
        self._file.retire()


class StoredOffsetIndex(_Entries):
    """As `OffsetIndex`, in a file."""

    __slots__ = ("_log_bytes",)

    def __init__(self, file: _IndexFile, log_bytes: int) -> None:
        super().__init__(file, _OFFSET_ENTRY, (-1, 0), (2**31, log_bytes))
        self._log_bytes = log_bytes

    def entry_before(self, relative_offset: int) -> OffsetEntry:
        """See `OffsetIndex.entry_before`. Raises OSError, CorruptIndexError."""
        count = self.count()
        return _offset_entry(*self.search(0, relative_offset, count, count // 2), count)

    def entry_up_to(self, position: int) -> OffsetEntry:
        """See `OffsetIndex.entry_up_to`; batches are of about one size as a rule. Raises OSError, CorruptIndexError."""
        count = self.count()
        return _offset_entry(*self.search(1, position, count, count * position // self._log_bytes), count)


class StoredTimeIndex(_Entries):
    """As `TimeIndex`, in a file."""

    __slots__ = ()

    def __init__(self, file: _IndexFile) -> None:
        super().__init__(file, _TIME_ENTRY, (-1, 0), (2**63, 2**31))

    def entry_before(self, timestamp: int) -> TimeEntry:
        """See `TimeIndex.entry_before`. Raises OSError, CorruptIndexError."""
        count = self.count()
        number, entry = self.search(0, timestamp, count, count // 2)
        return TimeEntry(*entry) if number >= 0 else NO_TIME

    def last(self) -> TimeEntry:
        """See `TimeIndex.last`. Raises OSError, CorruptIndexError."""
        count = self.count()
        if not count:
            return NO_TIME
        before = self._below
        for entry in self.read(max(0, count - 2), count):
            self._check_order(before, entry)
            before = entry
        return TimeEntry(*before)


class StoredIndexes:
    """Both index files of one segment."""

    __slots__ = ("offsets", "times")

    def __init__(self, pool: FilePool, offset_index_path: Path, time_index_path: Path, log_bytes: int) -> None:
        """`log_bytes`: of the segment, above 0."""
        self.offsets = StoredOffsetIndex(_IndexFile(pool, offset_index_path), log_bytes)
        self.times = StoredTimeIndex(_IndexFile(pool, time_index_path))

    def close(self) -> None:
        """Close the descriptors. The next use opens the files again, by their present names."""
        self.offsets.close()
        self.times.close()


def _offset_entry(number: int, entry: _Entry, count: int) -> OffsetEntry:
    is_last = number == count - 1
    return OffsetEntry(*entry, is_last) if number >= 0 else OffsetEntry(-1, 0, is_last)
