"""What a produced batch is refused for. Codes and messages are what Apache Kafka 4.4.0 answered to these bytes."""

import struct
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.records import Compression, NewRecord, TimestampType, build_batch, read_batch_header
from kafkapy_wire.records.batch import CRC, CRC_POSITION, batch_crc
from kafkapy_wire.records.rewrite import renumber
from kafkapy_wire.records.validation import (
    RecordRules,
    RecordsRejected,
    good_plain_batch,
    must_look_inside,
    only_batch,
    validate_produced_batch,
    validate_records,
    walk_records,
)

NOW_MS = 1_795_265_793_447
GOOD = build_batch([NewRecord(NOW_MS, b"k", b"v"), NewRecord(NOW_MS + 1, None, b"w")])
KEYED = build_batch([NewRecord(NOW_MS, b"k", b"v")])


def patched(batch: bytes, *patches: tuple[int, bytes]) -> bytes:
    """`batch` with other bytes at these positions, under a CRC that is right."""
    changed = bytearray(batch)
    for position, value in patches:
        changed[position : position + len(value)] = value
    CRC.pack_into(changed, CRC_POSITION, batch_crc(changed))
    return bytes(changed)


def with_body(body: bytes, codec: Compression = Compression.NONE) -> bytes:
    batch = patched(GOOD[:61] + body, (8, struct.pack(">i", 49 + len(body))), (22, bytes((codec,))))
    assert read_batch_header(batch).size_bytes == len(batch)
    return batch


def refused(records: bytes, *, api_version: int = 9, max_message_bytes: int = 1000) -> RecordsRejected:
    assert good_plain_batch(records, max_message_bytes) is None
    try:
        header, batch = only_batch(records, api_version)
        validate_produced_batch(header, batch, topic_partition="orders-0", max_message_bytes=max_message_bytes)
    except RecordsRejected as error:
        return error
    pytest.fail("accepted")


def test_a_good_batch_passes() -> None:
    header, batch = only_batch(GOOD, 9)
    validate_produced_batch(header, batch, topic_partition="orders-0", max_message_bytes=len(GOOD))
    assert (bytes(batch), header.record_count) == (GOOD, 2)
    at_once = good_plain_batch(memoryview(GOOD), len(GOOD))
    assert repr(at_once) == repr(header)


@pytest.mark.parametrize("tail", [GOOD[:30], GOOD[:-1], b"hello"])
def test_a_partial_batch_behind_it_is_dropped(tail: bytes) -> None:
    assert bytes(only_batch(GOOD + tail, 9)[1]) == GOOD


