"""Which snapshots of its metadata a node keeps (KIP-630).

Apache Kafka's rules, without its clock and its files: the caller says what it has, and does what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId


class StoredSnapshot(NamedTuple):
    snapshot: SnapshotId
    size_bytes: int
    last_contained_ms: int
    """The time of the last record that it stands for."""


class StoredSegment(NamedTuple):
    next_offset: int
    """Where the next segment begins."""
    size_bytes: int


class SnapshotRetention(NamedTuple):
    """The settings metadata.max.retention.bytes and metadata.max.retention.ms; -1: without a limit."""

    max_bytes: int
    max_ms: int


def expired_count(
    snapshots: Sequence[StoredSnapshot], segments: Sequence[StoredSegment], retention: SnapshotRetention, now_ms: int
) -> int:
    """How many of the oldest `snapshots` are to be deleted, with the log up to the end of the oldest that stays.

    At least one snapshot stays. The size that is limited is that of all snapshots and of the log, whose segments go
    when they end below the new log start, except for the one that is written to.
    """
    count = 0
    if retention.max_bytes >= 0:
        while count < len(snapshots) - 1 and _size(snapshots[count:], segments) > retention.max_bytes:
            count += 1
            log_start_offset = snapshots[count].snapshot.end_offset
            segments = [s for s in segments[:-1] if s.next_offset > log_start_offset] + list(segments[-1:])
    if retention.max_ms >= 0:
        while count < len(snapshots) - 1 and now_ms - snapshots[count].last_contained_ms > retention.max_ms:
            count += 1
    return count


def _size(snapshots: Sequence[StoredSnapshot], segments: Sequence[StoredSegment]) -> int:
    return sum(each.size_bytes for each in snapshots) + sum(each.size_bytes for each in segments)
