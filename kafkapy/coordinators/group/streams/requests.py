"""The requests about streams groups: StreamsGroupHeartbeat and StreamsGroupDescribe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import trio

from kafkapy.coordinators.group.group import GroupType
from kafkapy_controller.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.group import Caller
    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.coordinators.group.streams.answering import Beaten
    from kafkapy.coordinators.group.streams.internal_topics import InternalTopics
    from kafkapy.coordinators.group.streams.kind import StreamsGroups
    from kafkapy.pending import Pending
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
    from kafkapy_wire.messages.streams_group_describe import DescribedGroup
    from kafkapy_wire.messages.streams_group_heartbeat import (
        StreamsGroupHeartbeatRequest,
        StreamsGroupHeartbeatResponse,
        Topology,
    )
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue

    CreateTopics = Callable[[CreateTopicsRequest], Awaitable[CreateTopicsResponse]]

STREAMS_VERSION: Final = "streams.version"
NAMES_MAX: Final = 10_000
"""Subtopologies, topics and their settings in one topology: in Apache Kafka they fit into a record of a megabyte."""
TASK_OFFSETS_MAX: Final = 20_000
DESCRIBED_AT_ONCE_MAX: Final = 1_500
"""Members and tasks: ten milliseconds."""
TOLD_FAILURES_MAX: Final = 3
_LEAVING_FOR_A_WHILE = -2


class StreamsRequests:
    """Errors that concern a whole request are raised as KafkaError."""

    def __init__(
        self, settings: CurrentSettings, shards: GroupShards, clock: Clock, create_topics: CreateTopics | None
    ) -> None:
        """`create_topics` asks the active controller; None: internal topics are not created."""
        self._settings = settings
        self._shards = shards
        self._clock = clock
        self._create_topics = create_topics
        self._internal_topics: InternalTopics | None = None
        self._internal_topics_wanted = trio.Event()

    async def run(self) -> None:
        """Create internal topics when some are missing, until cancelled."""
        await self._internal_topics_wanted.wait()
        assert self._internal_topics is not None, "who wants them makes them"
        await self._internal_topics.run()

    def heartbeat(
        self, request: StreamsGroupHeartbeatRequest, caller: Caller
    ) -> Pending[StreamsGroupHeartbeatResponse]:
        """Raises KafkaError: UNSUPPORTED_VERSION, STREAMS_INVALID_TOPOLOGY, INVALID_REQUEST; and as
        `StreamsGroups.heartbeat`.
        """
        self.refuse_unless_served()
        topology = None
        if request.topology is not None:
            _refuse_topic_names(request.topology)
            topology = _to_store(request.topology)
        _refuse_invalid(request, topology)
        partition, shard = self._shards.find(request.group_id)
        groups = _streams_groups(shard)
        decision = groups.heartbeat(request, topology, caller)
        answer = self._shards.runtime.execute(partition, decision)
        groups.timers.expect_heartbeat(request.group_id, request.member_id)
        if decision.response.first_assignment_in_ms:
            groups.timers.wait_for_members(request.group_id, decision.response.first_assignment_in_ms)
        return answer.map(lambda beaten: self._go_on(beaten, caller))

    def _go_on(self, beaten: Beaten, caller: Caller) -> StreamsGroupHeartbeatResponse:
        """Create what is missing, once the records of the heartbeat are committed."""
        response = beaten.response
        if not beaten.internal_topics or self._create_topics is None:
            return response
        from kafkapy.coordinators.group.streams.topology import StreamsStatus

        refused = [] if caller.may_create is None else [n for n in beaten.internal_topics if not caller.may_create(n)]
        if refused:
            _tell_refused(response, refused)
            return response
        if self._internal_topics is None:
            from kafkapy.coordinators.group.streams.internal_topics import InternalTopics

            self._internal_topics = InternalTopics(self._create_topics, self._clock)
            self._internal_topics_wanted.set()
        self._internal_topics.create(beaten.internal_topics, 2 * response.heartbeat_interval_ms)
        failures = self._internal_topics.failures(beaten.internal_topics)
        if failures:
            told = [f"{name} ({failures[name]})" for name in [*failures][:TOLD_FAILURES_MAX]]
            text = ", ".join(told)
            if len(failures) > TOLD_FAILURES_MAX:
                text = f"{text} and {len(failures) - TOLD_FAILURES_MAX} more"
            for status in response.status or ():
                if status.status_code == StreamsStatus.MISSING_INTERNAL_TOPICS:
                    status.status_detail = f"{status.status_detail}; Creation failed: {text}."
                    break
        return response

    def describe_group(self, group_id: str) -> Pending[DescribedGroup]:
        """Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR."""
        partition, shard = self._shards.find(group_id)
        return self._shards.runtime.read(partition, _streams_groups(shard).describe(group_id))

    def is_large(self, group_id: str) -> bool:
        """Whether it takes long to describe the group."""
        try:
            _, shard = self._shards.find(group_id)
            group = _streams_groups(shard).group(group_id)
        except KafkaError:
            return False
        task_count = 0 if group.configured is None else group.configured.task_count
        return len(group.members) + max(task_count, len(group.owners.active)) > DESCRIBED_AT_ONCE_MAX

    async def describe_in_turns(self, group_id: str) -> DescribedGroup:
        """As `describe_group`."""
        partition, shard = self._shards.find(group_id)
        described = await _streams_groups(shard).describe_in_turns(group_id)
        return await self._shards.runtime.read(partition, described).wait()

    def refuse_unless_served(self) -> None:
        """Raises KafkaError(UNSUPPORTED_VERSION): group.coordinator.rebalance.protocols does not name it, or the
        cluster's streams.version is 0, as in one that was made before Kafka 4.2.
        """
        protocols = self._settings.now.groups.group_coordinator_rebalance_protocols
        streams_version = self._shards.metadata.image.features.get(STREAMS_VERSION, 0)
        if GroupType.STREAMS.value not in protocols or not streams_version:
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)


def _streams_groups(shard: GroupShard) -> StreamsGroups:
    return cast("StreamsGroups", shard.kind(GroupType.STREAMS))


def _to_store(topology: Topology) -> StreamsGroupTopologyValue:
    from kafkapy.coordinators.group.streams.topologies import to_store

    return to_store(topology)


def _refuse_topic_names(topology: Topology) -> None:
    """As Apache Kafka, before anything else is looked at."""
    if _name_count(topology) > NAMES_MAX:
        message = f"The topology has more than {NAMES_MAX} subtopologies, topics and settings of topics."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    names = [*dict.fromkeys(_topic_names(topology))]
    internal = [name for name in names if name in INTERNAL_TOPICS]
    if internal:
        message = f"Use of Kafka internal topics {','.join(internal)} in a Kafka Streams topology is prohibited."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    invalid = [name for name in names if not is_valid_topic_name(name)]
    if invalid:
        message = f"Topic names {','.join(invalid)} are not valid topic names."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)


def _topic_names(topology: Topology) -> Iterator[str]:
    for of in topology.subtopologies:
        yield from of.source_topics
        yield from of.repartition_sink_topics
        yield from (topic.name for topic in of.repartition_source_topics)
        yield from (topic.name for topic in of.state_changelog_topics)


def _name_count(topology: Topology) -> int:
    count = len(topology.subtopologies)
    for of in topology.subtopologies:
        count += len(of.source_topics) + len(of.repartition_sink_topics) + len(of.copartition_groups)
        for each in of.copartition_groups:
            count += len(each.source_topics) + len(each.repartition_source_topics)
        for topics in (of.repartition_source_topics, of.state_changelog_topics):
            count += len(topics) + sum([len(topic.topic_configs) for topic in topics])
        if count > NAMES_MAX:
            break
    return count


def _refuse_invalid(request: StreamsGroupHeartbeatRequest, topology: StreamsGroupTopologyValue | None) -> None:
    """What can be said without the group, in Apache Kafka's order."""
    if topology is not None:
        from kafkapy.coordinators.group.streams.topology.checks import refuse_patterns

        refuse_patterns(topology)
    for text, name in (
        (request.member_id, "MemberId"),
        (request.group_id, "GroupId"),
        (request.instance_id, "InstanceId"),
        (request.rack_id, "RackId"),
    ):
        if text is not None and not text.strip():
            raise _invalid(f"{name} can't be empty.")
    tasks = (request.active_tasks, request.standby_tasks, request.warmup_tasks)
    if request.member_epoch == 0:
        _refuse_invalid_join(request, topology)
    elif request.member_epoch == _LEAVING_FOR_A_WHILE:
        if request.instance_id is None:
            raise _invalid("InstanceId can't be null.")
    elif request.member_epoch < _LEAVING_FOR_A_WHILE:
        raise _invalid(f"MemberEpoch is {request.member_epoch}, but must be greater than or equal to -2.")
    if None in tasks and tasks != (None, None, None):
        raise _invalid("If one task-type is non-null, all must be non-null.")
    if request.member_epoch != 0 and topology is not None:
        raise _invalid("Topology can only be provided when (re-)joining.")
    for offsets in (request.task_offsets, request.task_end_offsets):
        if len(offsets or ()) > TASK_OFFSETS_MAX:
            raise _invalid(f"A member may tell at most {TASK_OFFSETS_MAX} task offsets.")


