"""Bytes of a batch to records: plain Python, one pass, no call for a varint of one or two bytes."""

from collections.abc import Iterator

from kafkapy_wire.compression import DECOMPRESSED_BYTES_MAX, decompress
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records.batch import BATCH_HEADER_BYTES, BatchHeader, TimestampType, read_batch_header
from kafkapy_wire.records.record import Record
from kafkapy_wire.records.runs import RECORD_BYTES_MAX, record_pieces
from kafkapy_wire.records.varint import decode_unsigned_varint, decode_unsigned_varlong, decode_varint

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


def decode_records(
    batch: bytes | bytearray | memoryview,
    *,
    max_bytes: int = DECOMPRESSED_BYTES_MAX,
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> Iterator[Record]:
    """The records of one whole batch, decompressed. The CRC is not checked.

    Offsets come from the deltas. In a produced batch they count from 0 without gaps (`validation` checks that); a
    compacted batch may have gaps. With LOG_APPEND_TIME every record has the batch's `max_timestamp`.
    Raises MalformedMessage, while iterating: the batch or a record in it is invalid, or is larger than
    `max_bytes` when decompressed; RecordTooLarge: a record of a compressed batch is larger than `record_bytes_max`.
    """
    header = read_batch_header(batch)
    if header.size_bytes != len(batch):
        raise MalformedMessage(f"batch of {header.size_bytes} bytes in {len(batch)} bytes")
    for count, data in record_pieces(header, batch, max_bytes, record_bytes_max):
        yield from decode_plain_records(header, data, count)


def plain_records(header: BatchHeader, batch: bytes | bytearray | memoryview, max_bytes: int) -> bytes:
    """The bytes after the header, decompressed."""
    return decompress(memoryview(batch)[BATCH_HEADER_BYTES:], header.compression, max_bytes)


def decode_plain_records(header: BatchHeader, data: bytes, count: int | None = None) -> Iterator[Record]:
    """The `count` records in `data`, decompressed bytes of a batch with this header; None: all that it has.

    Raises MalformedMessage.
    """
    base_offset = header.base_offset
    base_timestamp = header.base_timestamp
    append_timestamp = header.max_timestamp if header.timestamp_type is TimestampType.LOG_APPEND_TIME else None
    data_end = len(data)
    position = 0
    if count is None:
        count = header.record_count
    if count < 0:
        raise MalformedMessage(f"record count {count} is negative")
    for _ in range(count):
        try:
            # Six varints a record. Those of one and two bytes are written out, since calls are what costs here;
            # a zigzagged number is negative when it is odd.
            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varint(data, position - 1)
            end = position + (zigzag >> 1)
            if zigzag & 1 or end > data_end:
                raise MalformedMessage(f"record of {zigzag >> 1} bytes, {data_end - position} are left")

            position += 1  # attributes: no bit has a meaning
            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varlong(data, position - 1)
            timestamp = base_timestamp + (zigzag >> 1 ^ -(zigzag & 1))

            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varint(data, position - 1)
            offset = base_offset + (zigzag >> 1 ^ -(zigzag & 1))

            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varint(data, position - 1)
            if zigzag & 1:
                key = None
            else:
                start = position
                position += zigzag >> 1
                key = data[start:position]

            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varint(data, position - 1)
            if zigzag & 1:
                value = None
            else:
                start = position
                position += zigzag >> 1
                value = data[start:position]

            if data[position]:
                headers, position = _decode_headers(data, position, end)
            else:
                headers = ()
                position += 1
        except IndexError:
            raise MalformedMessage("record is cut short") from None
        if position != end:
            raise MalformedMessage(f"record ends {position - end:+} bytes from where its length says")
        if timestamp > INT64_MAX or timestamp < INT64_MIN or offset > INT64_MAX or offset < 0:
            raise MalformedMessage(f"timestamp {timestamp} or offset {offset} of a record is out of range")
        yield Record(offset, timestamp if append_timestamp is None else append_timestamp, key, value, headers)
    if position != data_end:
        raise MalformedMessage(f"{data_end - position} bytes follow the {count} records of a batch")


def _decode_headers(data: bytes, position: int, end: int) -> tuple[tuple[tuple[str, bytes | None], ...], int]:
    """(headers, position after them). Raises MalformedMessage, or IndexError where `data` ends before they do."""
    count, position = decode_varint(data, position)
    if not 0 <= count <= end - position:
        raise MalformedMessage(f"{count} record headers in {end - position} bytes")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        zigzag = data[position]
        position += 1
        if zigzag >= 0x80:
            zigzag, position = decode_unsigned_varint(data, position - 1)
        start = position
        position += zigzag >> 1
        if zigzag & 1 or position > end:
            raise MalformedMessage(f"record header key of {zigzag >> 1} bytes, {end - start} are left")
        key = data[start:position].decode(errors="surrogateescape")

        zigzag = data[position]
        position += 1
        if zigzag >= 0x80:
            zigzag, position = decode_unsigned_varint(data, position - 1)
        if zigzag & 1:
            headers.append((key, None))
            continue
        start = position
        position += zigzag >> 1
        if position > end:
            raise MalformedMessage(f"record header value of {zigzag >> 1} bytes, {end - start} are left")
        headers.append((key, data[start:position]))
    return tuple(headers), position
