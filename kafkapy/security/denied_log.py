"""A line in the log for each operation that was denied, but not for more than some in a second; for each that was
allowed, if debug lines are on.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

from kafkapy.log_lines import shown
from kafkapy_controller.acl import AclOperation, PatternType, ResourceType, name_of

logger = logging.getLogger("kafkapy.authorizer")

LINES_A_SECOND_MAX: Final = 20


class DeniedLog:
    """The words are those of Apache Kafka's authorizer."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def note(self, principal: str, host: str, operation: int, resource_type: int, name: str) -> None:
        second = int(monotonic())
        if second != self._second:
            if self._left_out:
                logger.info("%d denied operations more were not logged", self._left_out)
            self._second, self._lines, self._left_out = second, 0, 0
        if self._lines >= LINES_A_SECOND_MAX:
            self._left_out += 1
            return
        self._lines += 1
        _log(logging.INFO, "Denied", principal, host, operation, resource_type, name)


def note_allowed(principal: str, host: str, operation: int, resource_type: int, name: str) -> None:
    """As Apache Kafka: for debugging."""
    if logger.isEnabledFor(logging.DEBUG):
        _log(logging.DEBUG, "Allowed", principal, host, operation, resource_type, name)


def _log(level: int, what: str, principal: str, host: str, operation: int, resource_type: int, name: str) -> None:
    logger.log(
        level,
        "Principal = %s is %s operation = %s from host = %s on resource = %s:%s:%s",
        shown(principal),
        what,
        name_of(AclOperation, operation),
        host,
        name_of(ResourceType, resource_type),
        PatternType.LITERAL.name,
        shown(name),
    )
