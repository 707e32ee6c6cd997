"""One batch through compaction: as it was, with fewer records, empty, or gone.

Kept are the latest record of each key, tombstones until their delete horizon, everything above what the offset map
covers; dropped are older records, records without a key, and records of aborted transactions. Where a batch stays, its
base and last offset, leader epoch, producer and codec stay. The delete horizon (KIP-534) is written into a batch by the
first cleaning that finds a tombstone or a useless marker in it: attribute bit 6, with the time in `base_timestamp`.
"""

from itertools import count, repeat
from typing import Final, NamedTuple

from kafkapy_log.cleaned_transactions import CleanedTransactions
from kafkapy_log.offset_map import OffsetMap, short_keys
from kafkapy_log.producer_state import LastRecord
from kafkapy_log.record_scan import ScannedRecords, scan_records, timestamp_delta, with_timestamp_delta
from kafkapy_log.recovery import end_transaction_marker
from kafkapy_wire.compression import DECOMPRESSED_BYTES_MAX, compress
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
from kafkapy_wire.records.decoding import plain_records

_NO_TIMESTAMP: Final = -1
_ALWAYS_LATER: Final = 2**63


class CleanedBatch(NamedTuple):
    """`content` None: the batch as it was. `max_timestamp` and `kept` (records) describe what is kept of it."""

    content: bytes | None
    max_timestamp: int
    kept: int


class CompactionFilter:
    """What one pass over a log goes by. Batches are given in the order of their offsets."""

    __slots__ = (
        "_delete_retention_ms",
        "_last_records",
        "_latest_offset",
        "_now_ms",
        "_offsets",
        "_transactions",
        "_upper_bound_offset",
    )

    def __init__(
        self,
        offset_map: OffsetMap,
        transactions: CleanedTransactions,
        *,
        last_records: dict[int, LastRecord],
        upper_bound_offset: int,
        delete_retention_ms: int,
        now_ms: int,
    ) -> None:
        """`upper_bound_offset`: a batch that ends there stays, if only as a header, so that no offset is lost."""
        self._offsets = offset_map.offsets
        self._latest_offset = offset_map.latest_offset
        self._transactions = transactions
        self._last_records = last_records
        self._upper_bound_offset = upper_bound_offset
        self._delete_retention_ms = delete_retention_ms
        self._now_ms = now_ms

    def clean(self, header: BatchHeader, batch: memoryview) -> CleanedBatch | None:
        """What is kept of `batch`; None: nothing, not even the header. Raises MalformedMessage."""
        if header.is_control:
            return self._clean_control(header, batch)
        may_drop = self._transactions.may_drop(header)
        if not header.record_count or may_drop:
            return self._nothing_left(header)
        if header.base_offset > self._latest_offset:
            return CleanedBatch(None, header.max_timestamp, header.record_count)
        data = plain_records(header, batch, DECOMPRESSED_BYTES_MAX)
        scanned = scan_records(data, header.record_count)
        retained = self._retained(header, scanned)
        if not retained:
            return self._nothing_left(header)
        sets_horizon = (
            bool(scanned.tombstones)
            and not header.has_delete_horizon
            and not set(scanned.tombstones).isdisjoint(retained)
        )
        if len(retained) == header.record_count and not sets_horizon:
            return CleanedBatch(None, header.max_timestamp, header.record_count)
        if not crc_matches(batch):
            raise MalformedMessage(f"CRC of the batch at offset {header.base_offset} is wrong")
        horizon_ms = self._now_ms + self._delete_retention_ms if sets_horizon else None
        return _rebuilt(header, data, scanned, retained, horizon_ms)

    def _retained(self, header: BatchHeader, scanned: ScannedRecords) -> list[int]:
        """Numbers of the records that stay."""
        base_offset = header.base_offset
        if not scanned.keyless and header.last_offset <= self._latest_offset:
            latest = map(self._offsets.get, short_keys(scanned.keys), repeat(-1))
            retained = [
                number
                for number, offset, delta in zip(count(), latest, scanned.offset_deltas, strict=False)
                if offset <= base_offset + delta
            ]
        else:
            retained = self._retained_one_by_one(base_offset, scanned)
        if scanned.tombstones and header.has_delete_horizon and header.base_timestamp <= self._now_ms:
            expired = {
                number
                for number in scanned.tombstones
                if base_offset + scanned.offset_deltas[number] <= self._latest_offset
            }
            retained = [number for number in retained if number not in expired]
        return retained

    def _retained_one_by_one(self, base_offset: int, scanned: ScannedRecords) -> list[int]:
        """Where a record has no key, or the map ends within the batch."""
        keyless = set(scanned.keyless)
        retained = []
        for number, key in enumerate(scanned.keys):
            offset = base_offset + scanned.offset_deltas[number]
            is_keyless = number in keyless
            latest = _ALWAYS_LATER if is_keyless else self._offsets.get(short_keys([key])[0], -1)
            if offset > self._latest_offset or latest <= offset:
                retained.append(number)
        return retained

    def _clean_control(self, header: BatchHeader, batch: memoryview) -> CleanedBatch | None:
        marker = end_transaction_marker(batch) if header.record_count and header.producer_id >= 0 else None
        useless = self._transactions.may_drop_marker(header, marker)
        if not header.record_count:
            return self._nothing_left(header)
        if useless and header.has_delete_horizon and header.base_timestamp <= self._now_ms:
            return self._nothing_left(header)
        if not useless or header.has_delete_horizon:
            return CleanedBatch(None, header.max_timestamp, header.record_count)
        if not crc_matches(batch):
            raise MalformedMessage(f"CRC of the batch at offset {header.base_offset} is wrong")
        data = plain_records(header, batch, DECOMPRESSED_BYTES_MAX)
        scanned = scan_records(data, header.record_count)
        everything = list(range(header.record_count))
        return _rebuilt(header, data, scanned, everything, self._now_ms + self._delete_retention_ms)

    def _nothing_left(self, header: BatchHeader) -> CleanedBatch | None:
        """The header alone where it has to stay: for an active producer's last sequence, or as the end of the round."""
        if header.next_offset != self._upper_bound_offset and not self._is_last_of_producer(header):
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


