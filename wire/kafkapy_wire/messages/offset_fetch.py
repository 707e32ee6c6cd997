"""OffsetFetch (API key 9): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class OffsetFetchRequestTopic(Struct):
    """A struct of OffsetFetchRequest."""

    name: str = field("string", "0-7", default="", entity="topicName")
    partition_indexes: list[int] = field(["int32"], "0-7", factory=list)


class OffsetFetchRequestTopics(Struct):
    """A struct of OffsetFetchRequest."""

    name: str = field("string", "8-9", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "10+", default=ZERO_UUID, ignorable=True)
    partition_indexes: list[int] = field(["int32"], "8+", factory=list)


class OffsetFetchRequestGroup(Struct):
    """A struct of OffsetFetchRequest."""

    group_id: str = field("string", "8+", default="", entity="groupId")
    member_id: str | None = field("string", "9+", default=None, nullable="9+", ignorable=True)
    member_epoch: int = field("int32", "9+", default=-1, ignorable=True)
    topics: list[OffsetFetchRequestTopics] | None = field([OffsetFetchRequestTopics], "8+", factory=list, nullable="8+")


class OffsetFetchRequest(Message, api_key=9, kind="request", versions="1-10", flexible="6+", listeners="broker"):
    """Versions 1-10; 6+ flexible."""

    group_id: str = field("string", "0-7", default="", entity="groupId")
    topics: list[OffsetFetchRequestTopic] | None = field([OffsetFetchRequestTopic], "0-7", factory=list, nullable="2-7")
    groups: list[OffsetFetchRequestGroup] = field([OffsetFetchRequestGroup], "8+", factory=list)
    require_stable: bool = field("bool", "7+", default=False)


class OffsetFetchResponsePartition(Struct):
    """A struct of OffsetFetchResponse."""

    partition_index: int = field("int32", "0-7", default=0)
    committed_offset: int = field("int64", "0-7", default=0)
    committed_leader_epoch: int = field("int32", "5-7", default=-1, ignorable=True)
    metadata: str | None = field("string", "0-7", default="", nullable="0-7")
    error_code: int = field("int16", "0-7", default=0)


class OffsetFetchResponseTopic(Struct):
    """A struct of OffsetFetchResponse."""

    name: str = field("string", "0-7", default="", entity="topicName")
    partitions: list[OffsetFetchResponsePartition] = field([OffsetFetchResponsePartition], "0-7", factory=list)


class OffsetFetchResponsePartitions(Struct):
    """A struct of OffsetFetchResponse."""

    partition_index: int = field("int32", "8+", default=0)
    committed_offset: int = field("int64", "8+", default=0)
    committed_leader_epoch: int = field("int32", "8+", default=-1, ignorable=True)
    metadata: str | None = field("string", "8+", default="", nullable="8+")
    error_code: int = field("int16", "8+", default=0)


class OffsetFetchResponseTopics(Struct):
    """A struct of OffsetFetchResponse."""

    name: str = field("string", "8-9", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "10+", default=ZERO_UUID, ignorable=True)
    partitions: list[OffsetFetchResponsePartitions] = field([OffsetFetchResponsePartitions], "8+", factory=list)


class OffsetFetchResponseGroup(Struct):
    """A struct of OffsetFetchResponse."""

    group_id: str = field("string", "8+", default="", entity="groupId")
    topics: list[OffsetFetchResponseTopics] = field([OffsetFetchResponseTopics], "8+", factory=list)
    error_code: int = field("int16", "8+", default=0)


class OffsetFetchResponse(Message, api_key=9, kind="response", versions="1-10", flexible="6+"):
    """Versions 1-10; 6+ flexible."""

    throttle_time_ms: int = field("int32", "3+", default=0, ignorable=True)
    topics: list[OffsetFetchResponseTopic] = field([OffsetFetchResponseTopic], "0-7", factory=list)
    error_code: int = field("int16", "2-7", default=0, ignorable=True)
    groups: list[OffsetFetchResponseGroup] = field([OffsetFetchResponseGroup], "8+", factory=list)
