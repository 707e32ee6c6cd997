"""What `kafkapy groups` asks and changes of share groups (KIP-932)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import check
from kafkapy.client.group_description import GroupDescription, GroupMember
from kafkapy.client.offsets import Partition, indexes_by_topic
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode

SHARE = "Share"
"""The type, as `groups list` names it."""


@dataclass(frozen=True, slots=True)
class ShareOffset:
    """Where a share group is in one partition."""

    start_offset: int
    """All records below it are done with."""
    lag: int | None
    """Records that are still to be delivered; None: the coordinator does not know."""


def describe_share_group(
    cluster: Cluster, connection: Connection, coordinator_id: int, group_id: str
) -> GroupDescription | None:
    """None if the group is of another type."""
    if not connection.supports(ApiKey.SHARE_GROUP_DESCRIBE):
        return None
    from kafkapy_wire.messages.share_group_describe import ShareGroupDescribeRequest, ShareGroupDescribeResponse

    request = ShareGroupDescribeRequest(group_ids=[group_id])
    (group,) = cluster.ask_once(connection, request, ShareGroupDescribeResponse).groups
    if group.error_code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION):
        return None
    check(group.error_code, f"group {group_id!r}", group.error_message)
    members = tuple(
        GroupMember(
            member.member_id,
            None,
            member.client_id,
            member.client_host,
            tuple(
                (topic.topic_name, index) for topic in member.assignment.topic_partitions for index in topic.partitions
            ),
        )
        for member in group.members
    )
    return GroupDescription(
        group_id,
        SHARE,
        group.group_state,
        group.assignor_name,
        coordinator_id,
        members,
        group.group_epoch,
        group.assignment_epoch,
    )


def share_offsets(cluster: Cluster, group_id: str) -> dict[Partition, ShareOffset]:
    """Of every partition that the group has read from. Raises Refused."""
    from kafkapy_wire.messages.describe_share_group_offsets import (
        DescribeShareGroupOffsetsRequest,
        DescribeShareGroupOffsetsRequestGroup,
        DescribeShareGroupOffsetsResponse,
    )

    request = DescribeShareGroupOffsetsRequest(
        groups=[DescribeShareGroupOffsetsRequestGroup(group_id=group_id, topics=None)]
    )

    def attempt() -> dict[Partition, ShareOffset]:
        answer = cluster.ask_once(cluster.coordinator(group_id), request, DescribeShareGroupOffsetsResponse)
        (group,) = answer.groups
        check(group.error_code, f"group {group_id!r}", group.error_message)
        found = {}
        for topic in group.topics:
            for partition in topic.partitions:
                name = topic.topic_name, partition.partition_index
                check(partition.error_code, f"partition {name[0]}-{name[1]}", partition.error_message)
                if partition.start_offset >= 0:  # otherwise nothing was read of it so far
                    lag = partition.lag if partition.lag >= 0 else None
                    found[name] = ShareOffset(partition.start_offset, lag)
        return found

    return cluster.retrying(attempt)


def alter_share_offsets(cluster: Cluster, group_id: str, offsets: Mapping[Partition, int]) -> None:
    """Begin at these offsets from now on: only while the group has no members. Raises Refused."""
    from kafkapy_wire.messages.alter_share_group_offsets import (
        AlterShareGroupOffsetsRequest,
        AlterShareGroupOffsetsRequestPartition,
        AlterShareGroupOffsetsRequestTopic,
        AlterShareGroupOffsetsResponse,
    )

    topics = [
        AlterShareGroupOffsetsRequestTopic(
            topic_name=topic,
            partitions=[
                AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=offsets[topic, index])
                for index in indexes
            ],
        )
        for topic, indexes in indexes_by_topic(list(offsets)).items()
    ]
    request = AlterShareGroupOffsetsRequest(group_id=group_id, topics=topics)

    def attempt() -> None:
        answer = cluster.ask_once(cluster.coordinator(group_id), request, AlterShareGroupOffsetsResponse)
        check(answer.error_code, f"group {group_id!r}", answer.error_message)
        for topic in answer.responses:
            for partition in topic.partitions:
                what = f"partition {topic.topic_name}-{partition.partition_index}"
                check(partition.error_code, what, partition.error_message)

    cluster.retrying(attempt)


def delete_share_offsets(cluster: Cluster, group_id: str, topics: Sequence[str]) -> None:
    """Forget where the group is in these topics: only while it has no members. Raises Refused."""
    from kafkapy_wire.messages.delete_share_group_offsets import (
        DeleteShareGroupOffsetsRequest,
        DeleteShareGroupOffsetsRequestTopic,
        DeleteShareGroupOffsetsResponse,
    )

    request = DeleteShareGroupOffsetsRequest(
        group_id=group_id, topics=[DeleteShareGroupOffsetsRequestTopic(topic_name=topic) for topic in topics]
    )

    def attempt() -> None:
        answer = cluster.ask_once(cluster.coordinator(group_id), request, DeleteShareGroupOffsetsResponse)
        check(answer.error_code, f"group {group_id!r}", answer.error_message)
        for topic in answer.responses:
            check(topic.error_code, f"topic {topic.topic_name!r}", topic.error_message)

    cluster.retrying(attempt)
