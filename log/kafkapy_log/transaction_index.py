"""The aborted transactions of a segment: `.txnindex`, in Kafka's format (KIP-98).

```
version i16 = 0 | producer id i64 | first offset i64 | last offset i64 | last stable offset i64
```
One entry for each transaction whose abort marker, its last offset, is in the segment, in the order of the markers. The
last stable offset is what it became with this marker: a reader of everything below it needs to look no further.

In memory as it is on the disk, and written with the other indexes when the segment is rolled or closed; those of closed
segments are read again when they are needed. Without aborted transactions there is no file.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from kafkapy_log.indexes import CorruptIndexError

ABORTED_TRANSACTION_BYTES: Final = 34
_ENTRY = struct.Struct(">hqqqq")
assert _ENTRY.size == ABORTED_TRANSACTION_BYTES
_VERSION: Final = 0
_LAST_OFFSET = struct.Struct(">q")
_LAST_OFFSET_AT: Final = 18


class AbortedTransaction(NamedTuple):
    """A transaction that ended with an abort marker, at `last_offset`."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class TransactionIndex:
    """Entries in ascending order of their last offsets. `changed`: they differ from the file."""

    __slots__ = ("_data", "changed")

    def __init__(self) -> None:
        self._data = bytearray()
        self.changed = False

    def __len__(self) -> int:
        return len(self._data) // ABORTED_TRANSACTION_BYTES

    def append(self, aborted: AbortedTransaction) -> None:
        self._data += _ENTRY.pack(_VERSION, *aborted)
        self.changed = True

    def ending_at_or_after(self, offset: int) -> Iterator[AbortedTransaction]:
        """The transactions whose markers are at `offset` or later."""
        for entry in range(self._first_ending_at(offset), len(self)):
            yield AbortedTransaction(*_ENTRY.unpack_from(self._data, entry * ABORTED_TRANSACTION_BYTES)[1:])

    def truncate(self, offset: int) -> None:
        """Remove the entries whose markers are at `offset` or above."""
        end = self._first_ending_at(offset) * ABORTED_TRANSACTION_BYTES
        if end < len(self._data):
            del self._data[end:]
            self.changed = True

    def to_bytes(self) -> bytes:
        return bytes(self._data)

    @classmethod
    def from_bytes(cls, data: bytes, base_offset: int) -> "TransactionIndex":
        """Raises CorruptIndexError: torn, of another version, out of order, or of records before the segment's."""
        if len(data) % ABORTED_TRANSACTION_BYTES:
            raise CorruptIndexError(f"transaction index of {len(data)} bytes")
        before = base_offset - 1
        for version, _producer_id, first_offset, last_offset, _last_stable_offset in _ENTRY.iter_unpack(data):
            if version != _VERSION or last_offset <= before or first_offset >= last_offset:
                raise CorruptIndexError(f"transaction index with version {version}, marker at {last_offset}")
            before = last_offset
        index = cls()
        index._data += data
        return index

    def _first_ending_at(self, offset: int) -> int:
        """Number of the first entry whose marker is at `offset` or later."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            position = middle * ABORTED_TRANSACTION_BYTES + _LAST_OFFSET_AT
            if _LAST_OFFSET.unpack_from(self._data, position)[0] < offset:
                low = middle + 1
            else:
                high = middle
        return low
