"""Waiting for a condition, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 90.0
"""Far more than anything here needs, also where brokers, JVMs and an image that is built share two cores and a disk."""


def eventually(
    condition: Callable[[], T], what: str, *, seconds: float = PATIENCE_SECONDS, pause_seconds: float = 0.02
) -> T:
    """The first true value of `condition()`, asked again and again; AssertionError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}; last value {value!r}"
        time.sleep(pause_seconds)
