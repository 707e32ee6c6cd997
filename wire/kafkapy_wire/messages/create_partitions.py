"""CreatePartitions (API key 37): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class CreatePartitionsAssignment(Struct):
    """A struct of CreatePartitionsRequest."""

    broker_ids: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")


class CreatePartitionsTopic(Struct):
    """A struct of CreatePartitionsRequest."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    count: int = field("int32", "0+", default=0)
    assignments: list[CreatePartitionsAssignment] | None = field(
        [CreatePartitionsAssignment], "0+", factory=list, nullable="0+"
    )


class CreatePartitionsRequest(
    Message, api_key=37, kind="request", versions="0-3", flexible="2+", listeners="broker controller"
):
    """Versions 0-3; 2+ flexible."""

    topics: list[CreatePartitionsTopic] = field([CreatePartitionsTopic], "0+", factory=list)
    timeout_ms: int = field("int32", "0+", default=0)
    validate_only: bool = field("bool", "0+", default=False)


class CreatePartitionsTopicResult(Struct):
    """A struct of CreatePartitionsResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class CreatePartitionsResponse(Message, api_key=37, kind="response", versions="0-3", flexible="2+"):
    """Versions 0-3; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    results: list[CreatePartitionsTopicResult] = field([CreatePartitionsTopicResult], "0+", factory=list)
