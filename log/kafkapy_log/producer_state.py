"""The state of a partition's producers, so that a retried batch is stored once (KIP-98, KIP-185).

For each producer id: its epoch, its last five batches, and the offset at which its open transaction began. A batch that
equals one of the five is answered with that batch's offsets; otherwise its sequence must follow the last one.

```
<end offset>.snapshot   version i16 = 1 | CRC-32C u32 of what follows | number of producers i32 | each:
                        producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64,
                        coordinator epoch i32, first offset of the open transaction i64 (-1: none)
```
Only the last batch of a producer is in a snapshot, as in Apache Kafka: after a restart the four before it are unknown.
"""

import struct
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from kafkapy_log.producer_entry import (
    BATCH,
    EARLIER_BATCHES,
    HEAD_BYTES,
    NO_EPOCH,
    NO_SEQUENCE,
    SEQUENCE_MAX,
    STATE_AT,
    BatchMetadata,
    ProducerEntry,
    pack_head_and_batch,
    unpack_head,
    unpack_state,
)
from kafkapy_log.transaction_index import AbortedTransaction
from kafkapy_log.transaction_markers import EndTransactionMarker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import BatchHeader, ControlRecordType

EPOCH_BUMP_VERSION: Final = (
    2  # the transaction.version from which on each transaction has an epoch of its own (KIP-890)
)

_SNAPSHOT_VERSION: Final = 1
_SNAPSHOT_HEADER = struct.Struct(">hI")
_COUNT = struct.Struct(">i")
_SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")


class CorruptSnapshotError(Exception):
    """A snapshot file is torn, of another version, or its CRC is wrong: delete it and read the log instead."""


class Verification(Enum):
    """The transaction coordinator's answer about a client's transactional batch (KIP-890)."""

    NONE = auto()  # not asked: the batch must belong to a transaction that is open in this partition
    IN_TRANSACTION = auto()  # the partition is in the producer's open transaction
    ADDED = auto()  # the batch has added the partition; a new producer must begin with sequence 0


UNGUARDED: Final = object()
"""In place of `ProducerState.guard`: nothing has happened since the coordinator was asked."""


class LastRecord(NamedTuple):
    """The last record of an active producer, which compaction must keep. `last_data_offset` -1: only a marker."""

    last_data_offset: int
    producer_epoch: int


