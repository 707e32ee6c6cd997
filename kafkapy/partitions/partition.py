"""One replica on this broker: its log, its role, its high watermark, and its watchers (parked fetches).

A replica leads or follows. The leader appends records of clients and coordinators, tracks the offset of each follower,
and moves the high watermark. A follower stores the leader's records, truncates its log where the leader reports a
divergence, and learns the high watermark from the leader. (KIP-101, KIP-320, KIP-966)
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from kafkapy.high_watermark import HighWatermark
from kafkapy_log import UNGUARDED, StorageError, Verification
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.settings import TopicSettings
    from kafkapy_controller.image import PartitionImage, TopicImage
    from kafkapy_log import AppendResult, PartitionLog
    from kafkapy_log.append_validation import CheckedBatch
    from kafkapy_wire.message import RecordBytes
    from kafkapy_wire.records.building import BuiltBatch

FLUSH_MESSAGES_NEVER = 2**63 - 1
UNKNOWN_OFFSET = -1
TOLD_AT_ONCE_MAX = 32
"""Watchers that may answer their clients within the call that brings the news: about a millisecond."""


class Role(Enum):
    """Whether this broker leads or follows the partition."""

    LEADER = auto()
    FOLLOWER = auto()


class FollowerState:
    """The offsets of a follower, as the leader knows them."""

    __slots__ = ("caught_up_ms", "end_offset", "fetched_ms", "leader_end_offset")

    def __init__(self) -> None:
        self.end_offset = UNKNOWN_OFFSET
        """Its log ends there; unknown before its first fetch in this leader epoch."""
        self.caught_up_ms = -(1 << 62)
        """When it last had all that the leader had."""
        self.fetched_ms = -(1 << 62)
        self.leader_end_offset = 0
        """Where the leader's log ended at its last fetch."""


