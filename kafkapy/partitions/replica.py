"""The log of one replica, its high watermark, its watchers (parked fetches), and what a follower does with it.

A follower stores the leader's records, truncates its log where the leader reports a divergence, and learns the high
watermark from the leader. (KIP-101, KIP-320)
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from kafkapy.high_watermark import HighWatermark
from kafkapy.partitions.live_brokers import LiveBrokers
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Self

    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.followers import IsrChanges
    from kafkapy_controller.image import TopicImage
    from kafkapy_log import PartitionLog
    from kafkapy_wire.message import RecordBytes

TOLD_AT_ONCE_MAX = 32
"""Watchers that may answer their clients within the call that brings the news: about a millisecond."""


class Role(Enum):
    """Whether this broker leads or follows the partition."""

    LEADER = auto()
    FOLLOWER = auto()


class SharedParts:
    """What all partitions of a broker share. Without `isr_changes` no ISR is changed.

    Each of `on_truncated` is called with each replica whose log was truncated.
    """

    __slots__ = (
        "brokers",
        "disk",
        "isr_changes",
        "keeps_fenced_fetches",
        "kept_out",
        "lag_time_max_ms",
        "node_id",
        "on_truncated",
    )

    def __init__(
        self, node_id: int, disk: DiskWatch, *, lag_time_max_ms: int, isr_changes: IsrChanges | None = None
    ) -> None:
        self.node_id = node_id
        self.disk = disk
        self.lag_time_max_ms = lag_time_max_ms
        self.isr_changes = isr_changes
        self.keeps_fenced_fetches = False
        """Whether a fetch that waits waits on when this broker leads in a newer epoch, although its answer is known."""
        self.on_truncated: list[Callable[[Replica], None]] = []
        self.brokers = LiveBrokers()
        self.kept_out: Collection[tuple[str, int, int]] = ()
        """Topic, partition and broker of replicas that may not join their ISRs, because a test wants it."""


class Replica:
    """Offsets and records of one replica.

    `stored`: end of the records that acks=1 may answer: all appended ones, or with flush.messages those before the last
    fsync. `committed`: the high watermark. Both only move within this class and `Partition`.
    """

    __slots__ = (
        "_append_watchers",
        "_shared",
        "_watchers",
        "committed",
        "index",
        "leader_epoch",
        "log",
        "role",
        "stored",
        "topic",
        "topic_id",
    )

    def __init__(
        self, topic: TopicImage, index: int, log: PartitionLog, shared: SharedParts, *, high_watermark: int
    ) -> None:
        self._shared = shared
        self._watchers: dict[object, Callable[[Self, bool], None]] = {}
        self._append_watchers: dict[object, Callable[[Self, bool], None]] = {}
        self.topic = topic.name
        self.topic_id = topic.topic_id
        self.index = index
        self.log = log
        self.role = Role.FOLLOWER
        self.leader_epoch = -1
        self.stored = HighWatermark(log.log_end_offset)
        self.committed = HighWatermark(max(log.log_start_offset, min(high_watermark, log.log_end_offset)))

    def __str__(self) -> str:
        return f"{self.topic}-{self.index}"

    @property
    def high_watermark(self) -> int:
        """End of what the whole ISR has; consumers read strictly below it."""
        return self.committed.offset

    @property
    def last_stable_offset(self) -> int:
        """Start of the earliest open transaction, else the high watermark."""
        return min(self.log.last_stable_offset, self.committed.offset)

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare the leader epoch that a client knows with the current one; -1: it knows none (KIP-320).

        Raises KafkaError: FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
        """
        if current_leader_epoch in (-1, self.leader_epoch):
            return
        if current_leader_epoch < self.leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    # -- the log start

    def delete_records_before(self, offset: int, *, now_ms: int) -> None:
        """Move the log start offset forward to `offset`, at most the high watermark. Raises StorageError."""
        try:
            self.log.delete_records_before(offset, now_ms=now_ms)
        except StorageError as error:
            self._shared.disk.note_disk_error(self.log, error)
            raise
        self.log_start_moved()

    def log_start_moved(self) -> None:
        """To be called after DeleteRecords or retention has moved the log start offset forward.

        As in Apache Kafka, a parked fetch learns the new offset when its wait ends.
        """
        self._tell_append_watchers()  # followers, whose next answer has it
        if self.committed.offset < self.log.log_start_offset:
            self.committed.advance(self.log.log_start_offset)
            self._tell_watchers()

    # -- following

    def append_from_leader(
        self, batches: RecordBytes, *, leader_high_watermark: int, leader_log_start_offset: int, now_ms: int
    ) -> None:
        """Append the leader's answer to a fetch from this log's end; it may be empty.

        Raises KafkaError CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR; UnexpectedAppendOffset.
        """
        assert self.role is Role.FOLLOWER, f"{self} leads and is given records by a leader"
        disk, log = self._shared.disk, self.log
        try:
            if len(batches):
                log.append_as_follower(batches, leader_epoch=self.leader_epoch, now_ms=now_ms)
                if disk.refusing:
                    disk.accepted(log.topic_partition)
            self.stored.advance(log.log_end_offset)
            offset = min(leader_high_watermark, log.log_end_offset)
            committed = offset > self.committed.offset
            if committed:
                self.committed.advance(offset)
            if leader_log_start_offset > log.log_start_offset:
                log.delete_records_before(min(leader_log_start_offset, log.log_end_offset), now_ms=now_ms)
                self.log_start_moved()
        except StorageError as error:
            disk.note_disk_error(log, error)
            raise
        if committed and self._watchers:
            self._tell_watchers()

    def truncate_to_divergence(self, leader_epoch: int, end_offset: int, *, now_ms: int) -> None:
        """Truncate records that the leader does not have. `leader_epoch` is the latest epoch that both have, and
        ends at `end_offset` in the leader's log (KIP-595's diverging epoch, or OffsetForLeaderEpoch).

        Raises KafkaError KAFKA_STORAGE_ERROR.
        """
        own_epoch, own_end_offset = self.log.end_offset_for_epoch(leader_epoch)
        offset = min(end_offset, own_end_offset) if own_epoch >= 0 else end_offset
        self.truncate_to(offset, now_ms=now_ms)

    def truncate_to(self, offset: int, *, now_ms: int) -> None:
        """Truncate the records from `offset` on. Raises KafkaError KAFKA_STORAGE_ERROR."""
        assert self.role is Role.FOLLOWER, f"{self} leads and is told to truncate"
        try:
            truncated = self.log.truncate_to(offset, now_ms=now_ms)
        except StorageError as error:
            self._shared.disk.note_disk_error(self.log, error)
            raise
        if truncated:
            self._truncated()

    def start_over_at(self, offset: int, *, now_ms: int) -> None:
        """Drop all records: the leader's log begins at `offset`, above this one's end.

        Raises KafkaError KAFKA_STORAGE_ERROR.
        """
        assert self.role is Role.FOLLOWER, f"{self} leads and is told to start over"
        try:
            self.log.truncate_fully_and_start_at(offset, now_ms=now_ms)
        except StorageError as error:
            self._shared.disk.note_disk_error(self.log, error)
            raise
        self._truncated()

    def _truncated(self) -> None:
        end_offset = self.log.log_end_offset
        self.stored.restart(end_offset)
        if self.committed.offset > end_offset or self.committed.offset < self.log.log_start_offset:
            self.committed.restart(max(self.log.log_start_offset, min(self.committed.offset, end_offset)))
        for note in self._shared.on_truncated:
            note(self)
        self._tell_watchers()

    # -- news

    def watch(self, watcher: object, tell: Callable[[Self, bool], None], *, appends: bool = False) -> None:
        """Until `unwatch`, call `tell(partition, at_once)` when records become readable, are truncated, or the role
        changes; with `appends` when records are appended, the log start has moved, or the role changes. `tell` must not
        wait or raise. If `at_once` is False, many watchers are called in a row: `tell` must then leave longer work to a
        turn of its own.
        """
        (self._append_watchers if appends else self._watchers)[watcher] = tell

    def unwatch(self, watcher: object) -> None:
        self._watchers.pop(watcher, None)
        self._append_watchers.pop(watcher, None)

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers) or bool(self._append_watchers)

    def _tell_watchers(self: Self) -> None:
        for count, tell in enumerate(list(self._watchers.values())):
            tell(self, count < TOLD_AT_ONCE_MAX)

    def _tell_append_watchers(self: Self) -> None:
        for count, tell in enumerate(list(self._append_watchers.values())):
            tell(self, count < TOLD_AT_ONCE_MAX)