class ActiveProducer(NamedTuple):
    """A producer as DescribeProducers reports it."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int
    current_transaction_first_offset: int


class ProducerState:
    """The producers of one partition. `end_offset`: all batches below it are in this state."""

    __slots__ = ("_entries", "_open_transactions", "end_offset")

    def __init__(self, end_offset: int = 0) -> None:
        self.end_offset = end_offset
        self._entries: dict[int, bytes] = {}  # producer id -> `ProducerEntry.pack`
        self._open_transactions: dict[int, int] = {}  # producer id -> first offset

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first_open_transaction_offset(self) -> int:
        """The first offset of the earliest open transaction; -1 if none is open."""
        return min(self._open_transactions.values()) if self._open_transactions else -1

    def clear(self, end_offset: int) -> None:
        """Remove all producers, as for an empty log that begins at `end_offset`."""
        self._entries.clear()
        self._open_transactions.clear()
        self.end_offset = end_offset

    def active_producers(self) -> list[ActiveProducer]:
        return [
            ActiveProducer(
                producer_id,
                entry.producer_epoch,
                entry.last_sequence,
                entry.last_timestamp,
                entry.coordinator_epoch,
                entry.current_transaction_first_offset,
            )
            for producer_id, entry in self._unpacked()
        ]

    def last_records(self) -> dict[int, LastRecord]:
        """By producer id, the records that compaction must keep so that this state can be rebuilt from the log."""
        return {
            producer_id: LastRecord(entry.last_offset, entry.producer_epoch) for producer_id, entry in self._unpacked()
        }

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether a transaction of this epoch is open."""
        return _has_open_transaction(self._entry(producer_id), producer_epoch)

    def guard(self, producer_id: int) -> object:
        """Another object after each batch and each marker of the producer. It is taken before the coordinator is asked
        about a batch. If it is another object at the append, the batch may not be in the transaction any more.
        """
        return self._entries.get(producer_id)

    def check_produced(
        self, header: BatchHeader, verification: Verification, offset: int, guard: object = UNGUARDED
    ) -> BatchMetadata | None:
        """Check a client's batch. Returns the stored batch that it repeats; None if it may be appended at `offset`.

        Raises KafkaError: see `_check_verified` and `_check_follows`.
        """
        if self._is_next(header):
            return None
        entry = self._entry(header.producer_id)
        duplicate = None if entry is None else entry.find_duplicate(header)
        if duplicate is None:
            if header.is_transactional and not _has_open_transaction(entry, header.producer_epoch):
                if guard is not UNGUARDED and guard is not self._entries.get(header.producer_id):
                    verification = Verification.NONE
                _check_verified(entry, header, verification, offset)
            if entry is not None:
                _check_follows(entry, header, offset)
        return duplicate

    def _is_next(self, header: BatchHeader) -> bool:
        """Whether a data batch follows its producer's last one, both in the same open transaction or in none.

        True for most batches: they are no duplicates and are not refused. False means that further checks are needed.
        """
        packed = self._entries.get(header.producer_id)
        if packed is None or len(packed) == HEAD_BYTES:
            return False
        state: tuple[int, int, int] = unpack_state(packed, STATE_AT)
        epoch, first_open_offset, last_sequence = state
        return (
            epoch == header.producer_epoch
            and last_sequence + 1 == header.base_sequence
            and header.is_transactional is (first_open_offset >= 0)
        )

    def check_from_coordinator(self, header: BatchHeader, offset: int) -> None:
        """Check a coordinator's records, which have no sequences.

        Raises KafkaError: INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE.
        """
        entry = self._entry(header.producer_id)
        if entry is not None:
            _check_epoch(entry, header, offset)
            _check_transaction(entry, header, offset)

    def check_marker(
        self, header: BatchHeader, marker: EndTransactionMarker, offset: int, transaction_version: int = 0
    ) -> None:
        """Check a coordinator's marker.

        From transaction version 2 on a marker has a higher epoch than the records it decides, so one of the same epoch
        is late, unless nothing is open: then it is written a second time, by a coordinator that was restarted.
        Raises KafkaError: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
        """
        entry = self._entry(header.producer_id)
        if entry is None:
            return
        is_late = (
            transaction_version >= EPOCH_BUMP_VERSION
            and header.producer_epoch == entry.producer_epoch
            and entry.current_transaction_first_offset >= 0
        )
        if header.producer_epoch < entry.producer_epoch or is_late:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {header.producer_id} at offset {offset} is {header.producer_epoch}, which is "
                f"{'not larger' if is_late else 'smaller'} than the last seen epoch {entry.producer_epoch}",
            )
        if entry.coordinator_epoch > marker.coordinator_epoch:
            raise KafkaError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"Invalid coordinator epoch for producerId {header.producer_id} at offset {offset}: "
                f"{marker.coordinator_epoch} (zombie), {entry.coordinator_epoch} (current)",
            )

    def update(self, header: BatchHeader, base_offset: int) -> None:
        """A data batch with a producer id has been stored at `base_offset`."""
        producer_id, epoch = header.producer_id, header.producer_epoch
        packed = self._entries.get(producer_id)
        if packed is None:
            coordinator_epoch, first_open_offset, earlier = -1, -1, b""
        else:
            coordinator_epoch, _, known_epoch, first_open_offset = unpack_head(packed)
            earlier = packed[EARLIER_BATCHES] if known_epoch == epoch else b""
        if first_open_offset < 0 and header.is_transactional:
            first_open_offset = self._open_transactions[producer_id] = base_offset
        delta, timestamp, first_sequence = header.last_offset_delta, header.max_timestamp, header.base_sequence
        self._entries[producer_id] = (
            pack_head_and_batch(
                coordinator_epoch,
                timestamp,
                epoch,
                first_open_offset,
                NO_SEQUENCE if first_sequence < 0 else (first_sequence + delta) & SEQUENCE_MAX,
                base_offset + delta,
                delta,
                timestamp,
            )
            + earlier
        )

    def end_transaction(self, header: BatchHeader, marker: EndTransactionMarker) -> AbortedTransaction | None:
        """A marker has been stored: the transaction is decided, and the producer's next epoch may begin (KIP-890).

        Returns what belongs into the transaction index: a transaction that had records here and was aborted.
        """
        producer_id, epoch = header.producer_id, header.producer_epoch
        entry = self._entry(producer_id)
        self._entries[producer_id] = ProducerEntry(
            coordinator_epoch=marker.coordinator_epoch,
            last_timestamp=marker.timestamp,
            producer_epoch=epoch,
            packed_batches=entry.packed_batches if entry is not None and entry.producer_epoch == epoch else b"",
        ).pack()
        first_offset = self._open_transactions.pop(producer_id, None)
        if first_offset is None or marker.control_type is not ControlRecordType.ABORT:
            return None
        next_open = self.first_open_transaction_offset
        last_stable_offset = header.base_offset + 1 if next_open < 0 else next_open
        return AbortedTransaction(producer_id, first_offset, header.base_offset, last_stable_offset)

    def remove_expired(self, now_ms: int, expiration_ms: int) -> None:
        """Remove producers without an open transaction that wrote nothing for producer.id.expiration.ms."""
        expired = [
            producer_id
            for producer_id, entry in self._unpacked()
            if entry.current_transaction_first_offset < 0 and now_ms - entry.last_timestamp >= expiration_ms
        ]
        for producer_id in expired:
            del self._entries[producer_id]

    def to_snapshot(self) -> bytes:
        """The content of a `.snapshot` file."""
        entries = b"".join(_snapshot_entry(producer_id, entry) for producer_id, entry in self._unpacked())
        body = _COUNT.pack(len(self._entries)) + entries
        return _SNAPSHOT_HEADER.pack(_SNAPSHOT_VERSION, crc32c(body)) + body

    def load_snapshot(self, data: bytes, end_offset: int) -> None:
        """Load a snapshot that was taken at `end_offset`. Raises CorruptSnapshotError; then nothing changes."""
        entries = list(_entries_of_snapshot(data))
        self._entries = {producer_id: entry.pack() for producer_id, entry in entries}
        self._open_transactions = {
            producer_id: entry.current_transaction_first_offset
            for producer_id, entry in entries
            if entry.current_transaction_first_offset >= 0
        }
        self.end_offset = end_offset

    def _entry(self, producer_id: int) -> ProducerEntry | None:
        packed = self._entries.get(producer_id)
        return None if packed is None else ProducerEntry.unpack(packed)

    def _unpacked(self) -> Iterator[tuple[int, ProducerEntry]]:
        return ((producer_id, ProducerEntry.unpack(packed)) for producer_id, packed in self._entries.items())


