"""Batches that are stored otherwise than they were sent."""

import itertools

import pytest

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    BatchHeader,
    Compression,
    NewRecord,
    TimestampType,
    build_batch,
    crc_matches,
    decode_records,
    read_batch_header,
)
from kafkapy_wire.records.rewrite import recompress, renumber, stamp_timestamps

RECORDS = [NewRecord(1000 + i, b"k%d" % i, b"value" * i, [("h", None)]) for i in range(50)]


def idempotent_batch(compression: Compression) -> bytes:
    return build_batch(
        RECORDS,
        base_offset=70,
        compression=compression,
        partition_leader_epoch=4,
        producer_id=8,
        producer_epoch=2,
        base_sequence=100,
        is_transactional=True,
    )


def kept_fields(header: BatchHeader) -> list[int]:
    dropped = {"batch_length", "crc", "attributes"}
    return [getattr(header, name) for name in BatchHeader.__slots__ if name not in dropped] + [header.attributes & ~7]


def test_log_append_time_is_stamped_in_place() -> None:
    batch = bytearray(idempotent_batch(Compression.LZ4))
    size = len(batch)
    stamp_timestamps(memoryview(batch), TimestampType.LOG_APPEND_TIME, 99_999)
    header = read_batch_header(batch)
    assert (header.timestamp_type, header.max_timestamp) == (TimestampType.LOG_APPEND_TIME, 99_999)
    assert (header.compression, header.is_transactional, len(batch)) == (Compression.LZ4, True, size)
    assert crc_matches(batch)
    assert {record.timestamp for record in decode_records(batch)} == {99_999}


def test_stamping_back_restores_the_batch() -> None:
    original = idempotent_batch(Compression.NONE)
    batch = bytearray(original)
    stamp_timestamps(batch, TimestampType.LOG_APPEND_TIME, 99_999)
    stamp_timestamps(batch, TimestampType.CREATE_TIME, 1049)
    assert batch == original


def test_stamping_what_stands_there_does_not_pay_for_a_crc() -> None:
    batch = bytearray(idempotent_batch(Compression.NONE))
    batch[17:21] = bytes(4)
    stamp_timestamps(batch, TimestampType.CREATE_TIME, 1049)
    assert batch[17:21] == bytes(4)


@pytest.mark.parametrize(("source", "target"), list(itertools.product(Compression, Compression)))
def test_recompression_keeps_everything_else(source: Compression, target: Compression) -> None:
    batch = idempotent_batch(source)
    header = read_batch_header(batch)
    rewritten = recompress(header, batch, target)
    again = read_batch_header(rewritten)
    assert crc_matches(rewritten)
    assert again.compression is target
    assert again.size_bytes == len(rewritten)
    assert kept_fields(again) == kept_fields(header)
    assert list(decode_records(rewritten)) == list(decode_records(batch))


def test_renumbering_consecutive_offsets_changes_nothing() -> None:
    batch = idempotent_batch(Compression.NONE)
    assert renumber(read_batch_header(batch), batch, Compression.NONE) == batch


def test_rewriting_is_bounded() -> None:
    bomb = build_batch([NewRecord(0, None, bytes(1 << 20))], compression=Compression.GZIP)
    header = read_batch_header(bomb)
    with pytest.raises(MalformedMessage):
        recompress(header, bomb, Compression.NONE, max_bytes=1000)
    with pytest.raises(MalformedMessage):
        renumber(header, bomb, Compression.NONE, max_bytes=1000)
