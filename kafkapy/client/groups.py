"""What `kafkapy groups` asks and changes: classic groups, those of KIP-848, and what all have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import Refused, TryAgain, check
from kafkapy.client.group_description import GroupDescription, GroupMember
from kafkapy.client.offsets import Partition, indexes_by_topic
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode

if TYPE_CHECKING:
    from kafkapy_wire.messages.offset_commit import OffsetCommitRequestTopic

OFFSET_VERSION_WITH_NAMES_MAX = 9
"""From OffsetCommit and OffsetFetch v10 on topics go by id; names need no look-up."""
_FIRST_REQUIRE_STABLE = 7  # of OffsetFetch: Kafka 2.5
_FIRST_OFFSET_FETCH_OF_GROUPS = 8  # Kafka 3.0


@dataclass(frozen=True, slots=True)
class GroupListing:
    """A line of `groups list`; `group_type` and `state` are Kafka's words, "" from brokers too old to say."""

    group_id: str
    group_type: str
    state: str
    protocol_type: str


def list_groups(cluster: Cluster) -> list[GroupListing]:
    """The groups of all coordinators, by id."""
    from kafkapy_wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse

    def listed_by(broker_id: int) -> Callable[[], ListGroupsResponse]:
        def attempt() -> ListGroupsResponse:
            answer = cluster.ask_once(cluster.broker(broker_id), ListGroupsRequest(), ListGroupsResponse)
            check(answer.error_code, f"the groups of broker {broker_id}")
            return answer

        return attempt

    found = [
        GroupListing(group.group_id, group.group_type.capitalize(), group.group_state, group.protocol_type)
        for broker_id in cluster.broker_ids()
        for group in cluster.retrying(listed_by(broker_id)).groups
    ]
    return sorted(found, key=lambda group: group.group_id)


def describe_group(cluster: Cluster, group_id: str) -> GroupDescription:
    """Raises Refused, GROUP_ID_NOT_FOUND where there is no such group."""
    from kafkapy.client.share_groups import describe_share_group
    from kafkapy.client.streams_groups import describe_streams_group

    def attempt() -> GroupDescription:
        coordinator_id = cluster.coordinator_id(group_id)
        connection = cluster.broker(coordinator_id)
        for describe in (_describe_consumer_group, describe_share_group, describe_streams_group):
            described = describe(cluster, connection, coordinator_id, group_id)
            if described is not None:
                return described
        return _describe_classic_group(cluster, connection, coordinator_id, group_id)

    return cluster.retrying(attempt)


def _describe_consumer_group(
    cluster: Cluster, connection: Connection, coordinator_id: int, group_id: str
) -> GroupDescription | None:
    """A group of KIP-848; None if the group is of another type."""
    if not connection.supports(ApiKey.CONSUMER_GROUP_DESCRIBE):
        return None
    from kafkapy_wire.messages.consumer_group_describe import (
        ConsumerGroupDescribeRequest,
        ConsumerGroupDescribeResponse,
    )

    request = ConsumerGroupDescribeRequest(group_ids=[group_id])
    (group,) = cluster.ask_once(connection, request, ConsumerGroupDescribeResponse).groups
    if group.error_code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION):
        return None
    check(group.error_code, f"group {group_id!r}", group.error_message)
    members = tuple(
        GroupMember(
            member.member_id,
            member.instance_id,
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
        "Consumer",
        group.group_state,
        group.assignor_name,
        coordinator_id,
        members,
        group.group_epoch,
        group.assignment_epoch,
    )


def _describe_classic_group(
    cluster: Cluster, connection: Connection, coordinator_id: int, group_id: str
) -> GroupDescription:
    from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse

    (group,) = cluster.ask_once(connection, DescribeGroupsRequest(groups=[group_id]), DescribeGroupsResponse).groups
    # Before v6 (KIP-1043) a group that is not there is told apart by its state alone.
    if group.error_code == ErrorCode.GROUP_ID_NOT_FOUND or (group.error_code == 0 and group.group_state == "Dead"):
        raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"group {group_id!r} does not exist")
    check(group.error_code, f"group {group_id!r}", group.error_message)
    members = tuple(
        GroupMember(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            _assigned_partitions(member.member_assignment) if group.protocol_type == "consumer" else (),
        )
        for member in group.members
    )
    return GroupDescription(group_id, "Classic", group.group_state, group.protocol_data, coordinator_id, members)


def _assigned_partitions(assignment: bytes) -> tuple[Partition, ...]:
    """What a member was given; nothing while the group rebalances, or when its assignor has a format of its own."""
    from kafkapy_wire.consumer_protocol import decode_assignment
    from kafkapy_wire.errors import MalformedMessage

    try:
        return tuple(decode_assignment(assignment)) if assignment else ()
    except MalformedMessage:
        return ()


