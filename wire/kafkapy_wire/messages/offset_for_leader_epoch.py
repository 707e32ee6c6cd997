"""OffsetForLeaderEpoch (API key 23): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class OffsetForLeaderPartition(Struct):
    """A struct of OffsetForLeaderEpochRequest."""

    partition: int = field("int32", "0+", default=0)
    current_leader_epoch: int = field("int32", "2+", default=-1, ignorable=True)
    leader_epoch: int = field("int32", "0+", default=0)


class OffsetForLeaderTopic(Struct):
    """A struct of OffsetForLeaderEpochRequest."""

    topic: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[OffsetForLeaderPartition] = field([OffsetForLeaderPartition], "0+", factory=list)


class OffsetForLeaderEpochRequest(
    Message, api_key=23, kind="request", versions="2-4", flexible="4+", listeners="broker"
):
    """Versions 2-4; 4+ flexible."""

    replica_id: int = field("int32", "3+", default=-2, ignorable=True, entity="brokerId")
    topics: list[OffsetForLeaderTopic] = field([OffsetForLeaderTopic], "0+", factory=list)


class EpochEndOffset(Struct):
    """A struct of OffsetForLeaderEpochResponse."""

    error_code: int = field("int16", "0+", default=0)
    partition: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "1+", default=-1, ignorable=True)
    end_offset: int = field("int64", "0+", default=-1)


class OffsetForLeaderTopicResult(Struct):
    """A struct of OffsetForLeaderEpochResponse."""

    topic: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[EpochEndOffset] = field([EpochEndOffset], "0+", factory=list)


class OffsetForLeaderEpochResponse(Message, api_key=23, kind="response", versions="2-4", flexible="4+"):
    """Versions 2-4; 4+ flexible."""

    throttle_time_ms: int = field("int32", "2+", default=0, ignorable=True)
    topics: list[OffsetForLeaderTopicResult] = field([OffsetForLeaderTopicResult], "0+", factory=list)
