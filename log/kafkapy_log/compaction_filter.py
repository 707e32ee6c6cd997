"""Compaction of one batch: it stays unchanged, loses records, becomes empty, or is dropped.

Kept are the latest record of each key, tombstones until their delete horizon, everything above what the offset map
covers; dropped are older records, records without a key, and records of aborted transactions. Where a batch stays, its
base and last offset, leader epoch, producer and codec stay. The delete horizon (KIP-534) is written into a batch by the
first cleaning that finds a tombstone or a useless marker in it: attribute bit 6, with the time in `base_timestamp`.
"""

from collections.abc import Iterable, Iterator
from itertools import compress as selected
from typing import Final, NamedTuple

from kafkapy_log.cleaned_transactions import CleanedTransactions
from kafkapy_log.offset_map import GOES, STAYS, STAYS_AS_TOMBSTONE, OffsetMap, Survivors
from kafkapy_log.producer_state import LastRecord
from kafkapy_log.record_scan import (
    max_timestamp_delta,
    scan_keys,
    scan_records,
    split_records,
    with_timestamp_delta,
)
from kafkapy_log.transaction_markers import read_marker
from kafkapy_wire.compression import compress
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, BatchHeader, TimestampType, crc_matches
from kafkapy_wire.records.batch import (
    BATCH_HEADER,
    BATCH_OVERHEAD_BYTES,
    COMPRESSION_MASK,
    CRC,
    CRC_POSITION,
    DELETE_HORIZON_BIT,
    batch_crc,
)
from kafkapy_wire.records.runs import RECORD_BYTES_MAX, record_pieces

_NO_TIMESTAMP: Final = -1
_NO_DELTA: Final = -(2**63)
_GOES: Final = bytes((GOES,))
_STAYS: Final = bytes((STAYS,))
_STAYS_AS_TOMBSTONE: Final = bytes((STAYS_AS_TOMBSTONE,))


class CleanedBatch(NamedTuple):
    """`content` None: the batch is unchanged. `max_timestamp` and `kept` describe the remaining records."""

    content: bytes | None
    max_timestamp: int
    kept: int


class CompactionFilter:
    """Filters the batches of one pass over a log, in the order of their offsets."""

    __slots__ = (
        "_delete_retention_ms",
        "_first_offset",
        "_high_watermark",
        "_last_records",
        "_latest_offset",
        "_now_ms",
        "_offset_map",
        "_record_bytes_max",
        "_survivors",
        "_transactions",
    )

    def __init__(
        self,
        offset_map: OffsetMap,
        transactions: CleanedTransactions,
        *,
        last_records: dict[int, LastRecord],
        high_watermark: int,
        delete_retention_ms: int,
        now_ms: int,
        record_bytes_max: int = RECORD_BYTES_MAX,
    ) -> None:
        """A batch that ends at the high watermark stays, at least its header: the log must not end below it."""
        self._offset_map = offset_map
        self._survivors = Survivors(offset_map)
        self._first_offset = offset_map.first_offset
        self._latest_offset = offset_map.latest_offset
        self._transactions = transactions
        self._last_records = last_records
        self._high_watermark = high_watermark
        self._delete_retention_ms = delete_retention_ms
        self._now_ms = now_ms
        self._record_bytes_max = record_bytes_max

    def clean(self, header: BatchHeader, batch: memoryview) -> CleanedBatch | None:
        """The cleaned batch; None if not even its header stays. Raises MalformedMessage."""
        if header.is_control:
            return self._clean_control(header, batch)
        may_drop = self._transactions.may_drop(header)
        if not header.record_count or may_drop:
            return self._nothing_left(header)
        if header.base_offset > self._latest_offset:
            return CleanedBatch(None, header.max_timestamp, header.record_count)
        marks = None
        if header.record_count == header.last_offset_delta + 1:
            marks = self._survivors.marks(header.base_offset, header.record_count)
        if marks is None:
            marks = b"".join([self._marks_by_key(header, data, count) for count, data in self._pieces(header, batch)])
        if STAYS_AS_TOMBSTONE in marks and header.has_delete_horizon and header.base_timestamp <= self._now_ms:
            marks = marks.replace(_STAYS_AS_TOMBSTONE, _GOES)
        gone = marks.count(GOES)
        if gone == header.record_count:
            return self._nothing_left(header)
        sets_horizon = STAYS_AS_TOMBSTONE in marks and not header.has_delete_horizon
        if not gone and not sets_horizon:
            return CleanedBatch(None, header.max_timestamp, header.record_count)
        if not crc_matches(batch):
            raise MalformedMessage(f"CRC of the batch at offset {header.base_offset} is wrong")
        return _rebuilt(header, self._pieces(header, batch), marks, self._horizon_ms() if sets_horizon else None)

    def _pieces(self, header: BatchHeader, batch: memoryview) -> Iterator[tuple[int, bytes]]:
        return record_pieces(header, batch, record_bytes_max=self._record_bytes_max)

    def _marks_by_key(self, header: BatchHeader, data: bytes, count: int) -> bytes:
        """A mark for each of the `count` records in `data`. Raises MalformedMessage."""
        if header.last_offset < self._first_offset:
            scanned = scan_keys(data, count)
            if scanned is not None:
                keys, tombstones = scanned
                marks = self._offset_map.marks_of_old(keys)
                return _with_tombstones(marks, tombstones) if tombstones else marks
        return self._marks_one_by_one(header, data, count)

    def _marks_one_by_one(self, header: BatchHeader, data: bytes, count: int) -> bytes:
        """As `_marks_by_key`, if a record has no key, offsets have gaps, or the dirty part ends within the batch."""
        offset_deltas, keys, keyless, tombstones = scan_records(data, count)
        base_offset = header.base_offset
        latest = self._offset_map.latest_offsets(keys)
        marks = bytearray(offset <= base_offset + delta for offset, delta in zip(latest, offset_deltas, strict=True))
        for number in keyless:
            marks[number] = GOES
        if header.last_offset > self._latest_offset:
            above = {number for number, delta in enumerate(offset_deltas) if base_offset + delta > self._latest_offset}
            for number in above:
                marks[number] = STAYS
            if header.has_delete_horizon:  # which says nothing of them yet
                tombstones = [number for number in tombstones if number not in above]
        return _with_tombstones(marks, tombstones)

    def _horizon_ms(self) -> int:
        return self._now_ms + self._delete_retention_ms

    def _clean_control(self, header: BatchHeader, batch: memoryview) -> CleanedBatch | None:
        marker = read_marker(batch) if header.record_count and header.producer_id >= 0 else None
        useless = self._transactions.may_drop_marker(header, marker)
        if not header.record_count:
            return self._nothing_left(header)
        if useless and header.has_delete_horizon and header.base_timestamp <= self._now_ms:
            return self._nothing_left(header)
        if not useless or header.has_delete_horizon:
            return CleanedBatch(None, header.max_timestamp, header.record_count)
        if not crc_matches(batch):
            raise MalformedMessage(f"CRC of the batch at offset {header.base_offset} is wrong")
        return _rebuilt(header, self._pieces(header, batch), _STAYS * header.record_count, self._horizon_ms())

    def _nothing_left(self, header: BatchHeader) -> CleanedBatch | None:
        """The header alone if it must stay, for an active producer's last sequence or as the log's end."""
        if header.next_offset != self._high_watermark and not self._is_last_of_producer(header):
            return None
        if not header.record_count:
            return CleanedBatch(None, header.max_timestamp, 0)
        attributes = header.attributes & ~COMPRESSION_MASK & ~DELETE_HORIZON_BIT
        content = _packed(header, b"", attributes, _NO_TIMESTAMP, header.max_timestamp, 0)
        return CleanedBatch(content, header.max_timestamp, 0)

    def _is_last_of_producer(self, header: BatchHeader) -> bool:
        last = self._last_records.get(header.producer_id) if header.producer_id >= 0 else None
        if last is None:
            return False
        if last.last_data_offset >= 0:
            return header.last_offset == last.last_data_offset
        return header.is_control and header.producer_epoch == last.producer_epoch