def delete_group(cluster: Cluster, group_id: str) -> None:
    """Raises Refused: it has members, or does not exist."""
    from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse

    def attempt() -> None:
        request = DeleteGroupsRequest(groups_names=[group_id])
        (deleted,) = cluster.ask_once(cluster.coordinator(group_id), request, DeleteGroupsResponse).results
        check(deleted.error_code, f"group {group_id!r}")

    cluster.retrying(attempt)


def committed_offsets(
    cluster: Cluster, group_id: str, partitions: Sequence[Partition] | None = None, *, read_committed: bool = False
) -> dict[Partition, int]:
    """What the group has committed, for these partitions or for all; a partition without a commit is left out."""
    from kafkapy_wire.messages.offset_fetch import (
        OffsetFetchRequest,
        OffsetFetchRequestGroup,
        OffsetFetchRequestTopic,
        OffsetFetchRequestTopics,
        OffsetFetchResponse,
    )

    wanted = None if partitions is None else indexes_by_topic(partitions).items()

    def attempt() -> dict[Partition, int]:
        coordinator = cluster.coordinator(group_id)
        request = OffsetFetchRequest()
        request.require_stable = read_committed and coordinator.supports(ApiKey.OFFSET_FETCH, _FIRST_REQUIRE_STABLE)
        is_old = not coordinator.supports(ApiKey.OFFSET_FETCH, _FIRST_OFFSET_FETCH_OF_GROUPS)
        if is_old:
            request.group_id = group_id
            request.topics = None
            if wanted is not None:
                request.topics = [OffsetFetchRequestTopic(name=name, partition_indexes=each) for name, each in wanted]
        else:
            topics = None
            if wanted is not None:
                topics = [OffsetFetchRequestTopics(name=name, partition_indexes=each) for name, each in wanted]
            request.groups = [OffsetFetchRequestGroup(group_id=group_id, topics=topics)]
        answer = cluster.ask_once(coordinator, request, OffsetFetchResponse, version_max=OFFSET_VERSION_WITH_NAMES_MAX)
        group = answer if is_old else answer.groups[0]
        check(group.error_code, f"group {group_id!r}")
        found = {}
        for topic in group.topics:
            for partition in topic.partitions:
                check(partition.error_code, f"partition {topic.name}-{partition.partition_index}")
                if partition.committed_offset >= 0:
                    found[topic.name, partition.partition_index] = partition.committed_offset
        return found

    return cluster.retrying(attempt)


def commit_offsets(cluster: Cluster, group_id: str, offsets: Mapping[Partition, int]) -> None:
    """Commit as an administrator: only while the group has no members. Raises Refused."""
    from kafkapy_wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse

    request = OffsetCommitRequest(group_id=group_id, topics=offset_commit_topics(offsets))

    def attempt() -> None:
        answer = cluster.ask_once(
            cluster.coordinator(group_id), request, OffsetCommitResponse, version_max=OFFSET_VERSION_WITH_NAMES_MAX
        )
        for topic in answer.topics:
            for partition in topic.partitions:
                try:
                    check(partition.error_code, f"group {group_id!r}")
                except TryAgain as error:
                    # A rebalance means members: they will not go away by our trying again.
                    if partition.error_code == ErrorCode.REBALANCE_IN_PROGRESS:
                        raise Refused(ErrorCode.REBALANCE_IN_PROGRESS, str(error)) from None
                    raise

    cluster.retrying(attempt)


def delete_offsets(cluster: Cluster, group_id: str, partitions: Sequence[Partition]) -> None:
    """Raises Refused: a member reads the topic, or the group does not exist."""
    from kafkapy_wire.messages.offset_delete import (
        OffsetDeleteRequest,
        OffsetDeleteRequestPartition,
        OffsetDeleteRequestTopic,
        OffsetDeleteResponse,
    )

    topics = [
        OffsetDeleteRequestTopic(
            name=topic, partitions=[OffsetDeleteRequestPartition(partition_index=index) for index in indexes]
        )
        for topic, indexes in indexes_by_topic(partitions).items()
    ]

    def attempt() -> None:
        request = OffsetDeleteRequest(group_id=group_id, topics=topics)
        answer = cluster.ask_once(cluster.coordinator(group_id), request, OffsetDeleteResponse)
        check(answer.error_code, f"group {group_id!r}")
        for topic in answer.topics:
            for partition in topic.partitions:
                check(partition.error_code, f"partition {topic.name}-{partition.partition_index}")

    cluster.retrying(attempt)


def offset_commit_topics(offsets: Mapping[Partition, int]) -> list[OffsetCommitRequestTopic]:
    """The body of an OffsetCommit."""
    from kafkapy_wire.messages.offset_commit import OffsetCommitRequestPartition, OffsetCommitRequestTopic

    return [
        OffsetCommitRequestTopic(
            name=topic,
            partitions=[
                OffsetCommitRequestPartition(partition_index=index, committed_offset=offsets[topic, index])
                for index in indexes
            ],
        )
        for topic, indexes in indexes_by_topic(list(offsets)).items()
    ]
