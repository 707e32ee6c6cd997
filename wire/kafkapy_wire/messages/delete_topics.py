"""DeleteTopics (API key 20): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class DeleteTopicState(Struct):
    """A struct of DeleteTopicsRequest."""

    name: str | None = field("string", "6+", default=None, nullable="6+", entity="topicName")
    topic_id: Uuid = field("uuid", "6+", default=ZERO_UUID)


class DeleteTopicsRequest(
    Message, api_key=20, kind="request", versions="1-6", flexible="4+", listeners="broker controller"
):
    """Versions 1-6; 4+ flexible."""

    topics: list[DeleteTopicState] = field([DeleteTopicState], "6+", factory=list)
    topic_names: list[str] = field(["string"], "0-5", factory=list, ignorable=True, entity="topicName")
    timeout_ms: int = field("int32", "0+", default=0)


class DeletableTopicResult(Struct):
    """A struct of DeleteTopicsResponse."""

    name: str | None = field("string", "0+", default="", nullable="6+", entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "6+", default=ZERO_UUID, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)


class DeleteTopicsResponse(Message, api_key=20, kind="response", versions="1-6", flexible="4+"):
    """Versions 1-6; 4+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    responses: list[DeletableTopicResult] = field([DeletableTopicResult], "0+", factory=list)
