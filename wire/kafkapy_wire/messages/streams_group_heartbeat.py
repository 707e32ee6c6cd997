"""StreamsGroupHeartbeat (API key 88): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class KeyValue(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    key: str = field("string", "0+", default="")
    value: str = field("string", "0+", default="")


class TopicInfo(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: int = field("int32", "0+", default=0)
    replication_factor: int = field("int16", "0+", default=0)
    topic_configs: list[KeyValue] = field([KeyValue], "0+", factory=list)


class CopartitionGroup(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    source_topics: list[int] = field(["int16"], "0+", factory=list)
    source_topic_regex: list[int] = field(["int16"], "0+", factory=list)
    repartition_source_topics: list[int] = field(["int16"], "0+", factory=list)


class Subtopology(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    subtopology_id: str = field("string", "0+", default="")
    source_topics: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    source_topic_regex: list[str] = field(["string"], "0+", factory=list)
    state_changelog_topics: list[TopicInfo] = field([TopicInfo], "0+", factory=list)
    repartition_sink_topics: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    repartition_source_topics: list[TopicInfo] = field([TopicInfo], "0+", factory=list)
    copartition_groups: list[CopartitionGroup] = field([CopartitionGroup], "0+", factory=list)


class Topology(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    epoch: int = field("int32", "0+", default=0)
    subtopologies: list[Subtopology] = field([Subtopology], "0+", factory=list)


class StreamsGroupHeartbeatRequestTaskIds(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    subtopology_id: str = field("string", "0+", default="")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class StreamsGroupHeartbeatRequestEndpoint(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class TaskOffset(Struct):
    """A struct of StreamsGroupHeartbeatRequest."""

    subtopology_id: str = field("string", "0+", default="")
    partition: int = field("int32", "0+", default=0)
    offset: int = field("int64", "0+", default=0)


class StreamsGroupHeartbeatRequest(
    Message, api_key=88, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    member_id: str = field("string", "0+", default="")
    member_epoch: int = field("int32", "0+", default=0)
    endpoint_information_epoch: int = field("int32", "0+", default=0)
    instance_id: str | None = field("string", "0+", default=None, nullable="0+")
    rack_id: str | None = field("string", "0+", default=None, nullable="0+")
    rebalance_timeout_ms: int = field("int32", "0+", default=-1)
    topology: Topology | None = field(Topology, "0+", default=None, nullable="0+")
    active_tasks: list[StreamsGroupHeartbeatRequestTaskIds] | None = field(
        [StreamsGroupHeartbeatRequestTaskIds], "0+", default=None, nullable="0+"
    )
    standby_tasks: list[StreamsGroupHeartbeatRequestTaskIds] | None = field(
        [StreamsGroupHeartbeatRequestTaskIds], "0+", default=None, nullable="0+"
    )
    warmup_tasks: list[StreamsGroupHeartbeatRequestTaskIds] | None = field(
        [StreamsGroupHeartbeatRequestTaskIds], "0+", default=None, nullable="0+"
    )
    process_id: str | None = field("string", "0+", default=None, nullable="0+")
    user_endpoint: StreamsGroupHeartbeatRequestEndpoint | None = field(
        StreamsGroupHeartbeatRequestEndpoint, "0+", default=None, nullable="0+"
    )
    client_tags: list[KeyValue] | None = field([KeyValue], "0+", default=None, nullable="0+")
    task_offsets: list[TaskOffset] | None = field([TaskOffset], "0+", default=None, nullable="0+")
    task_end_offsets: list[TaskOffset] | None = field([TaskOffset], "0+", default=None, nullable="0+")
    shutdown_application: bool = field("bool", "0+", default=False)


class Status(Struct):
    """A struct of StreamsGroupHeartbeatResponse."""

    status_code: int = field("int8", "0+", default=0)
    status_detail: str = field("string", "0+", default="")


class StreamsGroupHeartbeatResponseTaskIds(Struct):
    """A struct of StreamsGroupHeartbeatResponse."""

    subtopology_id: str = field("string", "0+", default="")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class StreamsGroupHeartbeatResponseEndpoint(Struct):
    """A struct of StreamsGroupHeartbeatResponse."""

    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class TopicPartition(Struct):
    """A struct of StreamsGroupHeartbeatResponse."""

    topic: str = field("string", "0+", default="", entity="topicName")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class EndpointToPartitions(Struct):
    """A struct of StreamsGroupHeartbeatResponse."""

    user_endpoint: StreamsGroupHeartbeatResponseEndpoint = field(
        StreamsGroupHeartbeatResponseEndpoint, "0+", factory=StreamsGroupHeartbeatResponseEndpoint
    )
    active_partitions: list[TopicPartition] = field([TopicPartition], "0+", factory=list)
    standby_partitions: list[TopicPartition] = field([TopicPartition], "0+", factory=list)


class StreamsGroupHeartbeatResponse(Message, api_key=88, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    member_id: str = field("string", "0+", default="")
    member_epoch: int = field("int32", "0+", default=0)
    heartbeat_interval_ms: int = field("int32", "0+", default=0)
    acceptable_recovery_lag_legacy: int = field("int32", "0", default=0)
    task_offset_interval_ms: int = field("int32", "0+", default=0)
    acceptable_recovery_lag: int = field("int64", "1+", default=-1, ignorable=True)
    status: list[Status] | None = field([Status], "0+", factory=list, nullable="0+")
    active_tasks: list[StreamsGroupHeartbeatResponseTaskIds] | None = field(
        [StreamsGroupHeartbeatResponseTaskIds], "0+", default=None, nullable="0+"
    )
    standby_tasks: list[StreamsGroupHeartbeatResponseTaskIds] | None = field(
        [StreamsGroupHeartbeatResponseTaskIds], "0+", default=None, nullable="0+"
    )
    warmup_tasks: list[StreamsGroupHeartbeatResponseTaskIds] | None = field(
        [StreamsGroupHeartbeatResponseTaskIds], "0+", default=None, nullable="0+"
    )
    topology_description_required: bool = field("bool", "1+", default=False)
    endpoint_information_epoch: int = field("int32", "0+", default=0)
    partitions_by_user_endpoint: list[EndpointToPartitions] | None = field(
        [EndpointToPartitions], "0+", default=None, nullable="0+"
    )
