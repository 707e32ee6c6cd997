"""The map of a cleaning: what it knows, what it weighs, and what it says of offsets alone."""

from __future__ import annotations

from random import Random

import pytest

from kafkapy_log.offset_map import GOES, STAYS, STAYS_AS_TOMBSTONE, OffsetMap, Survivors, short_keys
from tests.memory import alone, traced

MIB = 1 << 20


@pytest.mark.parametrize("seed", range(20))
def test_survivors_are_the_latest_records_of_their_keys(seed: int) -> None:
    """In windows smaller than the range, with batches that do not fit what is left of one, or none at all."""
    chance = Random(seed)
    offset_map = OffsetMap(MIB)
    offset_map.window_offsets = chance.choice([50, 400, 100_000])
    first = next_offset = offset_map.first_offset = chance.choice([0, 2**40])
    batches: list[tuple[int, list[bytes], list[int]]] = []
    for _ in range(chance.randint(1, 60)):
        keys = [b"%d" % chance.randrange(200) for _ in range(chance.choice([1, 5, 30, 60]))]
        tombstones = [number for number in range(len(keys)) if chance.random() < 0.1]
        batches.append((next_offset, keys, tombstones))
        offset_map.put(keys, next_offset, tombstones)
        next_offset += len(keys)
    offset_map.latest_offset = next_offset - 1
    latest = {key: base + number for base, keys, _ in batches for number, key in enumerate(keys)}

    survivors = Survivors(offset_map)
    for base, keys, tombstones in batches:
        expected = bytes(
            GOES if latest[key] != base + number else STAYS_AS_TOMBSTONE if number in tombstones else STAYS
            for number, key in enumerate(keys)
        )
        marks = survivors.marks(base, len(keys))
        assert marks == (None if len(keys) > offset_map.window_offsets else expected)
    assert survivors.marks(first - 1, 2) is None
    assert survivors.marks(next_offset - 1, 2) is None


def test_no_windows_are_opened_for_a_few_records_among_large_gaps() -> None:
    offset_map = OffsetMap(MIB)
    for number in range(100):
        offset_map.put([b"%d" % number], number * 2**31, [])
    offset_map.latest_offset = 100 * 2**31
    assert Survivors(offset_map).marks(0, 1) is None


@pytest.mark.parametrize("key_bytes", [1, 8, 15, 36, 46, 47, 300])
@alone
def test_a_full_map_takes_about_the_memory_it_was_given(key_bytes: int) -> None:
    chance = Random(key_bytes)
    with traced() as kept:
        offset_map = OffsetMap(MIB)
        offset = 0
        while not offset_map.is_full and offset < 30_000:
            keys = [chance.randbytes(key_bytes) for _ in range(50)]
            offset_map.put(keys, offset, [])
            offset += len(keys)
        del keys
        offset_map.latest_offset = offset - 1
        survivors = Survivors(offset_map)
        survivors.marks(0, 50)
        assert kept() < 1.1 * MIB
    assert offset_map.is_full == (key_bytes > 1), "256 keys are no more, however often they come"


def test_a_map_without_room_takes_one_batch() -> None:
    offset_map = OffsetMap(1)
    assert not offset_map.is_full
    offset_map.put([b"a", b"b"], 0, [])
    assert offset_map.is_full


def test_a_digest_is_no_key_that_stands_for_itself() -> None:
    long_key = b"k" * 300
    (digest,) = short_keys([long_key])
    assert short_keys([digest]) != [digest]
    assert short_keys([b"short", long_key]) == [b"short", digest]


def test_a_cleared_map_is_empty() -> None:
    offset_map = OffsetMap(MIB)
    keys = [b"%d" % number for number in range(5_000)]
    offset_map.put(keys, 7, [3])
    assert offset_map.key_count == 5_000
    assert offset_map.latest_offsets([b"3", b"none", b"4999"]) == [10, -1, 5_006]
    assert offset_map.marks_of_old([b"3", b"none", b"4999"]) == bytes([GOES, STAYS, GOES])
    offset_map.clear()
    assert not any(offset_map.tables)
