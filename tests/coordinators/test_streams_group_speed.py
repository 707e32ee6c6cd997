"""No step of a streams group holds the event loop for long: 100 members of 1,000 tasks, and 20,000 tasks."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest

from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequestEndpoint
from tests.coordinators.event_loop import longest_pass
from tests.coordinators.group_lab import GROUP
from tests.coordinators.streams_lab import StreamsLab, Tasks, subtopology, told, topology
from tests.cpu_speed import Speed

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERS = [f"member-{number}" for number in range(100)]
TASKS = 1_000
LONGEST_STEP = 0.020


@pytest.fixture(autouse=True)
def no_collection_meanwhile() -> Iterator[None]:
    """A full collection walks what pytest, all other tests and the log of the lab hold; a node has its own rules."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("subtopology_count", "standby_count"), [(1, 0), (10, 1)], ids=["one subtopology", "ten and a standby of each task"]
)
async def test_no_step_takes_long(subtopology_count: int, standby_count: int) -> None:
    speed, longest = Speed(), 0.0
    lab = StreamsLab(group_streams_num_standby_replicas=standby_count)
    async with lab.running():
        names = [f"{number}" for number in range(subtopology_count)]
        for name in names:
            lab.topic(f"in-{name}", TASKS // subtopology_count)
            lab.topic(f"log-{name}", TASKS // subtopology_count)
        lab.topology = topology(*(subtopology(name, f"in-{name}", changelogs=[f"log-{name}"]) for name in names))
        epochs = dict.fromkeys(MEMBERS, 0)
        active: dict[str, Tasks] = {member: {} for member in MEMBERS}
        standby: dict[str, Tasks] = {member: {} for member in MEMBERS}

        def step(member: str) -> None:
            nonlocal longest
            endpoint = StreamsGroupHeartbeatRequestEndpoint(host=member, port=1)
            started = time.thread_time()
            if epochs[member] == 0:
                answer = lab.joins(member, user_endpoint=endpoint)
            else:
                answer = lab.beat(member, epochs[member], active=active[member], standby=standby[member])
            longest = max(longest, time.thread_time() - started)
            epochs[member] = answer.member_epoch
            if answer.active_tasks is not None:
                active[member], standby[member] = told(answer.active_tasks), told(answer.standby_tasks)

        lab.joins("the first one pays for the imports")
        lab.beat("the first one pays for the imports", -1)
        for _ in range(4):
            for member in MEMBERS:
                step(member)
            longest = max(longest, await longest_pass(lab.assigned))  # with standbys by a worker thread
        started = time.thread_time()
        described = lab.described()
        longest = max(longest, time.thread_time() - started)

    assert described.group_state == "Stable"
    assert sum(len(indexes) for tasks in active.values() for indexes in tasks.values()) == TASKS
    assert sum(len(indexes) for tasks in standby.values() for indexes in tasks.values()) == TASKS * standby_count
    assert speed.quiet(longest) < LONGEST_STEP


async def test_a_very_large_group_is_assigned_and_described_in_pieces() -> None:
    """By a worker thread, and in turns: what is measured are the passes of the event loop."""
    lab = StreamsLab(group_streams_assignment_interval_ms=1000)
    speed = Speed()
    async with lab.running():
        lab.topic("in", 20_000)
        lab.topic("log", 20_000)
        for member in MEMBERS:
            lab.joins(member)
        await lab.assigned()  # the first member alone has had all
        lab.advance(1_001)
        answer = lab.joins("the last")
        assert answer.error_code == 0
        assert told(answer.active_tasks) == {}, "it hears later what it is to have"
        longest = await longest_pass(lab.assigned)
        group = lab.streams_group()
        assert (group.epoch, group.assignment_epoch) == (102, 102)
        assert {len(target.active["0"]) for target in group.targets.values()} == {198, 199}
        lab.advance(1_001)
        last = lab.beat("the last", answer.member_epoch, active={}, standby={})
        assert last.member_epoch == 102

        async def describe() -> None:
            described = await lab.groups.streams.describe_in_turns(GROUP)
            assert len(described.members) == 101

        assert lab.groups.streams.is_large(GROUP)
        longest = max(longest, await longest_pass(describe))
    assert speed.quiet(longest) < LONGEST_STEP


async def test_a_very_large_group_is_assigned_first_when_its_members_were_waited_for() -> None:
    lab = StreamsLab(group_streams_initial_rebalance_delay_ms=3_000)
    async with lab.running():
        lab.topic("in", 20_000)
        lab.topic("log", 20_000)
        lab.joins("first")
        lab.joins("second")
        lab.advance(3_001)
        await lab.assigned()
        targets = lab.streams_group().targets
        assert {name: len(target.active["0"]) for name, target in targets.items()} == {
            "first": 10_000,
            "second": 10_000,
        }
