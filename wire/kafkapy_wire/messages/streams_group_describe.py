"""StreamsGroupDescribe (API key 89): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class StreamsGroupDescribeRequest(
    Message, api_key=89, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    group_ids: list[str] = field(["string"], "0+", factory=list, entity="groupId")
    include_authorized_operations: bool = field("bool", "0+", default=False)
    include_topology_description: bool = field("bool", "1+", default=False)


class KeyValue(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    key: str = field("string", "0+", default="")
    value: str = field("string", "0+", default="")


class TopicInfo(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: int = field("int32", "0+", default=0)
    replication_factor: int = field("int16", "0+", default=0)
    topic_configs: list[KeyValue] = field([KeyValue], "0+", factory=list)


class Subtopology(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    subtopology_id: str = field("string", "0+", default="")
    source_topics: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    repartition_sink_topics: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    state_changelog_topics: list[TopicInfo] = field([TopicInfo], "0+", factory=list)
    repartition_source_topics: list[TopicInfo] = field([TopicInfo], "0+", factory=list)


class Topology(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    epoch: int = field("int32", "0+", default=0)
    subtopologies: list[Subtopology] | None = field([Subtopology], "0+", default=None, nullable="0+")


class Endpoint(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class TaskOffset(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    subtopology_id: str = field("string", "0+", default="")
    partition: int = field("int32", "0+", default=0)
    offset: int = field("int64", "0+", default=0)


class TaskIds(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    subtopology_id: str = field("string", "0+", default="")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class Assignment(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    active_tasks: list[TaskIds] = field([TaskIds], "0+", factory=list)
    standby_tasks: list[TaskIds] = field([TaskIds], "0+", factory=list)
    warmup_tasks: list[TaskIds] = field([TaskIds], "0+", factory=list)


class Member(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    member_id: str = field("string", "0+", default="")
    member_epoch: int = field("int32", "0+", default=0)
    instance_id: str | None = field("string", "0+", default=None, nullable="0+")
    rack_id: str | None = field("string", "0+", default=None, nullable="0+")
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    topology_epoch: int = field("int32", "0+", default=0)
    process_id: str = field("string", "0+", default="")
    user_endpoint: Endpoint | None = field(Endpoint, "0+", default=None, nullable="0+")
    client_tags: list[KeyValue] = field([KeyValue], "0+", factory=list)
    task_offsets: list[TaskOffset] = field([TaskOffset], "0+", factory=list)
    task_end_offsets: list[TaskOffset] = field([TaskOffset], "0+", factory=list)
    assignment: Assignment = field(Assignment, "0+", factory=Assignment)
    target_assignment: Assignment = field(Assignment, "0+", factory=Assignment)
    is_classic: bool = field("bool", "0+", default=False)


class TopologyDescriptionNode(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    name: str = field("string", "1+", default="")
    node_type: int = field("int8", "1+", default=0)
    source_topics: list[str] = field(["string"], "1+", factory=list, entity="topicName")
    sink_topic: str | None = field("string", "1+", default=None, nullable="1+", entity="topicName")
    stores: list[str] = field(["string"], "1+", factory=list)
    successors: list[str] = field(["string"], "1+", factory=list)


class TopologyDescriptionSubtopology(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    subtopology_id: str = field("string", "1+", default="")
    nodes: list[TopologyDescriptionNode] = field([TopologyDescriptionNode], "1+", factory=list)


class TopologyDescriptionGlobalStore(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    source: TopologyDescriptionNode = field(TopologyDescriptionNode, "1+", factory=TopologyDescriptionNode)
    processor: TopologyDescriptionNode = field(TopologyDescriptionNode, "1+", factory=TopologyDescriptionNode)


class TopologyDescription(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    subtopologies: list[TopologyDescriptionSubtopology] = field([TopologyDescriptionSubtopology], "1+", factory=list)
    global_stores: list[TopologyDescriptionGlobalStore] = field([TopologyDescriptionGlobalStore], "1+", factory=list)


class DescribedGroup(Struct):
    """A struct of StreamsGroupDescribeResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    group_id: str = field("string", "0+", default="", entity="groupId")
    group_state: str = field("string", "0+", default="")
    group_epoch: int = field("int32", "0+", default=0)
    assignment_epoch: int = field("int32", "0+", default=0)
    topology: Topology | None = field(Topology, "0+", default=None, nullable="0+")
    members: list[Member] = field([Member], "0+", factory=list)
    authorized_operations: int = field("int32", "0+", default=-2147483648)
    topology_description: TopologyDescription | None = field(TopologyDescription, "1+", default=None, nullable="1+")
    topology_description_status: int = field("int8", "1+", default=0)
    assignor_name: str | None = field("string", "1+", default=None, nullable="1+", ignorable=True)


class StreamsGroupDescribeResponse(Message, api_key=89, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    groups: list[DescribedGroup] = field([DescribedGroup], "0+", factory=list)