@pytest.mark.parametrize(
    ("records", "code", "reason"),
    [
        (b"", ErrorCode.INVALID_RECORD, "must have at least one record batch"),
        (GOOD[:10], ErrorCode.INVALID_RECORD, "must have at least one record batch"),
        (GOOD[:-1], ErrorCode.INVALID_RECORD, "must have at least one record batch"),
        (GOOD + GOOD, ErrorCode.INVALID_RECORD, "exactly one record batch"),
        (patched(GOOD, (16, b"\x01")), ErrorCode.INVALID_RECORD, "magic version 2"),
        (GOOD + bytes(20), ErrorCode.CORRUPT_MESSAGE, "Record size 0"),
        (GOOD + b"\xff" * 40, ErrorCode.CORRUPT_MESSAGE, "Record size -1"),
        (patched(GOOD, (8, struct.pack(">i", 48))), ErrorCode.CORRUPT_MESSAGE, "size 60 is smaller"),
        (patched(GOOD, (0, struct.pack(">q", 5))), ErrorCode.INVALID_RECORD, "should be 0, but it is 5"),
        (GOOD[:-2] + b"x\0", ErrorCode.CORRUPT_MESSAGE, "Record is corrupt"),
        (patched(GOOD, (23, struct.pack(">i", -1))), ErrorCode.INVALID_RECORD, r"invalid offset range: \[0, -1\]"),
        (patched(GOOD, (23, struct.pack(">i", 7))), ErrorCode.INVALID_RECORD, "Inconsistent batch offset range"),
        (patched(GOOD, (57, struct.pack(">i", 0))), ErrorCode.INVALID_RECORD, "Invalid reported count"),
        (patched(GOOD, (57, struct.pack(">i", -1))), ErrorCode.INVALID_RECORD, "Invalid reported count"),
        (patched(GOOD, (22, b"\x20")), ErrorCode.INVALID_RECORD, "control records"),
        (patched(GOOD, (43, struct.pack(">qhi", 1, 0, -1))), ErrorCode.INVALID_RECORD, "Invalid sequence number -1"),
        (patched(GOOD, (22, b"\x05")), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "type id: 5"),
        (patched(GOOD, (22, b"\x07")), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "type id: 7"),
    ],
)
def test_refusals_that_kafka_sends_without_a_message(records: bytes, code: ErrorCode, reason: str) -> None:
    error = refused(records)
    assert (error.code, error.message, error.record_errors) == (code, None, ())
    with pytest.raises(RecordsRejected, match=reason):
        raise error


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (patched(GOOD, (8, struct.pack(">i", 13))), "Record size 13 is less than the minimum record overhead (14)"),
        (patched(GOOD, (8, struct.pack(">i", -1))), "Record size -1 is less than the minimum record overhead (14)"),
        (patched(GOOD, (16, b"\x03")), "Invalid magic found in record: 3"),
        (patched(GOOD, (16, b"\xff")), "Invalid magic found in record: -1"),
    ],
)
def test_refusals_that_kafka_sends_with_a_message(records: bytes, message: str) -> None:
    error = refused(records)
    assert (error.code, error.message) == (ErrorCode.CORRUPT_MESSAGE, message)


def test_a_batch_above_the_maximum() -> None:
    assert refused(GOOD, max_message_bytes=len(GOOD) - 1).code is ErrorCode.MESSAGE_TOO_LARGE


def test_zstd_needs_produce_7() -> None:
    batch = build_batch([NewRecord(NOW_MS, b"k", b"v")], compression=Compression.ZSTD)
    assert refused(batch, api_version=6).code is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert only_batch(batch, 7)


@pytest.mark.parametrize("attributes", [b"\x00\x40", b"\x7f\x00"])
def test_attributes_without_meaning_for_a_client_pass(attributes: bytes) -> None:
    header, batch = only_batch(patched(GOOD, (21, attributes)), 9)
    validate_produced_batch(header, batch, topic_partition="orders-0", max_message_bytes=1000)


def look_inside(records: bytes, rules: RecordRules) -> tuple[int, int, bool]:
    header, batch = only_batch(records, 9)
    facts = validate_records(header, batch, rules, now_ms=NOW_MS, topic_partition="orders-0", max_bytes=1000)
    return facts.max_timestamp, facts.offset_delta_of_max_timestamp, facts.offsets_are_consecutive


def rejected_inside(records: bytes, rules: RecordRules) -> RecordsRejected:
    with pytest.raises(RecordsRejected) as caught:
        look_inside(records, rules)
    return caught.value


def test_facts_come_from_the_records_not_from_the_header() -> None:
    claims_less = patched(GOOD, (35, struct.pack(">q", NOW_MS - 99_999)))
    assert look_inside(claims_less, RecordRules()) == (NOW_MS + 1, 1, True)
    assert look_inside(build_batch([NewRecord(-1, b"k", b"v")]), RecordRules()) == (-1, -1, True)


def test_a_compacted_topic_needs_keys() -> None:
    error = rejected_inside(GOOD, RecordRules(is_compacted=True))
    message = "Compacted topic cannot accept message without key in topic partition orders-0"
    assert error.code is ErrorCode.INVALID_RECORD
    assert [(e.batch_index, e.message) for e in error.record_errors] == [(1, message)]
    assert error.message == (
        "One or more records have been rejected due to 1 record errors in total, and only showing the first three "
        f"errors at most: [RecordError(batchIndex=1, message='{message}')]"
    )
    five = rejected_inside(build_batch([NewRecord(NOW_MS, None, b"v")] * 5), RecordRules(is_compacted=True))
    assert len(five.record_errors) == 5
    assert five.message is not None
    assert five.message.count("batchIndex") == 3


