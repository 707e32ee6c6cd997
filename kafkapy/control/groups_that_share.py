"""Share groups (KIP-932) as their coordinators know them: members, start offsets and lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.control.nodes import check
from kafkapy.control.values import Member
from kafkapy_wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
)
from kafkapy_wire.messages.share_group_describe import ShareGroupDescribeRequest, ShareGroupDescribeResponse

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.control.values import TopicPartition
    from kafkapy.node import Node
    from kafkapy_wire.messages.share_group_describe import DescribedGroup


class Shared(NamedTuple):
    """How far a share group is."""

    offsets: dict[TopicPartition, int]
    """The start offsets that the share coordinator has stored."""
    lag: dict[TopicPartition, int]


async def describe_share_group(nodes: ControlledNodes, node: Node, group_id: str) -> DescribedGroup:
    """Its error is in it."""
    request = ShareGroupDescribeRequest(group_ids=[group_id])
    return (await nodes.ask(node, request, ShareGroupDescribeResponse)).groups[0]


def members_of_share_group(described: DescribedGroup) -> tuple[Member, ...]:
    return tuple(
        Member(
            member_id=member.member_id,
            instance_id=None,
            client_id=member.client_id,
            host=member.client_host,
            partitions=tuple(
                (topic.topic_name, index) for topic in member.assignment.topic_partitions for index in topic.partitions
            ),
        )
        for member in described.members
    )


async def how_far(nodes: ControlledNodes, node: Node, group_id: str) -> Shared:
    """Raises KafkaError."""
    wanted = DescribeShareGroupOffsetsRequestGroup(group_id=group_id, topics=None)
    request = DescribeShareGroupOffsetsRequest(groups=[wanted])
    answered = (await nodes.ask(node, request, DescribeShareGroupOffsetsResponse)).groups[0]
    check(answered.error_code, answered.error_message)
    offsets, lag = {}, {}
    for topic in answered.topics:
        for partition in topic.partitions:
            where = topic.topic_name, partition.partition_index
            if partition.error_code == 0 and partition.start_offset >= 0:  # otherwise nothing was read of it so far
                offsets[where] = partition.start_offset
                if partition.lag >= 0:
                    lag[where] = partition.lag
    return Shared(offsets, lag)
