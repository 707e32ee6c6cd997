"""Reading for a follower's fetch: up to the log's end, and what the fetch says of the follower is noted.

A follower that asks for records from an offset has all records below it, so a fetch moves the high watermark and may
have the follower join the ISR. The high watermark that comes of it is in the answer; when it moves later, it is in the
next one. Where consumers are sent to followers (KIP-392), they wait for the high watermark there: then a fetch that has
nothing to read is answered, too, as soon as the high watermark rises above what the follower was last told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.fetching.fetch_key import FetchKey
from kafkapy.fetching.reading import FILE_RANGE_BYTES_MIN, Reading, divergence_of
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock
    from kafkapy.fetching.reading import FetchTerms
    from kafkapy.fetching.replication_quota import ReplicationQuota
    from kafkapy.fetching.sessions import FetchedPartition, FetchPlan
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.fetch import PartitionData


class FetchingReplica(NamedTuple):
    """The broker that fetches. `broker_epoch` is -1 before version 15."""

    broker_id: int
    broker_epoch: int


class ReplicaReading(Reading):
    """The partitions of one fetch of a follower. With `tells_commits` a risen high watermark is news, too."""

    __slots__ = (
        "_broker_epoch",
        "_clock",
        "_complete",
        "_progress",
        "_quota",
        "_session",
        "_tells_commits",
        "_throttled",
        "follower_id",
    )

    def __init__(
        self,
        plan: FetchPlan,
        terms: FetchTerms,
        partitions: PartitionManager,
        disk: DiskWatch,
        replica: FetchingReplica,
        quota: ReplicationQuota,
        clock: Clock,
        *,
        tells_commits: bool,
    ) -> None:
        self._session = plan.partitions
        self._progress = None if plan.session is None else plan.session.progress
        super().__init__(self._to_be_read(), terms, partitions, disk)
        self.follower_id = replica.broker_id
        self._broker_epoch = replica.broker_epoch
        self._quota = quota
        self._clock = clock
        self._tells_commits = tells_commits
        self._throttled: list[PartitionData] = []
        self._complete: list[tuple[FetchKey, int]] = []
        """Partitions of which this answer has all that there is, with the number of their news."""

    def _to_be_read(self) -> dict[FetchKey, FetchedPartition]:
        """The partitions with news for the follower; all where no session remembers what it knows."""
        if self._progress is None:
            return self._session
        return {key: self._session[key] for key in self._progress.unread if key in self._session}

    @property
    def is_enough(self) -> bool:
        if self._progress is None or not self._progress.has_partitions:
            return super().is_enough
        min_bytes = self._terms.min_bytes
        return self.urgent or self.readable_bytes >= min_bytes or self._available_bytes >= min_bytes

    def _find(self, wanted: FetchedPartition) -> Partition:
        if not self._terms.by_id:
            return self._partitions.leader(wanted.topic_name, wanted.index, max(-1, wanted.current_leader_epoch))
        partition = self._partitions.leader_by_id(wanted.topic_id, wanted.index, max(-1, wanted.current_leader_epoch))
        wanted.topic_name = partition.topic
        return partition

    def _readable_end(self, partition: Partition) -> int:
        return partition.log.log_end_offset

    def _fill(self, data: PartitionData, partition: Partition, wanted: FetchedPartition, room: int) -> None:
        log = partition.log
        offset = wanted.fetch_offset
        # First: who has no replica here must not truncate, or begin anew, by what this leader answers.
        partition.check_follower(self.follower_id, wanted.current_leader_epoch)
        if wanted.last_fetched_epoch >= 0:
            divergence = divergence_of(partition, wanted)
            if divergence is not None:
                data.diverging_epoch = divergence
                self.urgent = True
        if data.diverging_epoch.epoch < 0:
            if not log.log_start_offset <= offset <= log.log_end_offset:
                raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
            if not self._is_anew:
                # Before the read: a client that is answered by this may append more, at once.
                partition.follower_fetched(
                    self.follower_id,
                    offset,
                    now_ms=self._clock.now_ms(),
                    log_start_offset=wanted.log_start_offset,
                    broker_epoch=self._broker_epoch,
                    current_leader_epoch=wanted.current_leader_epoch,
                )
        data.high_watermark = partition.committed.offset
        data.last_stable_offset = partition.last_stable_offset
        data.log_start_offset = log.log_start_offset
        if data.diverging_epoch.epoch >= 0:
            return
        self._read_records(data, partition, wanted, room)
        if self._progress is not None:
            key = self._key(wanted)
            self._progress.found(key, partition)
            followers = partition.followers
            in_sync = followers is not None and self.follower_id in followers.isr
            if in_sync and (bool(data.records) or offset >= log.log_end_offset):
                self._complete.append((key, self._progress.unread.get(key, 0)))

    def _key(self, wanted: FetchedPartition) -> FetchKey:
        return FetchKey((wanted.topic_id if self._terms.by_id else wanted.topic_name, wanted.index))

    def _read_records(self, data: PartitionData, partition: Partition, wanted: FetchedPartition, room: int) -> None:
        log, offset = partition.log, wanted.fetch_offset
        end_offset = log.log_end_offset
        first = not self.readable_bytes
        if offset >= end_offset or (room <= 0 and not first):
            return
        if self._quota.is_for(partition):
            if self._is_throttled(partition):
                return
            self._throttled.append(data)
        room = min(wanted.max_bytes, room)
        piece = log.read(offset, room, min_one_batch=first)
        self.readable_bytes += piece.length
        if self.readable_bytes < self._terms.min_bytes:
            self._available_bytes += piece.length if piece.next_offset >= end_offset else max(piece.length, room)
            if offset < log.active_base_offset:
                self.urgent = True
        if piece.length < FILE_RANGE_BYTES_MIN:
            try:
                data.records = piece.take() if piece.length else b""
            except OSError as error:
                raise StorageError(partition, error) from error
        else:
            data.records = piece

    def _is_throttled(self, partition: Partition) -> bool:
        """Whether the partition is held back by leader.replication.throttled.rate; members of the ISR never are."""
        followers = partition.followers
        return (
            self._quota.is_for(partition)
            and followers is not None
            and self.follower_id not in followers.isr
            and self._quota.is_exceeded()
        )

    def begin_anew(self) -> None:
        self._throttled = []
        self._complete = []
        self._wanted = self._to_be_read()
        super().begin_anew()

    def note_sent(self) -> None:
        if self._progress is not None:
            self._progress.sent(self._complete)
            self._complete = []
        if self._throttled:
            self._quota.record(sum(len(data.records) for data in self._throttled if data.records is not None))
            self._throttled = []

    def _count(self, partition: Partition, wanted: FetchedPartition, end_offset: int) -> None:
        if not self._is_throttled(partition):
            super()._count(partition, wanted, end_offset)

    def watch(self, partition: Partition, watcher: object, tell: Callable[[Partition, bool], None]) -> None:
        if self._progress is None:
            partition.watch(watcher, tell, appends=True)
            if self._tells_commits:
                partition.watch(watcher, tell)

    def wait(self, tell: Callable[[Partition, bool], None] | None) -> None:
        if self._progress is None:
            return
        self._progress.wait(tell, for_commits=self._tells_commits)
        if tell is not None:
            for partition in self._progress.partitions_of_unread():
                if partition not in self.found:  # there is news since the reading began
                    self.look_again(partition)

    def look_again(self, partition: Partition) -> None:
        wanted = self.found.get(partition)
        if wanted is None and self._progress is not None:
            key = self._progress.key_of(partition)
            wanted = None if key is None else self._session.get(key)
            if wanted is None:
                return
            self.found[partition] = wanted
            if self._counts_bytes:
                self.park(partition)
                return
        super().look_again(partition)
        if wanted is None:
            return
        if self._tells_commits and partition.committed.offset > wanted.told_high_watermark >= 0:
            self.urgent = True
        if self._progress is not None and (self.urgent or self._available_bytes):
            self._progress.mark(self._key(wanted))  # what ends the wait is in the answer
