"""Whatever is put in a batch comes out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
    Compression,
    NewRecord,
    Record,
    TimestampType,
    build_batch,
    crc_matches,
    decode_records,
    read_batch_header,
    split_batches,
    stamp,
)
from kafkapy_wire.records.varint import (
    decode_unsigned_varint,
    decode_unsigned_varlong,
    decode_varint,
    encode_varint,
)

header_lists = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=200)), max_size=4)
new_records = st.builds(
    NewRecord,
    st.integers(-1, 2**62),
    st.none() | st.binary(max_size=200),
    st.none() | st.binary(max_size=20_000),
    header_lists,
)


@given(
    records=st.lists(new_records, min_size=1, max_size=20),
    base_offset=st.integers(0, 2**62),
    compression=st.sampled_from(Compression),
    producer_id=st.integers(-1, 2**63 - 1),
    producer_epoch=st.integers(-1, 2**15 - 1),
    base_sequence=st.integers(-1, 2**31 - 1),
    is_transactional=st.booleans(),
    is_control=st.booleans(),
)
def test_records_and_fields_survive(
    records: list[NewRecord],
    base_offset: int,
    compression: Compression,
    producer_id: int,
    producer_epoch: int,
    base_sequence: int,
    is_transactional: bool,
    is_control: bool,
) -> None:
    batch = build_batch(
        records,
        base_offset=base_offset,
        compression=compression,
        partition_leader_epoch=9,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        is_transactional=is_transactional,
        is_control=is_control,
    )
    header = read_batch_header(batch)
    assert crc_matches(batch)
    assert header.size_bytes == len(batch)
    assert header.base_timestamp == records[0].timestamp
    assert header.max_timestamp == max(record.timestamp for record in records)
    assert header.next_offset == header.last_offset + 1 == base_offset + len(records)
    assert header.record_count == len(records)
    assert (header.partition_leader_epoch, header.compression) == (9, compression)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (
        producer_id,
        producer_epoch,
        base_sequence,
    )
    assert (header.is_transactional, header.is_control) == (is_transactional, is_control)
    assert list(decode_records(batch)) == [
        Record(base_offset + i, r.timestamp, r.key, r.value, tuple(r.headers)) for i, r in enumerate(records)
    ]


def test_a_batch_needs_a_record() -> None:
    with pytest.raises(ValueError, match="at least one record"):
        build_batch([])


def test_log_append_time_is_what_every_record_shows() -> None:
    batch = build_batch(
        [NewRecord(5, b"", None), NewRecord(3, None, b"")], timestamp_type=TimestampType.LOG_APPEND_TIME
    )
    assert read_batch_header(batch).timestamp_type is TimestampType.LOG_APPEND_TIME
    assert [record.timestamp for record in decode_records(batch)] == [5, 5]


def test_header_keys_that_are_not_utf8_survive() -> None:
    """Apache Kafka stores them as they come, so a reader must neither fail nor change them."""
    key = b"\xff\xfeh".decode(errors="surrogateescape")
    batch = build_batch([NewRecord(0, None, None, [(key, None)])])
    assert b"\xff\xfeh" in batch
    assert next(decode_records(batch)).headers == ((key, None),)


def test_sequences_wrap_to_zero() -> None:
    records = [NewRecord(0, None, b"")] * 3
    header = read_batch_header(build_batch(records, producer_id=1, producer_epoch=0, base_sequence=2**31 - 2))
    assert header.last_sequence == 0
    assert read_batch_header(build_batch(records)).last_sequence == -1


@pytest.mark.parametrize("through_a_view", [False, True])
def test_stamping_keeps_the_crc(through_a_view: bool) -> None:
    first, second = build_batch([NewRecord(0, b"a", b"b")]), build_batch([NewRecord(0, b"c", b"d")] * 2)
    both = bytearray(first + second)
    stamp(memoryview(both) if through_a_view else both, len(first), 2**40, 17)
    assert both[: len(first)] == first
    stamped = read_batch_header(both, len(first))
    assert (stamped.base_offset, stamped.last_offset, stamped.partition_leader_epoch) == (2**40, 2**40 + 1, 17)
    assert all(crc_matches(batch) for _, batch in split_batches(both))


def test_offsets_of_a_batch_with_gaps_are_what_the_deltas_say() -> None:
    """Compaction takes records out of the middle and leaves the deltas of the others."""
    whole = build_batch([NewRecord(0, b"%d" % i, b"") for i in range(3)], base_offset=10)
    body = whole[BATCH_HEADER_BYTES:]
    record_bytes = len(body) // 3
    compacted = bytearray(whole[:BATCH_HEADER_BYTES] + body[:record_bytes] + body[2 * record_bytes :])
    compacted[8:12] = (len(compacted) - 12).to_bytes(4)
    compacted[57:61] = (2).to_bytes(4)
    assert [record.offset for record in decode_records(compacted)] == [10, 12]


@given(st.integers(-(2**31), 2**31 - 1))
def test_varints_survive(number: int) -> None:
    encoded = encode_varint(number)
    assert decode_varint(b"\xff" + encoded, 1) == (number, 1 + len(encoded))


@given(st.integers(-(2**63), 2**63 - 1))
def test_varlongs_survive(number: int) -> None:
    encoded = encode_varint(number)
    zigzag, position = decode_unsigned_varlong(encoded, 0)
    assert (zigzag >> 1 ^ -(zigzag & 1), position) == (number, len(encoded))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (-1, "01"),
        (63, "7e"),
        (-64, "7f"),
        (64, "8001"),
        (8191, "fe7f"),
        (8192, "808001"),
        (2**31 - 1, "feffffff0f"),
        (-(2**31), "ffffffff0f"),
    ],
)
def test_varints_are_zigzag_and_little_end_first(number: int, encoded: str) -> None:
    assert encode_varint(number).hex() == encoded
    assert decode_unsigned_varint(bytes.fromhex(encoded), 0)[0] == (number << 1) ^ (number >> 63)
