"""DeleteShareGroupOffsets (API key 92): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class DeleteShareGroupOffsetsRequestTopic(Struct):
    """A struct of DeleteShareGroupOffsetsRequest."""

    topic_name: str = field("string", "0+", default="", entity="topicName")


class DeleteShareGroupOffsetsRequest(
    Message, api_key=92, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    topics: list[DeleteShareGroupOffsetsRequestTopic] = field([DeleteShareGroupOffsetsRequestTopic], "0+", factory=list)


class DeleteShareGroupOffsetsResponseTopic(Struct):
    """A struct of DeleteShareGroupOffsetsResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")


class DeleteShareGroupOffsetsResponse(Message, api_key=92, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    responses: list[DeleteShareGroupOffsetsResponseTopic] = field(
        [DeleteShareGroupOffsetsResponseTopic], "0+", factory=list
    )
