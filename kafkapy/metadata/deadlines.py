"""Requests whose timeout is over before the controller begins.

Apache Kafka's controller drops a request that it has not begun within `timeout_ms`, so with a timeout of 0 or less
nothing is done. Requests that do not pass through its event queue are answered all the same: one that names a topic
twice with its error, and one without topics with an empty answer.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


def check_deadline(timeout_ms: int) -> None:
    """Raises KafkaError REQUEST_TIMED_OUT: the timeout is not positive."""
    if timeout_ms <= 0:
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT)


def check_deadline_of_topics(timeout_ms: int, topics: Iterable[Hashable]) -> None:
    """As `check_deadline`, if some topic is named just once: one that is named twice gets another error."""
    if timeout_ms <= 0 and 1 in Counter(topics).values():
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT)
