"""The offset of the latest record of each key in the dirty part of a log, by which compaction keeps records."""

import sys
from collections import deque
from itertools import repeat
from operator import setitem
from typing import Final

# Longer keys are known by a digest, shorter ones by themselves: a digest is as long as no key that stands for itself.
# To make one takes a microsecond, longer than all else that is done for a record. A UUID as text has 36 bytes, and an
# object of 33 + 47 bytes leaves nothing unused.
_DIGEST_BYTES: Final = 47

_OFFSET_BYTES: Final = 32
"""Memory of an entry beside its place in the table and its key."""
_BYTES_OBJECT_BYTES: Final = 33
_ALLOCATION_BYTES: Final = 16  # what the interpreter rounds up to

# A dict that grows holds up all threads while it moves: 20 to 140 ms at 700,000 keys, a few when these are spread over
# as many dicts. Which one has a key takes a tenth of a microsecond, a fifteenth of what a record takes.
_TABLES: Final = 16
_TABLE_MASK: Final = _TABLES - 1

GOES: Final = 0
STAYS: Final = 1
STAYS_AS_TOMBSTONE: Final = 2

_CHECKED_EACH_BYTES: Final = 1024
"""Of the memory that is left, for each record that may come until it is reckoned anew: more than one can take."""

_WINDOW_SHARE: Final = 16  # of the memory
_WINDOW_OFFSETS_MIN: Final = 1024
# Opening a window looks at each key, for a tenth of a microsecond; deciding on a record by its key takes half of one.
_KEYS_PER_RECORD_MAX: Final = 4


