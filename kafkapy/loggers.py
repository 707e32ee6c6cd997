"""The loggers of a node, whose levels can be read and changed while it runs (KIP-412), in Kafka's words.

They belong to the process: nodes that share one share their loggers. A change is gone when the node that made it ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

ROOT: Final = "root"
"""Kafka's name of the logger that all others take their level from: `kafkapy` among Python's."""
_TOP: Final = "kafkapy"
LOGGERS: Final = tuple(
    f"{_TOP}.{name}"
    for name in (
        *(
            "apis.describe_log_dirs",
            "apis.metadata",
            "audit",
            "authorizer",
            "broker",
            "bugs",
            "cluster",
            "connection",
            "control",
        ),
        *("controller", "coordinators", "disk", "faults", "groups", "log_cleaning", "node", "partitions", "peers"),
        *("quorum", "replication", "requests", "server", "settings", "share_groups", "start", "telemetry", "tls"),
        "transactions",
    )
)
"""All that there are, whether their modules are loaded or not."""

_TRACE: Final = 5
"""Python has no such level; no line has it, so that it shows what DEBUG shows."""
LEVELS: Final = {
    "TRACE": _TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
"""Kafka's levels, as Python's."""


class Loggers:
    """What one node has changed about the loggers."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self.on_change: Callable[[], None] = _change_nothing_else
        """Called after each change: for lines that somebody has to be asked for."""

    def levels(self) -> dict[str, str]:
        """The level that holds for each logger, by its name."""
        return {name: _word(_logger(name).getEffectiveLevel()) for name in (ROOT, *LOGGERS)}

    def exists(self, name: str) -> bool:
        return name == ROOT or name in LOGGERS

    def set_level(self, name: str, level: str | None) -> None:
        """Change a level; None: the logger has that of the root logger again."""
        found = _logger(name)
        self._before.setdefault(name, found.level)
        found.setLevel(logging.NOTSET if level is None else LEVELS[level])
        self.on_change()

    def restore(self) -> None:
        """Give every logger back the level that it had."""
        for name, level in self._before.items():
            _logger(name).setLevel(level)
        self._before.clear()
        self.on_change()


def _change_nothing_else() -> None:
    """The default `on_change`."""


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(_TOP if name == ROOT else name)


def _word(level: int) -> str:
    return next((word for word, number in LEVELS.items() if level <= number), "FATAL")
