"""The node's clock: every deadline, retention check and timestamp asks it, so that a test can move time.

Two readings, one offset: `now_ms()` is the wall clock, `monotonic_ms()` only ever grows. `advance()` moves both and
fires what fell due at once. Timers and parked requests hang on this clock alone, never on a sleep of their own.
"""

from __future__ import annotations

import heapq
import time
from itertools import count
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer:
    """A callback that fires once, unless cancelled before. `cancel()` may be called any number of times."""

    __slots__ = ("_callback", "deadline_ms")

    def __init__(self, deadline_ms: float, callback: Callable[[], None]) -> None:
        self.deadline_ms = deadline_ms
        self._callback: Callable[[], None] | None = callback

    @property
    def pending(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Clock:
    """Wall time and timers. `run()` must be running for timers to fire by themselves."""

    def __init__(self) -> None:
        self._offset_ms = 0
        self._timers: list[tuple[float, int, Timer]] = []
        self._sequence = count()  # ties fire in the order they were set
        self._earlier_timer = trio.Event()

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def monotonic_ms(self) -> float:
        """Milliseconds since some fixed point; never goes back."""
        return time.monotonic() * 1_000 + self._offset_ms

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop after `delay_ms`, not before the caller next waits."""
        timer = Timer(self.monotonic_ms() + delay_ms, callback)
        if not self._timers or timer.deadline_ms < self._timers[0][0]:
            self._earlier_timer.set()
        heapq.heappush(self._timers, (timer.deadline_ms, next(self._sequence), timer))
        return timer

    async def wait(self, event: trio.Event, timeout_ms: float) -> bool:
        """True once `event` is set; False when `timeout_ms` passed on this clock first."""
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

    def advance(self, milliseconds: int) -> None:
        """Move the clock forward and fire every timer that fell due, in order of their deadlines."""
        if milliseconds < 0:
            raise ValueError(f"time does not go back: {milliseconds} ms")
        self._offset_ms += milliseconds
        self._fire_due()

    async def run(self) -> None:
        """Fire timers as they fall due, until cancelled."""
        while True:
            self._fire_due()
            self._earlier_timer = trio.Event()
            if not self._timers:
                await self._earlier_timer.wait()
                continue
            with trio.move_on_after(max(0.0, self._timers[0][0] - self.monotonic_ms()) / 1_000):
                await self._earlier_timer.wait()

    def _fire_due(self) -> None:
        now = self.monotonic_ms()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2].fire()
