"""How long an operation may go on trying."""

from __future__ import annotations

import time


class Deadline:
    """A point in time, `seconds` after it was made."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(0.0, self._at - time.monotonic())

    def is_over(self) -> bool:
        return time.monotonic() >= self._at