class Partition:
    """One replica. Only the event loop uses it and its log.

    `stored`: end of the records that acks=1 may answer: all appended ones, or with flush.messages those before the last
    fsync. `committed`: the high watermark. Both only move within this class.
    """

    __slots__ = (
        "_disk",
        "_epoch_start_offset",
        "_flush_asked",
        "_flusher",
        "_followers",
        "_lag_time_max_ms",
        "_node_id",
        "_watchers",
        "committed",
        "index",
        "isr",
        "leader_epoch",
        "leader_id",
        "leads",
        "log",
        "replicas",
        "role",
        "settings",
        "stored",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        topic: TopicImage,
        index: int,
        state: PartitionImage,
        log: PartitionLog,
        settings: TopicSettings,
        disk: DiskWatch,
        *,
        node_id: int,
        lag_time_max_ms: int,
        now_ms: int,
        high_watermark: int = 0,
    ) -> None:
        """`high_watermark` comes from the checkpoint: a leader with followers begins with it."""
        self._disk = disk
        self._node_id = node_id
        self._lag_time_max_ms = lag_time_max_ms
        self._flusher: Flusher | None = None  # where flush.messages asks for it
        self._flush_asked = False  # an append waits for an fsync; later appends wait for it, too
        self._epoch_start_offset = log.log_end_offset
        self._followers: dict[int, FollowerState] = {}
        self._watchers: dict[object, Callable[[Partition, bool], None]] = {}
        self.topic = topic.name
        self.topic_id = topic.topic_id
        self.index = index
        self.log = log
        self.settings = settings
        self.role = Role.FOLLOWER
        self.leads = False
        """Whether `role` is LEADER: asked for with every request."""
        self.leader_id = -1
        self.leader_epoch = -1
        self.replicas: tuple[int, ...] = ()
        self.isr: tuple[int, ...] = ()
        self.stored = HighWatermark(log.log_end_offset)
        self.committed = HighWatermark(max(log.log_start_offset, min(high_watermark, log.log_end_offset)))
        self.become(state, now_ms=now_ms)

    def __str__(self) -> str:
        return f"{self.topic}-{self.index}"

    # -- state that others read

    @property
    def high_watermark(self) -> int:
        """End of what the whole ISR has; consumers read strictly below it."""
        return self.committed.offset

    @property
    def last_stable_offset(self) -> int:
        """Start of the earliest open transaction, else the high watermark."""
        return min(self.log.last_stable_offset, self.committed.offset)

    @property
    def is_under_min_isr(self) -> bool:
        """Whether the ISR is below min.insync.replicas, which counts at most as the number of replicas."""
        in_sync = len(self.isr)
        return in_sync < self.settings.min_insync_replicas and in_sync < len(self.replicas)

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare the leader epoch that a client knows with the current one; -1: it knows none (KIP-320).

        Raises KafkaError: FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
        """
        if current_leader_epoch in (-1, self.leader_epoch):
            return
        if current_leader_epoch < self.leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    # -- roles

    def become(self, state: PartitionImage, *, now_ms: int) -> None:
        """Take the role that the metadata gives this broker, with the ISR and in the leader epoch of `state`."""
        self.replicas = state.replicas
        self.leader_id = state.leader
        if state.leader == self._node_id:
            self._lead(state, now_ms)
        else:
            self._follow(state)

    def _lead(self, state: PartitionImage, now_ms: int) -> None:
        self.role, self.leads = Role.LEADER, True
        self.isr = state.isr
        if state.leader_epoch > self.leader_epoch:
            self.leader_epoch = state.leader_epoch
            self.log.leader_epochs.assign(state.leader_epoch, self.log.log_end_offset)
            self._epoch_start_offset = self.log.log_end_offset
            self._followers = {}
        known = self._followers
        self._followers = {
            replica: known.get(replica) or FollowerState() for replica in state.replicas if replica != self._node_id
        }
        for replica in self.isr:
            if replica in self._followers and self._followers[replica].caught_up_ms < 0:
                self._followers[replica].caught_up_ms = now_ms  # until replica.lag.time.max.ms is over
        if not self._flush_asked:
            self.stored.advance(self.log.log_end_offset)
        self._advance(now_ms)
        self._tell_watchers()

    def _follow(self, state: PartitionImage) -> None:
        self.role, self.leads = Role.FOLLOWER, False
        self.isr = state.isr
        self.leader_epoch = max(self.leader_epoch, state.leader_epoch)
        self._followers = {}
        self._flush_asked = False
        self._refuse_waiting(KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))
        self._tell_watchers()

    def retire(self) -> None:
        """The partition was deleted or moved to other brokers: refuse the requests that wait for it."""
        self.role, self.leads = Role.FOLLOWER, False
        self.leader_id = -1
        self._refuse_waiting(KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
        self._tell_watchers()

    def _refuse_waiting(self, error: KafkaError) -> None:
        self.stored.refuse(error)
        self.committed.refuse(error)

    # -- appending as leader

    def append_produced(
        self,
        batches: RecordBytes | CheckedBatch,
        *,
        now_ms: int,
        request_version: int,
        verification: Verification = Verification.NONE,
        guard: object = UNGUARDED,
        at_once: bool = True,
    ) -> AppendResult:
        """Append a client's batch. Raises KafkaError; then nothing was stored.

        With `at_once` it may raise TakesLong, and nothing was stored: call it again with what `looking.check_beside`
        returns for the batch.
        """
        try:
            result = self.log.append_as_leader(
                batches,
                leader_epoch=self.leader_epoch,
                now_ms=now_ms,
                api_version=request_version,
                at_once=at_once,
                verification=verification,
                guard=guard,
            )
        except StorageError as error:
            self._disk.note_disk_error(self.log, error)
            raise
        self._appended(result.last_offset + 1, now_ms)
        return result

    def append_internal(self, batch: BuiltBatch, *, now_ms: int, transaction_version: int = 0) -> AppendResult:
        """Append a batch that a coordinator of this cluster built. Raises KafkaError; then nothing was stored.

        `transaction_version` is a marker's.
        """
        if self.role is not Role.LEADER:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if self.is_under_min_isr:
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        try:
            result = self.log.append_built(
                batch, leader_epoch=self.leader_epoch, now_ms=now_ms, transaction_version=transaction_version
            )
        except StorageError as error:
            self._disk.note_disk_error(self.log, error)
            raise
        self._appended(result.last_offset + 1, now_ms)
        return result

    def _appended(self, end_offset: int, now_ms: int) -> None:
        if self._disk.refusing:
            self._disk.accepted(self.log.topic_partition)
        if self._flusher is not None and (
            self._flush_asked or self.log.flushing.unflushed_record_count >= self.settings.flush_messages
        ):
            self._flush_asked = True
            self._flusher.ask(self.log, then=self._flushed)
            return
        if end_offset <= self.stored.offset:
            return  # a duplicate of an idempotent producer
        self.stored.advance(end_offset)
        if self._followers:
            self._advance(now_ms)
        else:
            self.committed.advance(end_offset)
        if self._watchers:
            self._tell_watchers()

    def delete_records_before(self, offset: int, *, now_ms: int) -> None:
        """Move the log start offset forward to `offset`, at most the high watermark. Raises StorageError."""
        try:
            self.log.delete_records_before(offset, now_ms=now_ms)
        except StorageError as error:
            self._disk.note_disk_error(self.log, error)
            raise
        self.log_start_moved()

    def log_start_moved(self) -> None:
        """To be called after DeleteRecords or retention has moved the log start offset forward.

        Watchers are not called: as in Apache Kafka, a parked fetch learns the new offset when its wait ends.
        """
        if self.committed.offset < self.log.log_start_offset:
            self.committed.advance(self.log.log_start_offset)
            self._tell_watchers()

    # -- flush.messages

    def use_flusher(self, flusher: Flusher | None) -> None:
        """Have `flusher` sync what is appended, if the topic has flush.messages."""
        self._flusher = flusher if self.settings.flush_messages < FLUSH_MESSAGES_NEVER else None
        if self._flusher is None and self._flush_asked:
            self._flush_asked = False
            self._store(self.log.log_end_offset)

    def _flushed(self, error: KafkaError | None) -> None:
        """Called when the flush that an append asked for has ended; `error` says that it failed."""
        if error is not None:
            self._refuse_waiting(error)
            return
        if not self._flush_asked:
            return
        if self.log.flushing.unflushed_record_count < self.settings.flush_messages:
            self._flush_asked = False
            self._store(self.log.log_end_offset)
        else:  # enough was appended during the flush to need another, and `_appended` has asked for it
            self._store(max(self.stored.offset, self.log.recovery_point))

    def flush_if_due(self) -> None:
        """Ask again after a failed flush; otherwise the records stay invisible until the next append."""
        if self._flusher is not None and self._flush_asked:
            self._flusher.ask(self.log, then=self._flushed)

    def _store(self, offset: int) -> None:
        self.stored.advance(offset)
        self._advance(None)
        self._tell_watchers()

    # -- followers

    def follower_fetched(self, replica_id: int, fetch_offset: int, *, now_ms: int) -> None:
        """A follower asks for records from `fetch_offset`, so it has all records below. Raises KafkaError
        UNKNOWN_LEADER_EPOCH: as far as this leader knows, it has no replica of this partition.
        """
        follower = self._followers.get(replica_id)
        if follower is None:
            raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)
        # Caught up: it has all that the leader had at the follower's previous fetch (Apache Kafka's ReplicaState).
        if fetch_offset >= self.log.log_end_offset:
            follower.caught_up_ms = max(follower.caught_up_ms, now_ms)
        elif follower.fetched_ms >= 0 and fetch_offset >= follower.leader_end_offset:
            follower.caught_up_ms = max(follower.caught_up_ms, follower.fetched_ms)
        follower.end_offset = fetch_offset
        follower.fetched_ms = now_ms
        follower.leader_end_offset = self.log.log_end_offset
        before = self.committed.offset
        self._advance(now_ms)
        if self.committed.offset != before:
            self._tell_watchers()

    def out_of_sync(self, *, now_ms: int) -> list[int]:
        """Members of the ISR that were not caught up for replica.lag.time.max.ms: the ISR is to shrink by them."""
        return [
            replica
            for replica in self.isr
            if (follower := self._followers.get(replica)) is not None
            and follower.end_offset != self.log.log_end_offset
            and now_ms - follower.caught_up_ms > self._lag_time_max_ms
        ]

    def may_join_isr(self, replica_id: int) -> bool:
        """Whether a follower may join the ISR: it has reached the high watermark and the start of this leader epoch."""
        follower = self._followers.get(replica_id)
        if follower is None or replica_id in self.isr:
            return False
        return follower.end_offset >= max(self.committed.offset, self._epoch_start_offset)

    def _advance(self, now_ms: int | None) -> None:
        """Move the high watermark to the end of what all of the ISR have, and those that are about to join it."""
        if not self._followers:
            self.committed.advance(self.stored.offset)
            return
        if self.is_under_min_isr:  # with fewer, what is committed might be lost with them (KIP-966)
            return
        offset = self.stored.offset
        for replica, follower in self._followers.items():
            is_caught_up = now_ms is not None and now_ms - follower.caught_up_ms <= self._lag_time_max_ms
            if replica in self.isr or (is_caught_up and follower.end_offset >= 0):
                offset = min(offset, follower.end_offset)
        assert offset <= self.log.log_end_offset, f"{self}: committed to {offset} of {self.log.log_end_offset}"
        if offset > self.committed.offset:
            self.committed.advance(offset)

    # -- following

    def append_from_leader(
        self, batches: RecordBytes, *, leader_high_watermark: int, leader_log_start_offset: int, now_ms: int
    ) -> None:
        """Append the leader's answer to a fetch from this log's end; it may be empty.

        Raises KafkaError CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR; UnexpectedAppendOffset.
        """
        assert self.role is Role.FOLLOWER, f"{self} leads and is given records by a leader"
        if len(batches):
            self.log.append_as_follower(batches, now_ms=now_ms)
        self.stored.advance(self.log.log_end_offset)
        offset = min(leader_high_watermark, self.log.log_end_offset)
        if offset > self.committed.offset:
            self.committed.advance(offset)
        if leader_log_start_offset > self.log.log_start_offset:
            self.log.delete_records_before(min(leader_log_start_offset, self.log.log_end_offset), now_ms=now_ms)
        self._tell_watchers()

    def truncate_to_divergence(self, leader_epoch: int, end_offset: int, *, now_ms: int) -> None:
        """Truncate records that the leader does not have. `leader_epoch` is the latest epoch that both have, and
        ends at `end_offset` in the leader's log (KIP-595's diverging epoch, or OffsetForLeaderEpoch).

        Raises KafkaError KAFKA_STORAGE_ERROR.
        """
        assert self.role is Role.FOLLOWER, f"{self} leads and is told to truncate"
        own_epoch, own_end_offset = self.log.end_offset_for_epoch(leader_epoch)
        offset = min(end_offset, own_end_offset) if own_epoch >= 0 else end_offset
        if self.log.truncate_to(offset, now_ms=now_ms):
            self._truncated()

    def start_over_at(self, offset: int, *, now_ms: int) -> None:
        """Drop all records: the leader's log begins at `offset`, above this one's end.

        Raises KafkaError KAFKA_STORAGE_ERROR.
        """
        assert self.role is Role.FOLLOWER, f"{self} leads and is told to start over"
        self.log.truncate_fully_and_start_at(offset, now_ms=now_ms)
        self._truncated()

    def _truncated(self) -> None:
        end_offset = self.log.log_end_offset
        self.stored.restart(end_offset)
        if self.committed.offset > end_offset or self.committed.offset < self.log.log_start_offset:
            self.committed.restart(max(self.log.log_start_offset, min(self.committed.offset, end_offset)))
        self._tell_watchers()

    # -- news

    def watch(self, watcher: object, tell: Callable[[Partition, bool], None]) -> None:
        """Until `unwatch`, call `tell(partition, at_once)` when records become readable, are truncated, or the role
        changes. `tell` must not wait or raise. If `at_once` is False, many watchers are called in a row: `tell` must
        then leave longer work to a turn of its own.
        """
        self._watchers[watcher] = tell

    def unwatch(self, watcher: object) -> None:
        self._watchers.pop(watcher, None)

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def _tell_watchers(self) -> None:
        for count, tell in enumerate(list(self._watchers.values())):
            tell(self, count < TOLD_AT_ONCE_MAX)
