"""Vote (API key 52): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class VoteRequestPartitionData(Struct):
    """A struct of VoteRequest."""

    partition_index: int = field("int32", "0+", default=0)
    replica_epoch: int = field("int32", "0+", default=0)
    replica_id: int = field("int32", "0+", default=0, entity="brokerId")
    replica_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID, ignorable=True)
    voter_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID, ignorable=True)
    last_offset_epoch: int = field("int32", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    pre_vote: bool = field("bool", "2+", default=False)


class VoteRequestTopicData(Struct):
    """A struct of VoteRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[VoteRequestPartitionData] = field([VoteRequestPartitionData], "0+", factory=list)


class VoteRequest(Message, api_key=52, kind="request", versions="0-2", flexible="0+", listeners="controller"):
    """Versions 0-2; 0+ flexible."""

    cluster_id: str | None = field("string", "0+", default=None, nullable="0+")
    voter_id: int = field("int32", "1+", default=-1, ignorable=True, entity="brokerId")
    topics: list[VoteRequestTopicData] = field([VoteRequestTopicData], "0+", factory=list)


class VoteResponsePartitionData(Struct):
    """A struct of VoteResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)
    vote_granted: bool = field("bool", "0+", default=False)


class VoteResponseTopicData(Struct):
    """A struct of VoteResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[VoteResponsePartitionData] = field([VoteResponsePartitionData], "0+", factory=list)


class NodeEndpoint(Struct):
    """A struct of VoteResponse."""

    node_id: int = field("int32", "1+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "1+", default="")
    port: int = field("uint16", "1+", default=0)


class VoteResponse(Message, api_key=52, kind="response", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    topics: list[VoteResponseTopicData] = field([VoteResponseTopicData], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "1+", factory=list, tag=0, tagged="1+")
