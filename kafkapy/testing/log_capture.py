"""The log of one cluster, in memory: several may run in one process, and all log to the same loggers."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Self

from kafkapy.log_lines import LineFormatter

if TYPE_CHECKING:
    from types import TracebackType

LINES_MAX: Final = 20_000
_LEVELS: Final = ("debug", "info", "warning", "error")
_current: ContextVar[object] = ContextVar("kafkapy cluster")
"""The cluster that runs here. Worker threads of an event loop have its context."""
_changing_level = threading.Lock()
_level_before: list[int] = []
"""The loggers' level before the first of the clusters that run now; empty: none does."""
_running: set[object] = set()


class LogCapture(logging.Handler):
    """Keeps the latest lines of the cluster that runs within the block."""

    def __init__(self, level: str) -> None:
        """Raises ValueError: there is no such level."""
        if level not in _LEVELS:
            raise ValueError(f"there is no log level {level!r}: there are {', '.join(_LEVELS)}")
        super().__init__(level.upper())
        self.setFormatter(LineFormatter())
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._logger = logging.getLogger("kafkapy")

    @property
    def lines(self) -> list[str]:
        """The latest lines. Any thread."""
        return list(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        if _current.get(None) is self:
            self._lines.append(self.format(record))

    def __enter__(self) -> Self:
        _current.set(self)
        with _changing_level:
            if not _running:
                _level_before[:] = [self._logger.level]
            _running.add(self)
            if self._logger.level == logging.NOTSET or self._logger.level > self.level:
                self._logger.setLevel(self.level)
            self._logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _changing_level:
            self._logger.removeHandler(self)
            _running.discard(self)
            if not _running:
                self._logger.setLevel(_level_before[0])
