"""What `kafkapy groups` asks of streams groups (KIP-1071)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import check
from kafkapy.client.group_description import GroupDescription, GroupMember
from kafkapy.client.offsets import Partition
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode

if TYPE_CHECKING:
    from kafkapy_wire.messages.streams_group_describe import Member, Subtopology, TaskIds

Tasks = tuple[tuple[str, tuple[int, ...]], ...]
"""Subtopologies, and of each the partitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsMember(GroupMember):
    """A member; `partitions` are those that its active tasks read."""

    process_id: str
    member_epoch: int
    active: Tasks
    standby: Tasks
    warmup: Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsGroupDescription(GroupDescription):
    topology_epoch: int | None
    input_topics: tuple[str, ...]
    """Source topics that the application does not write itself."""
    internal_topics: tuple[str, ...]
    """Repartition and changelog topics."""


def describe_streams_group(
    cluster: Cluster, connection: Connection, coordinator_id: int, group_id: str
) -> StreamsGroupDescription | None:
    """None if the group is of another type."""
    if not connection.supports(ApiKey.STREAMS_GROUP_DESCRIBE):
        return None
    from kafkapy_wire.messages.streams_group_describe import StreamsGroupDescribeRequest, StreamsGroupDescribeResponse

    request = StreamsGroupDescribeRequest(group_ids=[group_id])
    (group,) = cluster.ask_once(connection, request, StreamsGroupDescribeResponse).groups
    if group.error_code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION):
        return None
    check(group.error_code, f"group {group_id!r}", group.error_message)
    subtopologies = (group.topology.subtopologies if group.topology is not None else None) or []
    read = {each.subtopology_id: _read_topics(each) for each in subtopologies}
    counts = _partition_counts(cluster, {topic for topics in read.values() for topic in topics})
    return StreamsGroupDescription(
        group_id=group_id,
        group_type="Streams",
        state=group.group_state,
        assignor="",
        coordinator_id=coordinator_id,
        members=tuple(_member(member, read, counts) for member in group.members),
        group_epoch=group.group_epoch,
        assignment_epoch=group.assignment_epoch,
        topology_epoch=group.topology.epoch if group.topology is not None else None,
        input_topics=_once(topic for each in subtopologies for topic in each.source_topics),
        internal_topics=_once(
            topic.name
            for each in subtopologies
            for topic in (*each.repartition_source_topics, *each.state_changelog_topics)
        ),
    )


def _read_topics(subtopology: Subtopology) -> list[str]:
    return [*subtopology.source_topics, *(topic.name for topic in subtopology.repartition_source_topics)]


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _partition_counts(cluster: Cluster, topics: set[str]) -> dict[str, int]:
    if not topics:
        return {}
    return {topic.name or "": len(topic.partitions) for topic in cluster.metadata(sorted(topics)).topics}


def _member(member: Member, read: dict[str, list[str]], counts: dict[str, int]) -> StreamsMember:
    active = _tasks(member.assignment.active_tasks)
    partitions: list[Partition] = [
        (topic, index)
        for subtopology, indexes in active
        for topic in read.get(subtopology, ())
        for index in indexes
        if index < counts.get(topic, 0)
    ]
    return StreamsMember(
        member_id=member.member_id,
        group_instance_id=member.instance_id,
        client_id=member.client_id,
        host=member.client_host,
        partitions=tuple(partitions),
        process_id=member.process_id,
        member_epoch=member.member_epoch,
        active=active,
        standby=_tasks(member.assignment.standby_tasks),
        warmup=_tasks(member.assignment.warmup_tasks),
    )


def _tasks(tasks: list[TaskIds]) -> Tasks:
    return tuple(sorted((each.subtopology_id, tuple(sorted(each.partitions))) for each in tasks))
