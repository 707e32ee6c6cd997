"""Streams groups (KIP-1071) as their coordinators know them: whose tasks read which partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.control.values import Member
from kafkapy_wire.messages.streams_group_describe import StreamsGroupDescribeRequest, StreamsGroupDescribeResponse

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.control.values import TopicPartition
    from kafkapy.node import Node
    from kafkapy_wire.messages.streams_group_describe import DescribedGroup, TaskIds


async def describe_streams_group(nodes: ControlledNodes, node: Node, group_id: str) -> DescribedGroup:
    """Its error is in it."""
    request = StreamsGroupDescribeRequest(group_ids=[group_id])
    return (await nodes.ask(node, request, StreamsGroupDescribeResponse)).groups[0]


def members_of_streams_group(nodes: ControlledNodes, described: DescribedGroup) -> tuple[Member, ...]:
    """Each with the partitions that its active tasks read."""
    sources: dict[str, list[str]] = {}
    if described.topology is not None:
        for subtopology in described.topology.subtopologies or ():
            made = [topic.name for topic in subtopology.repartition_source_topics]
            sources[subtopology.subtopology_id] = [*subtopology.source_topics, *made]
    return tuple(
        Member(
            member_id=member.member_id,
            instance_id=member.instance_id,
            client_id=member.client_id,
            host=member.client_host,
            partitions=tuple(
                partition
                for tasks in member.assignment.active_tasks
                for partition in _partitions(nodes, tasks, sources.get(tasks.subtopology_id, []))
            ),
        )
        for member in described.members
    )


def _partitions(nodes: ControlledNodes, tasks: TaskIds, topics: list[str]) -> list[TopicPartition]:
    """Task n of a subtopology reads partition n of each of its topics that has one."""
    known = nodes.image.topics
    return [
        (topic, index)
        for topic in topics
        if topic in known
        for index in tasks.partitions
        if index < len(known[topic].partitions)
    ]
