"""Groups as their coordinators know them, and what is committed in their names.

Every broker is asked for what it coordinates. Nobody asks FindCoordinator: that would make `__consumer_offsets`, and
looking changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, check
from kafkapy.control.values import Group, Member
from kafkapy_wire.consumer_protocol import decode_assignment
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.control.values import TopicPartition
    from kafkapy.node import Node
    from kafkapy_wire.messages.describe_groups import DescribedGroupMember
    from kafkapy_wire.messages.offset_fetch import OffsetFetchResponseTopics

GROUP_KEY_TYPE = 0
CONSUMER_TYPE = "consumer"
SHARE_TYPE = "share"
STREAMS_TYPE = "streams"
NO_OFFSET = -1
TIMEOUT_SECONDS = 10
NOT_COORDINATED_YET = (
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
)
SIMPLE_CONSUMER = -1
"""The generation of a commit by somebody who is no member: taken while the group is empty."""


async def list_groups(nodes: ControlledNodes) -> list[str]:
    """The ids of all groups, in order. Raises LookupError: no broker is running."""
    return sorted([group_id for node in nodes.asked_brokers() for group_id in await _listed(nodes, node)])


async def describe_group(nodes: ControlledNodes, group_id: str) -> Group:
    """A group, its members, its offsets and its lag. Raises LookupError: there is no such group."""
    for node in nodes.asked_brokers():
        group_type = (await _listed(nodes, node)).get(group_id)
        if group_type is not None:
            return await _describe(nodes, node, group_id, group_type)
    raise LookupError(f"there is no group {group_id!r}")


class NewCommit(NamedTuple):
    """What is to be committed for a partition."""

    offset: int
    metadata: str = ""


async def commit_offsets(nodes: ControlledNodes, group_id: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Commit offsets in the name of a group, which has no members now. The group is made if there is none.

    Raises KafkaError: UNKNOWN_MEMBER_ID, it has members; UNKNOWN_TOPIC_OR_PARTITION.
    """
    await commit(nodes, group_id, {where: NewCommit(offset) for where, offset in offsets.items()})


async def commit(nodes: ControlledNodes, group_id: str, commits: Mapping[TopicPartition, NewCommit]) -> None:
    """As `commit_offsets`."""
    topics: dict[str, OffsetCommitRequestTopic] = {}
    for (topic, index), committed in commits.items():
        wanted = topics.get(topic)
        if wanted is None:
            topic_id = nodes.topic(topic).topic_id
            wanted = topics[topic] = OffsetCommitRequestTopic(name=topic, topic_id=topic_id, partitions=[])
        wanted.partitions.append(
            OffsetCommitRequestPartition(
                partition_index=index, committed_offset=committed.offset, committed_metadata=committed.metadata
            )
        )
    request = OffsetCommitRequest(
        group_id=group_id, generation_id_or_member_epoch=SIMPLE_CONSUMER, topics=list(topics.values())
    )

    async def ask(coordinator: Node) -> None:
        answer = await nodes.ask(coordinator, request, OffsetCommitResponse)
        for answered in answer.topics:
            for partition in answered.partitions:
                check(partition.error_code)

    await _by_coordinator(nodes, group_id, ask)


async def read_commits(nodes: ControlledNodes, group_id: str) -> dict[TopicPartition, NewCommit]:
    """What a group has committed; nothing, if there is no such group, or its members share (KIP-932)."""
    for node in nodes.brokers:
        group_type = (await _listed(nodes, node)).get(group_id)
        if group_type is not None:
            return {} if group_type.lower() == SHARE_TYPE else await _committed(nodes, node, group_id)
    return {}


async def delete_group(nodes: ControlledNodes, group_id: str) -> None:
    """Delete a group with its offsets. Raises KafkaError: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND."""

    async def delete(coordinator: Node) -> None:
        answer = await nodes.ask(coordinator, DeleteGroupsRequest(groups_names=[group_id]), DeleteGroupsResponse)
        check(answer.results[0].error_code, answer.results[0].error_message)

    await _by_coordinator(nodes, group_id, delete)


async def _by_coordinator(nodes: ControlledNodes, group_id: str, change: Callable[[Node], Awaitable[None]]) -> None:
    """As a client does, try again while the group has no coordinator, or a new one. Raises KafkaError."""
    refusal = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    with trio.move_on_after(TIMEOUT_SECONDS):
        while True:
            try:
                await change(await _coordinator(nodes, group_id))
                return
            except KafkaError as error:
                if error.code not in NOT_COORDINATED_YET:
                    raise
                refusal = error
            await trio.sleep(LOOK_AGAIN_SECONDS)
    raise refusal


async def _coordinator(nodes: ControlledNodes, group_id: str) -> Node:
    """The broker that coordinates a group; makes `__consumer_offsets` if it is not there. Raises KafkaError;
    LookupError: no broker is running.
    """
    request = FindCoordinatorRequest(key_type=GROUP_KEY_TYPE, coordinator_keys=[group_id])
    answer = await nodes.ask(nodes.asked_brokers()[0], request, FindCoordinatorResponse)
    found = answer.coordinators[0]
    check(found.error_code, found.error_message)
    try:
        return nodes.broker(found.node_id)
    except LookupError as error:  # it was killed a moment ago
        raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, str(error)) from None


async def _listed(nodes: ControlledNodes, node: Node) -> dict[str, str]:
    """Id and type of the groups that a broker coordinates; none while it loads them."""
    answer = await nodes.ask(node, ListGroupsRequest(), ListGroupsResponse)
    if answer.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
        return {}
    check(answer.error_code)
    return {group.group_id: group.group_type for group in answer.groups}


