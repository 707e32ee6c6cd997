"""BeginQuorumEpoch (API key 53): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class BeginQuorumEpochRequestPartitionData(Struct):
    """A struct of BeginQuorumEpochRequest."""

    partition_index: int = field("int32", "0+", default=0)
    voter_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID, ignorable=True)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)


class BeginQuorumEpochRequestTopicData(Struct):
    """A struct of BeginQuorumEpochRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[BeginQuorumEpochRequestPartitionData] = field(
        [BeginQuorumEpochRequestPartitionData], "0+", factory=list
    )


class LeaderEndpoint(Struct):
    """A struct of BeginQuorumEpochRequest."""

    name: str = field("string", "1+", default="", map_key=True)
    host: str = field("string", "1+", default="")
    port: int = field("uint16", "1+", default=0)


class BeginQuorumEpochRequest(
    Message, api_key=53, kind="request", versions="0-1", flexible="1+", listeners="controller"
):
    """Versions 0-1; 1+ flexible."""

    cluster_id: str | None = field("string", "0+", default=None, nullable="0+")
    voter_id: int = field("int32", "1+", default=-1, ignorable=True, entity="brokerId")
    topics: list[BeginQuorumEpochRequestTopicData] = field([BeginQuorumEpochRequestTopicData], "0+", factory=list)
    leader_endpoints: list[LeaderEndpoint] = field([LeaderEndpoint], "1+", factory=list, ignorable=True)


class BeginQuorumEpochResponsePartitionData(Struct):
    """A struct of BeginQuorumEpochResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)


class BeginQuorumEpochResponseTopicData(Struct):
    """A struct of BeginQuorumEpochResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[BeginQuorumEpochResponsePartitionData] = field(
        [BeginQuorumEpochResponsePartitionData], "0+", factory=list
    )


class NodeEndpoint(Struct):
    """A struct of BeginQuorumEpochResponse."""

    node_id: int = field("int32", "1+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "1+", default="")
    port: int = field("uint16", "1+", default=0)


class BeginQuorumEpochResponse(Message, api_key=53, kind="response", versions="0-1", flexible="1+"):
    """Versions 0-1; 1+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    topics: list[BeginQuorumEpochResponseTopicData] = field([BeginQuorumEpochResponseTopicData], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "1+", factory=list, tag=0, tagged="1+")