def _has_open_transaction(entry: ProducerEntry | None, producer_epoch: int) -> bool:
    return entry is not None and entry.current_transaction_first_offset >= 0 and entry.producer_epoch == producer_epoch


def _check_verified(entry: ProducerEntry | None, header: BatchHeader, verification: Verification, offset: int) -> None:
    """Whether a client's transactional batch that is no duplicate begins a transaction here, for which a marker will
    come: without one it would hold up the last stable offset for ever (KIP-890).

    Raises KafkaError: INVALID_TXN_STATE, OUT_OF_ORDER_SEQUENCE_NUMBER.
    """
    if verification is Verification.NONE:
        raise KafkaError(ErrorCode.INVALID_TXN_STATE, "Record was not part of an ongoing transaction")
    if verification is Verification.ADDED and header.base_sequence and (entry is None or not entry.packed_batches):
        raise KafkaError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"Invalid sequence number for producer {header.producer_id} at offset {offset}: {header.base_sequence} "
            "(incoming seq. number). Expected sequence 0 for transactions v2 idempotent producer with no existing "
            "state.",
        )


def _check_follows(entry: ProducerEntry, header: BatchHeader, offset: int) -> None:
    """Whether a client's data batch that is no duplicate may follow. `offset`: where it would go, for the message.

    Raises KafkaError: INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE. A producer id that
    is not known (expired, or its records are deleted) may begin with any sequence, so UNKNOWN_PRODUCER_ID never
    comes, as in Apache Kafka since 2.4 (KIP-360).
    """
    _check_epoch(entry, header, offset)
    _check_sequence(entry, header, offset)
    _check_transaction(entry, header, offset)


