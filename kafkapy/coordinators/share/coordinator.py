"""The share partitions that this broker coordinates: what the handlers of the share state APIs call.

Each share partition (a group and a partition) belongs to the shard of its partition of `__share_group_state`, and the
leader of that partition coordinates it: every other broker refuses requests about it with NOT_COORDINATOR. The leader
of the consumed partition reads the state when it begins to serve the group, and writes each change of it; whoever
read it last in the highest leader epoch may write, and all before are fenced.

As long as `__share_group_state` does not exist every request is refused with NOT_COORDINATOR: the first FindCoordinator
for a share partition creates it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

from kafkapy.coordinators.ports import CoordinatorLog
from kafkapy.coordinators.runtime import CoordinatorRuntime, Decision, partition_for
from kafkapy.turns import Turn
from kafkapy_controller.topic_names import SHARE_STATE_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import Compression

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kafkapy.clock import Clock
    from kafkapy.coordinators.share.shard import ShareShard
    from kafkapy.coordinators.share.share_partition_key import SharePartitionKey
    from kafkapy.coordinators.share.share_state import ShareState, ShareStateUpdate
    from kafkapy.metadata.ports import Metadata
    from kafkapy.pending import Pending
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, TopicImage
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.share_groups")

T = TypeVar("T")


class ShareStateLog(CoordinatorLog, Protocol):
    """`__share_group_state`, from which records that are not needed any more are deleted."""

    def delete_records_before(self, partition: int, offset: int) -> None:
        """Raises KafkaError."""


class ShareCoordinator:
    """All share partitions of this node. Errors are raised as KafkaError, and pending answers refused with it."""

    def __init__(self, settings: CurrentSettings, clock: Clock, log: ShareStateLog, metadata: Metadata) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._metadata = metadata
        self._runtime: CoordinatorRuntime[ShareShard] = CoordinatorRuntime(
            SHARE_STATE_TOPIC,
            log,
            clock,
            lambda _: self._new_shard(),
            when_loaded=lambda _: None,
            compression=Compression(settings.now.share.share_coordinator_state_topic_compression_codec),
            commit_timeout_ms=lambda: settings.now.share.share_coordinator_write_timeout_ms,
        )
        self._topic: TopicImage | None = None  # `__share_group_state`, as it was when its leaders were last followed
        self._pruned: dict[int, int] = {}  # by partition, up to where its records were deleted

    # -- life

    async def load(self) -> None:
        """Replay what this broker leads of the topic. Raises KafkaError, OSError."""
        await self._runtime.load()

    def close(self) -> None:
        """Stop: nothing is appended any more."""
        self._runtime.resign()

    async def run(self) -> None:
        """Create `__share_group_state` when a request needs it, and load what this broker leads, until cancelled."""
        await self._runtime.run()

    def when_ready(self, key: SharePartitionKey) -> Pending[None]:
        """Answered when `__share_group_state` exists, and the share partition is loaded if this broker coordinates it.
        Creates the topic if it is missing.

        Refused with COORDINATOR_NOT_AVAILABLE, or what the controller has said about the new topic.
        """
        return self._runtime.when_ready(key.text)

    def coordinator_of(self, key: SharePartitionKey) -> int:
        """The broker that coordinates the share partition; -1: none, now."""
        return self._runtime.leader_of(key.text)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Take over and give up share partitions, as the leaders of the topic's partitions change; forget those of
        deleted topics. The partitions must have followed the image before.
        """
        topic = image.topics.get(SHARE_STATE_TOPIC)
        if topic is not self._topic or any(topic.name == SHARE_STATE_TOPIC for topic in delta.deleted_topics):
            self._topic = topic
            self._runtime.follow_leadership()
        if delta.deleted_topics:
            self._delete_topics({deleted.topic_id for deleted in delta.deleted_topics})

    # -- requests

    def initialize(self, key: SharePartitionKey, state_epoch: int, start_offset: int) -> Pending[None]:
        """Begin anew. Raises KafkaError: INVALID_REQUEST, FENCED_STATE_EPOCH, UNKNOWN_TOPIC_OR_PARTITION; and, as all
        of these: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
        """
        return self._execute(key, lambda shard: shard.initialize(key, state_epoch, start_offset))

    def read(self, key: SharePartitionKey, leader_epoch: int) -> Pending[ShareState]:
        """The state, for the leader of the partition in this epoch.

        Raises KafkaError: INVALID_REQUEST, FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
        """
        return self._execute(key, lambda shard: shard.read(key, leader_epoch))

    def write(
        self, key: SharePartitionKey, update: ShareStateUpdate, *, state_epoch: int, leader_epoch: int
    ) -> Pending[None]:
        """Store what a leader reports.

        Raises KafkaError: INVALID_REQUEST, FENCED_LEADER_EPOCH, FENCED_STATE_EPOCH, UNKNOWN_TOPIC_OR_PARTITION.
        """
        return self._execute(
            key, lambda shard: shard.write(key, update, state_epoch=state_epoch, leader_epoch=leader_epoch)
        )

    def read_summary(self, key: SharePartitionKey) -> Pending[ShareState | None]:
        """The state, for the group coordinator; None: it was never initialized.

        Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
        """
        return self._execute(key, lambda shard: Decision((), shard.read_summary(key)))

    def delete(self, key: SharePartitionKey) -> Pending[None]:
        """Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION."""
        return self._execute(key, lambda shard: shard.delete(key))

    def _execute(self, key: SharePartitionKey, decide: Callable[[ShareShard], Decision[T]]) -> Pending[T]:
        count = self._runtime.partition_count
        if not count:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        partition = partition_for(key.text, count)
        return self._runtime.execute(partition, decide(self._runtime.shard(partition)))

    # -- time

    async def prune(self) -> None:
        """Delete the records before the oldest snapshot that is needed, every
        share.coordinator.state.topic.prune.interval.ms.
        """
        turn = Turn()
        for partition, shard in self._runtime.loaded_shards():
            await turn.share()
            offset = shard.first_needed_offset
            if offset <= 0 or offset == self._pruned.get(partition) or not self._runtime.serves(partition, shard):
                continue
            try:
                if not self._runtime.is_committed(partition):
                    continue  # the next time
                self._log.delete_records_before(partition, offset)
            except KafkaError as error:
                logger.warning("cannot delete records of %s-%d: %s", SHARE_STATE_TOPIC, partition, error)
            else:
                self._pruned[partition] = offset

    async def make_snapshots(self) -> None:
        """Make new snapshots of share partitions that nobody has consumed for
        share.coordinator.cold.partition.snapshot.interval.ms: older records are kept for their sake.
        """
        interval_ms = self._settings.now.share.share_coordinator_cold_partition_snapshot_interval_ms
        turn = Turn()
        for partition, shard in self._runtime.loaded_shards():
            await turn.share()
            if self._runtime.serves(partition, shard):
                for decision in shard.snapshots_again(interval_ms):
                    self._execute_unasked(partition, decision)

    def _delete_topics(self, topic_ids: Collection[Uuid]) -> None:
        for partition, shard in self._runtime.loaded_shards():
            self._execute_unasked(partition, shard.delete_topics(topic_ids))

    def _execute_unasked(self, partition: int, decision: Decision[None]) -> None:
        try:
            if decision.records:
                self._runtime.execute(partition, decision)
        except KafkaError as error:
            logger.error("cannot write to %s-%d: %s", SHARE_STATE_TOPIC, partition, error)

    # -- shards

    def _new_shard(self) -> ShareShard:
        # With the record formats, what a node saves that has no share group.
        from kafkapy.coordinators.share.shard import ShareShard

        share = self._settings
        return ShareShard(
            self._partition_exists,
            lambda: share.now.share.share_coordinator_snapshot_update_records_per_snapshot,
            self._clock.now_ms,
        )

    def _partition_exists(self, topic_id: Uuid, partition: int) -> bool:
        topic = self._metadata.image.topics_by_id.get(topic_id)
        return topic is not None and partition < len(topic.partitions)