def _refuse_invalid_join(request: StreamsGroupHeartbeatRequest, topology: StreamsGroupTopologyValue | None) -> None:
    if request.rebalance_timeout_ms == -1:
        raise _invalid("RebalanceTimeoutMs must be provided in first request.")
    for tasks, name in (
        (request.active_tasks, "ActiveTasks"),
        (request.standby_tasks, "StandbyTasks"),
        (request.warmup_tasks, "WarmupTasks"),
    ):
        if tasks is None or tasks:
            raise _invalid(f"{name} must be empty when (re-)joining.")
    if topology is None:
        raise _invalid("Topology must be non-null when (re-)joining.")
    from kafkapy.coordinators.group.streams.topology.checks import refuse_contradictions

    refuse_contradictions(topology)


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)


def _tell_refused(response: StreamsGroupHeartbeatResponse, topics: list[str]) -> None:
    """That internal topics are missing which the member may not create."""
    from kafkapy.coordinators.group.streams.topology import StreamsStatus
    from kafkapy_wire.messages.streams_group_heartbeat import Status

    text = f"Unauthorized to CREATE on topics {', '.join(topics)}."
    for status in response.status or ():
        if status.status_code == StreamsStatus.MISSING_INTERNAL_TOPICS:
            status.status_detail = f"{status.status_detail}; {text}"
            return
    missing = Status(status_code=StreamsStatus.MISSING_INTERNAL_TOPICS, status_detail=text)
    response.status = [*(response.status or ()), missing]
