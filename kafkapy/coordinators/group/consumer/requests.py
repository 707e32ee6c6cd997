"""The requests about consumer groups: ConsumerGroupHeartbeat and ConsumerGroupDescribe."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.topic_metadata import refuse_too_long_names
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.coordinators.group.consumer.kind import ConsumerGroups
    from kafkapy.coordinators.group.group import Caller
    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.pending import Pending
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.consumer_group_describe import DescribedGroup
    from kafkapy_wire.messages.consumer_group_heartbeat import (
        ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse,
    )

GROUP_VERSION_FEATURE = "group.version"
FIRST_VERSION_WITH_MEMBER_ID_OF_THE_CLIENT = 1
SUBSCRIBED_TOPICS_MAX = 10_000
"""Topics that a member may name, a few ten milliseconds of work: more belong into a pattern."""
DESCRIBED_AT_ONCE_MAX = 500
"""Members: two milliseconds."""
_LEAVING, _LEAVING_FOR_A_WHILE = -1, -2


class ConsumerRequests:
    """Errors that concern a whole request are raised as KafkaError."""

    def __init__(self, settings: CurrentSettings, shards: GroupShards) -> None:
        self._settings = settings
        self._shards = shards

    def heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller
    ) -> Pending[ConsumerGroupHeartbeatResponse]:
        """Raises KafkaError: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR; and as `ConsumerGroups.heartbeat`."""
        self._refuse_unless_served()
        _refuse_invalid(request, caller.api_version, self._settings.now.groups.group_consumer_assignors)
        partition, shard = self._shards.find(request.group_id)
        groups = _consumer_groups(shard)
        decision = groups.heartbeat(request, caller)
        answer = self._shards.runtime.execute(partition, decision)
        groups.timers.expect_heartbeat(request.group_id, decision.response.member_id or "")
        groups.refresh_patterns(request.group_id, caller.may_describe)
        return answer

    def describe_group(self, group_id: str) -> Pending[DescribedGroup]:
        """Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR."""
        self._refuse_unless_served()
        partition, shard = self._shards.find(group_id)
        return self._shards.runtime.read(partition, _consumer_groups(shard).describe(group_id))

    def has_many_members(self, group_id: str) -> bool:
        """Whether it takes long to describe the group."""
        try:
            _, shard = self._shards.find(group_id)
            return len(_consumer_groups(shard).group(group_id).members) > DESCRIBED_AT_ONCE_MAX
        except KafkaError:
            return False

    async def describe_in_turns(self, group_id: str) -> DescribedGroup:
        """As `describe_group`."""
        self._refuse_unless_served()
        partition, shard = self._shards.find(group_id)
        described = await _consumer_groups(shard).describe_in_turns(group_id)
        return await self._shards.runtime.read(partition, described).wait()

    def _refuse_unless_served(self) -> None:
        """Raises KafkaError(UNSUPPORTED_VERSION): group.coordinator.rebalance.protocols does not name it, or the
        cluster's group.version is 0, as in one that was made before Kafka 4.0.
        """
        protocols = self._settings.now.groups.group_coordinator_rebalance_protocols
        group_version = self._shards.metadata.image.features.get(GROUP_VERSION_FEATURE, 0)
        if GroupType.CONSUMER.value not in protocols or not group_version:
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)


def _consumer_groups(shard: GroupShard) -> ConsumerGroups:
    return cast("ConsumerGroups", shard.kind(GroupType.CONSUMER))


def _refuse_invalid(request: ConsumerGroupHeartbeatRequest, version: int, assignors: tuple[str, ...]) -> None:
    """What can be said without the group, in Apache Kafka's order."""
    epoch = request.member_epoch
    if version >= FIRST_VERSION_WITH_MEMBER_ID_OF_THE_CLIENT or epoch > 0 or epoch == _LEAVING:
        _refuse_empty(request.member_id, "MemberId")
    _refuse_empty(request.group_id, "GroupId")
    _refuse_empty(request.instance_id, "InstanceId")
    _refuse_empty(request.rack_id, "RackId")
    if epoch == 0:
        if request.rebalance_timeout_ms == -1:
            raise _invalid("RebalanceTimeoutMs must be provided in first request.")
        if request.topic_partitions is None or request.topic_partitions:
            raise _invalid("TopicPartitions must be empty when (re-)joining.")
        if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
            raise _invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
    elif epoch == _LEAVING_FOR_A_WHILE:
        if request.instance_id is None:
            raise _invalid("InstanceId can't be null.")
    elif epoch < _LEAVING_FOR_A_WHILE:
        raise _invalid("MemberEpoch is invalid.")
    topic_count = len(request.subscribed_topic_names or ())
    if topic_count > SUBSCRIBED_TOPICS_MAX:
        raise _invalid(f"SubscribedTopicNames has {topic_count} topics, more than {SUBSCRIBED_TOPICS_MAX}.")
    refuse_too_long_names(request.subscribed_topic_names)
    if request.server_assignor is not None and request.server_assignor not in assignors:
        supported = ", ".join(assignors)
        message = f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: {supported}."
        raise KafkaError(ErrorCode.UNSUPPORTED_ASSIGNOR, message)


def _refuse_empty(text: str | None, name: str) -> None:
    if text is not None and not text.strip():
        raise _invalid(f"{name} can't be empty.")


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)
