"""The answer to StreamsGroupDescribe, made from a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.group.assignors.java_order import string_key
from kafkapy.coordinators.group.streams.group import NO_TASK_OFFSETS
from kafkapy.coordinators.group.streams.tasks import NO_TASK_SETS
from kafkapy.turns import each_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.streams_group_describe import (
    Assignment,
    DescribedGroup,
    Endpoint,
    KeyValue,
    Member,
    Subtopology,
    TaskIds,
    TaskOffset,
    TopicInfo,
    Topology,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.coordinators.group.streams.group import StreamsGroup, TaskOffsets
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import TaskSets
    from kafkapy.coordinators.group.streams.topology import ConfiguredInternalTopic, ConfiguredSubtopology
    from kafkapy_wire.record_formats import group_coordinator as formats


ASSIGNOR: Final = "sticky"


def described(group: StreamsGroup) -> DescribedGroup:
    """Raises KafkaError(UNKNOWN_SERVER_ERROR), as Apache Kafka: the group has no topology."""
    answer = _without_members(group)
    answer.members = [_member(member, group.targets, group.task_offsets) for member in group.members.values()]
    return answer


async def described_in_turns(group: StreamsGroup) -> DescribedGroup:
    """As the group is when this is called: its members are immutable."""
    answer = _without_members(group)
    members, targets, task_offsets = [*group.members.values()], dict(group.targets), dict(group.task_offsets)
    answer.members = await each_in_turns(lambda member: _member(member, targets, task_offsets), members)
    return answer


def _without_members(group: StreamsGroup) -> DescribedGroup:
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        topology=_topology(group),
        assignor_name=ASSIGNOR,
    )


def _topology(group: StreamsGroup) -> Topology:
    """With the partition counts that topics have got, once they are known; else as it was told."""
    configured = group.configured
    if configured is not None and configured.is_ready and configured.subtopologies is not None:
        return Topology(
            epoch=configured.topology_epoch,
            subtopologies=[_configured(name, of) for name, of in configured.subtopologies.items()],
        )
    if group.topology is None:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
    return Topology(
        epoch=group.topology.epoch,
        subtopologies=[_told(of) for _, of in sorted(group.topology.subtopologies.items(), key=_by_name)],
    )


def _by_name(entry: tuple[str, object]) -> bytes:
    return string_key(entry[0])


def _configured(name: str, of: ConfiguredSubtopology) -> Subtopology:
    return Subtopology(
        subtopology_id=name,
        source_topics=sorted(of.source_topics),
        repartition_sink_topics=sorted(of.repartition_sink_topics),
        state_changelog_topics=[_configured_topic(topic) for _, topic in sorted(of.state_changelog_topics.items())],
        repartition_source_topics=[
            _configured_topic(topic) for _, topic in sorted(of.repartition_source_topics.items())
        ],
    )


def _configured_topic(topic: ConfiguredInternalTopic) -> TopicInfo:
    return TopicInfo(
        name=topic.name,
        partitions=topic.partition_count,
        replication_factor=topic.replication_factor or 0,
        topic_configs=[KeyValue(key=key, value=topic.configs[key]) for key in sorted(topic.configs)],
    )


def _told(of: formats.Subtopology) -> Subtopology:
    return Subtopology(
        subtopology_id=of.subtopology_id,
        source_topics=sorted(of.source_topics),
        repartition_sink_topics=sorted(of.repartition_sink_topics),
        state_changelog_topics=_told_topics(of.state_changelog_topics),
        repartition_source_topics=_told_topics(of.repartition_source_topics),
    )


def _told_topics(topics: Iterable[formats.StreamsGroupTopologyValueTopicInfo]) -> list[TopicInfo]:
    return [
        TopicInfo(
            name=topic.name,
            partitions=topic.partitions,
            replication_factor=topic.replication_factor,
            topic_configs=[KeyValue(key=config.key, value=config.value) for config in topic.topic_configs],
        )
        for topic in topics
    ]


def _member(member: StreamsMember, targets: Mapping[str, TaskSets], task_offsets: Mapping[str, TaskOffsets]) -> Member:
    target = targets.get(member.member_id, NO_TASK_SETS)
    offsets = task_offsets.get(member.member_id, NO_TASK_OFFSETS)
    endpoint = member.user_endpoint
    held = member.assigned
    return Member(
        member_id=member.member_id,
        member_epoch=member.epoch,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        topology_epoch=member.topology_epoch,
        process_id=member.process_id,
        user_endpoint=None if endpoint is None else Endpoint(host=endpoint.host, port=endpoint.port),
        client_tags=[KeyValue(key=key, value=value) for key, value in member.client_tags.items()],
        task_offsets=_offsets(offsets.offsets),
        task_end_offsets=_offsets(offsets.end_offsets),
        assignment=_assignment(held.active, held.standby, held.warmup),
        target_assignment=_assignment(target.active, target.standby, target.warmup),
    )


def _assignment(
    active: Mapping[str, Iterable[int]], standby: Mapping[str, Iterable[int]], warmup: Mapping[str, Iterable[int]]
) -> Assignment:
    return Assignment(active_tasks=_tasks(active), standby_tasks=_tasks(standby), warmup_tasks=_tasks(warmup))


def _tasks(tasks: Mapping[str, Iterable[int]]) -> list[TaskIds]:
    return [TaskIds(subtopology_id=name, partitions=sorted(tasks[name])) for name in sorted(tasks, key=string_key)]


def _offsets(offsets: Mapping[str, Mapping[int, int]]) -> list[TaskOffset]:
    return [
        TaskOffset(subtopology_id=name, partition=partition, offset=offsets[name][partition])
        for name in sorted(offsets, key=string_key)
        for partition in sorted(offsets[name])
    ]