def _with_tombstones(marks: bytes | bytearray, tombstones: list[int]) -> bytes:
    marks = bytearray(marks)
    for number in tombstones:
        if marks[number] == STAYS:
            marks[number] = STAYS_AS_TOMBSTONE
    return bytes(marks)


def _rebuilt(
    header: BatchHeader, pieces: Iterable[tuple[int, bytes]], marks: bytes, horizon_ms: int | None
) -> CleanedBatch:
    """The batch with the records that stay, and with a delete horizon if one is given."""
    base_timestamp, max_timestamp = header.base_timestamp, header.max_timestamp
    shift = None if horizon_ms is None else base_timestamp - horizon_ms
    latest_delta = _NO_DELTA
    first = kept = 0
    bodies = []
    for count, data in pieces:
        # GOES is 0, every other mark selects.
        records = list(selected(split_records(data, count), marks[first : first + count]))
        first += count
        kept += len(records)
        latest_delta = max(latest_delta, max_timestamp_delta(records, max_timestamp - base_timestamp))
        if shift is not None:
            records = [with_timestamp_delta(record, shift) for record in records]
        bodies.append(b"".join(records))
    if header.timestamp_type is TimestampType.CREATE_TIME and kept < header.record_count:
        # With a horizon the deltas count from there, and so does base_timestamp.
        max_timestamp = base_timestamp + latest_delta
    attributes = header.attributes
    if horizon_ms is not None:
        attributes |= DELETE_HORIZON_BIT
        base_timestamp = horizon_ms
    body = b"".join(bodies)
    content = _packed(header, compress(body, header.compression), attributes, base_timestamp, max_timestamp, kept)
    return CleanedBatch(content, max_timestamp, kept)


def _packed(
    header: BatchHeader, body: bytes, attributes: int, base_timestamp: int, max_timestamp: int, record_count: int
) -> bytes:
    batch = bytearray(
        BATCH_HEADER.pack(
            header.base_offset,
            BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES + len(body),
            header.partition_leader_epoch,
            header.magic,
            0,
            attributes,
            header.last_offset_delta,
            base_timestamp,
            max_timestamp,
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
            record_count,
        )
    )
    batch += body
    CRC.pack_into(batch, CRC_POSITION, batch_crc(batch))
    return bytes(batch)
