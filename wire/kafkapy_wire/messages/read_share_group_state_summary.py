"""ReadShareGroupStateSummary (API key 87): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class PartitionData(Struct):
    """A struct of ReadShareGroupStateSummaryRequest."""

    partition: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)


class ReadStateSummaryData(Struct):
    """A struct of ReadShareGroupStateSummaryRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class ReadShareGroupStateSummaryRequest(
    Message, api_key=87, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    group_id: str = field("string", "0+", default="")
    topics: list[ReadStateSummaryData] = field([ReadStateSummaryData], "0+", factory=list)


class PartitionResult(Struct):
    """A struct of ReadShareGroupStateSummaryResponse."""

    partition: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    state_epoch: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)
    delivery_complete_count: int = field("int32", "1+", default=-1, ignorable=True)


class ReadStateSummaryResult(Struct):
    """A struct of ReadShareGroupStateSummaryResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[PartitionResult] = field([PartitionResult], "0+", factory=list)


class ReadShareGroupStateSummaryResponse(Message, api_key=87, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    results: list[ReadStateSummaryResult] = field([ReadStateSummaryResult], "0+", factory=list)
