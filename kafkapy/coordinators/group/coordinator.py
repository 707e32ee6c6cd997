"""The groups that this broker coordinates: what the handlers of the group APIs call.

Each group belongs to the shard of its partition of `__consumer_offsets`, and the leader of that partition coordinates
it: every other broker refuses requests about it with NOT_COORDINATOR. Methods return pending answers, settled when
all records that they depend on are committed: usually at once. JoinGroup and SyncGroup wait for other
members. The first FindCoordinator of a cluster creates `__consumer_offsets` and waits for it; as long as the
topic does not exist, every other request about a group is refused with NOT_COORDINATOR.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy.coordinators.deadline import Deadline
from kafkapy.coordinators.group.classic.requests import ClassicRequests
from kafkapy.coordinators.group.consumer.requests import ConsumerRequests
from kafkapy.coordinators.group.group import Committer
from kafkapy.coordinators.group.shards import GroupShards
from kafkapy.coordinators.group.streams.requests import StreamsRequests
from kafkapy.coordinators.runtime import Decision, TransactionalProducer, partition_for
from kafkapy.pending import Pending
from kafkapy.turns import Turn, each_in_turns
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.group import GroupType
    from kafkapy.coordinators.group.offset_commits import TopicOutcome, TopicToCommit
    from kafkapy.coordinators.group.records import CommittedOffset
    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.group.streams.requests import CreateTopics
    from kafkapy.coordinators.ports import CoordinatorLog
    from kafkapy.metadata.ports import Metadata
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, TopicImage
    from kafkapy_wire.messages.list_groups import ListedGroup
    from kafkapy_wire.messages.offset_commit import OffsetCommitRequest
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestTopic, OffsetDeleteResponseTopic
    from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics, OffsetFetchResponseTopics
    from kafkapy_wire.messages.txn_offset_commit import TxnOffsetCommitRequest

logger = logging.getLogger("kafkapy.groups")

FIRST_COMMIT_VERSION_WITH_GROUP_ID_NOT_FOUND = 9
FIRST_TRANSACTIONAL_COMMIT_VERSION_WITH_GROUP_ID_NOT_FOUND = 6


class GroupCoordinator:
    """All groups of this node. Errors that concern a whole request are raised as KafkaError, unless said otherwise."""

    def __init__(
        self,
        settings: CurrentSettings,
        clock: Clock,
        log: CoordinatorLog,
        metadata: Metadata,
        random: Random,
        *,
        joins_uncommitted: bool = False,
        create_topics: CreateTopics | None = None,
    ) -> None:
        """With `joins_uncommitted` members may join a new group before the record of it is committed. `create_topics`
        asks the active controller for the internal topics of streams groups.
        """
        self._settings = settings
        self._clock = clock
        self._metadata = metadata
        self._shards = self.shards = GroupShards(settings, clock, log, metadata, random, self._follow_loaded)
        self._runtime = self._shards.runtime
        self.classic = ClassicRequests(settings, self._shards, joins_uncommitted=joins_uncommitted)
        self.consumer = ConsumerRequests(settings, self._shards)
        self.streams = StreamsRequests(settings, self._shards, clock, create_topics)
        self._retention = Deadline(clock, self._expire_offsets)
        self._topic: TopicImage | None = None  # `__consumer_offsets`, as it was when its leaders were last followed

    # -- life

    async def load(self) -> None:
        """Replay what is stored and begin to expire offsets.

        Until it returns, requests about groups that are not loaded yet get COORDINATOR_LOAD_IN_PROGRESS: open the
        listeners after it, or clients must retry.
        """
        await self._runtime.load()
        self._retention.set(self._settings.now.groups.offsets_retention_check_interval_ms)

    def close(self) -> None:
        """Stop every timer and answer parked requests with NOT_COORDINATOR. Nothing is appended any more."""
        self._retention.cancel()
        self._runtime.resign()

    def _follow_loaded(self, loaded: list[tuple[int, GroupShard]]) -> None:
        self._tell_of_unserved_groups(loaded)
        self._drop_offsets_of_missing_partitions(loaded, self._metadata.image)

    def _tell_of_unserved_groups(self, loaded: list[tuple[int, GroupShard]]) -> None:
        from kafkapy.coordinators.group.unserved import UnservedGroup

        counts: dict[str, int] = {}
        for _, shard in loaded:
            for group in shard.groups:
                if isinstance(group, UnservedGroup):
                    counts[group.group_type.value] = counts.get(group.group_type.value, 0) + 1
        for name, count in sorted(counts.items()):
            logger.warning("%d stored groups of type %s cannot be joined: they are not served yet", count, name)

    async def run(self) -> None:
        """Create `__consumer_offsets` when a request needs it, and load the partitions that this broker leads; create
        internal topics of streams groups; until cancelled.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._shards.run)
            nursery.start_soon(self.streams.run)

    def when_ready(self, group_id: str) -> Pending[None]:
        """Answered when `__consumer_offsets` exists, and the group's partition is loaded if this broker leads it.
        Creates the topic if it is missing.

        Refused with COORDINATOR_NOT_AVAILABLE, or what the controller has said about the new topic.
        """
        return self._runtime.when_ready(group_id)

    def coordinator_of(self, group_id: str) -> int:
        """The broker that coordinates the group; -1: none, now."""
        return self._runtime.leader_of(group_id)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Take over and give up groups, as the leaders of their partitions change; drop the offsets of topics that were
        deleted. The partitions must have followed the image before.
        """
        deleted = {topic.name for topic in delta.deleted_topics}
        topic = image.topics.get(OFFSETS_TOPIC)
        if topic is not self._topic or OFFSETS_TOPIC in deleted:
            self._topic = topic
            self._runtime.follow_leadership()
        for _, shard in self._runtime.loaded_shards():
            shard.follow_metadata(image, delta)
        self._drop_offsets(self._runtime.loaded_shards(), deleted, lambda _topic, _partition, _committed: False)

    def _drop_offsets_of_missing_partitions(self, loaded: list[tuple[int, GroupShard]], image: MetadataImage) -> None:
        """Drop the offsets of partitions that were deleted while nobody had loaded them.

        None is missing because this broker's metadata is behind: whoever coordinated these groups before has stopped
        when it learnt of the next leader, and this broker knows all that is older than that.
        """

        def still_exists(topic: str, partition: int, committed: CommittedOffset) -> bool:
            found = image.topics.get(topic)
            if found is None or partition >= len(found.partitions):
                return False
            return committed.topic_id in (ZERO_UUID, found.topic_id)

        topics = {topic for _, shard in loaded for topic in shard.offsets.topics}
        self._drop_offsets(loaded, topics, still_exists)

    def _drop_offsets(
        self,
        shards: list[tuple[int, GroupShard]],
        topics: Iterable[str],
        keep: Callable[[str, int, CommittedOffset], bool],
    ) -> None:
        for topic in sorted(topics):
            for partition, shard in shards:
                records = shard.offsets.delete_topic(topic, partial(keep, topic))
                if records:
                    self._shards.execute_unasked(partition, shard, Decision(records, None))

    # -- offsets

    def commit_offsets(
        self, request: OffsetCommitRequest, topics: Sequence[TopicToCommit], api_version: int
    ) -> Pending[list[TopicOutcome]]:
        """Commit for `topics`: those of the request that exist, with name and id, and their partitions that exist.

        Raises KafkaError for all of them: GROUP_ID_NOT_FOUND (before v9 ILLEGAL_GENERATION), ILLEGAL_GENERATION,
        UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS.
        """
        generation_id = request.generation_id_or_member_epoch
        partition, shard = self._shards.find_any(request.group_id)
        group = shard.groups.get(request.group_id)
        if group is not None:
            committer = Committer(request.member_id, request.group_instance_id, generation_id, api_version)
            group.validate_commit(committer, topics)
            group.note_commit(request.member_id)
        elif generation_id >= 0:
            if api_version >= FIRST_COMMIT_VERSION_WITH_GROUP_ID_NOT_FOUND:
                raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        decision = shard.offsets.commit(
            request.group_id, topics, self._clock.now_ms(), retention_ms=request.retention_time_ms
        )
        return self._runtime.execute(partition, decision)

    def commit_transactional_offsets(
        self,
        request: TxnOffsetCommitRequest,
        topics: Sequence[TopicToCommit],
        api_version: int,
        enlist: Callable[[int], Pending[None]],
    ) -> Pending[list[TopicOutcome]]:
        """Commit for `topics`, those of the request that exist, in the producer's transaction.

        `enlist` makes sure that a partition of `__consumer_offsets` is in the transaction, or raises KafkaError.
        Raises KafkaError for all of them: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND (before v6 ILLEGAL_GENERATION),
        ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID; COORDINATOR_NOT_AVAILABLE, there is no
        `__consumer_offsets`.
        """
        if request.group_id and not self._runtime.partition_count:
            # Apache Kafka looks up the partition's leader first, and there is no partition.
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        partition, _ = self._shards.find(request.group_id)
        return enlist(partition).and_then(lambda _: self._commit_transactional_offsets(request, topics, api_version))

    def _commit_transactional_offsets(
        self, request: TxnOffsetCommitRequest, topics: Sequence[TopicToCommit], api_version: int
    ) -> Pending[list[TopicOutcome]]:
        partition, shard = self._shards.find(request.group_id)
        group = shard.groups.get(request.group_id)
        generation_id = request.generation_id_or_member_epoch
        if group is not None:
            committer = Committer(
                request.member_id, request.group_instance_id, generation_id, api_version, is_transactional=True
            )
            group.validate_commit(committer, topics)
        elif generation_id >= 0:
            if api_version >= FIRST_TRANSACTIONAL_COMMIT_VERSION_WITH_GROUP_ID_NOT_FOUND:
                raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        decision = shard.offsets.commit(request.group_id, topics, self._clock.now_ms())
        producer = TransactionalProducer(request.producer_id, request.producer_epoch)
        return self._runtime.execute(partition, decision, producer)

    def end_transaction(self, partition: int, producer_id: int, *, committed: bool) -> None:
        """A marker was appended to this partition of `__consumer_offsets`: the transaction's offsets become visible
        or are dropped.
        """
        self._runtime.end_transaction(partition, producer_id, committed=committed)

    def partition_of(self, group_id: str) -> int:
        """The partition of `__consumer_offsets` that holds the group, or will hold it once the topic exists."""
        count = self._runtime.partition_count or self._settings.now.groups.offsets_topic_num_partitions
        return partition_for(group_id, count)

    def fetch_offsets(
        self,
        group_id: str,
        topics: Sequence[OffsetFetchRequestTopics] | None,
        *,
        require_stable: bool,
        member_id: str | None = None,
        member_epoch: int = -1,
    ) -> Pending[list[OffsetFetchResponseTopics]]:
        """Committed offsets of those topics, or of all (None); ids of the latter are left to the caller.

        A group that does not exist has none. Raises KafkaError as `GroupShards.find_any`, and of members of consumer
        groups: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH.
        """
        partition, shard = self._shards.find_any(group_id)
        group = shard.groups.get(group_id)
        if group is not None:
            group.validate_fetch(member_id, member_epoch)
        if topics is None:
            offsets = shard.offsets.fetch_all(group_id, require_stable=require_stable)
        else:
            offsets = shard.offsets.fetch(group_id, topics, require_stable=require_stable)
        return self._runtime.read(partition, offsets)

    def offset_count(self, group_id: str) -> int:
        """How many offsets the group has committed. Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS)."""
        return self._shards.find_any(group_id)[1].offsets.committed.count(group_id)

    def committed_partitions(self, group_id: str) -> dict[str, list[int]]:
        """topic -> partitions that the group has committed. Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS)."""
        return self._shards.find_any(group_id)[1].offsets.committed.partitions_of(group_id)

    def delete_offsets(
        self, group_id: str, topics: Sequence[OffsetDeleteRequestTopic]
    ) -> Pending[list[OffsetDeleteResponseTopic]]:
        """Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP (not a consumer group)."""
        partition, shard = self._shards.find(group_id)
        return self._runtime.execute(partition, shard.delete_offsets(group_id, topics))

    # -- administration

    @property
    def group_count(self) -> int:
        """The number of groups in loaded partitions."""
        return sum([len(shard.groups) for _, shard in self._runtime.loaded_shards()])

    def list_groups(self, states: Iterable[str], types: Iterable[str]) -> Pending[list[ListedGroup]]:
        """The groups that this broker coordinates, or those in one of the states and of one of the types, whatever
        their case.

        Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS).
        """
        states_filter, types_filter = frozenset(map(str.lower, states)), frozenset(map(str.lower, types))
        groups = [group for shard in self._runtime.shards for group in shard.list(states_filter, types_filter)]
        return self._runtime.read_all(groups)

    async def list_many_groups(self, states: Iterable[str], types: Iterable[str]) -> list[ListedGroup]:
        """As `list_groups`, for many groups, states or types; other tasks get turns meanwhile."""
        states_filter = frozenset(await each_in_turns(str.lower, states))
        types_filter = frozenset(await each_in_turns(str.lower, types))
        groups = []
        turn = Turn()
        for shard in self._runtime.shards:
            for group in shard.list(states_filter, types_filter):
                groups.append(group)
                if turn.is_over:
                    await turn.share()
        return await self._runtime.read_all(groups).wait()

    def type_of(self, group_id: str) -> GroupType | None:
        """None: there is no such group. Raises KafkaError as `GroupShards.find_any`."""
        group = self._shards.find_any(group_id)[1].groups.get(group_id)
        return None if group is None else group.group_type

    def delete_group(self, group_id: str) -> Pending[ErrorCode]:
        """NONE, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. Raises KafkaError COORDINATOR_LOAD_IN_PROGRESS, or of the log."""
        partition, shard = self._shards.find_any(group_id)
        return self._runtime.execute(partition, shard.delete_group(group_id))

    def _expire_offsets(self) -> None:
        self._retention.set(self._settings.now.groups.offsets_retention_check_interval_ms)
        for partition, shard in self._runtime.loaded_shards():
            for group in shard.groups:
                self._shards.execute_unasked(partition, shard, shard.expire_offsets(group))
