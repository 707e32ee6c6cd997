"""ConsumerGroupHeartbeat (API key 68): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ConsumerGroupHeartbeatRequestTopicPartitions(Struct):
    """A struct of ConsumerGroupHeartbeatRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ConsumerGroupHeartbeatRequest(
    Message, api_key=68, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    member_id: str = field("string", "0+", default="")
    member_epoch: int = field("int32", "0+", default=0)
    instance_id: str | None = field("string", "0+", default=None, nullable="0+")
    rack_id: str | None = field("string", "0+", default=None, nullable="0+")
    rebalance_timeout_ms: int = field("int32", "0+", default=-1)
    subscribed_topic_names: list[str] | None = field(["string"], "0+", default=None, nullable="0+", entity="topicName")
    subscribed_topic_regex: str | None = field("string", "1+", default=None, nullable="1+")
    server_assignor: str | None = field("string", "0+", default=None, nullable="0+")
    topic_partitions: list[ConsumerGroupHeartbeatRequestTopicPartitions] | None = field(
        [ConsumerGroupHeartbeatRequestTopicPartitions], "0+", default=None, nullable="0+"
    )


class ConsumerGroupHeartbeatResponseTopicPartitions(Struct):
    """A struct of ConsumerGroupHeartbeatResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class Assignment(Struct):
    """A struct of ConsumerGroupHeartbeatResponse."""

    topic_partitions: list[ConsumerGroupHeartbeatResponseTopicPartitions] = field(
        [ConsumerGroupHeartbeatResponseTopicPartitions], "0+", factory=list
    )


class ConsumerGroupHeartbeatResponse(Message, api_key=68, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    member_id: str | None = field("string", "0+", default=None, nullable="0+")
    member_epoch: int = field("int32", "0+", default=0)
    heartbeat_interval_ms: int = field("int32", "0+", default=0)
    assignment: Assignment | None = field(Assignment, "0+", default=None, nullable="0+")
