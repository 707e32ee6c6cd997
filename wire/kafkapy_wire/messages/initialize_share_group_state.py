"""InitializeShareGroupState (API key 83): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class PartitionData(Struct):
    """A struct of InitializeShareGroupStateRequest."""

    partition: int = field("int32", "0+", default=0)
    state_epoch: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)


class InitializeStateData(Struct):
    """A struct of InitializeShareGroupStateRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class InitializeShareGroupStateRequest(
    Message, api_key=83, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    group_id: str = field("string", "0+", default="")
    topics: list[InitializeStateData] = field([InitializeStateData], "0+", factory=list)


class PartitionResult(Struct):
    """A struct of InitializeShareGroupStateResponse."""

    partition: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class InitializeStateResult(Struct):
    """A struct of InitializeShareGroupStateResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionResult] = field([PartitionResult], "0+", factory=list)


class InitializeShareGroupStateResponse(Message, api_key=83, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    results: list[InitializeStateResult] = field([InitializeStateResult], "0+", factory=list)
