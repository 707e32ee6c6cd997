"""The four codecs of record batches: gzip, snappy (xerial and raw framing), lz4 frames, zstd.

Compressed bytes come from a peer, so decompression is bounded: it stops at `max_bytes` instead of trusting a length
that the sender wrote, and raises `MalformedMessage` for bytes it cannot read. `decompressed_pieces` returns the bytes
in pieces, for callers that do not need all at once. The libraries are imported with the first
use of a codec: a broker that only stores and forwards batches never loads them.

Kafka's Java clients and broker can read what is written here: xerial framing with 32 KiB blocks for snappy, lz4
frames of independent blocks, gzip with one member.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from mmap import mmap

DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
"""Default bound of one batch: Kafka's `message.max.bytes` is 1 MiB, and records that compress 200-fold are rare."""

PIECE_BYTES: Final = 256 * 1024
"""What is handed out at a time."""

_INT32 = struct.Struct(">i")

_GZIP_WBITS = 16 + 15  # zlib's way to ask for gzip's header and trailer, with the largest window
_GZIP_LEVEL = -1  # zlib's own default
_GZIP_TURN_BYTES = 16 * 1024

# SnappyOutputStream of xerial's snappy-java: magic, version 1, oldest compatible version 1, all before the blocks.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = _XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01"
_XERIAL_BLOCK_BYTES = 32 * 1024
# A snappy copy element of 3 bytes makes at most 64 bytes; a block that claims a higher ratio is malformed.
_SNAPPY_RATIO_MAX = 22

# Kafka takes its default level for the fast compressor and every other one for the thorough one.
_LZ4_LEVEL = 9
_LZ4_FAST_LEVEL = 1
_LZ4_RATIO_MAX = 255  # each byte of a match length stands for 255

_ZSTD_LEVEL = 3
_ZSTD_RATIO_MAX = 32 * 1024  # four bytes (block header and the byte to repeat) stand for 128 KiB


