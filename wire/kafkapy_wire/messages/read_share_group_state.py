"""ReadShareGroupState (API key 84): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class PartitionData(Struct):
    """A struct of ReadShareGroupStateRequest."""

    partition: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)


class ReadStateData(Struct):
    """A struct of ReadShareGroupStateRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class ReadShareGroupStateRequest(Message, api_key=84, kind="request", versions="0", flexible="0+", listeners="broker"):
    """Version 0; 0+ flexible."""

    group_id: str = field("string", "0+", default="")
    topics: list[ReadStateData] = field([ReadStateData], "0+", factory=list)


class StateBatch(Struct):
    """A struct of ReadShareGroupStateResponse."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    delivery_state: int = field("int8", "0+", default=0)
    delivery_count: int = field("int16", "0+", default=0)


class PartitionResult(Struct):
    """A struct of ReadShareGroupStateResponse."""

    partition: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    state_epoch: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)
    state_batches: list[StateBatch] = field([StateBatch], "0+", factory=list)


class ReadStateResult(Struct):
    """A struct of ReadShareGroupStateResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionResult] = field([PartitionResult], "0+", factory=list)


class ReadShareGroupStateResponse(Message, api_key=84, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    results: list[ReadStateResult] = field([ReadStateResult], "0+", factory=list)
