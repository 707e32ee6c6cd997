"""When a node writes a snapshot of its metadata (KIP-630), without its clock: the caller says what time it is."""

from __future__ import annotations


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
