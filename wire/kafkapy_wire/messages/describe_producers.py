"""DescribeProducers (API key 61): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class TopicRequest(Struct):
    """A struct of DescribeProducersRequest."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partition_indexes: list[int] = field(["int32"], "0+", factory=list)


class DescribeProducersRequest(Message, api_key=61, kind="request", versions="0", flexible="0+", listeners="broker"):
    """Version 0; 0+ flexible."""

    topics: list[TopicRequest] = field([TopicRequest], "0+", factory=list)


class ProducerState(Struct):
    """A struct of DescribeProducersResponse."""

    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    producer_epoch: int = field("int32", "0+", default=0)
    last_sequence: int = field("int32", "0+", default=-1)
    last_timestamp: int = field("int64", "0+", default=-1)
    coordinator_epoch: int = field("int32", "0+", default=0)
    current_txn_start_offset: int = field("int64", "0+", default=-1)


class PartitionResponse(Struct):
    """A struct of DescribeProducersResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    active_producers: list[ProducerState] = field([ProducerState], "0+", factory=list)


class TopicResponse(Struct):
    """A struct of DescribeProducersResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[PartitionResponse] = field([PartitionResponse], "0+", factory=list)


class DescribeProducersResponse(Message, api_key=61, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    topics: list[TopicResponse] = field([TopicResponse], "0+", factory=list)
