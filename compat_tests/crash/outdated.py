"""When a node may answer by what was true before: it has not heard yet what the others have decided.

It is cut off from the other nodes or was until now, or goes on after a pause. It takes itself for the leader and the
coordinator that it was, until it hears of another. It can store nothing by then, but what needs nothing to be stored it
does as before. Apache Kafka does the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

AFTERWARDS_SECONDS: Final = 5.0
"""So long after the end may an answer come that a node gave before it knew of anything new: perhaps the controller that
it would hear from has to be elected first."""


class Outdated(NamedTuple):
    """From `begin` to `end`, in seconds of the monotonic clock."""

    begin: float
    end: float

    def meets(self, begin: float, end: float) -> bool:
        """Whether an answer of this time may be what an exchange from `begin` to `end` has got."""
        return self.begin <= end and begin <= self.end + AFTERWARDS_SECONDS
