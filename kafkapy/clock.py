"""The node's clock: every deadline, retention check and timestamp asks it, so that a test can move time.

Two readings, one offset: `now_ms()` is the wall clock, `monotonic_ms()` only ever grows. `advance()` moves both and
fires what fell due at once. Timers and parked requests hang on this clock alone, never on a sleep of their own.

`WallClock` goes with the machine's time, `ManualClock` can also stand still and jump to the next deadline.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Protocol

import trio

from kafkapy.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy.bugs import Bugs

LATE_MS = 10.0
"""A timer that is later than this fires after what has come meanwhile was handled. The process did not run, or the loop
was held up: heartbeats, fetches and votes that came in time lie in the sockets, and nobody is to be missed for that."""
PURGED_COUNT_MIN = 64  # cancelled timers that are not worth a new heap


class Timer:
    """A callback that is called once, unless cancelled before. `cancel()` may be called any number of times."""

    __slots__ = ("_callback", "_heap", "deadline_ms")

    def __init__(self, deadline_ms: float, callback: Callable[[], None], heap: TimerHeap | None) -> None:
        self.deadline_ms = deadline_ms
        self._callback: Callable[[], None] | None = callback
        self._heap: TimerHeap | None = heap

    @property
    def pending(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None
        heap, self._heap = self._heap, None
        if heap is not None:
            heap.note_cancelled()

    def take_callback(self) -> Callable[[], None] | None:
        """The callback, to be called now; None if the timer was cancelled. Later calls return None."""
        callback, self._callback = self._callback, None
        return callback

    def leave_heap(self) -> None:
        self._heap = None


class TimerHeap:
    """Timers by deadline. Cancelled timers are dropped once they are more than half of all."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Timer]] = []
        self._sequence = count()  # ties fire in the order they were set
        self._cancelled_count = 0

    def __len__(self) -> int:
        return len(self._timers)

    @property
    def next_deadline_ms(self) -> float | None:
        """The deadline of the first timer, which may be a cancelled one."""
        return self._timers[0][0] if self._timers else None

    def add(self, deadline_ms: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(deadline_ms, callback, self)
        heapq.heappush(self._timers, (deadline_ms, next(self._sequence), timer))
        return timer

    def take_due(self, now_ms: float) -> Iterator[Timer]:
        """Remove the timers whose deadline has come, each when it is asked for, in order.

        Those that are added meanwhile stay, even if they are due.
        """
        begun = next(self._sequence)
        added: list[tuple[float, int, Timer]] = []
        try:
            while self._timers and self._timers[0][0] <= now_ms:
                if self._timers[0][1] > begun:
                    added.append(heapq.heappop(self._timers))
                else:
                    yield self._pop()
        finally:
            for entry in added:
                heapq.heappush(self._timers, entry)

    def drop_cancelled(self) -> None:
        """Drop cancelled timers from the front, so that `next_deadline_ms` is that of a timer that will fire."""
        while self._timers and not self._timers[0][2].pending:
            self._pop()

    def note_cancelled(self) -> None:
        self._cancelled_count += 1
        if self._cancelled_count > max(PURGED_COUNT_MIN, len(self._timers) // 2):
            self._timers = [entry for entry in self._timers if entry[2].pending]
            heapq.heapify(self._timers)
            self._cancelled_count = 0

    def _pop(self) -> Timer:
        timer = heapq.heappop(self._timers)[2]
        if timer.pending:
            timer.leave_heap()
        else:
            self._cancelled_count -= 1
        return timer


class Clock(Protocol):
    """Tells a node the time, and waits for it."""

    bugs: Bugs | None
    """Exceptions of callbacks are reported to it. None: they are raised where the timers fire."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""

    def monotonic_ms(self) -> float:
        """Milliseconds since some fixed point; never goes back."""

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop after `delay_ms`, not before the caller next waits."""

    def call_in_turn(self, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop after the callbacks of earlier calls, whatever the clock shows.

        For one of many pieces of longer work (see `turns`): timers do not wait behind them.
        """

    async def wait(self, event: trio.Event, timeout_ms: float) -> bool:
        """True once `event` is set; False when `timeout_ms` passed on this clock first."""

    async def sleep(self, delay_ms: float) -> None:
        """Return when `delay_ms` have passed on this clock."""

    def advance(self, milliseconds: int) -> None:
        """Move the clock forward and fire every timer that fell due, in order of their deadlines."""

    def suspend(self) -> None:
        """From now on no timer fires, while time passes, as for a process that is stopped."""

    def resume(self) -> None:
        """What fell due meanwhile fires, late, and timers fire in time again."""

    def release(self) -> None:
        """The node stops: from now on time passes by itself, so that every wait on this clock ends."""

    async def run(self) -> None:
        """Fire timers as they fall due, until cancelled."""


class WallClock:
    """The machine's time, plus what it was advanced by. `run()` must be running for timers to fire by themselves."""

    def __init__(self) -> None:
        self.bugs: Bugs | None = None
        self._offset_ms = 0.0
        self._timers = TimerHeap()
        self._earlier_timer = trio.Event()
        self._in_turn: deque[Timer] = deque()
        self._more_in_turn = trio.Event()
        self._is_suspended = False

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + int(self._offset_ms)

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1_000 + self._offset_ms

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        deadline_ms = self.monotonic_ms() + delay_ms
        first_ms = self._timers.next_deadline_ms
        if first_ms is None or deadline_ms < first_ms:
            self._earlier_timer.set()
        return self._timers.add(deadline_ms, callback)

    def call_in_turn(self, callback: Callable[[], None]) -> Timer:
        timer = Timer(0.0, callback, None)
        self._in_turn.append(timer)
        self._more_in_turn.set()
        return timer

    async def wait(self, event: trio.Event, timeout_ms: float) -> bool:
        timed_out = False
        with trio.CancelScope() as scope:

            def give_up() -> None:
                nonlocal timed_out
                timed_out = True
                scope.cancel()

            timer = self.call_later(timeout_ms, give_up)
            try:
                await event.wait()
            finally:
                timer.cancel()
        return not timed_out

    async def sleep(self, delay_ms: float) -> None:
        over = trio.Event()
        timer = self.call_later(delay_ms, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def advance(self, milliseconds: int) -> None:
        if milliseconds < 0:
            raise ValueError(f"time does not go back: {milliseconds} ms")
        self._offset_ms += milliseconds
        if not self._is_suspended:
            self._fire_due()

    def suspend(self) -> None:
        """From now on no timer fires, while time passes, as for a process that is stopped."""
        self._is_suspended = True
        self._earlier_timer.set()

    def resume(self) -> None:
        """What fell due meanwhile fires, late, and timers fire in time again."""
        self._is_suspended = False
        self._earlier_timer.set()
        self._more_in_turn.set()

    def release(self) -> None:
        """Nothing to do: the machine's time always passes by itself."""

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_in_turn)
            await self._run_timers()

    async def _run_in_turn(self) -> None:
        while True:
            turn = Turn()
            while self._in_turn and not self._is_suspended:
                self._fire(self._in_turn.popleft())
                if turn.is_over:
                    await trio.lowlevel.checkpoint()
                    turn = Turn()
            self._more_in_turn = trio.Event()
            await self._more_in_turn.wait()

    async def _run_timers(self) -> None:
        while True:
            pause_ms = self._pause_ms()
            if pause_ms is not None and pause_ms < -LATE_MS:
                await trio.lowlevel.checkpoint()  # all that can run by now is run before this returns
            if not self._is_suspended:
                await self._fire_due_in_turns()
            self._earlier_timer = trio.Event()
            pause_ms = self._pause_ms()
            if pause_ms is None:
                await self._earlier_timer.wait()
            else:
                with trio.move_on_after(max(0.0, pause_ms) / 1_000):
                    await self._earlier_timer.wait()

    def _pause_ms(self) -> float | None:
        """Milliseconds until the next timer fires; None if none does."""
        if self._is_suspended:
            return None
        deadline_ms = self._timers.next_deadline_ms
        return None if deadline_ms is None else deadline_ms - self.monotonic_ms()

    async def _fire_due_in_turns(self) -> None:
        """As `_fire_due`. A thousand long polls may end at once."""
        turn = Turn()
        for timer in self._timers.take_due(self.monotonic_ms()):
            self._fire(timer)
            if turn.is_over:
                await trio.lowlevel.checkpoint()  # in each pass of the loop: timers are not kept waiting by longer work
                turn = Turn()

    def _fire_due(self) -> None:
        """Fire due timers. A timer that a callback sets waits for the next turn, even if it is due."""
        for timer in self._timers.take_due(self.monotonic_ms()):
            self._fire(timer)

    def _fire(self, timer: Timer) -> None:
        callback = timer.take_callback()
        if callback is None:
            return
        if self.bugs is None:
            callback()
            return
        try:
            callback()
        except Exception as error:
            # A bug in a callback affects only the code that set this timer: the other timers fire.
            self.bugs.report(f"in a timer's {getattr(callback, '__qualname__', callback)}", error)


class ManualClock(WallClock):
    """Time as a test wants it: it passes by itself until `freeze`, and moves by `advance` and `jump` at any time."""

    def __init__(self, *, frozen: bool = False, like: ManualClock | None = None) -> None:
        """A clock that is frozen from the start, or shows what another one shows."""
        super().__init__()
        self._frozen: tuple[int, float] | None = None
        self._behind_ms = 0
        """How far the wall clock is behind what the monotonic clock was advanced by."""
        if frozen:
            self.freeze()
        if like is not None:
            self._offset_ms, self._behind_ms, self._frozen = like._offset_ms, like._behind_ms, like._frozen

    @property
    def timer_count(self) -> int:
        """The number of timers in memory, including cancelled ones."""
        return len(self._timers)

    @property
    def is_frozen(self) -> bool:
        return self._frozen is not None

    def next_timer_ms(self) -> int | None:
        """Milliseconds until the next timer is due, 0 if it is overdue; None without a timer."""
        self._timers.drop_cancelled()
        deadline_ms = self._timers.next_deadline_ms
        return None if deadline_ms is None else max(0, math.ceil(deadline_ms - self.monotonic_ms()))

    def now_ms(self) -> int:
        return super().now_ms() - self._behind_ms if self._frozen is None else self._frozen[0]

    def monotonic_ms(self) -> float:
        return super().monotonic_ms() if self._frozen is None else self._frozen[1]

    def freeze(self) -> None:
        """From now on time stands still."""
        if self._frozen is None:
            self._frozen = self.now_ms(), super().monotonic_ms()
            self._earlier_timer.set()

    def release(self) -> None:
        """From now on time passes by itself, from where it stands."""
        if self._frozen is not None:
            (stood_at_ms, stood_at_monotonic_ms), self._frozen = self._frozen, None
            self._offset_ms += stood_at_monotonic_ms - super().monotonic_ms()
            self._behind_ms += self.now_ms() - stood_at_ms  # offsets are not whole: it could go back a millisecond
            self._earlier_timer.set()

    def reset(self) -> None:
        """Show the machine's time again, which may be earlier: for nodes that have forgotten what they were told."""
        self.release()
        self._behind_ms = int(self._offset_ms)

    def advance(self, milliseconds: int) -> None:
        if self._frozen is not None and milliseconds >= 0:
            self._frozen = self._frozen[0] + milliseconds, self._frozen[1] + milliseconds
        super().advance(milliseconds)

    def jump(self) -> int | None:
        """Move to the deadline of the next timer and fire it. Returns the milliseconds moved; None without a timer."""
        distance_ms = self.next_timer_ms()
        if distance_ms is not None:
            self.advance(distance_ms)
        return distance_ms

    def _pause_ms(self) -> float | None:
        if self._frozen is None or self._is_suspended:
            return super()._pause_ms()
        deadline_ms = self._timers.next_deadline_ms  # a timer with a delay of 0 fires at once
        return 0.0 if deadline_ms is not None and deadline_ms <= self._frozen[1] else None
