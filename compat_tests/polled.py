"""Records that a consumer of kafka-python polls.

Its release 3.0.12 loses a rejoin for a change of metadata when a `poll` ends while JoinGroup or SyncGroup is under way:
from then on it has no partition and sends no heartbeat, however long it polls. Java's client had the same (KAFKA-9815).
So a poll here lasts as long as anybody waits; it returns at once when there are records.
"""

from __future__ import annotations

import time
from typing import Any

from compat_tests.deadlines import PATIENCE_SECONDS


def polled(consumer: Any, count: int) -> list[Any]:
    """The next `count` records and those that came with the last of them; AssertionError when they do not come."""
    records: list[Any] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(records) < count:
        left_ms = int(1_000 * (deadline - time.monotonic()))
        assert left_ms > 0, f"{len(records)} of {count} records within {PATIENCE_SECONDS:.0f} s"
        for batch in consumer.poll(timeout_ms=left_ms).values():
            records += batch
    return records
