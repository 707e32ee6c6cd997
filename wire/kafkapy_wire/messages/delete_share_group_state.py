"""DeleteShareGroupState (API key 86): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class PartitionData(Struct):
    """A struct of DeleteShareGroupStateRequest."""

    partition: int = field("int32", "0+", default=0)


class DeleteStateData(Struct):
    """A struct of DeleteShareGroupStateRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class DeleteShareGroupStateRequest(
    Message, api_key=86, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    group_id: str = field("string", "0+", default="")
    topics: list[DeleteStateData] = field([DeleteStateData], "0+", factory=list)


class PartitionResult(Struct):
    """A struct of DeleteShareGroupStateResponse."""

    partition: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class DeleteStateResult(Struct):
    """A struct of DeleteShareGroupStateResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionResult] = field([PartitionResult], "0+", factory=list)


class DeleteShareGroupStateResponse(Message, api_key=86, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    results: list[DeleteStateResult] = field([DeleteStateResult], "0+", factory=list)
