"""The keys of a batch without its records being decoded: what compaction does for every record it reads.

A record that survives is copied as it is: base offset and base timestamp of its batch stay, so all its deltas do.
"""

from typing import NamedTuple

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records.varint import decode_unsigned_varint, decode_unsigned_varlong, encode_varint


class ScannedRecords(NamedTuple):
    """One entry a record: where it ends in the data, its offset delta, its key (empty where it has none).

    `keyless` and `tombstones` are numbers of records.
    """

    ends: list[int]
    offset_deltas: list[int]
    keys: list[bytes]
    keyless: list[int]
    tombstones: list[int]


# Both loops below write out varints of one and two bytes, since calls are what costs here.


def scan_keys(data: bytes, count: int) -> list[bytes] | None:
    """The keys of the `count` records in `data`, the plain rest of a batch; None when a record has no key.

    Raises MalformedMessage.
    """
    keys = [b""] * count
    position = 0
    try:
        for number in range(count):
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
            while data[position] >= 0x80:  # offset delta
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
            if zigzag & 1:
                return None
            start = position
            position += zigzag >> 1
            keys[number] = data[start:position]
            if position >= end:
                raise MalformedMessage(f"record ends {position - end:+} bytes from where its length says")
            position = end
    except IndexError:
        raise MalformedMessage("record is cut short") from None
    if position != len(data):
        raise MalformedMessage(f"{len(data) - position:+} bytes follow the {count} records of a batch")
    return keys


def scan_records(data: bytes, count: int) -> ScannedRecords:
    """The `count` records in `data`, the plain rest of a batch. Raises MalformedMessage."""
    ends = [0] * count
    offset_deltas = [0] * count
    keys = [b""] * count
    keyless: list[int] = []
    tombstones: list[int] = []
    position = 0
    try:
        for number in range(count):
            zigzag = data[position]
            position += 1
            if zigzag >= 0x80:
                high = data[position]
                if high < 0x80:
                    zigzag += (high << 7) - 0x80
                    position += 1
                else:
                    zigzag, position = decode_unsigned_varint(data, position - 1)
            ends[number] = end = position + (zigzag >> 1)

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
            if data[position] == 1:  # a length of -1
                tombstones.append(number)
            if position >= end:
                raise MalformedMessage(f"record ends {position - end:+} bytes from where its length says")
            position = end
    except IndexError:
        raise MalformedMessage("record is cut short") from None
    if position != len(data):
        raise MalformedMessage(f"{len(data) - position:+} bytes follow the {count} records of a batch")
    return ScannedRecords(ends, offset_deltas, keys, keyless, tombstones)


def timestamp_delta(data: bytes, start: int) -> int:
    """Of the record that begins at `start`."""
    _, position = decode_unsigned_varint(data, start)
    zigzag, _ = decode_unsigned_varlong(data, position + 1)
    return zigzag >> 1 ^ -(zigzag & 1)


def with_timestamp_delta(data: bytes, start: int, end: int, shift: int) -> bytes:
    """The record in `data[start:end]` with `shift` added to its timestamp delta."""
    _, body = decode_unsigned_varint(data, start)
    zigzag, rest = decode_unsigned_varlong(data, body + 1)
    delta = encode_varint((zigzag >> 1 ^ -(zigzag & 1)) + shift)
    return encode_varint(1 + len(delta) + end - rest) + data[body : body + 1] + delta + data[rest:end]
