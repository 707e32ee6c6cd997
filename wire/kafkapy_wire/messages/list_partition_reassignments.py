"""ListPartitionReassignments (API key 46): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ListPartitionReassignmentsTopics(Struct):
    """A struct of ListPartitionReassignmentsRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partition_indexes: list[int] = field(["int32"], "0+", factory=list)


class ListPartitionReassignmentsRequest(
    Message, api_key=46, kind="request", versions="0", flexible="0+", listeners="broker controller"
):
    """Version 0; 0+ flexible."""

    timeout_ms: int = field("int32", "0+", default=60000)
    topics: list[ListPartitionReassignmentsTopics] | None = field(
        [ListPartitionReassignmentsTopics], "0+", default=None, nullable="0+"
    )


class OngoingPartitionReassignment(Struct):
    """A struct of ListPartitionReassignmentsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    replicas: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    adding_replicas: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    removing_replicas: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")


class OngoingTopicReassignment(Struct):
    """A struct of ListPartitionReassignmentsResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[OngoingPartitionReassignment] = field([OngoingPartitionReassignment], "0+", factory=list)


class ListPartitionReassignmentsResponse(Message, api_key=46, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    topics: list[OngoingTopicReassignment] = field([OngoingTopicReassignment], "0+", factory=list)
