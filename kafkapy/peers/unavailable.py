"""What a request to another node fails with, and how often the log says so."""

from __future__ import annotations

import logging
from typing import Final

_WELL: Final = 0
_AWAY: Final = 1
_REFUSED: Final = 2


class PeerUnavailable(Exception):
    """The request has no answer: no connection, none in time, or bytes that are no answer. The message says why.

    The peer may have done what was asked.
    """


class PeerRefused(PeerUnavailable):
    """The nodes do not trust each other, by TLS or by SASL: it lasts until somebody mends it. The message says what."""


class Outage:
    """Whether another node can be reached, for the log: one line when it cannot, and one when it can again.

    A node that is away often comes back with another fault: one that somebody has to mend has a line of its own.
    """

    def __init__(self) -> None:
        self._state = _WELL

    @property
    def is_on(self) -> bool:
        return self._state != _WELL

    def begins(self, error: Exception) -> bool:
        """Whether the log has not said so yet."""
        before, self._state = self._state, max(self._state, _REFUSED if isinstance(error, PeerRefused) else _AWAY)
        return self._state > before

    def ends(self) -> bool:
        """The node has answered: whether the log has said that it did not."""
        before, self._state = self._state, _WELL
        return before != _WELL


def level_of(error: Exception, usual: int) -> int:
    """At which a line about it is logged: what somebody has to mend is a warning at least."""
    return max(usual, logging.WARNING) if isinstance(error, PeerRefused) else usual
