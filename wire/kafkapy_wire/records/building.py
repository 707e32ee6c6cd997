"""Records to the bytes of a batch."""

from collections.abc import Iterable, Sequence
from typing import TypedDict, Unpack

from kafkapy_wire.compression import Compression, compress
from kafkapy_wire.records.batch import (
    BATCH_HEADER,
    BATCH_HEADER_BYTES,
    BATCH_OVERHEAD_BYTES,
    CONTROL_BIT,
    CRC,
    CRC_POSITION,
    MAGIC,
    TIMESTAMP_TYPE_BIT,
    TRANSACTIONAL_BIT,
    BatchHeader,
    HeaderFields,
    TimestampType,
    batch_crc,
)
from kafkapy_wire.records.record import Headers, NewRecord
from kafkapy_wire.records.varint import encode_varint

NO_TIMESTAMP = -1


class BatchFields(TypedDict, total=False):
    """The fields of a batch other than its records; see `build_batch_and_header` for the defaults."""

    base_offset: int
    compression: Compression
    compression_level: int | None
    timestamp_type: TimestampType
    partition_leader_epoch: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    is_transactional: bool
    is_control: bool


class BuiltBatch:
    """A batch that this process has built: `data`, and its decoded `header`."""

    __slots__ = ("data", "header")

    def __init__(self, data: bytes, header: BatchHeader) -> None:
        self.data = data
        self.header = header


def build_batch(records: Iterable[NewRecord], **fields: Unpack[BatchFields]) -> bytes:
    """The bytes of one whole batch of at least one record; see `build_batch_and_header`. Raises ValueError."""
    return build_batch_and_header(records, **fields).data


def build_batch_and_header(
    records: Iterable[NewRecord],
    *,
    base_offset: int = 0,
    compression: Compression = Compression.NONE,
    compression_level: int | None = None,
    timestamp_type: TimestampType = TimestampType.CREATE_TIME,
    partition_leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    is_transactional: bool = False,
    is_control: bool = False,
) -> BuiltBatch:
    """One whole batch of at least one record, offsets counted from `base_offset`.

    `base_timestamp` is the first record's timestamp, as the Java producer writes it. With LOG_APPEND_TIME
    `max_timestamp`, the largest one, is what readers see for every record.
    Raises ValueError: no records.
    """
    pieces: list[bytes] = []
    base_timestamp = max_timestamp = NO_TIMESTAMP
    record_count = 0
    for record in records:
        timestamp = record.timestamp
        if not record_count:
            base_timestamp = max_timestamp = timestamp
        elif timestamp > max_timestamp:
            max_timestamp = timestamp
        _encode_record(pieces, timestamp - base_timestamp, record_count, record.key, record.value, record.headers)
        record_count += 1
    if not record_count:
        raise ValueError("a batch needs at least one record")
    attributes = int(compression)
    if timestamp_type is TimestampType.LOG_APPEND_TIME:
        attributes |= TIMESTAMP_TYPE_BIT
    if is_transactional:
        attributes |= TRANSACTIONAL_BIT
    if is_control:
        attributes |= CONTROL_BIT
    body = b"".join(pieces)
    if compression is not Compression.NONE:
        body = compress(body, compression, compression_level)
    batch_length = BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES + len(body)
    fields = (
        base_offset,
        batch_length,
        partition_leader_epoch,
        MAGIC,
        0,
        attributes,
        record_count - 1,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
    )
    return _finished(fields, body)


def build_batch_with_gaps(
    records: Sequence[tuple[int, NewRecord]], last_offset_delta: int, compression: Compression = Compression.NONE
) -> BuiltBatch:
    """A batch with gaps between offsets, as compaction leaves them: each record comes with its distance from the
    batch's first offset. The batch goes on to `last_offset_delta`, whether there is a record or not; it may have none.
    """
    pieces: list[bytes] = []
    base_timestamp = records[0][1].timestamp if records else NO_TIMESTAMP
    for delta, record in records:
        _encode_record(pieces, record.timestamp - base_timestamp, delta, record.key, record.value, record.headers)
    body = b"".join(pieces)
    if compression is not Compression.NONE:
        body = compress(body, compression, None)
    fields = (
        0,
        BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES + len(body),
        -1,
        MAGIC,
        0,
        int(compression),
        last_offset_delta,
        base_timestamp,
        max((record.timestamp for _, record in records), default=NO_TIMESTAMP),
        -1,
        -1,
        -1,
        len(records),
    )
    return _finished(fields, body)


def _finished(fields: HeaderFields, body: bytes) -> BuiltBatch:
    """The batch of these header fields, whose CRC is not known yet."""
    batch = bytearray(BATCH_HEADER.pack(*fields))
    batch += body
    header = BatchHeader(fields)
    header.crc = batch_crc(batch)
    CRC.pack_into(batch, CRC_POSITION, header.crc)
    return BuiltBatch(bytes(batch), header)


def _encode_record(
    pieces: list[bytes],
    timestamp_delta: int,
    offset_delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
) -> None:
    """Append one record to `pieces`; keys and values are not copied before the batch is joined."""
    start = b"\x00" + encode_varint(timestamp_delta) + encode_varint(offset_delta)
    if key is None:
        start += b"\x01"
        key = b""
    else:
        start += encode_varint(len(key))
    if value is None:
        value_length = b"\x01"
        value = b""
    else:
        value_length = encode_varint(len(value))
    trailer = _encode_headers(headers) if headers else b"\x00"
    length = len(start) + len(key) + len(value_length) + len(value) + len(trailer)
    pieces += (encode_varint(length), start, key, value_length, value, trailer)


def _encode_headers(headers: Headers) -> bytes:
    pieces = [encode_varint(len(headers))]
    for key, value in headers:
        encoded_key = key.encode(errors="surrogateescape")
        pieces += (encode_varint(len(encoded_key)), encoded_key)
        if value is None:
            pieces.append(b"\x01")
        else:
            pieces += (encode_varint(len(value)), value)
    return b"".join(pieces)
