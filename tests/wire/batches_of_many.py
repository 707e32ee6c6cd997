"""Batches of very many small records, made without a call for each: what a hostile producer sends in some kilobytes."""

from __future__ import annotations

from functools import cache

from kafkapy_wire.compression import Compression, compress
from kafkapy_wire.records.batch import (
    BATCH_HEADER,
    BATCH_HEADER_BYTES,
    BATCH_OVERHEAD_BYTES,
    CRC,
    CRC_POSITION,
    batch_crc,
)
from kafkapy_wire.records.varint import encode_varint


@cache
def plain_bodies(count: int, *, key: bytes | None = None) -> bytes:
    """`count` records without a value, with offsets from 0 on and no timestamp of their own."""
    behind = (b"\x01" if key is None else encode_varint(len(key)) + key) + b"\x01\x00"
    body = bytearray()
    for number in range(count):
        record = b"\x00\x00" + encode_varint(number) + behind
        body += encode_varint(len(record)) + record
    return bytes(body)


def batch_of(
    body: bytes,
    count: int,
    compression: Compression,
    *,
    timestamp: int,
    max_timestamp: int | None = None,
    compressed: bytes | None = None,
) -> bytes:
    """A batch with `body` as its records; `compressed` is what stands for it, if it was compressed already."""
    content = compress(body, compression) if compressed is None else compressed
    length = BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES + len(content)
    latest = timestamp if max_timestamp is None else max_timestamp
    header = BATCH_HEADER.pack(0, length, 0, 2, 0, compression, count - 1, timestamp, latest, -1, -1, -1, count)
    batch = bytearray(header + content)
    CRC.pack_into(batch, CRC_POSITION, batch_crc(batch))
    return bytes(batch)


def batch_of_many(
    count: int,
    compression: Compression,
    *,
    timestamp: int,
    max_timestamp: int | None = None,
    key: bytes | None = None,
) -> bytes:
    """A batch of `count` empty records."""
    return batch_of(plain_bodies(count, key=key), count, compression, timestamp=timestamp, max_timestamp=max_timestamp)
