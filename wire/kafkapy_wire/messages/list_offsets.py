"""ListOffsets (API key 2): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ListOffsetsPartition(Struct):
    """A struct of ListOffsetsRequest."""

    partition_index: int = field("int32", "0+", default=0)
    current_leader_epoch: int = field("int32", "4+", default=-1, ignorable=True)
    timestamp: int = field("int64", "0+", default=0)


class ListOffsetsTopic(Struct):
    """A struct of ListOffsetsRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[ListOffsetsPartition] = field([ListOffsetsPartition], "0+", factory=list)


class ListOffsetsRequest(Message, api_key=2, kind="request", versions="1-11", flexible="6+", listeners="broker"):
    """Versions 1-11; 6+ flexible."""

    replica_id: int = field("int32", "0+", default=0, entity="brokerId")
    isolation_level: int = field("int8", "2+", default=0)
    topics: list[ListOffsetsTopic] = field([ListOffsetsTopic], "0+", factory=list)
    timeout_ms: int = field("int32", "10+", default=0, ignorable=True)


class ListOffsetsPartitionResponse(Struct):
    """A struct of ListOffsetsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    timestamp: int = field("int64", "1+", default=-1)
    offset: int = field("int64", "1+", default=-1)
    leader_epoch: int = field("int32", "4+", default=-1)


class ListOffsetsTopicResponse(Struct):
    """A struct of ListOffsetsResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[ListOffsetsPartitionResponse] = field([ListOffsetsPartitionResponse], "0+", factory=list)


class ListOffsetsResponse(Message, api_key=2, kind="response", versions="1-11", flexible="6+"):
    """Versions 1-11; 6+ flexible."""

    throttle_time_ms: int = field("int32", "2+", default=0, ignorable=True)
    topics: list[ListOffsetsTopicResponse] = field([ListOffsetsTopicResponse], "0+", factory=list)