def test_timestamps_out_of_bounds() -> None:
    rules = RecordRules(timestamp_before_max_ms=1000, timestamp_after_max_ms=500)
    records = [NewRecord(NOW_MS + d, b"k", None) for d in (0, 500, 501, -1000, -1001)] + [NewRecord(-1, b"k", None)]
    error = rejected_inside(build_batch(records), rules)
    assert error.code is ErrorCode.INVALID_TIMESTAMP
    assert error.message == "One or more records have been rejected due to invalid timestamp"
    assert [e.batch_index for e in error.record_errors] == [2, 4]
    assert error.record_errors[0].message == (
        f"Timestamp {NOW_MS + 501} of message with offset 2 is out of range. The timestamp should be within "
        f"[{NOW_MS - 1000}, {NOW_MS + 500}]"
    )


def test_one_bad_timestamp_decides_the_code_for_all() -> None:
    batch = build_batch([NewRecord(NOW_MS, None, b"v"), NewRecord(NOW_MS + 10**9, b"k", b"v")])
    error = rejected_inside(batch, RecordRules(is_compacted=True))
    assert (error.code, len(error.record_errors)) == (ErrorCode.INVALID_TIMESTAMP, 2)


def test_a_client_must_not_stamp_log_append_time() -> None:
    stamped = patched(GOOD, (22, b"\x08"))
    error = rejected_inside(stamped, RecordRules(timestamp_type=TimestampType.LOG_APPEND_TIME))
    assert error.code is ErrorCode.INVALID_TIMESTAMP
    assert error.record_errors[1].message == (
        f"Invalid timestamp type in message DefaultRecord(offset=1, timestamp={NOW_MS + 1}, key=0 bytes, "
        "value=1 bytes). Producer should not set timestamp type to LogAppendTime."
    )
    # Kafka lets it pass in a CREATE_TIME topic when the timestamp is within the bounds, and takes the bit away.
    assert look_inside(stamped, RecordRules()) == (NOW_MS + 1, 0, True)
    without_time = patched(stamped, (35, struct.pack(">q", -1)))
    assert rejected_inside(without_time, RecordRules()).code is ErrorCode.INVALID_TIMESTAMP


@pytest.mark.parametrize(
    "records",
    [
        with_body(b""),
        with_body(GOOD[61:] + b"\0\0"),
        with_body(b"\x99" * 40),
        *(with_body(b"\x99" * 40, codec) for codec in Compression),
        with_body(zlib.compress(GOOD[61:], wbits=31)[:-12], Compression.GZIP),
        with_body(zlib.compress(GOOD[61:], wbits=31)[:-8] + bytes(8), Compression.GZIP),
        with_body(zlib.compress(bytes(100_000), wbits=31), Compression.GZIP),
    ],
)
def test_records_that_cannot_be_decoded(records: bytes) -> None:
    error = rejected_inside(records, RecordRules())
    assert (error.code, error.message, error.record_errors) == (ErrorCode.INVALID_RECORD, None, ())


@pytest.mark.parametrize("compressed", [False, True])
def test_offsets_with_gaps_are_noticed_and_can_be_counted_anew(compressed: bool) -> None:
    second = GOOD[61:].index(b"\x02\x02\x01")  # timestamp delta 1, offset delta 1, no key
    body = GOOD[61 : 61 + second + 1] + b"\x0a" + GOOD[61 + second + 2 :]
    if compressed:
        gapped = with_body(bytes(cramjam.snappy.compress_raw(body)), Compression.SNAPPY)
    else:
        gapped = with_body(body)
    assert look_inside(gapped, RecordRules()) == (NOW_MS + 1, 1, False)
    assert renumber(read_batch_header(gapped), gapped, Compression.NONE) == GOOD


