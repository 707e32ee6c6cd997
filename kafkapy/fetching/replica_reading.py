"""Reading for a follower's fetch: up to the log's end, and what the fetch says of the follower is noted.

A follower that asks for records from an offset has all records below it, so a fetch moves the high watermark and may
have the follower join the ISR. The high watermark that comes of it is in the answer; when it moves later, it is in the
next one. Where consumers are sent to followers (KIP-392), they wait for the high watermark there: then a fetch that has
nothing to read is answered, too, as soon as the high watermark rises above what the follower was last told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.fetching.reading import FILE_RANGE_BYTES_MIN, Reading, divergence_of
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock
    from kafkapy.fetching.reading import FetchTerms
    from kafkapy.fetching.replication_quota import ReplicationQuota
    from kafkapy.fetching.sessions import FetchedPartition, FetchKey
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

    __slots__ = ("_broker_epoch", "_clock", "_quota", "_tells_commits", "_throttled", "follower_id")

    def __init__(
        self,
        wanted: dict[FetchKey, FetchedPartition],
        terms: FetchTerms,
        partitions: PartitionManager,
        disk: DiskWatch,
        replica: FetchingReplica,
        quota: ReplicationQuota,
        clock: Clock,
        *,
        tells_commits: bool,
    ) -> None:
        super().__init__(wanted, terms, partitions, disk)
        self.follower_id = replica.broker_id
        self._broker_epoch = replica.broker_epoch
        self._quota = quota
        self._clock = clock
        self._tells_commits = tells_commits
        self._throttled: list[PartitionData] = []

    def _find(self, wanted: FetchedPartition) -> Partition:
        if not self._terms.by_id:
            return self._partitions.leader(wanted.topic_name, wanted.index)
        partition = self._partitions.leader_by_id(wanted.topic_id, wanted.index)
        wanted.topic_name = partition.topic
        return partition

    def _readable_end(self, partition: Partition) -> int:
        return partition.log.log_end_offset

    def _fill(self, data: PartitionData, partition: Partition, wanted: FetchedPartition, room: int) -> None:
        log = partition.log
        offset = wanted.fetch_offset
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
                )
        data.high_watermark = partition.committed.offset
        data.last_stable_offset = partition.last_stable_offset
        data.log_start_offset = log.log_start_offset
        if data.diverging_epoch.epoch < 0:
            self._read_records(data, partition, wanted, room)

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
        super().begin_anew()

    def note_sent(self) -> None:
        if self._throttled:
            self._quota.record(sum(len(data.records) for data in self._throttled if data.records is not None))

    def _count(self, partition: Partition, wanted: FetchedPartition, end_offset: int) -> None:
        if not self._is_throttled(partition):
            super()._count(partition, wanted, end_offset)

    def watch(self, partition: Partition, watcher: object, tell: Callable[[Partition, bool], None]) -> None:
        partition.watch(watcher, tell, appends=True)
        if self._tells_commits:
            partition.watch(watcher, tell)

    def look_again(self, partition: Partition) -> None:
        super().look_again(partition)
        wanted = self.found.get(partition)
        if self._tells_commits and wanted is not None and partition.committed.offset > wanted.told_high_watermark >= 0:
            self.urgent = True
