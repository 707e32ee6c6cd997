"""What is left of a controller_mutation_rate (KIP-599): a bucket of tokens, one for each partition made or deleted.

A request may take more tokens than there are; the next ones wait until the debt is paid.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from kafkapy.quotas.sampled_rate import WAIT_MS_MAX

if TYPE_CHECKING:
    from kafkapy.quotas.sampled_rate import Windows


class TokenBucket:
    """Full in the beginning; `bound` tokens come in a second, up to those of all windows. Times must not go back."""

    __slots__ = ("_changed_ms", "_tokens")

    def __init__(self) -> None:
        self._tokens = 0.0
        self._changed_ms: float | None = None

    def tokens(self, bound: float, now_ms: float, windows: Windows) -> float:
        """Those that are left now; below 0: the debt."""
        burst = windows.number * windows.ms / 1_000 * bound
        if self._changed_ms is None:
            self._tokens = burst
        else:
            self._tokens = min(burst, self._tokens + bound * (now_ms - self._changed_ms) / 1_000)
        self._changed_ms = now_ms
        return self._tokens

    def take(self, count: float, bound: float, now_ms: float, windows: Windows) -> None:
        """Take tokens, however many there are."""
        self._tokens = self.tokens(bound, now_ms, windows) - count

    def throttle_ms(self, bound: float, now_ms: float, windows: Windows) -> int:
        """How long it takes until no tokens are owed any more."""
        tokens = self.tokens(bound, now_ms, windows)
        return floor(min(-tokens / bound * 1_000, WAIT_MS_MAX) + 0.5) if tokens < 0 else 0
