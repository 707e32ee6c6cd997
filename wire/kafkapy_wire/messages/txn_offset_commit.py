"""TxnOffsetCommit (API key 28): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class TxnOffsetCommitRequestPartition(Struct):
    """A struct of TxnOffsetCommitRequest."""

    partition_index: int = field("int32", "0+", default=0)
    committed_offset: int = field("int64", "0+", default=0)
    committed_leader_epoch: int = field("int32", "2+", default=-1, ignorable=True)
    committed_metadata: str | None = field("string", "0+", default="", nullable="0+")


class TxnOffsetCommitRequestTopic(Struct):
    """A struct of TxnOffsetCommitRequest."""

    name: str = field("string", "0-5", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "6+", default=ZERO_UUID, ignorable=True)
    partitions: list[TxnOffsetCommitRequestPartition] = field([TxnOffsetCommitRequestPartition], "0+", factory=list)


class TxnOffsetCommitRequest(Message, api_key=28, kind="request", versions="0-6", flexible="3+", listeners="broker"):
    """Versions 0-6; 3+ flexible."""

    transactional_id: str = field("string", "0+", default="", entity="transactionalId")
    group_id: str = field("string", "0+", default="", entity="groupId")
    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    producer_epoch: int = field("int16", "0+", default=0)
    generation_id_or_member_epoch: int = field("int32", "3+", default=-1)
    member_id: str = field("string", "3+", default="")
    group_instance_id: str | None = field("string", "3+", default=None, nullable="3+")
    topics: list[TxnOffsetCommitRequestTopic] = field([TxnOffsetCommitRequestTopic], "0+", factory=list)


class TxnOffsetCommitResponsePartition(Struct):
    """A struct of TxnOffsetCommitResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)


class TxnOffsetCommitResponseTopic(Struct):
    """A struct of TxnOffsetCommitResponse."""

    name: str = field("string", "0-5", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "6+", default=ZERO_UUID, ignorable=True)
    partitions: list[TxnOffsetCommitResponsePartition] = field([TxnOffsetCommitResponsePartition], "0+", factory=list)


class TxnOffsetCommitResponse(Message, api_key=28, kind="response", versions="0-6", flexible="3+"):
    """Versions 0-6; 3+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    topics: list[TxnOffsetCommitResponseTopic] = field([TxnOffsetCommitResponseTopic], "0+", factory=list)
