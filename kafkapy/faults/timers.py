"""The time of faults is real time, whatever the clock of the node shows.

A delay is there to be met by a client, whose own time-outs go by the machine's clock. On the node's clock a test that
has frozen it would never get its answer, and one that moves it by a day to have something expire would skip every
delay. A test that wants to say itself when a request goes on uses `hold`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.clock import WallClock
from kafkapy.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Timer


class RealTimers:
    """Timers that run in whatever event loop asks for one. The first of a loop starts the task that fires them."""

    def __init__(self, bugs: Bugs) -> None:
        self._bugs = bugs
        self._clock: WallClock | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    def now_ms(self) -> float:
        return self._running().monotonic_ms()

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        return self._running().call_later(delay_ms, callback)

    def after(self, delay_ms: float) -> Pending[None]:
        """Answered after the delay."""
        timer: Timer
        over: Pending[None] = Pending(lambda: timer.cancel())
        timer = self.call_later(delay_ms, lambda: over.answer(None))
        return over

    def _running(self) -> WallClock:
        token = trio.lowlevel.current_trio_token()
        if self._clock is None or token is not self._token:
            self._clock, self._token = WallClock(), token
            self._clock.bugs = self._bugs
            trio.lowlevel.spawn_system_task(self._clock.run)
        return self._clock