def _rebuilt(
    header: BatchHeader, data: bytes, scanned: ScannedRecords, retained: list[int], horizon_ms: int | None
) -> CleanedBatch:
    """The batch with the `retained` records, and with a delete horizon if one is given."""
    ends = scanned.ends
    starts = [0, *ends]
    base_timestamp, max_timestamp = header.base_timestamp, header.max_timestamp
    if header.timestamp_type is TimestampType.CREATE_TIME and len(retained) < header.record_count:
        # With a horizon the deltas count from there, and so does base_timestamp.
        max_timestamp = base_timestamp + max(timestamp_delta(data, starts[number]) for number in retained)
    attributes = header.attributes
    if horizon_ms is None:
        body = b"".join(_runs(data, starts, ends, retained))
    else:
        shift = base_timestamp - horizon_ms
        body = b"".join([with_timestamp_delta(data, starts[number], ends[number], shift) for number in retained])
        attributes |= DELETE_HORIZON_BIT
        base_timestamp = horizon_ms
    content = _packed(
        header, compress(body, header.compression), attributes, base_timestamp, max_timestamp, len(retained)
    )
    return CleanedBatch(content, max_timestamp, len(retained))


def _runs(data: bytes, starts: list[int], ends: list[int], retained: list[int]) -> list[bytes]:
    """The bytes of the retained records, in one piece where they follow each other."""
    pieces = []
    first = before = retained[0]
    for number in retained:
        if number > before + 1:
            pieces.append(data[starts[first] : ends[before]])
            first = number
        before = number
    pieces.append(data[starts[first] : ends[before]])
    return pieces


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
