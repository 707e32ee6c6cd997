"""The state of one producer id in a partition, in memory as packed bytes.

Clients without a transactional id get a new producer id with every start, and a partition remembers each for a day
(producer.id.expiration.ms), so an entry is small: 22 bytes, and 24 for each of the last five batches.

```
coordinator epoch i32, last timestamp i64, producer epoch i16, first offset of the open transaction i64 (-1: none)
then, newest first: last sequence i32, last offset i64, offset delta i32, timestamp i64
```
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from kafkapy_wire.records import BatchHeader

BATCHES_KEPT: Final = 5
NO_EPOCH: Final = -1
NO_SEQUENCE: Final = -1
SEQUENCE_MAX: Final = 2**31 - 1

_HEAD: Final = struct.Struct("<iqhq")
HEAD_BYTES: Final = _HEAD.size
BATCH: Final = struct.Struct("<iqiq")
EARLIER_BATCHES: Final = slice(HEAD_BYTES, HEAD_BYTES + (BATCHES_KEPT - 1) * BATCH.size)
"""The batches that stay when another one comes."""

unpack_head: Final = _HEAD.unpack_from
pack_head_and_batch: Final = struct.Struct("<iqhqiqiq").pack
STATE_AT: Final = 12
unpack_state: Final = struct.Struct("<hqi").unpack_from
"""At STATE_AT of an entry with a batch: producer epoch, first offset of the open transaction, last sequence."""


class BatchMetadata(NamedTuple):
    """A batch that was stored."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerEntry(NamedTuple):
    """One producer id. `current_transaction_first_offset` -1 without an open transaction."""

    coordinator_epoch: int = -1
    last_timestamp: int = -1
    producer_epoch: int = NO_EPOCH
    current_transaction_first_offset: int = -1
    packed_batches: bytes = b""

    @classmethod
    def unpack(cls, packed: bytes) -> "ProducerEntry":
        coordinator_epoch, last_timestamp, producer_epoch, first_offset = unpack_head(packed)
        return cls(coordinator_epoch, last_timestamp, producer_epoch, first_offset, packed[HEAD_BYTES:])

    def pack(self) -> bytes:
        return _HEAD.pack(*self[:-1]) + self.packed_batches

    @property
    def last_batch(self) -> BatchMetadata | None:
        return next(self.batches(), None)

    @property
    def last_sequence(self) -> int:
        last = self.last_batch
        return NO_SEQUENCE if last is None else last.last_sequence

    @property
    def last_offset(self) -> int:
        """The last offset of the producer's last batch; -1 if it has none."""
        last = self.last_batch
        return -1 if last is None else last.last_offset

    def batches(self) -> Iterator[BatchMetadata]:
        """The last batches of its epoch, newest first."""
        return map(BatchMetadata._make, BATCH.iter_unpack(self.packed_batches))

    def find_duplicate(self, header: BatchHeader) -> BatchMetadata | None:
        """The stored batch that this one repeats: same epoch, same first and last sequence."""
        if self.producer_epoch != header.producer_epoch:
            return None
        last_sequence, offset_delta = header.last_sequence, header.last_offset_delta
        for batch in self.batches():
            if batch.last_sequence == last_sequence and batch.offset_delta == offset_delta:
                return batch
        return None
