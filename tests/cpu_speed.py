"""How fast this machine is at the moment, for tests that bound CPU time: a shared one may halve its speed for minutes.

speed = Speed()
...
assert speed.quiet(seconds) < 0.02

What takes longer by itself is still found: on such a machine everything takes longer alike.
"""

from __future__ import annotations

from time import thread_time

STEPS = 50_000
QUIET_SECONDS = 0.0018
"""What `STEPS` take on a machine that has nothing else to do, and whose cores no other machine shares."""


class Speed:
    """Measured when it is made, and when times are told: the slower one counts."""

    def __init__(self) -> None:
        self.slowness = 1.0
        """How many times as long as on a quiet machine Python takes; at least 1."""
        self._measure()

    def quiet(self, seconds: float) -> float:
        """What `seconds` of CPU time, spent since this was made, would have been on a quiet machine."""
        self._measure()
        return seconds / self.slowness

    def _measure(self) -> None:
        began, total = thread_time(), 0
        for number in range(STEPS):
            total += number
        self.slowness = max(self.slowness, (thread_time() - began) / QUIET_SECONDS)
