"""Which partition a key goes to, and which partitions a member of a group gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy.client.assignor import assign_ranges
from kafkapy_wire.consumer_protocol import (
    decode_assignment,
    decode_subscription,
    encode_assignment,
    encode_subscription,
)
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.partitioner import murmur2, partition_for_key


@pytest.mark.parametrize(
    ("key", "java"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(key: bytes, java: int) -> None:
    """What Apache Kafka's own `Utils.murmur2` returns, there as a signed number."""
    assert murmur2(key) == java % 2**32
    assert partition_for_key(key, 7) == (java & 0x7FFFFFFF) % 7


def test_ranges() -> None:
    """As Java's RangeAssignor: the first members by id get one more."""
    wanted = {"c": ["t"], "a": ["t", "u"], "b": ["t"]}
    assert assign_ranges(wanted, {"t": 7, "u": 1}) == {
        "a": [("t", 0), ("t", 1), ("t", 2), ("u", 0)],
        "b": [("t", 3), ("t", 4)],
        "c": [("t", 5), ("t", 6)],
    }
    assert assign_ranges(wanted, {}) == {"a": [], "b": [], "c": []}
    assert assign_ranges({"a": ["t"], "b": ["t"]}, {"t": 1}) == {"a": [("t", 0)], "b": []}


@given(
    wanted=st.dictionaries(st.text(min_size=1), st.lists(st.sampled_from("tuvw"), min_size=1, unique=True), min_size=1),
    counts=st.dictionaries(st.sampled_from("tuvw"), st.integers(0, 20)),
)
def test_every_partition_has_one_owner_that_wants_it(wanted: dict[str, list[str]], counts: dict[str, int]) -> None:
    assignment = assign_ranges(wanted, counts)
    owned = [partition for partitions in assignment.values() for partition in partitions]
    asked_for = {topic for topics in wanted.values() for topic in topics}
    assert sorted(owned) == sorted((t, i) for t, count in counts.items() if t in asked_for for i in range(count))
    assert all(topic in wanted[member] for member, partitions in assignment.items() for topic, _ in partitions)


def test_bytes_of_members_and_assignments() -> None:
    subscription = encode_subscription(["größe", "t"])
    assert subscription.hex() == "0000" + "00000002" + "0007" + "größe".encode().hex() + "0001" + "74" + "ffffffff"
    assert decode_subscription(subscription) == ["größe", "t"]
    assignment = encode_assignment([("t", 2), ("u", 0), ("t", 0)])
    assert decode_assignment(assignment) == [("t", 2), ("t", 0), ("u", 0)]


def test_a_subscription_of_a_newer_client() -> None:
    """Version 3, as Java's consumer sends it: owned partitions, generation, rack."""
    body = bytes.fromhex("0003 00000001 0001 74 ffffffff 00000001 0001 74 00000001 00000000 ffffffff ffff")
    assert decode_subscription(body) == ["t"]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0", b"\0\0\0\0\0\x05"])
def test_bytes_that_are_none(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_subscription(data)
    with pytest.raises(MalformedMessage):
        decode_assignment(data)
