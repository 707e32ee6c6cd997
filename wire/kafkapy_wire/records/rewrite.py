"""Changes to a produced batch before it is stored: another timestamp type, another codec, new offsets."""

import struct

from kafkapy_wire.compression import DECOMPRESSED_BYTES_MAX, Compression, compress
from kafkapy_wire.records.batch import (
    BATCH_HEADER,
    BATCH_HEADER_BYTES,
    BATCH_OVERHEAD_BYTES,
    COMPRESSION_MASK,
    CRC,
    CRC_POSITION,
    TIMESTAMP_TYPE_BIT,
    BatchHeader,
    TimestampType,
    batch_crc,
)
from kafkapy_wire.records.building import build_batch
from kafkapy_wire.records.decoding import decode_plain_records, plain_records
from kafkapy_wire.records.record import NewRecord

_ATTRIBUTES = struct.Struct(">h")
_ATTRIBUTES_POSITION = 21
_TIMESTAMP = struct.Struct(">q")
_MAX_TIMESTAMP_POSITION = 35


def stamp_timestamps(batch: bytearray | memoryview, timestamp_type: TimestampType, max_timestamp: int) -> None:
    """Write the topic's timestamp type and the largest timestamp into one whole batch, in place, with a new CRC.

    With LOG_APPEND_TIME `max_timestamp` is the time of the append. If both are there already, nothing is written.
    """
    (attributes,) = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_POSITION)
    wanted = attributes & ~TIMESTAMP_TYPE_BIT
    if timestamp_type is TimestampType.LOG_APPEND_TIME:
        wanted |= TIMESTAMP_TYPE_BIT
    if wanted == attributes and _TIMESTAMP.unpack_from(batch, _MAX_TIMESTAMP_POSITION)[0] == max_timestamp:
        return
    _ATTRIBUTES.pack_into(batch, _ATTRIBUTES_POSITION, wanted)
    _TIMESTAMP.pack_into(batch, _MAX_TIMESTAMP_POSITION, max_timestamp)
    CRC.pack_into(batch, CRC_POSITION, batch_crc(batch))


def recompress(
    header: BatchHeader,
    batch: bytes | bytearray | memoryview,
    compression: Compression,
    level: int | None = None,
    *,
    max_bytes: int = DECOMPRESSED_BYTES_MAX,
) -> bytearray:
    """The same records in another codec (`compression.type` of a topic); all other fields stay.

    Raises MalformedMessage: the batch cannot be decompressed within `max_bytes`.
    """
    body = compress(plain_records(header, batch, max_bytes), compression, level)
    rewritten = bytearray(
        BATCH_HEADER.pack(
            header.base_offset,
            BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES + len(body),
            header.partition_leader_epoch,
            header.magic,
            0,
            header.attributes & ~COMPRESSION_MASK | compression,
            header.last_offset_delta,
            header.base_timestamp,
            header.max_timestamp,
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
            header.record_count,
        )
    )
    rewritten += body
    CRC.pack_into(rewritten, CRC_POSITION, batch_crc(rewritten))
    return rewritten


def renumber(
    header: BatchHeader,
    batch: bytes | bytearray | memoryview,
    compression: Compression,
    level: int | None = None,
    *,
    max_bytes: int = DECOMPRESSED_BYTES_MAX,
) -> bytes:
    """The same records with consecutive offsets, for producers whose offset deltas have gaps.

    Raises MalformedMessage: the batch cannot be decoded, or is larger than `max_bytes` when decompressed.
    """
    records = decode_plain_records(header, plain_records(header, batch, max_bytes))
    return build_batch(
        (NewRecord(record.timestamp, record.key, record.value, record.headers) for record in records),
        base_offset=header.base_offset,
        compression=compression,
        compression_level=level,
        timestamp_type=header.timestamp_type,
        partition_leader_epoch=header.partition_leader_epoch,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        is_transactional=header.is_transactional,
        is_control=header.is_control,
    )
