"""OffsetCommit (API key 8): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class OffsetCommitRequestPartition(Struct):
    """A struct of OffsetCommitRequest."""

    partition_index: int = field("int32", "0+", default=0)
    committed_offset: int = field("int64", "0+", default=0)
    committed_leader_epoch: int = field("int32", "6+", default=-1, ignorable=True)
    committed_metadata: str | None = field("string", "0+", default="", nullable="0+")


class OffsetCommitRequestTopic(Struct):
    """A struct of OffsetCommitRequest."""

    name: str = field("string", "0-9", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "10+", default=ZERO_UUID, ignorable=True)
    partitions: list[OffsetCommitRequestPartition] = field([OffsetCommitRequestPartition], "0+", factory=list)


class OffsetCommitRequest(Message, api_key=8, kind="request", versions="2-10", flexible="8+", listeners="broker"):
    """Versions 2-10; 8+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    generation_id_or_member_epoch: int = field("int32", "1+", default=-1, ignorable=True)
    member_id: str = field("string", "1+", default="", ignorable=True)
    group_instance_id: str | None = field("string", "7+", default=None, nullable="7+")
    retention_time_ms: int = field("int64", "2-4", default=-1, ignorable=True)
    topics: list[OffsetCommitRequestTopic] = field([OffsetCommitRequestTopic], "0+", factory=list)


class OffsetCommitResponsePartition(Struct):
    """A struct of OffsetCommitResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)


class OffsetCommitResponseTopic(Struct):
    """A struct of OffsetCommitResponse."""

    name: str = field("string", "0-9", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "10+", default=ZERO_UUID, ignorable=True)
    partitions: list[OffsetCommitResponsePartition] = field([OffsetCommitResponsePartition], "0+", factory=list)


class OffsetCommitResponse(Message, api_key=8, kind="response", versions="2-10", flexible="8+"):
    """Versions 2-10; 8+ flexible."""

    throttle_time_ms: int = field("int32", "3+", default=0, ignorable=True)
    topics: list[OffsetCommitResponseTopic] = field([OffsetCommitResponseTopic], "0+", factory=list)
