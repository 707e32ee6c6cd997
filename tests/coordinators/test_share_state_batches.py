"""State batches of share partitions: combined as if each record had been looked at by itself."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from kafkapy.coordinators.share.state_batches import StateBatch, combine


def by_record(so_far: list[StateBatch], changes: list[StateBatch], start_offset: int) -> dict[int, tuple[int, int]]:
    """(delivery count, delivery state) of each record: the slow and obvious way."""
    states: dict[int, tuple[int, int]] = {}
    for first, last, state, count in so_far + changes:
        for offset in range(max(first, start_offset), last + 1):
            states[offset] = max(states.get(offset, (-1, -1)), (count, state))
    return states


def random_batches(random: Random, count: int, *, overlap: bool) -> list[StateBatch]:
    batches, offset = [], random.randrange(5)
    for _ in range(count):
        first = random.randrange(20) if overlap else offset
        last = first + random.randrange(6)
        batches.append(StateBatch(first, last, random.choice((0, 2, 4)), random.randrange(1, 4)))
        offset = last + 1 + random.randrange(3)
    return batches


@pytest.mark.parametrize("seed", range(300))
def test_combining_is_what_each_record_says(seed: int) -> None:
    random = Random(seed)
    so_far = random_batches(random, random.randrange(5), overlap=False)
    changes = random_batches(random, random.randrange(5), overlap=random.random() < 0.5)
    start_offset = random.choice((-1, random.randrange(15)))
    combined = combine(so_far, changes, start_offset)
    found: dict[int, tuple[int, int]] = {}
    for first, last, state, count in combined:
        for offset in range(first, last + 1):
            assert offset not in found, f"offset {offset} is in two batches of {combined}"
            found[offset] = (count, state)
    assert found == by_record(so_far, changes, start_offset)
    assert list(combined) == sorted(combined)
    if len(so_far) + len(changes) > 1:
        for one, next_one in pairwise(combined):
            assert one[2:] != next_one[2:] or one.last_offset + 1 < next_one.first_offset, "neighbours are one"


def test_a_later_delivery_holds_against_an_earlier_one() -> None:
    acquired_again = StateBatch(0, 9, 0, 2)
    assert combine([StateBatch(0, 9, 2, 1)], [acquired_again], 0) == (acquired_again,)
    assert combine([acquired_again], [StateBatch(3, 5, 2, 2)], 1) == (
        StateBatch(1, 2, 0, 2),
        StateBatch(3, 5, 2, 2),
        StateBatch(6, 9, 0, 2),
    )
