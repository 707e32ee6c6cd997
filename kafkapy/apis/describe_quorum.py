"""DescribeQuorum (API key 55), versions 0-2: the leader of the controllers, and the log end offset of each (KIP-595).

v1 when each replica last fetched and last caught up (KIP-836)   v2 directory ids, endpoints, error messages (KIP-853)

Errors  UNKNOWN_TOPIC_OR_PARTITION  a partition other than `__cluster_metadata-0`
        NOT_LEADER_OR_FOLLOWER      the controller of this node is stopping
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import Turn
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    Node,
    ReplicaState,
)
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import NodeContext
    from kafkapy_controller.raft.description import QuorumDescription, ReplicaProgress

FIRST_VERSION_WITH_DIRECTORIES = 2

MESSAGES = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: "This server does not host this topic-partition.",
    ErrorCode.NOT_LEADER_OR_FOLLOWER: "The controller of this node does not lead.",
}


async def handle(request: DescribeQuorumRequest, context: NodeContext) -> DescribeQuorumResponse:
    turn = Turn()
    response = DescribeQuorumResponse()
    is_about_metadata = False
    for topic in request.topics:
        partitions = []
        for partition in topic.partitions:
            partitions.append(_refused(partition.partition_index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            await turn.share()
        response.topics.append(DescribeQuorumResponseTopicData(topic_name=topic.topic_name, partitions=partitions))
        is_about_metadata = topic.topic_name == CLUSTER_METADATA_TOPIC
        is_about_metadata = is_about_metadata and [one.partition_index for one in partitions] == [0]
        await turn.share()
    if len(request.topics) != 1 or not is_about_metadata:
        return response
    quorum = context.node.controller.describe_quorum()
    has_directories = context.api_version >= FIRST_VERSION_WITH_DIRECTORIES
    if quorum is None:
        described = _refused(0, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    else:
        described = _partition(quorum, has_directories=has_directories)
    return DescribeQuorumResponse(
        topics=[DescribeQuorumResponseTopicData(topic_name=CLUSTER_METADATA_TOPIC, partitions=[described])],
        nodes=_nodes(quorum) if has_directories and quorum is not None else [],
    )


def _refused(index: int, code: ErrorCode) -> DescribeQuorumResponsePartitionData:
    return DescribeQuorumResponsePartitionData(partition_index=index, error_code=code, error_message=MESSAGES[code])


def _partition(quorum: QuorumDescription, *, has_directories: bool) -> DescribeQuorumResponsePartitionData:
    return DescribeQuorumResponsePartitionData(
        leader_id=quorum.leader_id,
        leader_epoch=quorum.epoch,
        high_watermark=quorum.high_watermark,
        current_voters=_states(quorum.voters, has_directories=has_directories),
        observers=_states(quorum.observers, has_directories=has_directories),
    )


def _states(replicas: Iterable[ReplicaProgress], *, has_directories: bool) -> list[ReplicaState]:
    return [
        ReplicaState(
            replica_id=replica.node_id,
            replica_directory_id=replica.directory_id if has_directories else ZERO_UUID,
            log_end_offset=replica.log_end_offset,
            last_fetch_timestamp=replica.last_fetch_ms,
            last_caught_up_timestamp=replica.last_caught_up_ms,
        )
        for replica in replicas
    ]


def _nodes(quorum: QuorumDescription) -> list[Node]:
    return [
        Node(
            node_id=voter.node_id,
            listeners=[Listener(name=each.name, host=each.host, port=each.port) for each in voter.endpoints],
        )
        for voter in quorum.endpoints
    ]
