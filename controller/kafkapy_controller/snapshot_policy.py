"""When a node writes a snapshot of its metadata, and which snapshots it keeps (KIP-630).

Apache Kafka's rules, without its clock and its files: the caller says what it has, and does what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy_controller.metadata_batches import SnapshotId


class SnapshotSchedule:
    """Says when a snapshot is due: so many bytes, or so long, after the last one or the start of the node."""

    __slots__ = ("_bytes", "_bytes_max", "_interval_ms", "_since_ms")

    def __init__(self, bytes_max: int, interval_ms: int, now_ms: int) -> None:
        """The settings metadata.log.max.record.bytes.between.snapshots, metadata.log.max.snapshot.interval.ms.

        With an interval of 0 only the bytes count.
        """
        self._bytes_max = bytes_max
        self._interval_ms = interval_ms
        self._bytes = 0
        self._since_ms = now_ms

    def appended(self, size_bytes: int) -> None:
        """The log has grown by so much. As in Apache Kafka what the start has read does not count."""
        self._bytes += size_bytes

    def is_due(self, now_ms: int) -> bool:
        deadline_ms = self.deadline_ms
        return self._bytes >= self._bytes_max or (deadline_ms is not None and now_ms >= deadline_ms)

    @property
    def deadline_ms(self) -> int | None:
        """When a snapshot is due even if the log does not grow any more; None: never."""
        return self._since_ms + self._interval_ms if self._interval_ms else None

    def restart(self, now_ms: int) -> None:
        """A snapshot is being written, or was read. If it fails, the next one is not tried at once."""
        self._bytes = 0
        self._since_ms = now_ms


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