def _check_epoch(entry: ProducerEntry, header: BatchHeader, offset: int) -> None:
    if header.producer_epoch < entry.producer_epoch:
        raise KafkaError(
            ErrorCode.INVALID_PRODUCER_EPOCH,
            f"Epoch of producer {header.producer_id} at offset {offset} is {header.producer_epoch}, which is smaller "
            f"than the last seen epoch {entry.producer_epoch}",
        )


def _check_sequence(entry: ProducerEntry, header: BatchHeader, offset: int) -> None:
    first_sequence = header.base_sequence
    if header.producer_epoch != entry.producer_epoch:
        if first_sequence != 0 and entry.producer_epoch != NO_EPOCH:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for new epoch of producer {header.producer_id} at offset {offset}: "
                f"{header.producer_epoch} (request epoch), {first_sequence} (seq. number), "
                f"{entry.producer_epoch} (current producer epoch)",
            )
    elif first_sequence != (0 if entry.last_sequence == SEQUENCE_MAX else entry.last_sequence + 1):
        raise KafkaError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"Out of order sequence number for producer {header.producer_id} at offset {offset}: {first_sequence} "
            f"(incoming seq. number), {entry.last_sequence} (current end sequence number)",
        )


def _check_transaction(entry: ProducerEntry, header: BatchHeader, offset: int) -> None:
    if entry.current_transaction_first_offset >= 0 and not header.is_transactional:
        raise KafkaError(
            ErrorCode.INVALID_TXN_STATE,
            f"Expected transactional write from producer {header.producer_id} at offset {offset}",
        )


def _snapshot_entry(producer_id: int, entry: ProducerEntry) -> bytes:
    last = entry.last_batch or BatchMetadata(NO_SEQUENCE, -1, 0, -1)
    return _SNAPSHOT_ENTRY.pack(
        producer_id,
        entry.producer_epoch,
        last.last_sequence,
        last.last_offset,
        last.offset_delta,
        entry.last_timestamp,
        entry.coordinator_epoch,
        entry.current_transaction_first_offset,
    )


def _entries_of_snapshot(data: bytes) -> Iterator[tuple[int, ProducerEntry]]:
    body = memoryview(data)[_SNAPSHOT_HEADER.size :]
    if len(data) < _SNAPSHOT_HEADER.size + _COUNT.size:
        raise CorruptSnapshotError(f"{len(data)} bytes")
    version, crc = _SNAPSHOT_HEADER.unpack_from(data)
    (count,) = _COUNT.unpack_from(body)
    if version != _SNAPSHOT_VERSION or crc != crc32c(bytes(body)):
        raise CorruptSnapshotError(f"version {version}, CRC {crc:#x}")
    if len(body) != _COUNT.size + count * _SNAPSHOT_ENTRY.size:
        raise CorruptSnapshotError(f"{count} entries in {len(body)} bytes")
    for fields in _SNAPSHOT_ENTRY.iter_unpack(body[_COUNT.size :]):
        producer_id, epoch, last_sequence, last_offset, offset_delta, timestamp, coordinator_epoch, first_offset = (
            fields
        )
        yield (
            producer_id,
            ProducerEntry(
                coordinator_epoch=coordinator_epoch,
                last_timestamp=timestamp,
                producer_epoch=epoch,
                current_transaction_first_offset=first_offset,
                packed_batches=b""
                if last_offset < 0
                else BATCH.pack(last_sequence, last_offset, offset_delta, timestamp),
            ),
        )
