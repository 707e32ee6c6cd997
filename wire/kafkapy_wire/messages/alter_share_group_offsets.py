"""AlterShareGroupOffsets (API key 91): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class AlterShareGroupOffsetsRequestPartition(Struct):
    """A struct of AlterShareGroupOffsetsRequest."""

    partition_index: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)


class AlterShareGroupOffsetsRequestTopic(Struct):
    """A struct of AlterShareGroupOffsetsRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[AlterShareGroupOffsetsRequestPartition] = field(
        [AlterShareGroupOffsetsRequestPartition], "0+", factory=list
    )


class AlterShareGroupOffsetsRequest(
    Message, api_key=91, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    topics: list[AlterShareGroupOffsetsRequestTopic] = field([AlterShareGroupOffsetsRequestTopic], "0+", factory=list)


class AlterShareGroupOffsetsResponsePartition(Struct):
    """A struct of AlterShareGroupOffsetsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class AlterShareGroupOffsetsResponseTopic(Struct):
    """A struct of AlterShareGroupOffsetsResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[AlterShareGroupOffsetsResponsePartition] = field(
        [AlterShareGroupOffsetsResponsePartition], "0+", factory=list
    )


class AlterShareGroupOffsetsResponse(Message, api_key=91, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    responses: list[AlterShareGroupOffsetsResponseTopic] = field(
        [AlterShareGroupOffsetsResponseTopic], "0+", factory=list
    )