class Compression(IntEnum):
    """Codec ids as they stand in the lowest three bits of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def compress(data: bytes, compression: Compression, level: int | None = None) -> bytes:
    """`data` compressed. `level` is that of Kafka's `compression.*.level` (KIP-390); None is Kafka's default."""
    match compression:
        case Compression.NONE:
            return data
        case Compression.GZIP:
            import zlib

            compressor = zlib.compressobj(_GZIP_LEVEL if level is None else level, wbits=_GZIP_WBITS)
            return compressor.compress(data) + compressor.flush()
        case Compression.SNAPPY:
            return _compress_xerial(data)
        case Compression.LZ4:
            return _compress_lz4_frame(data, _LZ4_LEVEL if level is None else level)
        case Compression.ZSTD:
            from cramjam import zstd

            return bytes(zstd.compress(data, level=_ZSTD_LEVEL if level is None else level))


def decompress(
    data: bytes | bytearray | memoryview, compression: Compression, max_bytes: int = DECOMPRESSED_BYTES_MAX
) -> bytes:
    """The plain bytes, at most `max_bytes` of them.

    Raises MalformedMessage: not of this codec, cut short, followed by other bytes, or larger than `max_bytes`.
    """
    match compression:
        case Compression.NONE:
            plain = bytes(data)
        case Compression.GZIP:
            plain = _decompress_gzip(data, max_bytes)
        case Compression.SNAPPY:
            plain = _decompress_snappy(data, max_bytes)
        case Compression.LZ4:
            from cramjam import lz4

            plain = _decompress_into(lz4.decompress_into, data, "lz4", _LZ4_RATIO_MAX, max_bytes)
        case Compression.ZSTD:
            from cramjam import zstd

            plain = _decompress_into(zstd.decompress_into, data, "zstd", _ZSTD_RATIO_MAX, max_bytes)
    if len(plain) > max_bytes:
        raise _too_large(compression.name.lower(), max_bytes)
    return plain


def decompressed_pieces(
    data: bytes | bytearray | memoryview, compression: Compression, max_bytes: int = DECOMPRESSED_BYTES_MAX
) -> Iterator[bytes]:
    """The decompressed bytes in pieces of about `PIECE_BYTES`; only one piece is copied at a time.

    Raises MalformedMessage, while iterating. gzip and framed snappy are decompressed as they are asked for; of lz4,
    zstd and a raw snappy block the plain bytes are in memory, which goes when the iterator does.
    """
    view = memoryview(data)
    match compression:
        case Compression.NONE:
            if len(view) > max_bytes:
                raise _too_large("plain", max_bytes)
            for start in range(0, len(view), PIECE_BYTES):
                yield bytes(view[start : start + PIECE_BYTES])
        case Compression.GZIP:
            yield from _gzip_pieces(view, max_bytes)
        case Compression.SNAPPY:
            for block in _snappy_pieces(view, max_bytes):
                if len(block) <= PIECE_BYTES:
                    yield block
                    continue
                for start in range(0, len(block), PIECE_BYTES):
                    yield block[start : start + PIECE_BYTES]
        case Compression.LZ4:
            from cramjam import lz4

            yield from _pieces_of_buffer(lz4.decompress_into, view, "lz4", _LZ4_RATIO_MAX, max_bytes)
        case Compression.ZSTD:
            from cramjam import zstd

            yield from _pieces_of_buffer(zstd.decompress_into, view, "zstd", _ZSTD_RATIO_MAX, max_bytes)


def _too_large(codec: str, max_bytes: int) -> MalformedMessage:
    return MalformedMessage(f"{codec} data is larger than {max_bytes} bytes when decompressed")


def _decompress_gzip(data: bytes | bytearray | memoryview, max_bytes: int) -> bytes:
    return b"".join(_gzip_pieces(memoryview(data), max_bytes))


def _gzip_pieces(view: memoryview, max_bytes: int) -> Iterator[bytes]:
    """All members one after the other, as GZIPInputStream reads them.

    Fed in turns: zlib hands back a copy of what follows a member, so feeding the whole rest each time would be
    quadratic in the number of (possibly empty) members.
    """
    import zlib

    plain_bytes = position = 0
    member = zlib.decompressobj(_GZIP_WBITS)
    try:
        while position < len(view):
            turn: bytes | memoryview = view[position : position + _GZIP_TURN_BYTES]
            position += len(turn)
            while True:
                piece = member.decompress(turn, PIECE_BYTES)
                plain_bytes += len(piece)
                if plain_bytes > max_bytes:
                    raise _too_large("gzip", max_bytes)
                if piece:
                    yield piece
                turn = member.unconsumed_tail
                if member.eof or (not turn and len(piece) < PIECE_BYTES):
                    break
            # The unused bytes belong to the next member.
            if member.eof and position - len(member.unused_data) < len(view):
                position -= len(member.unused_data)
                member = zlib.decompressobj(_GZIP_WBITS)
    except zlib.error as error:
        raise MalformedMessage(f"not gzip: {error}") from None
    if not member.eof:
        raise MalformedMessage("gzip data is cut short")


def _compress_xerial(data: bytes) -> bytes:
    from cramjam import snappy

    view = memoryview(data)
    pieces = [_XERIAL_HEADER]
    for start in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(snappy.compress_raw(view[start : start + _XERIAL_BLOCK_BYTES]))
        pieces += (_INT32.pack(len(block)), block)
    return b"".join(pieces)


def _decompress_snappy(data: bytes | bytearray | memoryview, max_bytes: int) -> bytes:
    return b"".join(_snappy_pieces(memoryview(data), max_bytes))


def _snappy_pieces(view: memoryview, max_bytes: int) -> Iterator[bytes]:
    """Xerial's framing where its magic stands first (Java clients), otherwise one raw block (librdkafka, Go)."""
    if view[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        yield _decompress_snappy_block(view, max_bytes)
        return
    plain_bytes = 0
    position = len(_XERIAL_HEADER)
    while position < len(view):
        if position + 4 > len(view):
            raise MalformedMessage("xerial snappy data is cut short in a block length")
        (length,) = _INT32.unpack_from(view, position)
        position += 4
        if not 0 <= length <= len(view) - position:
            raise MalformedMessage(f"xerial snappy block of {length} bytes, {len(view) - position} are left")
        block = _decompress_snappy_block(view[position : position + length], max_bytes - plain_bytes)
        plain_bytes += len(block)
        position += length
        yield block
    if position != len(view):
        raise MalformedMessage("xerial snappy data is cut short in its header")


def _decompress_snappy_block(block: memoryview, max_bytes: int) -> bytes:
    from cramjam import DecompressionError, snappy

    if not block:
        raise MalformedMessage("snappy block without bytes")
    try:
        plain_bytes = snappy.decompress_raw_len(block)
        if plain_bytes > max_bytes:
            raise _too_large("snappy", max_bytes)
        if plain_bytes > len(block) * _SNAPPY_RATIO_MAX:
            raise MalformedMessage(f"snappy block of {len(block)} bytes promises {plain_bytes}")
        return bytes(snappy.decompress_raw(block, output_len=plain_bytes))
    except DecompressionError as error:
        raise MalformedMessage(f"not snappy: {error}") from None


def _compress_lz4_frame(data: bytes, level: int) -> bytes:
    from cramjam import lz4

    # Not lz4.compress: its blocks are linked, and Kafka's Java reader says "Dependent block stream is unsupported".
    compressor = lz4.Compressor(
        level=_LZ4_FAST_LEVEL if level == _LZ4_LEVEL else level, content_checksum=False, block_linked=False
    )
    compressor.compress(data)
    return bytes(compressor.finish())


def _decompress_into(
    decompress_into: Callable[[memoryview, mmap], int],
    data: bytes | bytearray | memoryview,
    codec: str,
    ratio_max: int,
    max_bytes: int,
) -> bytes:
    return b"".join(_pieces_of_buffer(decompress_into, memoryview(data), codec, ratio_max, max_bytes, max_bytes + 1))


def _pieces_of_buffer(
    decompress_into: Callable[[memoryview, mmap], int],
    view: memoryview,
    codec: str,
    ratio_max: int,
    max_bytes: int,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[bytes]:
    """Pieces from a function that decompresses into a buffer and fails when it is full.

    The buffer is an anonymous map as large as the bound: the system gives it pages as they are written, so a small
    batch pays for a small buffer, and a bomb stops at the bound.
    """
    from mmap import mmap

    from cramjam import DecompressionError

    with mmap(-1, min(max_bytes, len(view) * ratio_max) + 1) as buffer:
        try:
            size = decompress_into(view, buffer)
        except DecompressionError as error:
            raise MalformedMessage(f"not {codec}, or more than {max_bytes} bytes of it: {error}") from None
        if size > max_bytes:
            raise _too_large(codec, max_bytes)
        for start in range(0, size, piece_bytes):
            yield buffer[start : min(start + piece_bytes, size)]
