"""DeleteRecords (API key 21): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DeleteRecordsPartition(Struct):
    """A struct of DeleteRecordsRequest."""

    partition_index: int = field("int32", "0+", default=0)
    offset: int = field("int64", "0+", default=0)


class DeleteRecordsTopic(Struct):
    """A struct of DeleteRecordsRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[DeleteRecordsPartition] = field([DeleteRecordsPartition], "0+", factory=list)


class DeleteRecordsRequest(Message, api_key=21, kind="request", versions="0-2", flexible="2+", listeners="broker"):
    """Versions 0-2; 2+ flexible."""

    topics: list[DeleteRecordsTopic] = field([DeleteRecordsTopic], "0+", factory=list)
    timeout_ms: int = field("int32", "0+", default=0)


class DeleteRecordsPartitionResult(Struct):
    """A struct of DeleteRecordsResponse."""

    partition_index: int = field("int32", "0+", default=0, map_key=True)
    low_watermark: int = field("int64", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)


class DeleteRecordsTopicResult(Struct):
    """A struct of DeleteRecordsResponse."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[DeleteRecordsPartitionResult] = field([DeleteRecordsPartitionResult], "0+", factory=list)


class DeleteRecordsResponse(Message, api_key=21, kind="response", versions="0-2", flexible="2+"):
    """Versions 0-2; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    topics: list[DeleteRecordsTopicResult] = field([DeleteRecordsTopicResult], "0+", factory=list)
