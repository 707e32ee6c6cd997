"""A batch's records come in runs of bounded size, whatever the codec, and are the same records."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import cramjam
import pytest

from kafkapy_wire.compression import PIECE_BYTES, Compression, compress, decompress, decompressed_pieces
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import NewRecord, Record, build_batch, decode_records, read_batch_header
from kafkapy_wire.records.runs import RecordTooLarge, record_runs, whole_records
from kafkapy_wire.records.validation import RecordsRejected, walk_records
from kafkapy_wire.records.varint import encode_varint
from tests.wire.batches_of_many import batch_of, batch_of_many

CODECS = list(Compression)
PLENTY = 1 << 30
NOW_MS = 1_000_000


def values_of_sizes(sizes: list[int]) -> list[NewRecord]:
    return [NewRecord(NOW_MS + number, b"%d" % number, b"v" * size) for number, size in enumerate(sizes)]


def as_tuples(records: list[Record]) -> list[tuple[object, ...]]:
    return [(record.offset, record.timestamp, record.key, record.value) for record in records]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("seed", range(5))
def test_runs_are_the_records_of_the_batch(codec: Compression, seed: int) -> None:
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, 60, 70, 200, 9_000, PIECE_BYTES, 3 * PIECE_BYTES]) for _ in range(rng.randint(1, 40))]
    sizes += [5] * rng.randint(0, 3_000)
    batch = build_batch(values_of_sizes(sizes), compression=codec)
    header = read_batch_header(batch)
    runs = list(record_runs(header, batch))
    assert sum(count for count, _ in runs) == len(sizes)
    assert b"".join(data for _, data in runs) == decompress(batch[61:], codec)
    expected = [(number, NOW_MS + number, b"%d" % number, b"v" * size) for number, size in enumerate(sizes)]
    assert as_tuples(list(decode_records(batch))) == expected


@pytest.mark.parametrize("codec", CODECS)
def test_pieces_are_small_and_all_there(codec: Compression) -> None:
    plain = random.Random(1).randbytes(PIECE_BYTES) * 9 + b"the end"
    pieces = list(decompressed_pieces(compress(plain, codec), codec))
    assert b"".join(pieces) == plain
    assert max(map(len, pieces)) <= PIECE_BYTES


def test_a_raw_block_of_snappy_comes_in_pieces() -> None:
    plain = bytes(range(256)) * 4_096
    pieces = list(decompressed_pieces(bytes(cramjam.snappy.compress_raw(plain)), Compression.SNAPPY))
    assert b"".join(pieces) == plain
    assert max(map(len, pieces)) <= PIECE_BYTES


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec])
def test_no_more_than_the_bound_is_decompressed(codec: Compression) -> None:
    data = compress(b"\0" * 3_000_000, codec)
    assert sum(map(len, decompressed_pieces(data, codec, 3_000_000))) == 3_000_000
    with pytest.raises(MalformedMessage):
        list(decompressed_pieces(data, codec, 2_999_999))


def test_gzip_is_decompressed_as_it_is_read() -> None:
    """100 MB in 100 kB: a few pieces are in memory at a time."""
    squeezer = zlib.compressobj(wbits=31)
    length = 100 * 1024 * 1024
    record = encode_varint(length) + b"\0" * length
    data = squeezer.compress(record) + squeezer.flush()
    batch = batch_of(b"", 1, Compression.GZIP, timestamp=NOW_MS, compressed=data)
    del record
    tracemalloc.start()
    for piece in decompressed_pieces(batch[61:], Compression.GZIP):
        assert len(piece) <= PIECE_BYTES
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * PIECE_BYTES, peak


@pytest.mark.parametrize("codec", CODECS)
def test_one_record_too_few_or_too_many(codec: Compression) -> None:
    body = b"".join([encode_varint(6) + b"\0\0\0\1\1\0" for _ in range(500)])
    for count in (499, 501):
        batch = batch_of(body, count, codec, timestamp=NOW_MS)
        header = read_batch_header(batch)
        with pytest.raises(MalformedMessage):
            list(record_runs(header, batch))
        with pytest.raises(RecordsRejected):
            walk_records(header, batch)
    batch = batch_of(body, 500, codec, timestamp=NOW_MS)
    assert sum(count for count, _ in record_runs(read_batch_header(batch), batch)) == 500
    assert walk_records(read_batch_header(batch), batch) == NOW_MS


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_above_the_limit_is_refused_where_it_was_compressed(codec: Compression) -> None:
    """As Apache Kafka 4.4.0: max.decompressed.message.bytes is compared with a record's body, without its length."""
    batch = build_batch([NewRecord(NOW_MS, None, b"x" * 993)], compression=codec)
    header = read_batch_header(batch)
    list(record_runs(header, batch, PLENTY, 1_000))
    if codec is Compression.NONE:
        list(record_runs(header, batch, PLENTY, 999))
        assert len(list(decode_records(batch, record_bytes_max=999))) == 1
        return
    with pytest.raises(RecordTooLarge):
        list(record_runs(header, batch, PLENTY, 999))
    with pytest.raises(RecordTooLarge):
        list(decode_records(batch, record_bytes_max=999))


@pytest.mark.parametrize("seed", range(30))
def test_whole_records_against_a_walk_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    data, ends = b"", []
    for _ in range(rng.randint(0, 6)):
        length = rng.choice([0, 3, 63, 64, 65, 8_191, 8_192])
        for _ in range(rng.choice([1, 2, 63, 64, 65, 200, 700])):
            data += encode_varint(length) + rng.randbytes(length)
            ends.append(len(data))
    for cut in {0, len(data), *[rng.randint(0, len(data)) for _ in range(20)]}:
        whole = sum(end <= cut for end in ends)
        count, end, more = whole_records(data[:cut], len(ends))
        assert (count, end) == (whole, ends[whole - 1] if whole else 0), cut
        assert (more == 0) == (whole == len(ends))
        assert whole_records(memoryview(data)[:cut], len(ends))[:2] == (count, end)


def test_a_million_equal_records_are_passed_over_in_blocks() -> None:
    batch = batch_of_many(200_000, Compression.ZSTD, timestamp=NOW_MS)
    assert len(batch) < 300_000
    header = read_batch_header(batch)
    assert sum(count for count, _ in record_runs(header, batch)) == 200_000
    assert sum(1 for _ in decode_records(batch)) == 200_000
