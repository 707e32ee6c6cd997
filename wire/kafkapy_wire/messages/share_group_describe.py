"""ShareGroupDescribe (API key 77): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ShareGroupDescribeRequest(Message, api_key=77, kind="request", versions="1", flexible="0+", listeners="broker"):
    """Version 1; 0+ flexible."""

    group_ids: list[str] = field(["string"], "0+", factory=list, entity="groupId")
    include_authorized_operations: bool = field("bool", "0+", default=False)


class TopicPartitions(Struct):
    """A struct of ShareGroupDescribeResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class Assignment(Struct):
    """A struct of ShareGroupDescribeResponse."""

    topic_partitions: list[TopicPartitions] = field([TopicPartitions], "0+", factory=list)


class Member(Struct):
    """A struct of ShareGroupDescribeResponse."""

    member_id: str = field("string", "0+", default="")
    rack_id: str | None = field("string", "0+", default=None, nullable="0+")
    member_epoch: int = field("int32", "0+", default=0)
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    subscribed_topic_names: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    assignment: Assignment = field(Assignment, "0+", factory=Assignment)


class DescribedGroup(Struct):
    """A struct of ShareGroupDescribeResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    group_id: str = field("string", "0+", default="", entity="groupId")
    group_state: str = field("string", "0+", default="")
    group_epoch: int = field("int32", "0+", default=0)
    assignment_epoch: int = field("int32", "0+", default=0)
    assignor_name: str = field("string", "0+", default="")
    members: list[Member] = field([Member], "0+", factory=list)
    authorized_operations: int = field("int32", "0+", default=-2147483648)


class ShareGroupDescribeResponse(Message, api_key=77, kind="response", versions="1", flexible="0+"):
    """Version 1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    groups: list[DescribedGroup] = field([DescribedGroup], "0+", factory=list)
