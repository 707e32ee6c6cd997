"""WriteShareGroupState (API key 85): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class StateBatch(Struct):
    """A struct of WriteShareGroupStateRequest."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    delivery_state: int = field("int8", "0+", default=0)
    delivery_count: int = field("int16", "0+", default=0)


class PartitionData(Struct):
    """A struct of WriteShareGroupStateRequest."""

    partition: int = field("int32", "0+", default=0)
    state_epoch: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)
    delivery_complete_count: int = field("int32", "1+", default=-1, ignorable=True)
    state_batches: list[StateBatch] = field([StateBatch], "0+", factory=list)


class WriteStateData(Struct):
    """A struct of WriteShareGroupStateRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class WriteShareGroupStateRequest(
    Message, api_key=85, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    group_id: str = field("string", "0+", default="")
    topics: list[WriteStateData] = field([WriteStateData], "0+", factory=list)


class PartitionResult(Struct):
    """A struct of WriteShareGroupStateResponse."""

    partition: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class WriteStateResult(Struct):
    """A struct of WriteShareGroupStateResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionResult] = field([PartitionResult], "0+", factory=list)


class WriteShareGroupStateResponse(Message, api_key=85, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    results: list[WriteStateResult] = field([WriteStateResult], "0+", factory=list)
