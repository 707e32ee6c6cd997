"""The node's clock: timers fire in order, waits end in time, and time can be moved."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial

import pytest
import trio
import trio.testing

from kafkapy.bugs import Bugs
from kafkapy.clock import LATE_MS, PURGED_COUNT_MIN, ManualClock, TimerHeap, WallClock
from tests.memory import alone, traced


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
            with trio.fail_after(60):
                await fired.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_after_a_stall_what_has_come_is_handled_before_timers_fire() -> None:
    """A heartbeat that came in time, while the process did not run, is not missed."""

    async def main() -> None:
        clock = WallClock()
        happened: list[str] = []
        ours, peer = socket.socketpair()

        async def receive() -> None:
            await trio.lowlevel.wait_readable(ours)
            happened.append(ours.recv(100).decode())

        with ours, peer:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(clock.run)
                for _ in range(10):  # trio runs tasks that are ready at once in any order
                    over = trio.Event()
                    nursery.start_soon(receive)
                    await trio.testing.wait_all_tasks_blocked()
                    clock.call_later(1, partial(happened.append, "missed"))
                    clock.call_later(1, over.set)
                    peer.send(b"heard")
                    _stall((LATE_MS + 5) / 1_000)
                    await over.wait()
                nursery.cancel_scope.cancel()
        assert happened == ["heard", "missed"] * 10

    trio.run(main)


def _stall(seconds: float) -> None:
    """The process does not run."""
    time.sleep(seconds)


def test_timers_that_were_cancelled_do_not_pile_up() -> None:
    """A long poll that is answered cancels its timer: 20,000 of them in a minute must not be kept for a minute."""
    clock, fired = ManualClock(), []
    lasting = [clock.call_later(60_000, lambda: fired.append("lasting")) for _ in range(10)]
    for _ in range(20_000):
        clock.call_later(60_000, lambda: fired.append("cancelled")).cancel()
    assert clock.timer_count < 200
    lasting[0].cancel()
    clock.advance(60_001)
    assert fired == ["lasting"] * 9
    assert clock.timer_count == 0


def test_cancelling_within_a_turn_and_after_firing_is_counted_right() -> None:
    clock, fired = ManualClock(), []
    second = clock.call_later(2_000, lambda: fired.append("second"))

    def first() -> None:
        fired.append("first")
        second.cancel()

    timer = clock.call_later(1_000, first)
    clock.advance(3_000)
    timer.cancel()
    assert fired == ["first"]
    for _ in range(1_000):
        clock.call_later(1_000, lambda: None).cancel()
    assert clock.timer_count < 200


@pytest.mark.parametrize("delay_ms", [0, -5])
def test_a_timer_that_sets_itself_again_leaves_others_their_turn(delay_ms: int) -> None:
    async def main() -> None:
        clock, count = ManualClock(), 0

        def again() -> None:
            nonlocal count
            count += 1
            clock.call_later(delay_ms, again)

        again()
        clock.advance(1)
        assert count == 2, "what is set while timers fire waits for the next turn"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            while count < 10:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_bug_in_a_callback_costs_no_other_timer() -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug of ours")

    clock, fired = ManualClock(), []
    clock.call_later(1, fail)
    clock.call_later(2, lambda: fired.append("next"))
    with pytest.raises(ZeroDivisionError):
        ManualClockWithout(fail).advance(10)
    bugs = clock.bugs = Bugs()
    clock.advance(10)
    assert fired == ["next"]
    ((where, error),) = bugs.kept
    assert "fail" in where
    assert isinstance(error, ZeroDivisionError)


class ManualClockWithout(ManualClock):
    """One with a timer, and with nobody who hears of bugs."""

    def __init__(self, callback: Callable[[], None]) -> None:
        super().__init__()
        self.call_later(1, callback)


def test_frozen_time_stands_still_until_it_is_moved() -> None:
    async def main() -> None:
        clock, fired = ManualClock(frozen=True), []
        before = clock.now_ms(), clock.monotonic_ms()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            clock.call_later(1, lambda: fired.append("a"))
            clock.call_later(0, lambda: fired.append("at once"))
            await trio.sleep(0.02)
            assert (clock.now_ms(), clock.monotonic_ms()) == before
            assert fired == ["at once"]
            clock.advance(1)
            assert fired == ["at once", "a"]
            assert (clock.now_ms(), clock.monotonic_ms()) == (before[0] + 1, before[1] + 1)
            clock.call_later(5, lambda: fired.append("b"))
            clock.release()
            with trio.fail_after(60):
                while fired[-1] != "b":
                    await trio.lowlevel.checkpoint()
            assert clock.monotonic_ms() < before[1] + 10_000
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_released_time_goes_on_from_where_it_stood_and_never_back() -> None:
    clock, shown = ManualClock(), []
    clock.advance(1_000)
    for _ in range(500):
        clock.freeze()
        shown.append(clock.now_ms())
        clock.release()
        shown.append(clock.now_ms())
    assert shown == sorted(shown)
    assert shown[-1] - shown[0] < 10_000


def test_time_jumps_to_the_next_deadline() -> None:
    clock, fired = ManualClock(frozen=True), []
    assert clock.jump() is None
    cancelled = clock.call_later(1_000, lambda: fired.append("cancelled"))
    clock.call_later(5_000, lambda: fired.append("first"))
    clock.call_later(90_000, lambda: fired.append("second"))
    cancelled.cancel()
    assert clock.jump() == 5_000
    assert fired == ["first"]
    assert clock.jump() == 85_000
    assert fired == ["first", "second"]
    assert clock.jump() is None


def test_a_sleep_ends_when_the_clock_has_moved_so_far() -> None:
    async def main() -> None:
        clock, woken = ManualClock(frozen=True), []

        async def sleep() -> None:
            await clock.sleep(30_000)
            woken.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep)
            await trio.testing.wait_all_tasks_blocked()
            clock.advance(29_999)
            await trio.testing.wait_all_tasks_blocked()
            assert not woken
            clock.advance(1)
        assert woken

    trio.run(main)


def test_the_wall_clock_goes_with_the_machine() -> None:
    clock = WallClock()
    assert abs(clock.now_ms() - time.time() * 1_000) < 5_000
    assert abs(clock.monotonic_ms() - time.monotonic() * 1_000) < 5_000
    clock.advance(60_000)
    assert clock.now_ms() - time.time() * 1_000 > 50_000


@alone
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


@pytest.mark.parametrize("frozen", [False, True])
def test_no_timer_fires_while_a_node_is_suspended(frozen: bool) -> None:
    async def main() -> None:
        clock = ManualClock(frozen=frozen)
        fired: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            await trio.testing.wait_all_tasks_blocked()
            clock.suspend()
            clock.call_later(0, lambda: fired.append("due at once"))
            clock.call_later(1_000, lambda: fired.append("advanced over"))
            clock.call_later(60_000, lambda: fired.append("not yet"))
            clock.call_in_turn(lambda: fired.append("in turn"))
            before_ms = clock.monotonic_ms()
            clock.advance(2_000)
            assert clock.monotonic_ms() - before_ms >= 2_000
            await trio.testing.wait_all_tasks_blocked()
            assert fired == []
            clock.resume()
            await trio.testing.wait_all_tasks_blocked()
            assert sorted(fired) == ["advanced over", "due at once", "in turn"]
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_due_timers_are_taken_one_by_one() -> None:
    """Thousands at once would hold the event loop before the first of them fires."""
    timers = TimerHeap()
    for deadline_ms in (1, 2, 3, 5):
        timers.add(deadline_ms, lambda: None)
    left = []
    for timer in timers.take_due(4):
        left.append((timer.deadline_ms, len(timers)))
        timers.add(0, lambda: None)
    assert left == [(1, 3), (2, 2), (3, 1)], "those that were added are not in the heap while they wait"
    assert [timer.deadline_ms for timer in timers.take_due(4)] == [0, 0, 0]
    assert timers.next_deadline_ms == 5
