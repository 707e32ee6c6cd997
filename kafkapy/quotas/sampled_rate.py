"""A rate over the last windows, as Apache Kafka measures the use of a quota.

`quota.window.num` windows of `quota.window.size.seconds` count. While fewer have passed since the first value, those
that are missing count as complete but for the present one: a client that begins may use in its first window what it may
use in all of them together.
"""

from __future__ import annotations

from math import floor
from typing import Final, NamedTuple

WAIT_MS_MAX: Final = 0x7FFF_FFFF
"""What the field of an answer holds. A quota next to nothing would give an infinite wait."""


class Windows(NamedTuple):
    """How many windows count, and how long each is."""

    number: int
    ms: int


class _Sample:
    """What was recorded within one window."""

    __slots__ = ("began_ms", "last_ms", "total")

    def __init__(self, began_ms: float) -> None:
        self.restart(began_ms)

    def restart(self, began_ms: float) -> None:
        self.began_ms = self.last_ms = began_ms
        self.total = 0.0


class SampledRate:
    """Values a second. Its times must not go back."""

    __slots__ = ("_at", "_samples")

    def __init__(self) -> None:
        self._samples: list[_Sample] = []
        self._at = 0

    def record(self, value: float, now_ms: float, windows: Windows) -> None:
        """Add a value; a negative one takes back what was recorded."""
        samples = self._samples
        if not samples:
            samples.append(_Sample(now_ms))
        sample = samples[self._at]
        if now_ms - sample.began_ms >= windows.ms:
            # One sample more than count: the oldest still reaches into the time that counts.
            self._at = (self._at + 1) % (windows.number + 1)
            if self._at < len(samples):
                sample = samples[self._at]
                sample.restart(now_ms)
            else:
                self._at = len(samples)
                sample = _Sample(now_ms)
                samples.append(sample)
        sample.total += value
        sample.last_ms = now_ms

    def per_second(self, now_ms: float, windows: Windows) -> float:
        """The present rate."""
        elapsed_ms = self.measured_ms(now_ms, windows)
        return sum(sample.total for sample in self._samples) * 1_000 / elapsed_ms

    def measured_ms(self, now_ms: float, windows: Windows) -> float:
        """The time over which the rate is measured."""
        kept_ms = windows.number * windows.ms
        began_ms = now_ms
        for sample in self._samples:
            if now_ms - sample.last_ms >= kept_ms:
                sample.restart(now_ms)
            began_ms = min(began_ms, sample.began_ms)
        elapsed_ms = now_ms - began_ms
        missing = max(0, windows.number - 1 - int(elapsed_ms // windows.ms))
        return max(elapsed_ms + missing * windows.ms, 1)

    def throttle_ms(self, bound: float, now_ms: float, windows: Windows) -> int:
        """How long the client must wait until the rate is at `bound` again; 0 if it does not exceed it."""
        rate = self.per_second(now_ms, windows)
        if rate <= bound:
            return 0
        return floor(min((rate - bound) / bound * self.measured_ms(now_ms, windows), WAIT_MS_MAX) + 0.5)
