"""The keys of a batch without its records being decoded: what compaction does for every record it reads.

A record that survives is copied as it is: base offset and base timestamp of its batch stay, so all its deltas do.
"""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records.varint import decode_unsigned_varint, decode_unsigned_varlong, encode_varint

_NULL_LENGTH: Final = 1  # a varint of -1


class ScannedRecords(NamedTuple):
    """One entry a record: its offset delta, its key (empty where it has none).

    `keyless` and `tombstones` are numbers of records.
    """

    offset_deltas: list[int]
    keys: list[bytes]
    keyless: list[int]
    tombstones: list[int]


class _Shape:
    """Where things are in a record whose varints have these widths, and how to see that they have.

    A varint of two bytes, read as one little-endian number, has 0x0080 in the bits 0x8080; one of one byte 0 in 0x80.
    """

    __slots__ = (
        "continued_bytes",
        "key_bytes",
        "key_length",
        "key_length_bytes",
        "key_position",
        "last_bytes",
        "length_mask",
        "length_width",
        "offset_mask",
        "offset_width",
        "other_keys_mask",
        "size_min",
        "timestamp_mask",
        "timestamp_width",
        "unpack",
    )

    def __init__(self, length_bytes: int, timestamp_bytes: int, offset_bytes: int, key_bytes: int) -> None:
        """The first three are 1 or 2."""
        zigzag = 2 * key_bytes
        key_length_bytes = 1 if zigzag < 0x80 else 2
        self.key_length = zigzag if zigzag < 0x80 else zigzag & 0x7F | 0x80 | zigzag >> 7 << 8
        codes = ["_BH"[width] for width in (length_bytes, timestamp_bytes, offset_bytes, key_length_bytes)]
        # The attributes are skipped; what comes last is the first byte of the value's length.
        self.unpack = struct.Struct("<{}x{}{}{}{}sB".format(*codes, key_bytes)).unpack_from
        self.length_mask, self.length_width = _WIDTHS[length_bytes]
        self.timestamp_mask, self.timestamp_width = _WIDTHS[timestamp_bytes]
        self.offset_mask, self.offset_width = _WIDTHS[offset_bytes]
        # Lengths of other keys that have these bits are not found by this shape: odd ones, and those of two bytes.
        self.other_keys_mask = 0x81 if key_length_bytes == 1 else 0xFFFF
        timestamp_position = length_bytes + 1
        offset_position = timestamp_position + timestamp_bytes
        key_length_position = offset_position + offset_bytes
        self.key_bytes = key_bytes
        self.key_position = key_length_position + key_length_bytes
        self.size_min = self.key_position + key_bytes + 1
        self.last_bytes = (offset_position - 1, key_length_position - 1)
        self.continued_bytes = (
            *range(timestamp_position, offset_position - 1),
            *range(offset_position, key_length_position - 1),
        )
        self.key_length_bytes = tuple(
            enumerate(self.key_length.to_bytes(key_length_bytes, "little"), key_length_position)
        )


_WIDTHS: Final = ((0, 0), (0x80, 0), (0x8080, 0x80))
_SHAPE_KEY_BYTES_MAX: Final = 0xFF
_shape = lru_cache(maxsize=256)(_Shape)
_RECORDS_PER_SHAPE_MIN: Final = 8
_BLOCK_RECORDS_MIN: Final = 8
_OFFSET_DELTAS_END: Final = (1 << 6, 1 << 13, 1 << 20)  # of those that take one, two, three bytes
_CONTINUED: Final = bytes(range(0x80, 0x100))


def scan_keys(data: bytes, count: int) -> tuple[list[bytes], list[int]] | None:
    """(keys, numbers of the tombstones) of the `count` records in `data`, the plain rest of a batch.

    None: a record has no key. Raises MalformedMessage.
    """
    _check_count(data, count)
    keys = [b""] * count
    tombstones: list[int] = []
    position = number = shapes = 0
    try:
        while number < count:
            # One record byte by byte.
            start = position
            length = data[position]
            position += 1
            if length >= 0x80:
                length, position = decode_unsigned_varint(data, start)
            length_bytes = position - start
            end = position + (length >> 1)
            timestamp_position = position = position + 1  # after the attributes
            while data[position] >= 0x80:
                position += 1
            offset_position = position = position + 1
            while data[position] >= 0x80:
                position += 1
            position += 1
            timestamp_bytes = offset_position - timestamp_position
            offset_bytes = position - offset_position
            key_length = data[position]
            position += 1
            if key_length >= 0x80:
                key_length, position = decode_unsigned_varint(data, position - 1)
            if key_length & 1:
                return None
            start = position
            position += key_length >> 1
            keys[number] = data[start:position]
            if data[position] == _NULL_LENGTH:
                tombstones.append(number)
            if position >= end:
                raise MalformedMessage(f"record ends {position - end:+} bytes from where its length says")
            position = end
            number += 1

            # Those after it mostly have the same shape: one call each takes them apart.
            if number == count or number < shapes * _RECORDS_PER_SHAPE_MIN:
                continue
            if max(length_bytes, timestamp_bytes, offset_bytes) > 2 or key_length >> 1 > _SHAPE_KEY_BYTES_MAX:
                continue
            shapes += 1
            shape = _shape(length_bytes, timestamp_bytes, offset_bytes, key_length >> 1)
            block_end = _block_end(number, count)
            size = _common_size(data, position, block_end - number)
            if size and _scan_block(data, position, number, block_end, size, shape, keys, tombstones):
                position += size * (block_end - number)
                number = block_end
            else:
                number, position = _scan_same_shape(data, position, number, shape, keys, tombstones)
    except IndexError:
        raise MalformedMessage("record is cut short") from None
    if position != len(data):
        raise MalformedMessage(f"{len(data) - position:+} bytes follow the {count} records of a batch")
    return keys, tombstones


