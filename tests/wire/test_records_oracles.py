"""Batches built by kafka-python, aiokafka and kio are read here, and theirs by them: every codec, both directions."""

import datetime
import io
from collections.abc import Sequence

import pytest

from kafkapy_wire.records import Compression, NewRecord, Record, build_batch, crc_matches, decode_records

FIRST_MS = 1_700_000_000_000

RECORDS = [
    NewRecord(FIRST_MS, b"key", b"value"),
    NewRecord(FIRST_MS + 5, None, b"v" * 300, [("trace", b"1"), ("trace", None), ("größe", b"")]),
    NewRecord(FIRST_MS - 70_000, b"", None),
    *(NewRecord(FIRST_MS + i * 1000, b"k%d" % i, b"x" * i) for i in range(200)),
]


def expected(records: Sequence[NewRecord], base_offset: int = 0) -> list[Record]:
    return [Record(base_offset + i, r.timestamp, r.key, r.value, tuple(r.headers)) for i, r in enumerate(records)]


@pytest.mark.parametrize("compression", Compression)
def test_kafka_python(compression: Compression) -> None:
    default_records = pytest.importorskip("kafka.record.default_records")
    builder = default_records.DefaultRecordBatchBuilder(
        magic=2,
        compression_type=int(compression),
        is_transactional=True,
        producer_id=7,
        producer_epoch=3,
        base_sequence=11,
        batch_size=1 << 20,
    )
    for offset, record in enumerate(RECORDS):
        builder.append(offset, record.timestamp, record.key, record.value, list(record.headers))
    theirs = bytes(builder.build())
    ours = build_batch(
        RECORDS, compression=compression, is_transactional=True, producer_id=7, producer_epoch=3, base_sequence=11
    )
    if compression is Compression.NONE:
        # It writes 0 as leader epoch, where Java's and ours is -1; the field is not under the CRC.
        assert theirs[:12] + ours[12:16] + theirs[16:] == ours

    assert crc_matches(theirs)
    assert list(decode_records(theirs)) == expected(RECORDS)

    read = default_records.DefaultRecordBatch(ours)
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence, read.is_transactional) == (7, 3, 11, True)
    assert [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in read] == [
        (r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in expected(RECORDS)
    ]


@pytest.mark.parametrize("compression", Compression)
def test_aiokafka(compression: Compression) -> None:
    default_records = pytest.importorskip("aiokafka.record.default_records")
    builder = default_records.DefaultRecordBatchBuilder(
        magic=2,
        compression_type=int(compression),
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for offset, record in enumerate(RECORDS):
        builder.append(offset, record.timestamp, record.key, record.value, list(record.headers))
    assert list(decode_records(bytes(builder.build()))) == expected(RECORDS)

    read = default_records.DefaultRecordBatch(build_batch(RECORDS, compression=compression))
    assert read.validate_crc()
    assert [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in read] == [
        (r.offset, r.timestamp, r.key, r.value, r.headers) for r in expected(RECORDS)
    ]


def test_kio() -> None:
    """kio reads and writes uncompressed batches, with timestamps of whole seconds."""
    kio_schema = pytest.importorskip("kio.records.schema")
    readers = pytest.importorskip("kio.records.readers")
    writers = pytest.importorskip("kio.records.writers")

    records = [NewRecord(FIRST_MS + i * 1000, b"k%d" % i, None, [("h", b"%d" % i)]) for i in range(300)]
    theirs = kio_schema.NewRecordBatch(
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        partition_leader_epoch=-1,
        attributes=0,
        records=tuple(
            kio_schema.Record(
                attributes=0,
                timestamp=datetime.datetime.fromtimestamp(record.timestamp // 1000, datetime.UTC),
                offset=40 + i,
                key=record.key,
                value=record.value,
                headers=tuple(kio_schema.RecordHeader(key=k.encode(), value=v) for k, v in record.headers),
            )
            for i, record in enumerate(records)
        ),
    )
    ours = build_batch(records, base_offset=40)
    read, size = readers.read_batch(ours, 0)
    assert size == len(ours)
    assert read.records == theirs.records

    buffer = io.BytesIO()
    writers.write_batch(buffer, theirs)
    # Of a new batch it leaves the base offset for the broker to fill in.
    assert buffer.getvalue()[8:] == ours[8:]
