"""EndQuorumEpoch (API key 54): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ReplicaInfo(Struct):
    """A struct of EndQuorumEpochRequest."""

    candidate_id: int = field("int32", "1+", default=0, entity="brokerId")
    candidate_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID)


class EndQuorumEpochRequestPartitionData(Struct):
    """A struct of EndQuorumEpochRequest."""

    partition_index: int = field("int32", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)
    preferred_successors: list[int] = field(["int32"], "0", factory=list, ignorable=True)
    preferred_candidates: list[ReplicaInfo] = field([ReplicaInfo], "1+", factory=list, ignorable=True)


class EndQuorumEpochRequestTopicData(Struct):
    """A struct of EndQuorumEpochRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[EndQuorumEpochRequestPartitionData] = field(
        [EndQuorumEpochRequestPartitionData], "0+", factory=list
    )


class LeaderEndpoint(Struct):
    """A struct of EndQuorumEpochRequest."""

    name: str = field("string", "1+", default="", map_key=True)
    host: str = field("string", "1+", default="")
    port: int = field("uint16", "1+", default=0)


class EndQuorumEpochRequest(Message, api_key=54, kind="request", versions="0-1", flexible="1+", listeners="controller"):
    """Versions 0-1; 1+ flexible."""

    cluster_id: str | None = field("string", "0+", default=None, nullable="0+")
    topics: list[EndQuorumEpochRequestTopicData] = field([EndQuorumEpochRequestTopicData], "0+", factory=list)
    leader_endpoints: list[LeaderEndpoint] = field([LeaderEndpoint], "1+", factory=list, ignorable=True)


class EndQuorumEpochResponsePartitionData(Struct):
    """A struct of EndQuorumEpochResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)


class EndQuorumEpochResponseTopicData(Struct):
    """A struct of EndQuorumEpochResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[EndQuorumEpochResponsePartitionData] = field(
        [EndQuorumEpochResponsePartitionData], "0+", factory=list
    )


class NodeEndpoint(Struct):
    """A struct of EndQuorumEpochResponse."""

    node_id: int = field("int32", "1+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "1+", default="")
    port: int = field("uint16", "1+", default=0)


class EndQuorumEpochResponse(Message, api_key=54, kind="response", versions="0-1", flexible="1+"):
    """Versions 0-1; 1+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    topics: list[EndQuorumEpochResponseTopicData] = field([EndQuorumEpochResponseTopicData], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "1+", factory=list, tag=0, tagged="1+")
