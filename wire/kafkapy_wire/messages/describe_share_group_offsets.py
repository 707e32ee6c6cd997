"""DescribeShareGroupOffsets (API key 90): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class DescribeShareGroupOffsetsRequestTopic(Struct):
    """A struct of DescribeShareGroupOffsetsRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class DescribeShareGroupOffsetsRequestGroup(Struct):
    """A struct of DescribeShareGroupOffsetsRequest."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    topics: list[DescribeShareGroupOffsetsRequestTopic] | None = field(
        [DescribeShareGroupOffsetsRequestTopic], "0+", factory=list, nullable="0+"
    )


class DescribeShareGroupOffsetsRequest(
    Message, api_key=90, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    groups: list[DescribeShareGroupOffsetsRequestGroup] = field(
        [DescribeShareGroupOffsetsRequestGroup], "0+", factory=list
    )


class DescribeShareGroupOffsetsResponsePartition(Struct):
    """A struct of DescribeShareGroupOffsetsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)
    lag: int = field("int64", "1+", default=-1, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class DescribeShareGroupOffsetsResponseTopic(Struct):
    """A struct of DescribeShareGroupOffsetsResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[DescribeShareGroupOffsetsResponsePartition] = field(
        [DescribeShareGroupOffsetsResponsePartition], "0+", factory=list
    )


class DescribeShareGroupOffsetsResponseGroup(Struct):
    """A struct of DescribeShareGroupOffsetsResponse."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    topics: list[DescribeShareGroupOffsetsResponseTopic] = field(
        [DescribeShareGroupOffsetsResponseTopic], "0+", factory=list
    )
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class DescribeShareGroupOffsetsResponse(Message, api_key=90, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    groups: list[DescribeShareGroupOffsetsResponseGroup] = field(
        [DescribeShareGroupOffsetsResponseGroup], "0+", factory=list
    )
