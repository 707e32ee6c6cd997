"""No step of a consumer group holds the event loop for long: 100 members of 1,000 partitions, and 5,000 members."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest

from tests.coordinators.consumer_lab import ConsumerLab, Partitions
from tests.coordinators.event_loop import longest_pass
from tests.coordinators.group_lab import GROUP
from tests.cpu_speed import Speed

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
    speed, longest = Speed(), 0.0
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
    assert speed.quiet(longest) < LONGEST_STEP


async def test_a_very_large_group_is_assigned_and_described_in_pieces() -> None:
    """By a worker thread, and in turns: what is measured are the passes of the event loop."""
    speed = Speed()
    async with ConsumerLab(group_consumer_assignment_interval_ms=1000).running() as lab:
        lab.topic("topic", 20_000)
        gc.disable()  # a collection in between walks what the lab keeps of all requests
        for number in range(5_000):
            lab.joins(f"member-{number}", "topic")
        await lab.matched()  # the first member alone has had all
        lab.advance(1_001)
        answer = lab.joins("the last", "topic")
        assert answer.assignment is not None
        assert not answer.assignment.topic_partitions, "it hears later what it is to own"
        longest = await longest_pass(lab.matched)
        group = lab.consumer_group()
        assert (group.epoch, group.assignment_epoch) == (5_002, 5_002)
        assert {sum(map(len, target.values())) for target in group.targets.values()} == {3, 4}

        async def describe() -> None:
            described = await lab.groups.consumer.describe_in_turns(GROUP)
            assert len(described.members) == 5_001

        assert lab.groups.consumer.has_many_members(GROUP)
        longest = max(longest, await longest_pass(describe))
        gc.enable()
    assert speed.quiet(longest) < LONGEST_STEP
