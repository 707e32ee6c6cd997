"""Four codecs: what others write is read, what Java cannot read is not written, and a bomb stops at its bound."""

import contextlib
import gzip
import os
import resource
import struct
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_wire.compression import Compression, compress, decompress
from kafkapy_wire.errors import MalformedMessage

CODECS = [codec for codec in Compression if codec is not Compression.NONE]
XERIAL_HEADER = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
MIB = 1 << 20

SAMPLES = {
    "empty": b"",
    "one byte": b"x",
    "text": b"what is said twice is said twice. " * 100,
    "random": os.urandom(200_000),
    "several blocks": b"".join(b"%d," % i for i in range(100_000)),
    "block border": bytes(64 * 1024),
}


@pytest.mark.parametrize("codec", Compression)
@pytest.mark.parametrize("sample", SAMPLES)
def test_round_trip(codec: Compression, sample: str) -> None:
    data = SAMPLES[sample]
    assert decompress(compress(data, codec), codec) == data


@given(data=st.binary(max_size=5000), codec=st.sampled_from(Compression))
def test_round_trip_of_any_bytes(data: bytes, codec: Compression) -> None:
    assert decompress(memoryview(compress(data, codec)), codec) == data


@pytest.mark.parametrize(
    ("codec", "level"),
    [
        (Compression.GZIP, 1),
        (Compression.GZIP, 9),
        (Compression.LZ4, 1),
        (Compression.LZ4, 17),
        (Compression.ZSTD, -5),
        (Compression.ZSTD, 22),
    ],
)
def test_levels(codec: Compression, level: int) -> None:
    data = SAMPLES["several blocks"]
    assert decompress(compress(data, codec, level), codec) == data


def test_a_level_changes_the_size() -> None:
    data = SAMPLES["several blocks"]
    for codec, level in ((Compression.GZIP, 1), (Compression.LZ4, 12), (Compression.ZSTD, 19)):
        assert len(compress(data, codec, level)) != len(compress(data, codec))


def test_lz4_frames_are_what_java_accepts() -> None:
    """KafkaLZ4BlockInputStream refuses linked blocks, and reads blocks of 64 KiB to 4 MiB."""
    frame = compress(SAMPLES["several blocks"], Compression.LZ4)
    assert frame[:4].hex() == "04224d18"
    version_1, independent = 0x40, 0x20
    assert frame[4] & 0xE0 == version_1 | independent
    assert frame[5] in (0x40, 0x50, 0x60, 0x70)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("checksum", [False, True])
def test_lz4_frames_of_others(linked: bool, checksum: bool) -> None:
    compressor = cramjam.lz4.Compressor(level=3, content_checksum=checksum, block_linked=linked)
    compressor.compress(SAMPLES["several blocks"])
    assert decompress(bytes(compressor.finish()), Compression.LZ4) == SAMPLES["several blocks"]


def test_snappy_is_written_in_xerial_framing() -> None:
    framed = compress(SAMPLES["several blocks"], Compression.SNAPPY)
    assert framed.startswith(XERIAL_HEADER)
    (first_block_bytes,) = struct.unpack_from(">i", framed, 16)
    assert len(bytes(cramjam.snappy.decompress_raw(framed[20 : 20 + first_block_bytes]))) == 32 * 1024


def test_snappy_without_framing() -> None:
    """librdkafka and the Go clients send one raw block."""
    raw = bytes(cramjam.snappy.compress_raw(SAMPLES["several blocks"]))
    assert decompress(raw, Compression.SNAPPY) == SAMPLES["several blocks"]


def test_gzip_of_several_members() -> None:
    data = b"".join(gzip.compress(b"%d" % i) for i in range(5000))
    assert decompress(data, Compression.GZIP) == b"".join(b"%d" % i for i in range(5000))


