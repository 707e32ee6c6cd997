"""Whatever the bytes: MalformedMessage or a message."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkapy_wire.catalog import message_class
from kafkapy_wire.codec import decode, decode_from
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.fetch import FetchRequest
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.produce import ProduceRequest
from kafkapy_wire.schema_index import SCHEMA_CLASSES

CODECS = [(name, version) for name in SCHEMA_CLASSES for version in message_class(name).__schema__.valid_versions]


def test_a_message_cut_at_any_byte_is_malformed(vectors: list[dict[str, object]]) -> None:
    """A message says where it ends, so no proper part of one is a message."""
    for vector in vectors:
        cls, version, data = message_class(str(vector["schema"])), vector["version"], bytes.fromhex(str(vector["hex"]))
        assert isinstance(version, int)
        for cut in range(len(data)):
            with pytest.raises(MalformedMessage):
                decode(cls, data[:cut], version)


def test_a_byte_too_many_is_malformed(vectors: list[dict[str, object]]) -> None:
    for vector in vectors:
        version = vector["version"]
        assert isinstance(version, int)
        with pytest.raises(MalformedMessage):
            decode(message_class(str(vector["schema"])), bytes.fromhex(str(vector["hex"])) + b"\0", version)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(CODECS), st.binary(max_size=200))
def test_random_bytes_decode_or_are_malformed(codec: tuple[str, int], data: bytes) -> None:
    name, version = codec
    with contextlib.suppress(MalformedMessage):
        decode(message_class(name), data, version)


def test_every_decoder_meets_noise(fuzz_wire: ModuleType) -> None:
    source = random.Random(20260)
    for name, version in CODECS:
        for size in (0, 1, 7, 40):
            fuzz_wire.check_hostile_bytes(message_class(name), source.randbytes(size), version)


def test_every_message_survives_bytes_and_json_and_mutations_of_it_do_no_harm(fuzz_wire: ModuleType) -> None:
    source = random.Random(20261)
    for name, version in CODECS:
        cls = message_class(name)
        data = fuzz_wire.check_round_trip(source, cls, version)
        for _ in range(5):
            fuzz_wire.check_hostile_bytes(cls, fuzz_wire.mutated(source, data), version)


HEARTBEAT_V4 = "0267 00000001 026d 00 "


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("00 00000001 026d 00 00", "null"),
        ("02ff 00000001 026d 00 00", "UTF-8"),
        ("ffffffff0f 00000001", "claims"),
        ("8080808080 01 00000001 026d 00 00", "varint"),
        ("ffffffff7f 00000001 026d 00 00", "varint"),
        ("818004" + "61" * 32768 + "00000001 026d 00 00", "32767"),
        (HEARTBEAT_V4 + "01 05 02 aa", "tagged field 5 claims 2 bytes"),
        (HEARTBEAT_V4 + "ff", "ends at byte"),
        (HEARTBEAT_V4 + "00 00", "after the message's end"),
    ],
)
def test_what_is_wrong_is_said(data: str, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        decode(HeartbeatRequest, bytes.fromhex(data), 4)


@pytest.mark.parametrize(("version", "data"), [(3, "7fffffff"), (9, "ffffffff07"), (9, "ffffffff0f"), (12, "80808001")])
def test_a_count_is_checked_before_anything_is_allocated(version: int, data: str) -> None:
    tracemalloc.start()
    with pytest.raises(MalformedMessage, match=r"elements|null"):
        decode(MetadataRequest, bytes.fromhex(data) + bytes(20), version)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_any_negative_length_is_null_where_null_may_be() -> None:
    """As Apache Kafka reads it, not only -1."""
    assert decode(MetadataRequest, bytes.fromhex("fffffffb 01"), 4).topics is None
    with pytest.raises(MalformedMessage, match="null"):
        decode(MetadataRequest, bytes.fromhex("fffffffb"), 0)


def test_tags_may_repeat_and_come_in_any_order() -> None:
    """Apache Kafka 4.4.0 does not look at the order; of a known tag the last one counts."""
    message = decode(HeartbeatRequest, bytes.fromhex(HEARTBEAT_V4 + "03 07 01 aa 05 01 bb 05 00"), 4)
    assert message.unknown_tagged_fields == [(7, b"\xaa"), (5, b"\xbb"), (5, b"")]
    fetch = bytes.fromhex(
        "ffffffff 00000001 00000001 00000001 00 00000000 ffffffff 01 01 01 02 00 02 02 61 00 02 02 62"
    )
    assert decode(FetchRequest, fetch, 13).cluster_id == "b"


@pytest.mark.parametrize("tag", ["01 00 01 02 61", "01 00 03 02 61 62"])
def test_a_known_tagged_field_is_as_long_as_it_says(tag: str) -> None:
    data = bytes.fromhex("ffffffff 00000001 00000001 00000001 00 00000000 ffffffff 01 01 01 " + tag)
    with pytest.raises(MalformedMessage, match="cluster_id"):
        decode(FetchRequest, data, 13)


@pytest.mark.parametrize("container", [bytes, bytearray, memoryview])
def test_records_are_views_into_any_bytes_like_input(container: type[bytes | bytearray | memoryview]) -> None:
    data = container(bytes.fromhex("ffff ffff 000003e8 00000001 0001 61 00000001 00000000 00000003 aabbcc"))
    records = decode(ProduceRequest, data, 3).topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records.obj is (data.obj if isinstance(data, memoryview) else data)
    assert bytes(records) == b"\xaa\xbb\xcc"


def test_decode_from_begins_and_ends_where_the_message_does() -> None:
    data = bytes.fromhex("ff" * 3 + "0267 00000001 026d 00 00" + "ee")
    message, position = decode_from(HeartbeatRequest, data, 3, 4)
    assert (message.group_id, message.member_id, position) == ("g", "m", len(data) - 1)
    with pytest.raises(MalformedMessage):
        decode_from(HeartbeatRequest, data, len(data) + 5, 4)
