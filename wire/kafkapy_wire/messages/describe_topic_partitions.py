"""DescribeTopicPartitions (API key 75): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class TopicRequest(Struct):
    """A struct of DescribeTopicPartitionsRequest."""

    name: str = field("string", "0+", default="", entity="topicName")


class DescribeTopicPartitionsRequestCursor(Struct):
    """A struct of DescribeTopicPartitionsRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partition_index: int = field("int32", "0+", default=0)


class DescribeTopicPartitionsRequest(
    Message, api_key=75, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    topics: list[TopicRequest] = field([TopicRequest], "0+", factory=list)
    response_partition_limit: int = field("int32", "0+", default=2000)
    cursor: DescribeTopicPartitionsRequestCursor | None = field(
        DescribeTopicPartitionsRequestCursor, "0+", default=None, nullable="0+"
    )


class DescribeTopicPartitionsResponsePartition(Struct):
    """A struct of DescribeTopicPartitionsResponse."""

    error_code: int = field("int16", "0+", default=0)
    partition_index: int = field("int32", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=-1, ignorable=True)
    replica_nodes: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    isr_nodes: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    eligible_leader_replicas: list[int] | None = field(["int32"], "0+", default=None, nullable="0+", entity="brokerId")
    last_known_elr: list[int] | None = field(["int32"], "0+", default=None, nullable="0+", entity="brokerId")
    offline_replicas: list[int] = field(["int32"], "0+", factory=list, ignorable=True, entity="brokerId")


class DescribeTopicPartitionsResponseTopic(Struct):
    """A struct of DescribeTopicPartitionsResponse."""

    error_code: int = field("int16", "0+", default=0)
    name: str | None = field("string", "0+", default="", nullable="0+", entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID, ignorable=True)
    is_internal: bool = field("bool", "0+", default=False, ignorable=True)
    partitions: list[DescribeTopicPartitionsResponsePartition] = field(
        [DescribeTopicPartitionsResponsePartition], "0+", factory=list
    )
    topic_authorized_operations: int = field("int32", "0+", default=-2147483648)


class DescribeTopicPartitionsResponseCursor(Struct):
    """A struct of DescribeTopicPartitionsResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partition_index: int = field("int32", "0+", default=0)


class DescribeTopicPartitionsResponse(Message, api_key=75, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0, ignorable=True)
    topics: list[DescribeTopicPartitionsResponseTopic] = field(
        [DescribeTopicPartitionsResponseTopic], "0+", factory=list
    )
    next_cursor: DescribeTopicPartitionsResponseCursor | None = field(
        DescribeTopicPartitionsResponseCursor, "0+", default=None, nullable="0+"
    )
