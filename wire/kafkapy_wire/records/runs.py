"""Reads the records of a batch in runs, so that no batch takes more memory than a few pieces of it.

A batch may have a million records in two kilobytes. So its records are read in runs: as many whole records as are in a
piece of its decompressed bytes, found by their lengths alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.compression import DECOMPRESSED_BYTES_MAX, decompress, decompressed_pieces
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records.batch import BATCH_HEADER_BYTES, COMPRESSION_MASK, BatchHeader
from kafkapy_wire.records.varint import decode_unsigned_varint

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD_BYTES_MAX: Final = 2_147_483_639
"""Kafka's default of max.decompressed.message.bytes: no bound beside that of the batch."""

SMALL_BYTES: Final = 1024 * 1024
"""So many decompressed bytes are no reason to go piece by piece."""

_BLOCK_RECORDS_MIN: Final = 64
_LENGTH_BYTES_MAX: Final = 5
_LENGTHS_OF_ONE_BYTE: Final = 0x80


class RecordTooLarge(MalformedMessage):
    """A record of a compressed batch is larger than max.decompressed.message.bytes."""


def record_runs(
    header: BatchHeader,
    batch: bytes | bytearray | memoryview,
    max_bytes: int = DECOMPRESSED_BYTES_MAX,
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> Iterator[tuple[int, bytes]]:
    """(count, the plain bytes of so many records), one run after the other. One is as long as its longest record, or a
    piece of the decompressed batch.

    Only the lengths are checked: the runs have exactly `header.record_count` records, without other bytes.
    Raises MalformedMessage, while iterating; RecordTooLarge, which holds for compressed batches only.
    """
    if header.record_count < 0:
        raise MalformedMessage(f"record count {header.record_count} is negative")
    if not header.attributes & COMPRESSION_MASK:
        record_bytes_max = RECORD_BYTES_MAX
    left = header.record_count
    parts: list[bytes] = []  # of a record that is longer than a piece
    wanted = available = 0
    for piece in decompressed_pieces(memoryview(batch)[BATCH_HEADER_BYTES:], header.compression, max_bytes):
        parts.append(piece)
        available += len(piece)
        if available < wanted:
            continue
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts = []
        count, end, wanted = whole_records(data, left, record_bytes_max)
        if count:
            left -= count
            yield count, data if end == len(data) else data[:end]
        rest = data[end:]
        if rest and not left:
            raise MalformedMessage(f"bytes follow the {header.record_count} records of a batch")
        parts = [rest] if rest else []
        available = len(rest)
    if left or parts:
        raise MalformedMessage("a batch ends before its last record")


def record_pieces(
    header: BatchHeader,
    batch: bytes | bytearray | memoryview,
    max_bytes: int = DECOMPRESSED_BYTES_MAX,
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> Iterator[tuple[int, bytes]]:
    """As `record_runs`, for callers that decode each record anyway: a small batch is one run, unchecked."""
    is_compressed = header.attributes & COMPRESSION_MASK
    if header.record_count >= 0 and (
        record_bytes_max >= RECORD_BYTES_MAX if is_compressed else len(batch) <= SMALL_BYTES
    ):
        try:
            data = decompress(memoryview(batch)[BATCH_HEADER_BYTES:], header.compression, min(max_bytes, SMALL_BYTES))
        except MalformedMessage:
            pass  # usually it is too large; any other damage is found below
        else:
            yield header.record_count, data
            return
    yield from record_runs(header, batch, max_bytes, record_bytes_max)


def whole_records(
    data: bytes | memoryview, count: int, record_bytes_max: int = RECORD_BYTES_MAX
) -> tuple[int, int, int]:
    """(how many of `count` records are whole in `data`, where they end, the bytes that one more takes from there on).

    Raises MalformedMessage: a negative length; RecordTooLarge.
    """
    size = len(data)
    position = number = block = 0
    while number < count:
        start = position
        if size - start < _LENGTH_BYTES_MAX and not _has_length(data, start):
            return number, start, size - start + 1
        zigzag = data[position]
        position += 1
        if zigzag >= 0x80:
            high = data[position]
            if high < 0x80:
                zigzag += (high << 7) - 0x80
                position += 1
            else:
                zigzag, position = decode_unsigned_varint(data, start)
        if zigzag & 1:
            raise MalformedMessage("a record has a negative length")
        length = zigzag >> 1
        if length > record_bytes_max:
            raise RecordTooLarge(f"a record of {length} bytes, {record_bytes_max} are the most")
        position += length
        if position > size:
            return number, start, position - start
        number += 1
        # Many a batch has records of one size, and one that was made to cost much time has, too: as long as the bytes
        # where their lengths must be are all the same, they are taken many at a time, twice as many each time.
        block -= 1
        if block <= 0 and zigzag < _LENGTHS_OF_ONE_BYTE:
            number, position, block = _same_length(data, position, number, count, data[start], length + 1)
    return number, position, 0


def _same_length(
    data: bytes | memoryview, position: int, number: int, count: int, first: int, record_bytes: int
) -> tuple[int, int, int]:
    """Skip records that begin with the byte `first`; (number, position, records until the next attempt)."""
    together = _BLOCK_RECORDS_MIN
    while True:
        end = position + together * record_bytes
        if number + together > count or end > len(data):
            return number, position, _BLOCK_RECORDS_MIN
        if bytes(data[position:end:record_bytes]).count(first) != together:
            return number, position, _BLOCK_RECORDS_MIN
        position, number = end, number + together
        together *= 2


def _has_length(data: bytes | memoryview, position: int) -> bool:
    """Whether the varint at `position` is whole."""
    return any(byte < 0x80 for byte in data[position : position + _LENGTH_BYTES_MAX])
