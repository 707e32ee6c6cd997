"""What compaction reads of a batch without decoding it, against the decoder that reads everything."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest

from kafkapy_log.record_scan import max_timestamp_delta, scan_keys, scan_records, split_records, with_timestamp_delta
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import NewRecord, Record, build_batch, decode_records, read_batch_header
from kafkapy_wire.records.decoding import decode_plain_records, plain_records

T = TypeVar("T")
BASE_TIMESTAMP = 1_700_000_000_000


def random_records(chance: Random) -> list[NewRecord]:
    """Of one size or of many, with lengths around those where a varint takes another byte."""
    count = chance.choice([1, 2, 9, 20, 63, 64, 65, 150])
    key_bytes = chance.choice([0, 1, 8, 36, 62, 63, 64, 65, 127, 128, 255, 256, 300])
    value_bytes = chance.choice([0, 1, 40, 50, 60, 100, 130])
    keys_differ, values_differ = chance.random() < 0.4, chance.random() < 0.6
    timestamps_end = chance.choice([1, 60, 70, 9_000, 3_000_000])
    keyless_share = chance.choice([0.0, 0.0, 0.1])
    tombstone_share = chance.choice([0.0, 0.2])
    headers_share = chance.choice([0.0, 0.0, 0.1])
    records = []
    for _ in range(count):
        key = chance.randbytes(chance.randint(0, key_bytes) if keys_differ else key_bytes)
        value = chance.randbytes(chance.randint(0, value_bytes) if values_differ else value_bytes)
        records.append(
            NewRecord(
                BASE_TIMESTAMP + chance.randrange(timestamps_end),
                None if chance.random() < keyless_share else key,
                None if chance.random() < tombstone_share else value,
                (("trace", b"x"),) if chance.random() < headers_share else (),
            )
        )
    return records


def without_some(chance: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """As after a cleaning: offset deltas with gaps."""
    kept = [record for record in split_records(data, count) if chance.random() < 0.5] or split_records(data, count)[:1]
    return b"".join(kept), len(kept)


@pytest.mark.parametrize("seed", range(150))
def test_keys_offsets_tombstones_and_places_are_those_of_the_records(seed: int) -> None:
    chance = Random(seed)
    batch = build_batch(random_records(chance))
    header = read_batch_header(batch)
    data = plain_records(header, batch, 1 << 20)
    if chance.random() < 0.3:
        data, header.record_count = without_some(chance, data, header.record_count)
    records = list(decode_plain_records(header, data))
    count = len(records)
    tombstones = [number for number, record in enumerate(records) if record.value is None]
    keyless = [number for number, record in enumerate(records) if record.key is None]

    scanned = scan_records(data, count)
    assert scanned.offset_deltas == [record.offset for record in records]
    assert scanned.keys == [record.key or b"" for record in records]
    assert (scanned.keyless, scanned.tombstones) == (keyless, tombstones)
    assert scan_keys(data, count) == (None if keyless else (scanned.keys, tombstones))

    pieces = split_records(data, count)
    assert b"".join(pieces) == data
    for piece, record in zip(pieces, records, strict=True):
        header.record_count = 1
        assert list(decode_plain_records(header, piece)) == [record]
        later = with_timestamp_delta(piece, 1_000_000)
        (shifted,) = decode_plain_records(header, later)
        assert shifted == Record(record.offset, record.timestamp + 1_000_000, record.key, record.value, record.headers)
    deltas = [record.timestamp - header.base_timestamp for record in records]
    for limit in (max(deltas), 2**62):
        assert max_timestamp_delta(pieces, limit) == max(deltas)


@pytest.mark.parametrize("seed", range(150))
def test_a_broken_batch_is_malformed_to_both_scans_or_the_same_to_both(seed: int) -> None:
    chance = Random(seed)
    batch = build_batch(random_records(chance))
    header = read_batch_header(batch)
    data = plain_records(header, batch, 1 << 20)
    for _ in range(10):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(min(len(broken), chance.choice([10, 200, 1 << 20])))
            broken[place] = chance.choice([chance.randrange(256), broken[place] ^ 0x80, broken[place] ^ 1])
        if chance.random() < 0.2:
            del broken[chance.randrange(len(broken)) :]
        data_and_count = bytes(broken), header.record_count + chance.choice([0, 0, 0, 0, 1, -1])
        keys, _ = scanned_or_malformed(scan_keys, *data_and_count)
        records, complaint = scanned_or_malformed(scan_records, *data_and_count)
        if records is not None:
            assert keys == (None if records.keyless else (records.keys, records.tombstones))
            assert len(split_records(*data_and_count)) == data_and_count[1]
        elif keys is not None:
            assert "varint" in complaint, "only one of the two reads offset deltas"


def scanned_or_malformed(scan: Callable[[bytes, int], T], data: bytes, count: int) -> tuple[T | None, str]:
    try:
        return scan(data, count), ""
    except MalformedMessage as malformed:
        return None, str(malformed)


def test_offset_deltas_of_three_bytes() -> None:
    records = [NewRecord(BASE_TIMESTAMP, b"%07d" % number, b"") for number in range(8_300)]
    batch = build_batch(records)
    header = read_batch_header(batch)
    data = plain_records(header, batch, 1 << 20)
    assert scan_keys(data, len(records)) == ([record.key for record in records], [])
    assert b"".join(split_records(data, len(records))) == data
    assert [record.key for record in decode_records(batch)] == scan_records(data, len(records)).keys


@pytest.mark.parametrize("count", [-1, 2**31 - 1])
def test_a_count_that_cannot_be_is_not_believed(count: int) -> None:
    for scan in (scan_keys, scan_records, split_records):
        with pytest.raises(MalformedMessage, match="records in 3 bytes"):
            scan(b"\x00\x00\x00", count)