def _block_end(number: int, count: int) -> int:
    """Where records that are alike but for their contents begin to be longer than record `number` is.

    That is where offset deltas without gaps take one byte more.
    """
    return next((end for end in _OFFSET_DELTAS_END if number < end < count), count)


def _common_size(data: bytes, position: int, count: int) -> int:
    """The size of each of the next `count` records, 0 if they differ.

    Many a topic has values of one size. The first length tells where the second one must be, and so on: if the bytes
    at these places are all the same, the lengths are, and so is what they say of the places. Raises IndexError.
    """
    length, body = decode_unsigned_varint(data, position)
    size = body - position + (length >> 1)
    end = position + size * count
    if end > len(data) or count < _BLOCK_RECORDS_MIN:
        return 0
    for place in range(position, body):
        if data[place:end:size] != data[place : place + 1] * count:
            return 0
    return size


def _scan_block(
    data: bytes,
    position: int,
    first: int,
    block_end: int,
    size: int,
    shape: _Shape,
    keys: list[bytes],
    tombstones: list[int],
) -> bool:
    """Take in the records `[first, block_end)`, all of one `size`; False: not all of them have the `shape`.

    A byte of a varint is looked at in all of them at once.
    """
    end = position + size * (block_end - first)
    key_end = shape.key_position + shape.key_bytes
    if size <= key_end:
        return False
    for place, expected in shape.key_length_bytes:
        if data[position + place : end : size].count(expected) != block_end - first:
            return False
    for place in shape.last_bytes:
        if not data[position + place : end : size].isascii():
            return False
    for place in shape.continued_bytes:
        if data[position + place : end : size].translate(None, _CONTINUED):
            return False
    value_lengths = data[position + key_end : end : size]
    number = value_lengths.find(_NULL_LENGTH)
    while number >= 0:
        tombstones.append(first + number)
        number = value_lengths.find(_NULL_LENGTH, number + 1)
    keys[first:block_end] = _pieces(data, position, size, block_end - first, shape.key_position, shape.key_bytes)
    return True


_PIECES_TOGETHER_MAX: Final = 64


@lru_cache(maxsize=256)
def _unpack_pieces(size: int, count: int, start: int, length: int) -> Callable[[bytes, int], tuple[bytes, ...]]:
    return struct.Struct(f"{start}x{length}s{size - start - length}x" * count).unpack_from


def _pieces(data: bytes, position: int, size: int, count: int, start: int, length: int) -> list[bytes]:
    """`length` bytes from `start` on of each of `count` records of one `size`: one call takes many apart."""
    pieces: list[bytes] = []
    while count > 0:
        together = min(count, _PIECES_TOGETHER_MAX)
        pieces += _unpack_pieces(size, together, start, length)(data, position)
        position += size * together
        count -= together
    return pieces