async def _describe(nodes: ControlledNodes, node: Node, group_id: str, group_type: str) -> Group:
    if group_type.lower() == SHARE_TYPE:
        return await _describe_share(nodes, node, group_id)
    ask_members = {CONSUMER_TYPE: _consumer_members, STREAMS_TYPE: _streams_members}.get(
        group_type.lower(), _classic_members
    )
    state, protocol, members, subscribes = await ask_members(nodes, node, group_id)
    offsets = {where: each.offset for where, each in (await _committed(nodes, node, group_id)).items()}
    wanted = {*offsets, *(partition for member in members for partition in member.partitions)}
    if subscribes:  # what no member has now, one will have
        wanted |= _all_partitions(nodes, {topic for topic, _ in wanted})
    return Group(
        group_id=group_id,
        group_type=group_type.lower(),
        state=state,
        protocol=protocol,
        coordinator=node.node_id,
        members=members,
        offsets=offsets,
        lag=_lag(nodes, offsets, wanted),
    )


async def _classic_members(
    nodes: ControlledNodes, node: Node, group_id: str
) -> tuple[str, str, tuple[Member, ...], bool]:
    """State, protocol, members, and whether these subscribe. Raises LookupError, KafkaError."""
    described = (await nodes.ask(node, DescribeGroupsRequest(groups=[group_id]), DescribeGroupsResponse)).groups[0]
    _check_described(group_id, described.error_code, described.error_message)
    members = tuple(_member(member) for member in described.members)
    return described.group_state, described.protocol_data, members, described.protocol_type == CONSUMER_TYPE


async def _consumer_members(
    nodes: ControlledNodes, node: Node, group_id: str
) -> tuple[str, str, tuple[Member, ...], bool]:
    """State, assignor and members of a group of KIP-848, which subscribe. Raises LookupError, KafkaError."""
    from kafkapy_wire.messages.consumer_group_describe import (
        ConsumerGroupDescribeRequest,
        ConsumerGroupDescribeResponse,
    )

    request = ConsumerGroupDescribeRequest(group_ids=[group_id])
    described = (await nodes.ask(node, request, ConsumerGroupDescribeResponse)).groups[0]
    _check_described(group_id, described.error_code, described.error_message)
    members = tuple(
        Member(
            member_id=member.member_id,
            instance_id=member.instance_id,
            client_id=member.client_id,
            host=member.client_host,
            partitions=tuple(
                (topic.topic_name, index) for topic in member.assignment.topic_partitions for index in topic.partitions
            ),
        )
        for member in described.members
    )
    return described.group_state, described.assignor_name, members, True


async def _streams_members(
    nodes: ControlledNodes, node: Node, group_id: str
) -> tuple[str, str, tuple[Member, ...], bool]:
    """State, assignor and members of a group of KIP-1071, with what their active tasks read."""
    from kafkapy.control.streams_group_members import describe_streams_group, members_of_streams_group

    described = await describe_streams_group(nodes, node, group_id)
    _check_described(group_id, described.error_code, described.error_message)
    return described.group_state, described.assignor_name or "", members_of_streams_group(nodes, described), True


async def _describe_share(nodes: ControlledNodes, node: Node, group_id: str) -> Group:
    """Raises LookupError, KafkaError."""
    from kafkapy.control.groups_that_share import describe_share_group, how_far, members_of_share_group

    described = await describe_share_group(nodes, node, group_id)
    _check_described(group_id, described.error_code, described.error_message)
    shared = await how_far(nodes, node, group_id)
    return Group(
        group_id=group_id,
        group_type=SHARE_TYPE,
        state=described.group_state,
        protocol=described.assignor_name,
        coordinator=node.node_id,
        members=members_of_share_group(described),
        offsets=shared.offsets,
        lag=shared.lag,
    )


def _all_partitions(nodes: ControlledNodes, topics: Iterable[str]) -> set[TopicPartition]:
    known = nodes.image.topics
    return {(topic, index) for topic in topics if topic in known for index in range(len(known[topic].partitions))}


def _check_described(group_id: str, error_code: int, message: str | None) -> None:
    if error_code == ErrorCode.GROUP_ID_NOT_FOUND:
        raise LookupError(f"there is no group {group_id!r}")
    check(error_code, message)


async def _committed(nodes: ControlledNodes, node: Node, group_id: str) -> dict[TopicPartition, NewCommit]:
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group_id, member_epoch=-1, topics=None)])
    fetched = (await nodes.ask(node, request, OffsetFetchResponse)).groups[0]
    check(fetched.error_code)
    return {
        (_name(nodes, topic), partition.partition_index): NewCommit(
            partition.committed_offset, partition.metadata or ""
        )
        for topic in fetched.topics
        for partition in topic.partitions
    }


def _name(nodes: ControlledNodes, topic: OffsetFetchResponseTopics) -> str:
    known = nodes.image.topics_by_id.get(topic.topic_id)
    return topic.name if known is None else known.name


def _member(member: DescribedGroupMember) -> Member:
    try:
        partitions = tuple(decode_assignment(member.member_assignment))
    except MalformedMessage:  # none yet, or its assignor has a format of its own
        partitions = ()
    return Member(
        member_id=member.member_id,
        instance_id=member.group_instance_id,
        client_id=member.client_id,
        host=member.client_host,
        partitions=partitions,
    )


def _lag(
    nodes: ControlledNodes, offsets: Mapping[TopicPartition, int], wanted: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """For partitions with a leader; from the log's start where nothing is committed."""
    lag = {}
    for topic, index in wanted:
        try:
            led = nodes.leader(topic, index)
        except (LookupError, KafkaError):
            continue
        start = offsets.get((topic, index), NO_OFFSET)
        lag[topic, index] = max(0, led.high_watermark - max(start, led.log.log_start_offset))
    return lag
