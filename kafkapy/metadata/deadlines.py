"""Requests whose time is up before the controller begins.

Apache Kafka's controller drops what it has not begun within the request's `timeout_ms`, so that a time of 0 or less
does nothing at all. What it refuses without its event queue (a topic named twice, a request for nothing) it refuses,
or answers, all the same.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


def check_deadline(timeout_ms: int) -> None:
    """Raises KafkaError REQUEST_TIMED_OUT: the time is up."""
    if timeout_ms <= 0:
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT)


def check_deadline_of_topics(timeout_ms: int, topics: Iterable[Hashable]) -> None:
    """The same, if there is anything to decide: a topic that is there twice is refused for that, however late."""
    if timeout_ms <= 0 and 1 in Counter(topics).values():
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT)
