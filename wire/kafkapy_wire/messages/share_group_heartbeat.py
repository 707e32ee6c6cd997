"""ShareGroupHeartbeat (API key 76): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ShareGroupHeartbeatRequest(Message, api_key=76, kind="request", versions="1", flexible="0+", listeners="broker"):
    """Version 1; 0+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    member_id: str = field("string", "0+", default="")
    member_epoch: int = field("int32", "0+", default=0)
    rack_id: str | None = field("string", "0+", default=None, nullable="0+")
    subscribed_topic_names: list[str] | None = field(["string"], "0+", default=None, nullable="0+", entity="topicName")


class TopicPartitions(Struct):
    """A struct of ShareGroupHeartbeatResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class Assignment(Struct):
    """A struct of ShareGroupHeartbeatResponse."""

    topic_partitions: list[TopicPartitions] = field([TopicPartitions], "0+", factory=list)


class ShareGroupHeartbeatResponse(Message, api_key=76, kind="response", versions="1", flexible="0+"):
    """Version 1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    member_id: str | None = field("string", "0+", default=None, nullable="0+")
    member_epoch: int = field("int32", "0+", default=0)
    heartbeat_interval_ms: int = field("int32", "0+", default=0)
    assignment: Assignment | None = field(Assignment, "0+", default=None, nullable="0+")
