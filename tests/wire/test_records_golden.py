"""Golden bytes: batches that Apache Kafka 4.3.1 stored as its console producer (Java) sent them, read back here."""

import pytest

from kafkapy_wire.records import (
    BatchHeader,
    Compression,
    NewRecord,
    Record,
    build_batch,
    crc_matches,
    decode_records,
    read_batch_header,
    split_batches,
)

JAVA_BATCHES = {
    Compression.NONE: bytes.fromhex(
        "0000000000000000000000fc0000000002622ff14f000000000002000001a1fe29ba8c000001a1fe29baa100000000000000"
        "0000000000000000000003b0020000000e6f726465722d31f001627579206275792062757920627579206275792062757920"
        "6275792062757920627579206275792062757920627579206275792062757920627579206275792062757920627579206275"
        "79206275792062757920627579206275792062757920627579206275792062757920627579206275792062757920040a7472"
        "6163650461310e6772c3b6c39f65011e0028020101020a747261636504623240002a040e6f726465722d3214e282ac20756e"
        "6420c39f020a7472616365046232"
    ),
    Compression.GZIP: bytes.fromhex(
        "00000000000000000000008d00000000021775e870000100000002000001a1fe29bf1c000001a1fe29bf3300000000000000"
        "01000000000000000000031f8b08000000000000ffdbc0c4c0c0c0975f94925aa46bf88131a9b4526120300b57495162722a"
        "4ba2215f7ad1e16d87e7a732ca31e8303132324125928c1c18f458a00e351279d4b446a1342f45e1f07c840200d381dcdbcb"
        "000000"
    ),
    Compression.SNAPPY: bytes.fromhex(
        "00000000000000000000009e0000000002f319d57c000200000002000001a1fe29c309000001a1fe29c32900000000000000"
        "020000000000000000000382534e4150505900000000010000000100000059cb0148b0020000000e6f726465722d31f00162"
        "757920fe0400ce040064040a74726163650461310e6772c3b6c39f65011e003e020101020d19146232400040040da9543214"
        "e282ac20756e6420c39f020a7472616365046232"
    ),
    Compression.LZ4: bytes.fromhex(
        "0000000000000000000000970000000002ddabef44000300000002000001a1fe29c69a000001a1fe29c6b200000000000000"
        "030000000000000000000304224d1860408257000000ff04b0020000000e6f726465722d31f00162757920040061f30b040a"
        "74726163650461310e6772c3b6c39f65011e003002010102190063623240003004a900f0073214e282ac20756e6420c39f02"
        "0a747261636504623200000000"
    ),
    Compression.ZSTD: bytes.fromhex(
        "00000000000000000000008c0000000002620de6cc000400000002000001a1fe29c9d8000001a1fe29c9fb00000000000000"
        "040000000000000000000328b52ffd00587c0200f403b0020000000e6f726465722d31f00162757920040a74726163650461"
        "310e6772c3b6c39f65011e0044020101026232400046043214e282ac20756e6420c39f0400447762995ce4998df1d4d90101"
        "0000"
    ),
}

SECOND_RECORD_AFTER_MS = {
    Compression.NONE: 20,
    Compression.GZIP: 22,
    Compression.SNAPPY: 31,
    Compression.LZ4: 24,
    Compression.ZSTD: 34,
}


def java_records(header: BatchHeader) -> list[Record]:
    """What was typed into the console producer: headers, a null key, a null value, bytes beyond ASCII."""
    first, last = header.base_timestamp, header.max_timestamp
    second = first + SECOND_RECORD_AFTER_MS[header.compression]
    return [
        Record(0, first, b"order-1", b"buy " * 30, (("trace", b"a1"), ("gr\u00f6\u00dfe", None))),
        Record(1, second, None, None, (("trace", b"b2"),)),
        Record(2, last, b"order-2", "\u20ac und \u00df".encode(), (("trace", b"b2"),)),
    ]


@pytest.mark.parametrize("compression", Compression)
def test_batches_of_the_java_producer_are_decoded(compression: Compression) -> None:
    batch = JAVA_BATCHES[compression]
    header = read_batch_header(batch)
    assert header.compression is compression
    assert (header.size_bytes, header.base_offset, header.last_offset, header.next_offset) == (len(batch), 0, 2, 3)
    # The console producer is idempotent, and got producer ids 0, 1, ... from a new cluster.
    assert (header.producer_id, header.producer_epoch, header.base_sequence, header.last_sequence) == (
        int(compression),
        0,
        0,
        2,
    )
    assert (header.record_count, header.partition_leader_epoch, header.is_control) == (3, 0, False)
    assert crc_matches(batch)
    assert list(decode_records(batch)) == java_records(header)


def test_an_uncompressed_batch_is_built_byte_for_byte_as_java_builds_it() -> None:
    golden = JAVA_BATCHES[Compression.NONE]
    header = read_batch_header(golden)
    records = [NewRecord(r.timestamp, r.key, r.value, r.headers) for r in java_records(header)]
    built = build_batch(records, partition_leader_epoch=0, producer_id=0, producer_epoch=0, base_sequence=0)
    assert built == golden


def test_batches_in_a_row_are_split() -> None:
    log = b"".join(JAVA_BATCHES.values())
    assert [bytes(batch) for _, batch in split_batches(log)] == list(JAVA_BATCHES.values())
