"""One node's groups: what the handlers of the group APIs call.

Each group lives in the shard of its partition of `__consumer_offsets`. Methods are plain functions, and atomic, where
the answer is known at once; JoinGroup and SyncGroup wait for other members, and whatever may have to create
`__consumer_offsets` waits for that, once in a cluster's life.

As long as the topic does not exist there are no groups, and requests about one hear just that. Apache Kafka answers
NOT_COORDINATOR then, and COORDINATOR_NOT_AVAILABLE to the first FindCoordinator.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkapy.coordinators.deadline import Deadline
from kafkapy.coordinators.runtime import (
    CoordinatorRuntime,
    Decision,
    Parked,
    TransactionalProducer,
    partition_for,
)
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import Compression
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.records import CommittedOffset
    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.runtime import CoordinatorLog
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.describe_groups import DescribedGroup
    from kafkapy_wire.messages.heartbeat import HeartbeatRequest
    from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
    from kafkapy_wire.messages.leave_group import MemberIdentity, MemberResponse
    from kafkapy_wire.messages.list_groups import ListedGroup
    from kafkapy_wire.messages.offset_commit import (
        OffsetCommitRequest,
        OffsetCommitRequestTopic,
        OffsetCommitResponseTopic,
    )
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestTopic, OffsetDeleteResponseTopic
    from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics, OffsetFetchResponseTopics
    from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
    from kafkapy_wire.messages.txn_offset_commit import (
        TxnOffsetCommitRequest,
        TxnOffsetCommitRequestTopic,
        TxnOffsetCommitResponseTopic,
    )

logger = logging.getLogger("kafkapy.groups")

FIRST_COMMIT_VERSION_WITH_GROUP_ID_NOT_FOUND = 9


class Caller(NamedTuple):
    """Who sent a JoinGroup. `client_host` as Java prints an address: with a slash before it."""

    api_version: int
    client_id: str
    client_host: str


class Metadata(Protocol):
    """Where the newest metadata image is found."""

    @property
    def image(self) -> MetadataImage: ...


class GroupCoordinator:
    """All groups of this node. Errors that concern a whole request are raised as KafkaError, unless said otherwise."""

    def __init__(self, settings: CurrentSettings, clock: Clock, log: CoordinatorLog, metadata: Metadata) -> None:
        self._settings = settings
        self._clock = clock
        self._metadata = metadata
        self._runtime: CoordinatorRuntime[GroupShard] = CoordinatorRuntime(
            OFFSETS_TOPIC,
            log,
            clock,
            self._new_shard,
            compression=Compression(settings.now.groups.offsets_topic_compression_codec),
        )
        self._retention = Deadline(clock, self._expire_offsets)

    # -- life

    async def load(self) -> None:
        """Replay what is stored and begin to expire offsets.

        Until it returns, requests about groups that are not replayed yet hear COORDINATOR_LOAD_IN_PROGRESS: open the
        listeners after it, or tell clients to come again.
        """
        await self._runtime.load()
        self._tell_of_unserved_groups()
        self._drop_offsets_of_missing_partitions(self._metadata.image)
        self._retention.set(self._settings.now.groups.offsets_retention_check_interval_ms)

    def close(self) -> None:
        """Stop every timer and answer parked requests with NOT_COORDINATOR. Nothing is appended any more."""
        self._retention.cancel()
        self._runtime.resign()

    def _tell_of_unserved_groups(self) -> None:
        counts: dict[str, int] = {}
        for _, shard in self._runtime.loaded_shards():
            for group in shard.unserved.values():
                counts[group.group_type.value] = counts.get(group.group_type.value, 0) + 1
        for name, count in sorted(counts.items()):
            logger.warning("%d stored groups of type %s cannot be joined: they are not served yet", count, name)

    async def create_topic(self) -> None:
        """Return when `__consumer_offsets` exists and this node can serve any group."""
        await self._runtime.create_topic()

    def follow_metadata(self, _image: MetadataImage, delta: MetadataDelta) -> None:
        """Drop the offsets of topics that were deleted."""
        deleted = {topic.name for topic in delta.deleted_topics}
        if OFFSETS_TOPIC in deleted:
            self._runtime.resign()
        self._drop_offsets(deleted, lambda _topic, _partition, _committed: False)

    def _drop_offsets_of_missing_partitions(self, image: MetadataImage) -> None:
        """What `follow_metadata` would have dropped while this node was down."""

        def still_exists(topic: str, partition: int, committed: CommittedOffset) -> bool:
            found = image.topics.get(topic)
            if found is None or partition >= len(found.partitions):
                return False
            return committed.topic_id in (ZERO_UUID, found.topic_id)

        topics = {topic for _, shard in self._runtime.loaded_shards() for topic in shard.offsets.topics}
        self._drop_offsets(topics, still_exists)

    def _drop_offsets(self, topics: Iterable[str], keep: Callable[[str, int, CommittedOffset], bool]) -> None:
        for topic in sorted(topics):
            for partition, shard in self._runtime.loaded_shards():
                records = shard.offsets.delete_topic(topic, partial(keep, topic))
                if records:
                    self._execute_unasked(partition, Decision(records, None))

    # -- membership

    async def join_group(self, request: JoinGroupRequest, caller: Caller) -> JoinGroupResponse:
        """Wait until the group's members are known, or answer with the error at once. Raises nothing."""
        from kafkapy_wire.messages.join_group import JoinGroupResponse

        try:
            return await self._join_group(request, caller)
        except KafkaError as error:
            forgets_id = error.code in (ErrorCode.GROUP_MAX_SIZE_REACHED, ErrorCode.UNKNOWN_SERVER_ERROR)
            member_id = "" if forgets_id else request.member_id
            return JoinGroupResponse(error_code=error.code, member_id=member_id, protocol_name=None)

    async def _join_group(self, request: JoinGroupRequest, caller: Caller) -> JoinGroupResponse:
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        settings = self._settings.now.groups
        shortest_ms, longest_ms = settings.group_min_session_timeout_ms, settings.group_max_session_timeout_ms
        if not shortest_ms <= request.session_timeout_ms <= longest_ms:
            raise KafkaError(ErrorCode.INVALID_SESSION_TIMEOUT)
        if request.member_id and not self._runtime.partition_count:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        await self._runtime.create_topic()
        partition, shard = self._find(request.group_id)
        parked: Parked[JoinGroupResponse] = Parked()
        if not request.member_id:
            self._runtime.execute(partition, shard.create_group(request.group_id))
        group = shard.groups.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        self._runtime.execute(partition, shard.classic.join(group, request, caller, parked))
        return await parked.wait()

    async def sync_group(self, request: SyncGroupRequest) -> SyncGroupResponse:
        """Wait until the leader has assigned, or answer with the error at once. Raises nothing."""
        from kafkapy_wire.messages.sync_group import SyncGroupResponse

        try:
            return await self._sync_group(request)
        except KafkaError as error:
            return SyncGroupResponse(error_code=error.code)

    async def _sync_group(self, request: SyncGroupRequest) -> SyncGroupResponse:
        partition, shard = self._find(request.group_id)
        group = shard.groups.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        parked: Parked[SyncGroupResponse] = Parked()
        try:
            self._runtime.execute(partition, shard.classic.sync(group, request, parked))
        except KafkaError:
            group.forget_sync(parked)
            raise
        return await parked.wait()

    def heartbeat(self, request: HeartbeatRequest) -> ErrorCode:
        """NONE, or REBALANCE_IN_PROGRESS.

        Raises KafkaError: INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID.
        """
        _, shard = self._find(request.group_id)
        group = shard.groups.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        return shard.classic.heartbeat(group, request.member_id, request.group_instance_id, request.generation_id)

    def leave_group(self, group_id: str, members: list[MemberIdentity]) -> list[MemberResponse]:
        """One response a member. In a group that does not exist nobody is a member."""
        partition, shard = self._find(group_id)
        group = shard.groups.get(group_id)
        if group is None:
            from kafkapy_wire.messages.leave_group import MemberResponse

            return [
                MemberResponse(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    error_code=ErrorCode.UNKNOWN_MEMBER_ID,
                )
                for member in members
            ]
        return self._runtime.execute(partition, shard.classic.leave(group, members))

    # -- offsets

    async def commit_offsets(
        self, request: OffsetCommitRequest, topics: Sequence[OffsetCommitRequestTopic], api_version: int
    ) -> list[OffsetCommitResponseTopic]:
        """Commit for `topics`: those of the request that exist, with name and id, and only their partitions that exist.

        Raises KafkaError for all of them: GROUP_ID_NOT_FOUND (before v9 ILLEGAL_GENERATION), ILLEGAL_GENERATION,
        UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS.
        """
        generation_id = request.generation_id_or_member_epoch
        if not self._runtime.partition_count and generation_id < 0:
            await self._runtime.create_topic()
        partition, shard = self._find_any(request.group_id)
        group = shard.groups.get(request.group_id)
        if group is not None:
            shard.classic.validate_commit(group, request.member_id, request.group_instance_id, generation_id)
            shard.classic.keep_session(group, request.member_id)
        elif generation_id >= 0:
            if api_version >= FIRST_COMMIT_VERSION_WITH_GROUP_ID_NOT_FOUND:
                raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        return self._runtime.execute(partition, shard.offsets.commit(request, topics, self._clock.now_ms()))

    async def commit_transactional_offsets(
        self,
        request: TxnOffsetCommitRequest,
        topics: Sequence[TxnOffsetCommitRequestTopic],
        enlist: Callable[[int], None],
    ) -> list[TxnOffsetCommitResponseTopic]:
        """Commit for `topics`, those of the request that exist, in the producer's transaction.

        `enlist` sees to it that a partition of `__consumer_offsets` is in the transaction, or raises KafkaError.
        Raises KafkaError for all of them: INVALID_GROUP_ID, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        await self._runtime.create_topic()
        partition, shard = self._find(request.group_id)
        enlist(partition)
        group = shard.groups.get(request.group_id)
        if group is not None:
            shard.classic.validate_transactional_commit(
                group, request.member_id, request.group_instance_id, request.generation_id
            )
        elif request.generation_id >= 0:
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        decision = shard.offsets.commit_in_transaction(request, topics, self._clock.now_ms())
        producer = TransactionalProducer(request.producer_id, request.producer_epoch)
        return self._runtime.execute(partition, decision, producer)

    def end_transaction(self, partition: int, producer_id: int, *, committed: bool) -> None:
        """A marker was appended to this partition of `__consumer_offsets`: the offsets that waited for it count now,
        or never.
        """
        self._runtime.end_transaction(partition, producer_id, committed=committed)

    def partition_of(self, group_id: str) -> int:
        """The partition of `__consumer_offsets` that holds the group, once that exists."""
        return partition_for(group_id, self._runtime.partition_count)

    def fetch_offsets(
        self, group_id: str, topics: Sequence[OffsetFetchRequestTopics] | None, *, require_stable: bool
    ) -> list[OffsetFetchResponseTopics]:
        """Committed offsets of those topics, or of all (None); ids of the latter are left to the caller.

        A group that does not exist has none. Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS).
        """
        _, shard = self._find_any(group_id)
        if topics is None:
            return shard.offsets.fetch_all(group_id, require_stable=require_stable)
        return shard.offsets.fetch(group_id, topics, require_stable=require_stable)

    def delete_offsets(
        self, group_id: str, topics: Sequence[OffsetDeleteRequestTopic]
    ) -> list[OffsetDeleteResponseTopic]:
        """Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP (not a consumer group)."""
        partition, shard = self._find(group_id)
        return self._runtime.execute(partition, shard.delete_offsets(group_id, topics))

    # -- administration

    def list_groups(self, states: Iterable[str], types: Iterable[str]) -> list[ListedGroup]:
        """All groups, or those in one of the states and of one of the types, whatever their case."""
        states_filter = frozenset(state.lower() for state in states)
        types_filter = frozenset(group_type.lower() for group_type in types)
        return [group for shard in self._runtime.shards for group in shard.list(states_filter, types_filter)]

    def describe_group(self, group_id: str) -> DescribedGroup:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, COORDINATOR_LOAD_IN_PROGRESS."""
        _, shard = self._find_any(group_id)
        return shard.describe(shard.group(group_id))

    def delete_group(self, group_id: str) -> ErrorCode:
        """NONE, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP or COORDINATOR_LOAD_IN_PROGRESS."""
        try:
            partition, shard = self._find_any(group_id)
            return self._runtime.execute(partition, shard.delete_group(group_id))
        except KafkaError as error:
            return error.code

    # -- shards

    def _find(self, group_id: str) -> tuple[int, GroupShard]:
        """Raises KafkaError: INVALID_GROUP_ID (empty), COORDINATOR_LOAD_IN_PROGRESS."""
        if not group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        return self._find_any(group_id)

    def _find_any(self, group_id: str) -> tuple[int, GroupShard]:
        """The same for APIs that let an empty group id pass: ancient consumers commit offsets under it."""
        partition_count = self._runtime.partition_count
        if not partition_count:
            return 0, self._new_shard(0)
        partition = partition_for(group_id, partition_count)
        return partition, self._runtime.shard(partition)

    def _new_shard(self, partition: int) -> GroupShard:
        from kafkapy.coordinators.group.shard import GroupShard  # with the record formats, 10 ms a fresh node saves

        return GroupShard(self._settings, self._clock, partial(self._execute_unasked, partition))

    def _execute_unasked(self, partition: int, decision: Decision[None]) -> None:
        """For decisions that no request waits for: the next timer tries again. A full disk has its line in the log."""
        try:
            self._runtime.execute(partition, decision)
        except KafkaError as error:
            logger.info("cannot write to __consumer_offsets-%d: %s", partition, error)

    def _expire_offsets(self) -> None:
        self._retention.set(self._settings.now.groups.offsets_retention_check_interval_ms)
        for partition, shard in self._runtime.loaded_shards():
            for group_id in list(shard.groups):
                self._execute_unasked(partition, shard.expire_offsets(group_id))