def test_gzip_with_a_name_in_its_header() -> None:
    """Some clients write optional header fields; zlib skips them."""
    plain = gzip.compress(b"data")
    named = plain[:3] + b"\x08" + plain[4:10] + b"name\x00" + plain[10:]
    assert decompress(named, Compression.GZIP) == b"data"


@pytest.mark.parametrize("codec", CODECS)
def test_every_prefix_is_malformed(codec: Compression) -> None:
    compressed = compress(SAMPLES["text"], codec)
    # An xerial stream may end after any block: that is one prefix which nobody can tell from the whole.
    whole = {16} if codec is Compression.SNAPPY else set()
    for cut in range(len(compressed)):
        if cut not in whole:
            with pytest.raises(MalformedMessage):
                decompress(compressed[:cut], codec)


@pytest.mark.parametrize("codec", CODECS)
def test_trailing_bytes_are_malformed(codec: Compression) -> None:
    with pytest.raises(MalformedMessage):
        decompress(compress(SAMPLES["text"], codec) + b"\x01", codec)


@given(data=st.binary(max_size=200), codec=st.sampled_from(CODECS), head=st.booleans())
def test_any_bytes(data: bytes, codec: Compression, head: bool) -> None:
    if head:
        data = compress(b"", codec)[:16] + data
    with contextlib.suppress(MalformedMessage):
        assert len(decompress(data, codec, max_bytes=MIB)) <= MIB


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(CODECS))
    compressed = bytearray(compress(SAMPLES["text"], codec))
    for _ in range(data.draw(st.integers(1, 4))):
        compressed[data.draw(st.integers(0, len(compressed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedMessage):
        assert len(decompress(compressed, codec, max_bytes=MIB)) <= MIB


@pytest.mark.parametrize("codec", Compression)
def test_the_bound_is_exact(codec: Compression) -> None:
    data = SAMPLES["several blocks"]
    compressed = compress(data, codec)
    assert decompress(compressed, codec, max_bytes=len(data)) == data
    with pytest.raises(MalformedMessage):
        decompress(compressed, codec, max_bytes=len(data) - 1)


def bomb(codec: Compression) -> bytes:
    """256 MiB of zeros in as few bytes as the codec can."""
    chunk = bytes(MIB)
    match codec:
        case Compression.GZIP:
            deflate = zlib.compressobj(9, wbits=31)
            return b"".join(deflate.compress(chunk) for _ in range(256)) + deflate.flush()
        case Compression.SNAPPY:
            block = bytes(cramjam.snappy.compress_raw(chunk))
            return XERIAL_HEADER + (struct.pack(">i", len(block)) + block) * 256
        case Compression.LZ4:
            return compress(chunk, codec) * 256
        case _:
            return compress(chunk, codec) * 256


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_stops_at_the_bound(codec: Compression) -> None:
    compressed = bomb(codec)
    decompress(compress(b"x", codec), codec)  # what the library itself needs is not counted below
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MalformedMessage):
        decompress(compressed, codec, max_bytes=4 * MIB)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 32 * 1024


def test_a_snappy_block_that_promises_too_much() -> None:
    four_gib = b"\xff\xff\xff\xff\x0f" + b"\x00a"
    with pytest.raises(MalformedMessage, match="larger than"):
        decompress(four_gib, Compression.SNAPPY)
    with pytest.raises(MalformedMessage, match="promises"):
        decompress(b"\x80\x80\x40" + b"\x00a", Compression.SNAPPY)


@pytest.mark.parametrize("length", [-1, 2**31 - 1])
def test_an_xerial_block_length_that_cannot_be(length: int) -> None:
    with pytest.raises(MalformedMessage, match="block of"):
        decompress(XERIAL_HEADER + struct.pack(">i", length) + b"\x01\x00a", Compression.SNAPPY)


def test_empty_gzip_members_do_not_cost_more_than_their_bytes() -> None:
    """zlib copies what follows a member; fed the whole rest each time this would move 20 GB."""
    members = gzip.compress(b"") * 50_000
    assert decompress(members, Compression.GZIP) == b""
