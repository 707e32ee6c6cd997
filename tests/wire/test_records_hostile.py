"""Whatever the bytes, a batch is decoded or raises MalformedMessage, in bounded memory."""

import contextlib
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
    Compression,
    NewRecord,
    build_batch,
    crc_matches,
    decode_records,
    read_batch_header,
    split_batches,
)
from kafkapy_wire.records.varint import decode_unsigned_varint, decode_unsigned_varlong, encode_varint

RECORDS = [
    NewRecord(1_700_000_000_000, b"key", b"value" * 50, [("trace", b"1"), ("none", None)]),
    NewRecord(1_700_000_100_000, None, None),
    NewRecord(1_700_000_000_001, b"k" * 100, b"v" * 10_000),
]


def batch_around(body: bytes, *, record_count: int = 1, attributes: int = 0, base_offset: int = 0) -> bytes:
    """A header that fits around `body`, whatever that is; its CRC does not."""
    return (
        struct.pack(">qiibIhi", base_offset, 49 + len(body), -1, 2, 0, attributes, record_count - 1)
        + struct.pack(">qqqhii", 0, 0, -1, -1, -1, record_count)
        + body
    )


def record_around(body: bytes) -> bytes:
    return encode_varint(len(body)) + body


def decode(batch: bytes, **limits: int) -> None:
    """Decode all, and let nothing but MalformedMessage pass for "no"."""
    with contextlib.suppress(MalformedMessage):
        for _ in decode_records(batch, **limits):
            pass


@pytest.mark.parametrize("compression", Compression)
def test_every_prefix_is_malformed(compression: Compression) -> None:
    batch = build_batch(RECORDS, compression=compression)
    for cut in range(len(batch)):
        with pytest.raises(MalformedMessage):
            list(decode_records(batch[:cut]))
        if cut:
            with pytest.raises(MalformedMessage):
                list(split_batches(batch[:cut]))


@pytest.mark.parametrize("compression", Compression)
def test_every_prefix_of_the_records_is_malformed_under_a_header_that_fits(compression: Compression) -> None:
    body = build_batch(RECORDS, compression=compression)[BATCH_HEADER_BYTES:]
    for cut in range(len(body)):
        with pytest.raises(MalformedMessage):
            list(decode_records(batch_around(body[:cut], record_count=len(RECORDS), attributes=int(compression))))


@pytest.mark.parametrize("compression", Compression)
def test_every_flipped_bit_is_seen_by_the_crc(compression: Compression) -> None:
    batch = bytearray(build_batch(RECORDS[:2], compression=compression))
    for position in range(17, len(batch)):
        for bit in range(8):
            batch[position] ^= 1 << bit
            assert not crc_matches(batch)
            decode(bytes(batch), max_bytes=1 << 20)
            batch[position] ^= 1 << bit


@given(st.binary(max_size=300))
def test_any_bytes_as_a_batch(data: bytes) -> None:
    decode(data)
    with contextlib.suppress(MalformedMessage):
        list(split_batches(data))


@given(
    body=st.binary(max_size=300),
    attributes=st.integers(0, 127),
    record_count=st.integers(-(2**31) + 1, 2**31 - 1),
    base_offset=st.integers(-(2**63), 2**63 - 1),
)
def test_any_bytes_as_records(body: bytes, attributes: int, record_count: int, base_offset: int) -> None:
    batch = batch_around(body, record_count=1, attributes=attributes, base_offset=base_offset)
    decode(batch[:57] + struct.pack(">i", record_count) + batch[61:], max_bytes=1 << 20)


@given(st.data())
def test_any_damage_to_records_that_were_right(data: st.DataObject) -> None:
    compression = data.draw(st.sampled_from(Compression))
    batch = bytearray(build_batch(RECORDS, compression=compression))
    for _ in range(data.draw(st.integers(1, 5))):
        batch[data.draw(st.integers(BATCH_HEADER_BYTES, len(batch) - 1))] = data.draw(st.integers(0, 255))
    decode(bytes(batch), max_bytes=1 << 20)


@pytest.mark.parametrize(
    ("field", "position", "value"),
    [
        ("magic", 16, b"\x01"),
        ("batch length", 8, struct.pack(">i", 48)),
        ("batch length", 8, struct.pack(">i", -1)),
        ("last offset delta", 23, struct.pack(">i", -1)),
    ],
)
def test_a_header_that_cannot_be_one(field: str, position: int, value: bytes) -> None:
    batch = bytearray(build_batch(RECORDS))
    batch[position : position + len(value)] = value
    with pytest.raises(MalformedMessage, match=field):
        read_batch_header(batch)


@pytest.mark.parametrize(
    ("problem", "body"),
    [
        ("negative length", encode_varint(-1)),
        ("longer than the batch", encode_varint(100) + bytes(6)),
        ("length of more than 32 bits", b"\xff\xff\xff\xff\x1f"),
        ("length of more than five bytes", b"\x80\x80\x80\x80\x80\x00"),
        ("timestamp of more than 64 bits", record_around(b"\0" + b"\xff" * 9 + b"\x03" + b"\0\x01\x01\0")),
        ("offset below 0", record_around(b"\0\0\x01\x01\x01\0")),
        ("key longer than the record", record_around(b"\0\0\0" + encode_varint(60) + b"\x01\0")),
        ("value longer than the record", record_around(b"\0\0\0\x01" + encode_varint(60) + b"\0")),
        ("record shorter than its length", record_around(b"\0\0\0\x01\x01\0\0")),
        ("record longer than its length", encode_varint(5) + b"\0\0\0\x01\x01\0"),
        ("negative header count", record_around(b"\0\0\0\x01\x01\x01")),
        ("header count beyond the record", record_around(b"\0\0\0\x01\x01" + encode_varint(2**31 - 1))),
        ("null header key", record_around(b"\0\0\0\x01\x01\x02\x01\x01")),
        ("header key beyond the record", record_around(b"\0\0\0\x01\x01\x02\x08ab")),
        ("header value beyond the record", record_around(b"\0\0\0\x01\x01\x02\x02a\x08bc")),
        ("bytes after the last record", record_around(b"\0\0\0\x01\x01\0") + b"\0"),
        ("no record", b""),
    ],
)
def test_a_record_that_cannot_be_one(problem: str, body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(decode_records(batch_around(body)))


def test_negative_lengths_other_than_minus_one_are_null_as_in_java() -> None:
    (record,) = decode_records(batch_around(record_around(b"\0\0\0\x03\x05\0")))
    assert (record.key, record.value) == (None, None)


def test_timestamps_and_offsets_stay_within_64_bits() -> None:
    beyond = bytearray(batch_around(record_around(b"\0\x02\0\x01\x01\0")))
    beyond[27:35] = struct.pack(">q", 2**63 - 1)
    with pytest.raises(MalformedMessage, match="out of range"):
        list(decode_records(beyond))
    with pytest.raises(MalformedMessage, match="out of range"):
        list(decode_records(batch_around(record_around(b"\0\0\x02\x01\x01\0"), base_offset=2**63 - 1)))


def test_an_unknown_codec_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="compression type id 5"):
        list(decode_records(batch_around(b"", attributes=5)))


def test_a_huge_record_count_costs_nothing() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedMessage):
            list(decode_records(batch_around(b"", record_count=2**31 - 1)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("decoder", [decode_unsigned_varint, decode_unsigned_varlong])
def test_a_varint_without_end(decoder: object) -> None:
    assert callable(decoder)
    with pytest.raises(IndexError):
        decoder(b"\x80\x80", 0)
    with pytest.raises(MalformedMessage):
        decoder(b"\x80" * 20, 0)
