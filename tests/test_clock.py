"""The node's clock: timers fire in order, waits end in time, and time can be moved."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from kafkapy.clock import PURGED_COUNT_MIN, ManualClock
from tests.memory import traced


def test_advance_fires_what_fell_due_in_order_of_deadlines() -> None:
    clock, fired = ManualClock(), []
    clock.call_later(3_000, lambda: fired.append("third"))
    clock.call_later(1_000, lambda: fired.append("first"))
    clock.call_later(2_000, lambda: fired.append("second"))
    clock.call_later(60_000, lambda: fired.append("not yet"))
    clock.advance(5_000)
    assert fired == ["first", "second", "third"]


def test_timers_with_one_deadline_fire_in_the_order_they_were_set() -> None:
    clock, fired = ManualClock(), []
    for name in "abc":
        clock.call_later(0, lambda name=name: fired.append(name))  # type: ignore[misc]
    clock.advance(10)
    assert fired == ["a", "b", "c"]


def test_a_cancelled_timer_does_not_fire() -> None:
    clock, fired = ManualClock(), []
    timer = clock.call_later(1, lambda: fired.append("no"))
    assert timer.pending
    timer.cancel()
    timer.cancel()
    clock.advance(10)
    assert fired == []
    assert not timer.pending


def test_advance_moves_both_readings() -> None:
    clock = ManualClock()
    wall, monotonic = clock.now_ms(), clock.monotonic_ms()
    clock.advance(1_000_000)
    assert clock.now_ms() - wall >= 1_000_000
    assert clock.monotonic_ms() - monotonic >= 1_000_000


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        ManualClock().advance(-1)


def test_a_wait_ends_when_the_clock_is_advanced_past_its_timeout() -> None:
    async def main() -> None:
        clock, outcome = ManualClock(), []

        async def wait() -> None:
            outcome.append(await clock.wait(trio.Event(), 30_000))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            clock.advance(30_001)
        assert outcome == [False]

    trio.run(main)


def test_a_wait_ends_when_its_event_is_set() -> None:
    async def main() -> None:
        clock, event = ManualClock(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            event.set()
            assert await clock.wait(event, 60_000)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_run_fires_a_timer_that_is_earlier_than_the_one_it_sleeps_for() -> None:
    async def main() -> None:
        clock, fired = ManualClock(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            clock.call_later(600_000, lambda: None)
            await trio.testing.wait_all_tasks_blocked()
            clock.call_later(1, fired.set)
            with trio.fail_after(10):
                await fired.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_waits_that_are_over_leave_next_to_nothing() -> None:
    """A fetch that may wait a minute is answered in milliseconds: thousands a second must not keep theirs a minute."""

    async def main() -> None:
        clock, event = ManualClock(), trio.Event()
        event.set()

        async def wait_often(count: int) -> None:
            for _ in range(count):
                assert await clock.wait(event, 60_000)

        def add_and_cancel(count: int) -> None:
            for _ in range(count):
                clock.call_later(60_000, event.set).cancel()

        await wait_often(100)
        with traced() as kept:
            await wait_often(20_000)
            add_and_cancel(20_000)
            assert kept() < 20_000
        assert clock.timer_count <= 2 * PURGED_COUNT_MIN

    trio.run(main)


def test_waits_that_are_over_leave_next_to_nothing_among_timers_that_are_pending() -> None:
    clock = ManualClock()
    pending = [clock.call_later(30_000 + delay, lambda: None) for delay in range(1_000)]
    for _ in range(20_000):
        clock.call_later(60_000, lambda: None).cancel()
    assert clock.timer_count <= 2 * len(pending) + PURGED_COUNT_MIN
