"""The batches of a segment, or of a snapshot of the metadata, and their records.

One batch is in memory at a time, of at most BATCH_BYTES_MAX; `kafkapy_wire.compression` bounds it decompressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from kafkapy.dump.records import control_fields, plain_fields
from kafkapy.dump.rows import Kind, Row, note, problem
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
    BatchHeader,
    Record,
    TimestampType,
    crc_matches,
    decode_records,
    read_batch_header,
)
from kafkapy_wire.records.record_text import header_name, json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.dump.records import RecordDecoder
    from kafkapy_wire.json_format import JsonValue

BATCH_BYTES_MAX: Final = 256 * 1024 * 1024
ZEROS_AT_ONCE: Final = 1024 * 1024


def dump_segment(file: BinaryIO, size: int, decode: RecordDecoder | None, *, with_records: bool) -> Iterator[Row]:
    """Batches with their records, up to the first that cannot be one."""
    position = 0
    while position < size:
        left = size - position
        file.seek(position)
        data = file.read(BATCH_HEADER_BYTES)
        if not any(data) and _is_zeros(file, position):
            yield note(f"{left} bytes of zeros follow from position {position} on: allocated and not used")
            return
        try:
            header = read_batch_header(data)
        except MalformedMessage as error:
            yield problem(f"position {position}: {left} bytes are left that do not begin with a batch: {error}")
            return
        if header.size_bytes > left:
            yield problem(f"position {position}: a batch of {header.size_bytes} bytes is cut short after {left}")
            return
        if header.size_bytes > BATCH_BYTES_MAX:
            yield problem(f"position {position}: a batch of {header.size_bytes} bytes is more than is read at once")
            return
        batch = data + file.read(header.size_bytes - BATCH_HEADER_BYTES)
        if len(batch) < header.size_bytes:
            yield problem(f"position {position}: the file became shorter while it was read")
            return
        is_valid = crc_matches(batch)
        yield Row(Kind.BATCH, batch_fields(header, is_valid=is_valid, position=position))
        if not is_valid:
            yield problem(f"position {position}: the CRC does not match what is in the batch")
        if with_records:
            yield from record_rows(header, batch, decode)
        position += header.size_bytes


def _is_zeros(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    while data := file.read(ZEROS_AT_ONCE):
        if any(data):
            return False
    return True


def batch_fields(header: BatchHeader, *, is_valid: bool, position: int) -> dict[str, JsonValue]:
    return {
        "baseOffset": header.base_offset,
        "lastOffset": header.last_offset,
        "count": header.record_count,
        "baseSequence": header.base_sequence,
        "lastSequence": header.last_sequence,
        "producerId": header.producer_id,
        "producerEpoch": header.producer_epoch,
        "partitionLeaderEpoch": header.partition_leader_epoch,
        "isTransactional": header.is_transactional,
        "isControl": header.is_control,
        "deleteHorizonMs": header.base_timestamp if header.has_delete_horizon else None,
        "position": position,
        timestamp_name(header.timestamp_type): header.max_timestamp,
        "size": header.size_bytes,
        "magic": header.magic,
        "compresscodec": codec_name(header),
        "crc": header.crc,
        "isvalid": is_valid,
    }


def record_rows(header: BatchHeader, batch: bytes, decode: RecordDecoder | None) -> Iterator[Row]:
    """The records of a batch, up to the first that cannot be read."""
    try:
        for record in decode_records(batch):
            fields = _record_fields(header, record)
            try:
                if header.is_control:
                    fields |= control_fields(record)
                else:
                    fields |= plain_fields(record) if decode is None else decode(record)
            except (MalformedMessage, ValueError) as error:
                yield Row(Kind.RECORD, fields | plain_fields(record))
                yield problem(f"offset {record.offset}: the record is not of the format of its topic: {error}")
            else:
                yield Row(Kind.RECORD, fields)
    except MalformedMessage as error:
        yield problem(f"batch at offset {header.base_offset}: {error}")


def _record_fields(header: BatchHeader, record: Record) -> dict[str, JsonValue]:
    sequence = -1
    if header.base_sequence >= 0:
        sequence = (header.base_sequence + record.offset - header.base_offset) & 0x7FFFFFFF
    headers: list[JsonValue] = [[header_name(name), json_bytes(value)] for name, value in record.headers]
    return {
        "offset": record.offset,
        timestamp_name(header.timestamp_type): record.timestamp,
        "keySize": -1 if record.key is None else len(record.key),
        "valueSize": -1 if record.value is None else len(record.value),
        "sequence": sequence,
        "headers": headers,
    }


def timestamp_name(timestamp_type: TimestampType) -> str:
    return "LogAppendTime" if timestamp_type is TimestampType.LOG_APPEND_TIME else "CreateTime"


def codec_name(header: BatchHeader) -> str:
    try:
        return header.compression.name.lower()
    except MalformedMessage as error:
        return str(error)
