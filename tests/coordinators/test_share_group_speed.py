"""No step of a share group holds the event loop for long: 100 members of 1,000 partitions, and 1,000 of 20,000."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest

from tests.coordinators.event_loop import longest_pass
from tests.coordinators.share_group_lab import ShareGroupLab
from tests.cpu_speed import Speed

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_STEP = 0.020


@pytest.fixture(autouse=True)
def heap_of_other_tests_aside() -> Iterator[None]:
    """As a node that has started does: a full collection walks what pytest and all other tests hold, for 20 ms."""
    gc.freeze()
    yield
    gc.unfreeze()


async def test_no_step_takes_long() -> None:
    speed, longest = Speed(), 0.0
    members = [f"member-{number}" for number in range(100)]
    epochs = dict.fromkeys(members, 0)
    read: dict[str, int] = dict.fromkeys(members, 0)
    async with ShareGroupLab(0, group_share_assignment_interval_ms=0).running() as lab:
        lab.topic("events", 1_000)
        lab.share("the first one pays for the imports", 0, "events")
        await lab.answered()
        lab.share("the first one pays for the imports", -1)
        for _ in range(3):
            for member in members:
                names = [] if epochs[member] else ["events"]
                started = time.thread_time()
                answer = lab.share(member, epochs[member], *names)
                longest = max(longest, time.thread_time() - started)
                epochs[member] = answer.member_epoch
                if answer.assignment is not None:
                    read[member] = sum(len(topic.partitions) for topic in answer.assignment.topic_partitions)
    assert [*read.values()] == [10] * 100
    assert speed.quiet(longest) < LONGEST_STEP


async def test_a_very_large_group_is_assigned_in_pieces() -> None:
    """By a worker thread: what is measured are the passes of the event loop."""
    lab = ShareGroupLab(0, group_share_assignment_interval_ms=1_000, group_share_max_size=1_000)
    speed = Speed()
    async with lab.running():
        lab.topic("events", 20_000)
        gc.disable()  # a collection in between walks what the lab keeps of all requests
        epochs = {f"member-{number}": lab.share(f"member-{number}", 0, "events").member_epoch for number in range(999)}
        await lab.answered()
        lab.advance(1_001)
        answer = lab.share("the last", 0, "events")
        assert answer.assignment is not None
        assert not answer.assignment.topic_partitions, "it hears later what it is to read"
        longest = await longest_pass(lab.matched)
        group = lab.share_group()
        assert group.assignment_epoch == group.epoch
        assert {sum(map(len, target.values())) for target in group.targets.values()} == {20}
        for member_id, epoch in [*epochs.items()][:20]:
            started = time.thread_time()
            told = lab.share(member_id, epoch)
            longest = max(longest, time.thread_time() - started)
            assert told.member_epoch == group.epoch
        gc.enable()
    assert speed.quiet(longest) < LONGEST_STEP
