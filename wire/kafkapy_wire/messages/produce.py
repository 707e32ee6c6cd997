"""Produce (API key 0): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, RecordBytes, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class PartitionProduceData(Struct):
    """A struct of ProduceRequest."""

    index: int = field("int32", "0+", default=0)
    records: RecordBytes | None = field("records", "0+", default=None, nullable="0+")


class TopicProduceData(Struct):
    """A struct of ProduceRequest."""

    name: str = field("string", "0-12", default="", ignorable=True, entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "13+", default=ZERO_UUID, ignorable=True, map_key=True)
    partition_data: list[PartitionProduceData] = field([PartitionProduceData], "0+", factory=list)


class ProduceRequest(Message, api_key=0, kind="request", versions="3-13", flexible="9+", listeners="broker"):
    """Versions 3-13; 9+ flexible."""

    transactional_id: str | None = field("string", "3+", default=None, nullable="3+", entity="transactionalId")
    acks: int = field("int16", "0+", default=0)
    timeout_ms: int = field("int32", "0+", default=0)
    topic_data: list[TopicProduceData] = field([TopicProduceData], "0+", factory=list)


class BatchIndexAndErrorMessage(Struct):
    """A struct of ProduceResponse."""

    batch_index: int = field("int32", "8+", default=0)
    batch_index_error_message: str | None = field("string", "8+", default=None, nullable="8+")


class LeaderIdAndEpoch(Struct):
    """A struct of ProduceResponse."""

    leader_id: int = field("int32", "10+", default=-1, entity="brokerId")
    leader_epoch: int = field("int32", "10+", default=-1)


class PartitionProduceResponse(Struct):
    """A struct of ProduceResponse."""

    index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    base_offset: int = field("int64", "0+", default=0)
    log_append_time_ms: int = field("int64", "2+", default=-1, ignorable=True)
    log_start_offset: int = field("int64", "5+", default=-1, ignorable=True)
    record_errors: list[BatchIndexAndErrorMessage] = field(
        [BatchIndexAndErrorMessage], "8+", factory=list, ignorable=True
    )
    error_message: str | None = field("string", "8+", default=None, nullable="8+", ignorable=True)
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "10+", factory=LeaderIdAndEpoch, tag=0, tagged="10+")


class TopicProduceResponse(Struct):
    """A struct of ProduceResponse."""

    name: str = field("string", "0-12", default="", ignorable=True, entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "13+", default=ZERO_UUID, ignorable=True, map_key=True)
    partition_responses: list[PartitionProduceResponse] = field([PartitionProduceResponse], "0+", factory=list)


class NodeEndpoint(Struct):
    """A struct of ProduceResponse."""

    node_id: int = field("int32", "10+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "10+", default="")
    port: int = field("int32", "10+", default=0)
    rack: str | None = field("string", "10+", default=None, nullable="10+")


class ProduceResponse(Message, api_key=0, kind="response", versions="3-13", flexible="9+"):
    """Versions 3-13; 9+ flexible."""

    responses: list[TopicProduceResponse] = field([TopicProduceResponse], "0+", factory=list)
    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "10+", factory=list, tag=0, tagged="10+")
