"""DescribeQuorum (API key 55): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class DescribeQuorumRequestPartitionData(Struct):
    """A struct of DescribeQuorumRequest."""

    partition_index: int = field("int32", "0+", default=0)


class DescribeQuorumRequestTopicData(Struct):
    """A struct of DescribeQuorumRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[DescribeQuorumRequestPartitionData] = field(
        [DescribeQuorumRequestPartitionData], "0+", factory=list
    )


class DescribeQuorumRequest(
    Message, api_key=55, kind="request", versions="0-2", flexible="0+", listeners="broker controller"
):
    """Versions 0-2; 0+ flexible."""

    topics: list[DescribeQuorumRequestTopicData] = field([DescribeQuorumRequestTopicData], "0+", factory=list)


class ReplicaState(Struct):
    """A struct of DescribeQuorumResponse."""

    replica_id: int = field("int32", "0+", default=0, entity="brokerId")
    replica_directory_id: Uuid = field("uuid", "2+", default=ZERO_UUID)
    log_end_offset: int = field("int64", "0+", default=0)
    last_fetch_timestamp: int = field("int64", "1+", default=-1, ignorable=True)
    last_caught_up_timestamp: int = field("int64", "1+", default=-1, ignorable=True)


class DescribeQuorumResponsePartitionData(Struct):
    """A struct of DescribeQuorumResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "2+", default="", nullable="2+", ignorable=True)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)
    high_watermark: int = field("int64", "0+", default=0)
    current_voters: list[ReplicaState] = field([ReplicaState], "0+", factory=list)
    observers: list[ReplicaState] = field([ReplicaState], "0+", factory=list)


class DescribeQuorumResponseTopicData(Struct):
    """A struct of DescribeQuorumResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[DescribeQuorumResponsePartitionData] = field(
        [DescribeQuorumResponsePartitionData], "0+", factory=list
    )


class Listener(Struct):
    """A struct of DescribeQuorumResponse."""

    name: str = field("string", "2+", default="", map_key=True)
    host: str = field("string", "2+", default="")
    port: int = field("uint16", "2+", default=0)


class Node(Struct):
    """A struct of DescribeQuorumResponse."""

    node_id: int = field("int32", "2+", default=0, entity="brokerId", map_key=True)
    listeners: list[Listener] = field([Listener], "2+", factory=list)


class DescribeQuorumResponse(Message, api_key=55, kind="response", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "2+", default="", nullable="2+", ignorable=True)
    topics: list[DescribeQuorumResponseTopicData] = field([DescribeQuorumResponseTopicData], "0+", factory=list)
    nodes: list[Node] = field([Node], "2+", factory=list)
