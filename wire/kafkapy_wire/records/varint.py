"""Zigzag varints as records use them: 32 bits for lengths, counts and offset deltas, 64 bits for timestamp deltas."""

from kafkapy_wire.errors import MalformedMessage

_ONE_BYTE = tuple(bytes((number,)) for number in range(0x80))


def encode_varint(value: int) -> bytes:
    """`value`, a signed 64-bit integer, zigzagged: one byte for -64 to 63."""
    zigzag = (value << 1) ^ (value >> 63)
    if zigzag < 0x80:
        return _ONE_BYTE[zigzag]
    if zigzag < 0x4000:
        return bytes((zigzag & 0x7F | 0x80, zigzag >> 7))
    encoded = bytearray()
    while zigzag >= 0x80:
        encoded.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    encoded.append(zigzag)
    return bytes(encoded)


def decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """(signed 32-bit integer at `position`, position after it); errors as `decode_unsigned_varint`."""
    zigzag, position = decode_unsigned_varint(data, position)
    return zigzag >> 1 ^ -(zigzag & 1), position


def decode_unsigned_varint(data: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """(the 32 bits of a varint, still zigzagged; position after it).

    Raises MalformedMessage: more than five bytes, or more than 32 bits in them. Raises IndexError: `data` ends before
    it does.
    """
    zigzag = 0
    for shift in (0, 7, 14, 21, 28):
        byte = data[position]
        position += 1
        zigzag |= (byte & 0x7F) << shift
        if byte < 0x80:
            if zigzag > 0xFFFFFFFF:
                break
            return zigzag, position
    raise MalformedMessage("varint of more than 32 bits")


def decode_unsigned_varlong(data: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """As `decode_unsigned_varint`, with 64 bits in at most ten bytes."""
    zigzag = 0
    for shift in (0, 7, 14, 21, 28, 35, 42, 49, 56, 63):
        byte = data[position]
        position += 1
        zigzag |= (byte & 0x7F) << shift
        if byte < 0x80:
            if zigzag > 0xFFFFFFFFFFFFFFFF:
                break
            return zigzag, position
    raise MalformedMessage("varlong of more than 64 bits")