@pytest.mark.parametrize(
    ("rules", "batch", "expected"),
    [
        (RecordRules(), GOOD, False),
        (RecordRules(), patched(GOOD, (35, struct.pack(">q", NOW_MS + 3_600_001))), True),
        (RecordRules(), patched(GOOD, (22, b"\x08")), True),
        (RecordRules(timestamp_before_max_ms=1000), GOOD, True),
        (RecordRules(is_compacted=True), GOOD, True),
        (RecordRules(timestamp_type=TimestampType.LOG_APPEND_TIME), GOOD, False),
        (RecordRules(timestamp_type=TimestampType.LOG_APPEND_TIME), patched(GOOD, (22, b"\x08")), True),
    ],
)
def test_only_some_batches_must_be_looked_into(rules: RecordRules, batch: bytes, expected: bool) -> None:
    assert must_look_inside(read_batch_header(batch), rules, NOW_MS) is expected


@pytest.mark.parametrize("codec", Compression)
def test_record_lengths_of_a_good_batch_add_up(codec: Compression) -> None:
    records = [NewRecord(NOW_MS, b"k" * size, b"v" * size) for size in (0, 1, 60, 70, 10_000)]
    batch = build_batch(records, compression=codec)
    assert walk_records(read_batch_header(batch), batch) == NOW_MS


@given(
    base=st.integers(-1_000, 1 << 40),
    deltas=st.lists(st.one_of(st.integers(-70, 70), st.integers(-9_000, 9_000), st.integers(-(1 << 40), 1 << 40))),
    last=st.integers(-(1 << 40), 1 << 40),
)
def test_the_walk_finds_the_highest_timestamp(base: int, deltas: list[int], last: int) -> None:
    """As decoding does, also where the first record is not the base of the deltas."""
    deltas = [*deltas, last]
    whole = build_batch([NewRecord(base + delta, None, b"value") for delta in (0, *deltas)])
    first_bytes = len(build_batch([NewRecord(base, None, b"value")])) - 61
    count = (57, struct.pack(">i", len(deltas)))
    batch = patched(
        whole[:61] + whole[61 + first_bytes :], (8, struct.pack(">i", len(whole) - first_bytes - 12)), count
    )
    assert walk_records(read_batch_header(batch), batch) == max(-1, *(base + delta for delta in deltas))
    assert walk_records(read_batch_header(whole), whole) == max(-1, base, *(base + delta for delta in deltas))


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (patched(GOOD, (61, b"\x7e")), "a batch ends before its last record"),
        (patched(GOOD, (61, b"\x0f")), "a record has a negative length"),
        (with_body(GOOD[61:] + b"\x00\x00"), "2 records end at byte"),
        (with_body(GOOD[61:-1]), "2 records end at byte"),
        (patched(GOOD, (27, struct.pack(">q", 2**63 - 1))), "is out of range"),
        (with_body(b"no snappy", Compression.SNAPPY), "snappy"),
        (with_body(zlib.compress(GOOD[61:], wbits=31)[:-12], Compression.GZIP), "gzip"),
    ],
)
def test_a_batch_that_no_consumer_could_read_is_refused(batch: bytes, reason: str) -> None:
    with pytest.raises(RecordsRejected) as refusal:
        walk_records(read_batch_header(batch), batch)
    assert refusal.value.code is ErrorCode.INVALID_RECORD
    assert reason in refusal.value.reason
    assert refusal.value.message is None


def test_lz4_blocks_that_depend_on_each_other_are_refused() -> None:
    """Kafka's own lz4 reader does not know them; `cramjam.lz4.compress` and KafkaJS's plug-in write them."""
    dependent = with_body(bytes(cramjam.lz4.compress(GOOD[61:])), Compression.LZ4)
    assert not dependent[61 + 4] & 0x20
    assert refused(dependent).code is ErrorCode.INVALID_RECORD