class OffsetMap:
    """Offsets by key, in about `memory_bytes`. It has the keys of all records from `first_offset` to `latest_offset`.

    An entry is twice the distance from `first_offset`, plus one where the record is a tombstone. Apache Kafka always
    keeps 16 bytes of MD5 a key, in 24 bytes an entry. A Python entry takes 110 to 180, so the same
    log.cleaner.dedupe.buffer.size holds fewer keys here; keys that do not fit are left for the next cleaning.
    """

    __slots__ = (
        "_key_bytes",
        "_longest_key",
        "_memory_bytes",
        "_next_check",
        "_reckoned_keys",
        "first_offset",
        "is_full",
        "latest_offset",
        "records",
        "tables",
        "window_offsets",
    )

    def __init__(self, memory_bytes: int, load_factor: float = 1.0) -> None:
        self.window_offsets = max(_WINDOW_OFFSETS_MIN, memory_bytes // _WINDOW_SHARE)
        self._memory_bytes = int(memory_bytes * load_factor) - memory_bytes // _WINDOW_SHARE
        self._key_bytes = 0
        self._longest_key = 0  # of those that came since the memory was reckoned
        self._reckoned_keys = 0
        self._next_check = 0  # the number of records at which to reckon it again
        self.tables: tuple[dict[bytes, int], ...] = tuple({} for _ in range(_TABLES))
        self.first_offset = 0
        self.latest_offset = -1
        self.records = 0
        """Taken in."""
        self.is_full = False

    def put(self, keys: list[bytes], base_offset: int, tombstones: list[int]) -> None:
        """Add records of consecutive offsets, above all earlier ones. `tombstones` are indexes of records."""
        first = 2 * (base_offset - self.first_offset)
        entries: range | list[int] = range(first, first + 2 * len(keys), 2)
        if tombstones:
            entries = list(entries)
            for number in tombstones:
                entries[number] += 1
        longest = max(map(len, keys), default=0)
        if longest >= _DIGEST_BYTES:
            keys = short_keys(keys)
            longest = _DIGEST_BYTES
        if longest > self._longest_key:
            self._longest_key = longest
        tables = self.tables
        for key, entry in zip(keys, entries, strict=True):
            tables[hash(key) & _TABLE_MASK][key] = entry
        self.records += len(keys)
        if self.records >= self._next_check:
            self._reckon()

    def _reckon(self) -> None:
        """Estimate the memory that is used. Called before the next records could exceed the limit."""
        key_count = self.key_count
        # Which of the keys are new is not worth finding out: all are reckoned as long as the longest of them.
        key_bytes = _BYTES_OBJECT_BYTES + self._longest_key + _ALLOCATION_BYTES - 1
        self._key_bytes += (key_count - self._reckoned_keys) * (key_bytes & -_ALLOCATION_BYTES)
        self._reckoned_keys = key_count
        self._longest_key = 0
        used_bytes = sum(map(sys.getsizeof, self.tables)) + self._key_bytes + key_count * _OFFSET_BYTES
        self.is_full = used_bytes >= self._memory_bytes
        self._next_check = self.records + max(0, self._memory_bytes - used_bytes) // _CHECKED_EACH_BYTES

    @property
    def key_count(self) -> int:
        """How many keys the map has."""
        return sum(map(len, self.tables))

    def marks_of_old(self, keys: list[bytes]) -> bytes:
        """A mark, GOES or STAYS, for each of these keys of records below `first_offset`.

        A key that is in the map at all is there with a later offset.
        """
        tables = self.tables
        return bytes([key not in tables[hash(key) & _TABLE_MASK] for key in short_keys(keys)])

    def latest_offsets(self, keys: list[bytes]) -> list[int]:
        """The latest offset of each key; -1 if the map does not have it."""
        tables = self.tables
        first_offset = self.first_offset
        unknown = -2 * first_offset - 1
        entries = [tables[hash(key) & _TABLE_MASK].get(key, unknown) for key in short_keys(keys)]
        return [first_offset + (entry >> 1) for entry in entries]

    def clear(self) -> None:
        """Free the memory in steps: freeing it at once would block the other threads."""
        for table in self.tables:
            table.clear()


class Survivors:
    """Which records of the dirty part are the latest of their keys, told without looking at a key again.

    Marks are kept of as many offsets as fit a window, one byte each; it moves on with the batches that are asked for.
    """

    __slots__ = ("_begin", "_first_offset", "_latest_offset", "_marks", "_tables", "_window_offsets")

    def __init__(self, offset_map: OffsetMap) -> None:
        self._tables = offset_map.tables
        self._first_offset = offset_map.first_offset
        self._latest_offset = offset_map.latest_offset
        dirty_offsets = self._latest_offset + 1 - self._first_offset
        self._window_offsets = min(offset_map.window_offsets, dirty_offsets)
        # In a log with large gaps windows may hold few records each.
        windows = dirty_offsets // offset_map.window_offsets
        if windows * offset_map.key_count > _KEYS_PER_RECORD_MAX * offset_map.records:
            self._window_offsets = 0
        self._begin = 0
        self._marks = bytearray()

    def marks(self, base_offset: int, count: int) -> bytes | None:
        """A byte for each of `count` records of consecutive offsets: GOES, STAYS or STAYS_AS_TOMBSTONE.

        None if they are not known. Batches must be asked for in the order of their offsets.
        """
        if base_offset < self._first_offset or base_offset + count - 1 > self._latest_offset:
            return None
        start = base_offset - self._begin
        if start + count > len(self._marks):
            if count > self._window_offsets:
                return None
            self._open_window(base_offset)
            start = 0
        return bytes(self._marks[start : start + count])

    def _open_window(self, begin: int) -> None:
        end = min(begin + self._window_offsets, self._latest_offset + 1)
        self._begin = begin
        if begin == self._first_offset and end == self._latest_offset + 1:
            self._marks = self._all_marks(end - begin)
            return
        marks = bytearray(end - begin)
        begin_entry = 2 * (begin - self._first_offset)
        end_entry = 2 * (end - self._first_offset)
        for table in self._tables:
            for entry in table.values():
                if begin_entry <= entry < end_entry:
                    marks[(entry - begin_entry) >> 1] = STAYS + (entry & 1)
        self._marks = marks

    def _all_marks(self, count: int) -> bytearray:
        """As in one window over the whole dirty part, at a quarter of the cost: no entry need be compared."""
        by_entry = bytearray(2 * count)
        for table in self._tables:
            deque(map(setitem, repeat(by_entry), table.values(), repeat(1)), maxlen=0)
        # Two bytes an offset, for a record and for a tombstone, become one: 1 stays STAYS, and as tombstone becomes 2.
        stays = int.from_bytes(by_entry[0::2], "little")
        stays_as_tombstone = int.from_bytes(by_entry[1::2], "little")
        return bytearray((STAYS * stays + STAYS_AS_TOMBSTONE * stays_as_tombstone).to_bytes(count, "little"))


def short_keys(keys: list[bytes]) -> list[bytes]:
    """Each key as the map knows it."""
    if max(map(len, keys), default=0) < _DIGEST_BYTES:
        return keys
    from hashlib import blake2b  # loads OpenSSL, which a broker may never need

    return [key if len(key) < _DIGEST_BYTES else blake2b(key, digest_size=_DIGEST_BYTES).digest() for key in keys]
