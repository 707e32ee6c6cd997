"""AlterPartitionReassignments (API key 45): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ReassignablePartition(Struct):
    """A struct of AlterPartitionReassignmentsRequest."""

    partition_index: int = field("int32", "0+", default=0)
    replicas: list[int] | None = field(["int32"], "0+", default=None, nullable="0+", entity="brokerId")


class ReassignableTopic(Struct):
    """A struct of AlterPartitionReassignmentsRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[ReassignablePartition] = field([ReassignablePartition], "0+", factory=list)


class AlterPartitionReassignmentsRequest(
    Message, api_key=45, kind="request", versions="0-1", flexible="0+", listeners="broker controller"
):
    """Versions 0-1; 0+ flexible."""

    timeout_ms: int = field("int32", "0+", default=60000)
    allow_replication_factor_change: bool = field("bool", "1+", default=True)
    topics: list[ReassignableTopic] = field([ReassignableTopic], "0+", factory=list)


class ReassignablePartitionResponse(Struct):
    """A struct of AlterPartitionReassignmentsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")


class ReassignableTopicResponse(Struct):
    """A struct of AlterPartitionReassignmentsResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[ReassignablePartitionResponse] = field([ReassignablePartitionResponse], "0+", factory=list)


class AlterPartitionReassignmentsResponse(Message, api_key=45, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    allow_replication_factor_change: bool = field("bool", "1+", default=True, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    responses: list[ReassignableTopicResponse] = field([ReassignableTopicResponse], "0+", factory=list)
