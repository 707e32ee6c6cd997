"""No step of a consumer group holds the event loop for long: 100 members of 1,000 partitions."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest

from tests.coordinators.consumer_lab import ConsumerLab, Partitions

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERS = [f"member-{number}" for number in range(100)]
LONGEST_STEP = 0.020


@pytest.fixture(autouse=True)
def heap_of_other_tests_aside() -> Iterator[None]:
    """As a node that has started does: a full collection walks what pytest and all other tests hold, for 20 ms."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("topic_count", [1, 10])
@pytest.mark.parametrize("assignor", ["uniform", "range"])
async def test_no_step_takes_long(assignor: str, topic_count: int) -> None:
    longest = 0.0
    async with ConsumerLab().running() as lab:
        topics = [f"topic-{number}" for number in range(topic_count)]
        for topic in topics:
            lab.topic(topic, 1000 // topic_count)
        epochs = dict.fromkeys(MEMBERS, 0)
        owned: dict[str, Partitions] = {member: {} for member in MEMBERS}

        def step(member: str) -> None:
            nonlocal longest
            started = time.thread_time()
            if epochs[member] == 0:
                answer = lab.joins(member, *topics, server_assignor=assignor)
            else:
                answer = lab.beat(member, epochs[member], owned=owned[member])
            longest = max(longest, time.thread_time() - started)
            epochs[member] = answer.member_epoch
            if answer.assignment is not None:
                owned[member] = lab.assigned(answer)

        lab.joins("the first one pays for the imports", *topics, server_assignor=assignor)
        lab.beat("the first one pays for the imports", -1)
        for _ in range(4):
            for member in MEMBERS:
                step(member)
        started = time.thread_time()
        described = lab.described()
        longest = max(longest, time.thread_time() - started)

    assert described.group_state == "Stable"
    owners = [(topic, index) for member in MEMBERS for topic, indexes in owned[member].items() for index in indexes]
    assert len(owners) == len(set(owners)) == 1000
    assert longest < LONGEST_STEP
