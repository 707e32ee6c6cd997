"""The clocks of a cluster's nodes, moved together: every node has one of its own, and timers of its own."""

from __future__ import annotations

from typing import Final
from weakref import WeakSet

from kafkapy.clock import ManualClock

END_MS: Final = 253_402_300_799_999
"""The end of the year 9999: sums of times stay within Kafka's int64."""


class NodeClocks:
    """Freezes, advances and releases the clocks of all nodes, and makes those of nodes that start later alike."""

    def __init__(self) -> None:
        self._pattern = ManualClock()  # what a new clock shows; it has no timers
        self._clocks: WeakSet[ManualClock] = WeakSet()

    def new(self) -> ManualClock:
        clock = ManualClock(like=self._pattern)
        self._clocks.add(clock)
        return clock

    @property
    def is_frozen(self) -> bool:
        return self._pattern.is_frozen

    def now_ms(self) -> int:
        return self._pattern.now_ms()

    def next_timer_ms(self) -> int | None:
        """Milliseconds until the next timer of any node is due; None: there is none."""
        return min((each for clock in self._clocks if (each := clock.next_timer_ms()) is not None), default=None)

    def freeze(self) -> None:
        for clock in self._all():
            clock.freeze()

    def release(self) -> None:
        for clock in self._all():
            clock.release()

    def reset(self) -> None:
        """Show the machine's time again."""
        for clock in self._all():
            clock.reset()

    def advance(self, milliseconds: int) -> None:
        """Raises ValueError: time does not go back, nor beyond the year 9999."""
        if self.now_ms() + milliseconds > END_MS:
            raise ValueError("time goes to the end of the year 9999 at most")
        for clock in self._all():
            clock.advance(milliseconds)

    def jump(self) -> None:
        """Move to the next timer of any node."""
        distance_ms = self.next_timer_ms()
        if distance_ms is not None:
            self.advance(distance_ms)

    def _all(self) -> list[ManualClock]:
        return [self._pattern, *self._clocks]