def _scan_same_shape(
    data: bytes, position: int, first: int, shape: _Shape, keys: list[bytes], tombstones: list[int]
) -> tuple[int, int]:
    """(number, position) of the first record that is not of the `shape`, or is malformed; `first` is at `position`.

    Raises IndexError: the last one is cut short.
    """
    unpack = shape.unpack
    length_mask, length_width = shape.length_mask, shape.length_width
    timestamp_mask, timestamp_width = shape.timestamp_mask, shape.timestamp_width
    offset_mask, offset_width = shape.offset_mask, shape.offset_width
    usual_key_length = shape.key_length
    other_keys_mask = shape.other_keys_mask
    key_position = shape.key_position
    size_min = shape.size_min
    length_bytes = 1 if length_mask == 0x80 else 2
    number = first
    try:
        for number in range(first, len(keys)):
            length, timestamp, offset, key_length, key, value_length = unpack(data, position)
            if (
                length & length_mask != length_width
                or timestamp & timestamp_mask != timestamp_width
                or offset & offset_mask != offset_width
            ):
                return number, position
            size = length_bytes + (length >> 1 & 0x3F) + (length >> 2 & 0x1FC0)
            if key_length == usual_key_length:
                if size < size_min:
                    return number, position
            elif key_length & other_keys_mask:
                return number, position
            else:
                start = position + key_position
                end = start + (key_length >> 1)
                key = data[start:end]
                value_length = data[end]
                if end >= position + size:
                    return number, position
            keys[number] = key
            if value_length == _NULL_LENGTH:
                tombstones.append(number)
            position += size
    except struct.error:  # so near to the end that nothing of this shape fits
        return number, position
    return len(keys), position


def scan_records(data: bytes, count: int) -> ScannedRecords:
    """The `count` records in `data`, the plain rest of a batch. Raises MalformedMessage."""
    _check_count(data, count)
    offset_deltas = [0] * count
    keys = [b""] * count
    keyless: list[int] = []
    tombstones: list[int] = []
    position = 0
    try:
        for number in range(count):
            # Varints of one and two bytes are written out, since calls are what costs here.
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

            position += 1  # attributes
            while data[position] >= 0x80:  # timestamp delta
                position += 1
            position += 1

            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varint(data, position - 1)
            offset_deltas[number] = zigzag >> 1

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
                keyless.append(number)
            else:
                start = position
                position += zigzag >> 1
                keys[number] = data[start:position]
            if data[position] == _NULL_LENGTH:
                tombstones.append(number)
            if position >= end:
                raise MalformedMessage(f"record ends {position - end:+} bytes from where its length says")
            position = end
    except IndexError:
        raise MalformedMessage("record is cut short") from None
    if position != len(data):
        raise MalformedMessage(f"{len(data) - position:+} bytes follow the {count} records of a batch")
    return ScannedRecords(offset_deltas, keys, keyless, tombstones)


def _check_count(data: bytes, count: int) -> None:
    """Before there is a list of that length."""
    if not 0 <= count <= len(data):
        raise MalformedMessage(f"{count} records in {len(data)} bytes")


def split_records(data: bytes, count: int) -> list[bytes]:
    """Each of the `count` records in `data`, the plain rest of a batch. Raises MalformedMessage."""
    _check_count(data, count)
    records: list[bytes] = []
    position = number = 0
    try:
        while number < count:
            block_end = _block_end(number, count)
            size = _common_size(data, position, block_end - number)
            if size:
                records += _pieces(data, position, size, block_end - number, 0, size)
                position += size * (block_end - number)
            else:
                position = _append_records(data, position, block_end - number, records)
            number = block_end
    except IndexError:
        raise MalformedMessage("record is cut short") from None
    if position != len(data):
        raise MalformedMessage(f"{len(data) - position:+} bytes follow the {count} records of a batch")
    return records


def _append_records(data: bytes, position: int, count: int, records: list[bytes]) -> int:
    """Each of the next `count` records; returns where the last of them ends. Raises IndexError."""
    for _ in range(count):
        start = position
        zigzag = data[position]
        position += 1
        if zigzag >= 0x80:
            high = data[position]
            if high < 0x80:
                zigzag += (high << 7) - 0x80
                position += 1
            else:
                zigzag, position = decode_unsigned_varint(data, position - 1)
        position += zigzag >> 1
        records.append(data[start:position])
    return position


def max_timestamp_delta(records: Sequence[bytes], limit: int) -> int:
    """Of `records`; none in their batch is above `limit`.

    From the last one on, which mostly is the latest: at the limit the search ends.
    """
    latest = -(2**63)
    for record in reversed(records):
        delta = timestamp_delta(record)
        if delta > latest:
            if delta >= limit:
                return delta
            latest = delta
    return latest


def timestamp_delta(record: bytes) -> int:
    position = 1 if record[0] < 0x80 else decode_unsigned_varint(record, 0)[1]
    zigzag = record[position + 1]
    if zigzag >= 0x80:
        zigzag, _ = decode_unsigned_varlong(record, position + 1)
    return zigzag >> 1 ^ -(zigzag & 1)


def with_timestamp_delta(record: bytes, shift: int) -> bytes:
    """`record` with `shift` added to its timestamp delta."""
    _, body = decode_unsigned_varint(record, 0)
    zigzag, rest = decode_unsigned_varlong(record, body + 1)
    delta = encode_varint((zigzag >> 1 ^ -(zigzag & 1)) + shift)
    return encode_varint(1 + len(delta) + len(record) - rest) + record[body : body + 1] + delta + record[rest:]
