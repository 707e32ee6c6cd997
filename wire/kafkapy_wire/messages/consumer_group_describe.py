"""ConsumerGroupDescribe (API key 69): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ConsumerGroupDescribeRequest(
    Message, api_key=69, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    group_ids: list[str] = field(["string"], "0+", factory=list, entity="groupId")
    include_authorized_operations: bool = field("bool", "0+", default=False)


class TopicPartitions(Struct):
    """A struct of ConsumerGroupDescribeResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class Assignment(Struct):
    """A struct of ConsumerGroupDescribeResponse."""

    topic_partitions: list[TopicPartitions] = field([TopicPartitions], "0+", factory=list)


class Member(Struct):
    """A struct of ConsumerGroupDescribeResponse."""

    member_id: str = field("string", "0+", default="")
    instance_id: str | None = field("string", "0+", default=None, nullable="0+")
    rack_id: str | None = field("string", "0+", default=None, nullable="0+")
    member_epoch: int = field("int32", "0+", default=0)
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    subscribed_topic_names: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    subscribed_topic_regex: str | None = field("string", "0+", default=None, nullable="0+")
    assignment: Assignment = field(Assignment, "0+", factory=Assignment)
    target_assignment: Assignment = field(Assignment, "0+", factory=Assignment)
    member_type: int = field("int8", "1+", default=-1, ignorable=True)


class DescribedGroup(Struct):
    """A struct of ConsumerGroupDescribeResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    group_id: str = field("string", "0+", default="", entity="groupId")
    group_state: str = field("string", "0+", default="")
    group_epoch: int = field("int32", "0+", default=0)
    assignment_epoch: int = field("int32", "0+", default=0)
    assignor_name: str = field("string", "0+", default="")
    members: list[Member] = field([Member], "0+", factory=list)
    authorized_operations: int = field("int32", "0+", default=-2147483648)


class ConsumerGroupDescribeResponse(Message, api_key=69, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    groups: list[DescribedGroup] = field([DescribedGroup], "0+", factory=list)
