"""OffsetDelete (API key 47): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class OffsetDeleteRequestPartition(Struct):
    """A struct of OffsetDeleteRequest."""

    partition_index: int = field("int32", "0+", default=0)


class OffsetDeleteRequestTopic(Struct):
    """A struct of OffsetDeleteRequest."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[OffsetDeleteRequestPartition] = field([OffsetDeleteRequestPartition], "0+", factory=list)


class OffsetDeleteRequest(Message, api_key=47, kind="request", versions="0", flexible="none", listeners="broker"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    topics: list[OffsetDeleteRequestTopic] = field([OffsetDeleteRequestTopic], "0+", factory=list)


class OffsetDeleteResponsePartition(Struct):
    """A struct of OffsetDeleteResponse."""

    partition_index: int = field("int32", "0+", default=0, map_key=True)
    error_code: int = field("int16", "0+", default=0)


class OffsetDeleteResponseTopic(Struct):
    """A struct of OffsetDeleteResponse."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[OffsetDeleteResponsePartition] = field([OffsetDeleteResponsePartition], "0+", factory=list)


class OffsetDeleteResponse(Message, api_key=47, kind="response", versions="0", flexible="none"):
    """Version 0; none flexible."""

    error_code: int = field("int16", "0+", default=0)
    throttle_time_ms: int = field("int32", "0+", default=0, ignorable=True)
    topics: list[OffsetDeleteResponseTopic] = field([OffsetDeleteResponseTopic], "0+", factory=list)
