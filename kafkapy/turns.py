"""Turns on the event loop: work over thousands of partitions is cut into them, so that other clients wait little.

This asks the machine's clock, not the node's: it is about what the loop takes, which no test moves.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

import trio

TURN_SECONDS: Final = 0.002
"""Several of them may lie between a request and its answer, when several such works go on at once."""


class Turn:
    """What one piece of work has of the event loop, from now on."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = perf_counter() + TURN_SECONDS

    @property
    def is_over(self) -> bool:
        return perf_counter() > self._ends

    async def share(self) -> None:
        """Once the turn is over, let the others have theirs and begin another. Until then nothing else runs."""
        if perf_counter() > self._ends:
            await trio.lowlevel.checkpoint()
            self._ends = perf_counter() + TURN_SECONDS
