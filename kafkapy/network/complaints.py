"""Log lines about clients that misbehave: some lines a minute, then a count of the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kafkapy.clock import Clock

LINES_PER_PERIOD: Final = 20
PERIOD_MS: Final = 60_000


class Complaints:
    """Warnings that a client can cause as often as it likes, limited so that it cannot flood the log."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._began_ms = -float(PERIOD_MS)
        self._count = 0

    def warn(self, message: str, *arguments: object) -> None:
        """As `Logger.warning`, up to `LINES_PER_PERIOD` in a minute."""
        now_ms = self._clock.monotonic_ms()
        if self._count <= LINES_PER_PERIOD and now_ms - self._began_ms >= PERIOD_MS:
            self._began_ms, self._count = now_ms, 0
        self._count += 1
        if self._count <= LINES_PER_PERIOD:
            self._logger.warning(message, *arguments)
        elif self._count == LINES_PER_PERIOD + 1:
            self._logger.warning("more lines like these: from now on they are only counted, for a minute")
            self._clock.call_later(PERIOD_MS, self._sum_up)

    def _sum_up(self) -> None:
        self._logger.warning("%d lines like the ones before were left out", self._count - LINES_PER_PERIOD)
        self._count = 0
