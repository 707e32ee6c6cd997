"""ShareAcknowledge (API key 79): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class AcknowledgementBatch(Struct):
    """A struct of ShareAcknowledgeRequest."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    acknowledge_types: list[int] = field(["int8"], "0+", factory=list)


class AcknowledgePartition(Struct):
    """A struct of ShareAcknowledgeRequest."""

    partition_index: int = field("int32", "0+", default=0, map_key=True)
    acknowledgement_batches: list[AcknowledgementBatch] = field([AcknowledgementBatch], "0+", factory=list)


class AcknowledgeTopic(Struct):
    """A struct of ShareAcknowledgeRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID, map_key=True)
    partitions: list[AcknowledgePartition] = field([AcknowledgePartition], "0+", factory=list)


class ShareAcknowledgeRequest(Message, api_key=79, kind="request", versions="1-2", flexible="0+", listeners="broker"):
    """Versions 1-2; 0+ flexible."""

    group_id: str | None = field("string", "0+", default=None, nullable="0+", entity="groupId")
    member_id: str | None = field("string", "0+", default="", nullable="0+")
    share_session_epoch: int = field("int32", "0+", default=0)
    is_renew_ack: bool = field("bool", "2+", default=False)
    topics: list[AcknowledgeTopic] = field([AcknowledgeTopic], "0+", factory=list)


class LeaderIdAndEpoch(Struct):
    """A struct of ShareAcknowledgeResponse."""

    leader_id: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)


class PartitionData(Struct):
    """A struct of ShareAcknowledgeResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+", factory=LeaderIdAndEpoch)


class ShareAcknowledgeTopicResponse(Struct):
    """A struct of ShareAcknowledgeResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID, map_key=True)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class NodeEndpoint(Struct):
    """A struct of ShareAcknowledgeResponse."""

    node_id: int = field("int32", "0+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("int32", "0+", default=0)
    rack: str | None = field("string", "0+", default=None, nullable="0+")


class ShareAcknowledgeResponse(Message, api_key=79, kind="response", versions="1-2", flexible="0+"):
    """Versions 1-2; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    acquisition_lock_timeout_ms: int = field("int32", "2+", default=0, ignorable=True)
    responses: list[ShareAcknowledgeTopicResponse] = field([ShareAcknowledgeTopicResponse], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "0+", factory=list)
