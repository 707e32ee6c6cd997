"""Exceptions that only a mistake of ours can raise: code that catches them reports them here, so that a test can fail.

A bug costs one client its connection, or one chore its round, and affects nothing else. It is logged with its
traceback, and kept for tests that run the broker.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final, NamedTuple

logger = logging.getLogger("kafkapy.bugs")

KEPT_MAX: Final = 100


class Bug(NamedTuple):
    """What was being done, and what was raised."""

    where: str
    error: Exception


class Bugs:
    """The latest bugs, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: deque[Bug] = deque(maxlen=KEPT_MAX)

    @property
    def kept(self) -> tuple[Bug, ...]:
        """The latest bugs, at most `KEPT_MAX`."""
        return tuple(self._kept)

    def take(self) -> tuple[Bug, ...]:
        """The latest bugs, which are kept no longer."""
        taken = self.kept
        self._kept.clear()
        return taken

    def report(self, where: str, error: Exception) -> None:
        """Log the exception with its traceback and keep it. `where` says what was being done, for the log line."""
        self.count += 1
        self._kept.append(Bug(where, error))
        logger.error("internal error %s", where, exc_info=error)
