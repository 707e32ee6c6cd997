"""Tasks that share their turns have them one after the other, and everybody else has one between any two."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import trio
import trio.testing

from kafkapy.bugs import Bugs
from kafkapy.clock import ManualClock
from kafkapy.turns import TURN_SECONDS, Turn, drained, has_more_than

TASKS = 5
TURNS = 4
IN_TWO_PASSES = 2
"""One in each pass of trio's loop. It calls the tasks of a pass in any order: two may come between two calls of one."""


def work() -> None:
    """Longer than a turn."""
    ends = perf_counter() + 1.2 * TURN_SECONDS
    while perf_counter() < ends:
        pass


async def count_between(steps: list[int], over: trio.Event) -> list[int]:
    """How much longer `steps` got between any two turns of the task that calls."""
    counts = []
    while not over.is_set():
        before = len(steps)
        await trio.lowlevel.checkpoint()
        counts.append(len(steps) - before)
    return counts


def test_one_task_has_its_turn_at_a_time() -> None:
    async def main() -> None:
        steps: list[int] = []
        over = trio.Event()

        async def worker(number: int) -> None:
            turn = Turn()
            for _ in range(TURNS):
                work()
                await turn.share()
                steps.append(number)

        async def workers() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(TASKS):
                    nursery.start_soon(worker, number)
            over.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(workers)
            counts = await count_between(steps, over)
        assert max(counts) <= IN_TWO_PASSES
        assert len(steps) == TASKS * TURNS
        for first in range(0, len(steps), TASKS):
            assert sorted(steps[first : first + TASKS]) == list(range(TASKS)), "each has its turn before one has two"

    trio.run(main)


def test_a_task_that_is_cancelled_takes_no_turn() -> None:
    async def main() -> None:
        turns = [0, 0]

        async def worker(number: int) -> None:
            turn = Turn()
            for _ in range(TURNS):
                work()
                await turn.share()
                turns[number] += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker, 0)
            async with trio.open_nursery() as cancelled:
                cancelled.start_soon(worker, 1)
                await trio.lowlevel.checkpoint()
                cancelled.cancel_scope.cancel()
        assert turns == [TURNS, 0]

    trio.run(main)


def test_calls_in_turn_leave_others_theirs_and_timers_do_not_wait_behind_them() -> None:
    async def main() -> None:
        clock = ManualClock(frozen=True)
        steps: list[int] = []
        over = trio.Event()
        timer_came_after: list[int] = []

        def call(number: int) -> None:
            work()
            steps.append(number)
            if len(steps) == TASKS:
                over.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(TASKS):
                clock.call_in_turn(lambda number=number: call(number))  # type: ignore[misc]
            clock.call_in_turn(lambda: steps.append(-1)).cancel()
            clock.call_later(0, lambda: timer_came_after.append(len(steps)))
            counts = await count_between(steps, over)
            nursery.cancel_scope.cancel()
        assert steps == list(range(TASKS))
        assert max(counts) <= IN_TWO_PASSES
        assert timer_came_after[0] <= IN_TWO_PASSES

    trio.run(main)


def test_a_bug_in_a_call_in_turn_is_reported_and_the_others_are_called() -> None:
    async def main() -> None:
        clock = ManualClock()
        clock.bugs = bugs = Bugs()
        called = trio.Event()

        def fail() -> None:
            raise ValueError("a bug")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            clock.call_in_turn(fail)
            clock.call_in_turn(called.set)
            await called.wait()
            nursery.cancel_scope.cancel()
        assert len(bugs.kept) == 1

    trio.run(main)


def test_drained_items_are_let_go_one_by_one() -> None:
    items = [[number] for number in range(5)]
    left = []
    for number, item in enumerate(drained(items)):
        assert item == [number]
        left.append(len(items))
    assert left == [4, 3, 2, 1, 0]


def test_no_more_counts_are_asked_for_than_needed() -> None:
    asked = []

    def counts() -> Iterator[int]:
        for count in (1, 2, 3, 4):
            asked.append(count)
            yield count

    assert has_more_than(5, counts())
    assert asked == [1, 2, 3]
    assert not has_more_than(10, counts())
