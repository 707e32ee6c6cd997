"""Keys and values in `__consumer_offsets`; `api_key` is the record type, a key's version.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ConsumerGroupCurrentMemberAssignmentKey(
    Message, api_key=8, kind="coordinator-key", versions="0", flexible="none"
):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class ConsumerGroupCurrentMemberAssignmentValueTopicPartitions(Struct):
    """A struct of ConsumerGroupCurrentMemberAssignmentValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)
    assignment_epochs: list[int] | None = field(["int32"], "0+", factory=list, nullable="0+", tag=0, tagged="0+")


class ConsumerGroupCurrentMemberAssignmentValue(
    Message, api_key=8, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    member_epoch: int = field("int32", "0+", default=0)
    previous_member_epoch: int = field("int32", "0+", default=0)
    state: int = field("int8", "0+", default=0)
    assigned_partitions: list[ConsumerGroupCurrentMemberAssignmentValueTopicPartitions] = field(
        [ConsumerGroupCurrentMemberAssignmentValueTopicPartitions], "0+", factory=list
    )
    partitions_pending_revocation: list[ConsumerGroupCurrentMemberAssignmentValueTopicPartitions] = field(
        [ConsumerGroupCurrentMemberAssignmentValueTopicPartitions], "0+", factory=list
    )


class ConsumerGroupMemberMetadataKey(Message, api_key=5, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class ClassicProtocol(Struct):
    """A struct of ConsumerGroupMemberMetadataValue."""

    name: str = field("string", "0+", default="")
    metadata: bytes = field("bytes", "0+", default=b"")


class ClassicMemberMetadata(Struct):
    """A struct of ConsumerGroupMemberMetadataValue."""

    session_timeout_ms: int = field("int32", "0+", default=0)
    supported_protocols: list[ClassicProtocol] = field([ClassicProtocol], "0+", factory=list)


class ConsumerGroupMemberMetadataValue(Message, api_key=5, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    instance_id: str | None = field("string", "0+", default="", nullable="0+")
    rack_id: str | None = field("string", "0+", default="", nullable="0+")
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    subscribed_topic_names: list[str] = field(["string"], "0+", factory=list)
    subscribed_topic_regex: str | None = field("string", "0+", default="", nullable="0+")
    rebalance_timeout_ms: int = field("int32", "0+", default=-1)
    server_assignor: str | None = field("string", "0+", default="", nullable="0+")
    classic_member_metadata: ClassicMemberMetadata | None = field(
        ClassicMemberMetadata, "0+", factory=ClassicMemberMetadata, nullable="0+", tag=0, tagged="0+"
    )


class ConsumerGroupMetadataKey(Message, api_key=3, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class ConsumerGroupMetadataValue(Message, api_key=3, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    epoch: int = field("int32", "0+", default=0)
    metadata_hash: int = field("int64", "0+", default=0, tag=0, tagged="0+")


class ConsumerGroupPartitionMetadataKey(Message, api_key=4, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class PartitionMetadata(Struct):
    """A struct of ConsumerGroupPartitionMetadataValue."""

    partition: int = field("int32", "0+", default=0)
    racks: list[str] = field(["string"], "0+", factory=list)


class TopicMetadata(Struct):
    """A struct of ConsumerGroupPartitionMetadataValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topic_name: str = field("string", "0+", default="")
    num_partitions: int = field("int32", "0+", default=0)
    partition_metadata: list[PartitionMetadata] = field([PartitionMetadata], "0+", factory=list)


class ConsumerGroupPartitionMetadataValue(Message, api_key=4, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    topics: list[TopicMetadata] = field([TopicMetadata], "0+", factory=list)


class ConsumerGroupRegularExpressionKey(Message, api_key=16, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    regular_expression: str = field("string", "0", default="")


class ConsumerGroupRegularExpressionValue(Message, api_key=16, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    topics: list[str] = field(["string"], "0+", factory=list)
    version: int = field("int64", "0+", default=0)
    timestamp: int = field("int64", "0+", default=0)


class ConsumerGroupTargetAssignmentMemberKey(Message, api_key=7, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class ConsumerGroupTargetAssignmentMemberValueTopicPartition(Struct):
    """A struct of ConsumerGroupTargetAssignmentMemberValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ConsumerGroupTargetAssignmentMemberValue(
    Message, api_key=7, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    topic_partitions: list[ConsumerGroupTargetAssignmentMemberValueTopicPartition] = field(
        [ConsumerGroupTargetAssignmentMemberValueTopicPartition], "0+", factory=list
    )


class ConsumerGroupTargetAssignmentMetadataKey(
    Message, api_key=6, kind="coordinator-key", versions="0", flexible="none"
):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class ConsumerGroupTargetAssignmentMetadataValue(
    Message, api_key=6, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    assignment_epoch: int = field("int32", "0+", default=0)
    assignment_timestamp: int = field("int64", "0+", default=0, tag=0, tagged="0+", ignorable=True)


class GroupMetadataKey(Message, api_key=2, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group: str = field("string", "0", default="")


class MemberMetadata(Struct):
    """A struct of GroupMetadataValue."""

    member_id: str = field("string", "0+", default="")
    group_instance_id: str | None = field("string", "3+", default=None, nullable="3+", ignorable=True)
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    rebalance_timeout: int = field("int32", "1+", default=-1, ignorable=True)
    session_timeout: int = field("int32", "0+", default=0)
    subscription: bytes = field("bytes", "0+", default=b"")
    assignment: bytes = field("bytes", "0+", default=b"")


class GroupMetadataValue(Message, api_key=2, kind="coordinator-value", versions="0-4", flexible="4+"):
    """Versions 0-4; 4+ flexible."""

    protocol_type: str = field("string", "0+", default="")
    generation: int = field("int32", "0+", default=0)
    protocol: str | None = field("string", "0+", default="", nullable="0+")
    leader: str | None = field("string", "0+", default="", nullable="0+")
    current_state_timestamp: int = field("int64", "2+", default=-1, ignorable=True)
    members: list[MemberMetadata] = field([MemberMetadata], "0+", factory=list)


class LegacyOffsetCommitKey(Message, api_key=0, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group: str = field("string", "0", default="")
    topic: str = field("string", "0", default="")
    partition: int = field("int32", "0", default=0)


class LegacyOffsetCommitValue(Message, api_key=0, kind="coordinator-value", versions="0", flexible="none"):
    """Version 0; none flexible."""

    offset: int = field("int64", "0", default=0)
    metadata: str = field("string", "0", default="")
    commit_timestamp: int = field("int64", "0", default=0)


class OffsetCommitKey(Message, api_key=1, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group: str = field("string", "0", default="")
    topic: str = field("string", "0", default="")
    partition: int = field("int32", "0", default=0)


class OffsetCommitValue(Message, api_key=1, kind="coordinator-value", versions="0-4", flexible="4+"):
    """Versions 0-4; 4+ flexible."""

    offset: int = field("int64", "0+", default=0)
    leader_epoch: int = field("int32", "3+", default=-1, ignorable=True)
    metadata: str = field("string", "0+", default="")
    commit_timestamp: int = field("int64", "0+", default=0)
    expire_timestamp: int = field("int64", "1", default=-1, ignorable=True)
    topic_id: Uuid = field("uuid", "4+", default=ZERO_UUID, tag=0, tagged="4+", ignorable=True)


class ShareGroupCurrentMemberAssignmentKey(Message, api_key=14, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class ShareGroupCurrentMemberAssignmentValueTopicPartitions(Struct):
    """A struct of ShareGroupCurrentMemberAssignmentValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ShareGroupCurrentMemberAssignmentValue(
    Message, api_key=14, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    member_epoch: int = field("int32", "0+", default=0)
    previous_member_epoch: int = field("int32", "0+", default=0)
    state: int = field("int8", "0+", default=0)
    assigned_partitions: list[ShareGroupCurrentMemberAssignmentValueTopicPartitions] = field(
        [ShareGroupCurrentMemberAssignmentValueTopicPartitions], "0+", factory=list
    )


class ShareGroupMemberMetadataKey(Message, api_key=10, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class ShareGroupMemberMetadataValue(Message, api_key=10, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    rack_id: str | None = field("string", "0+", default="", nullable="0+")
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    subscribed_topic_names: list[str] = field(["string"], "0+", factory=list)


class ShareGroupMetadataKey(Message, api_key=11, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class ShareGroupMetadataValue(Message, api_key=11, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    epoch: int = field("int32", "0+", default=0)
    metadata_hash: int = field("int64", "0+", default=0)


class ShareGroupStatePartitionMetadataKey(Message, api_key=15, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class TopicPartitionsInfo(Struct):
    """A struct of ShareGroupStatePartitionMetadataValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topic_name: str = field("string", "0+", default="")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ShareGroupStatePartitionMetadataValueTopicInfo(Struct):
    """A struct of ShareGroupStatePartitionMetadataValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topic_name: str = field("string", "0+", default="")


class ShareGroupStatePartitionMetadataValue(Message, api_key=15, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    initializing_topics: list[TopicPartitionsInfo] = field([TopicPartitionsInfo], "0+", factory=list)
    initialized_topics: list[TopicPartitionsInfo] = field([TopicPartitionsInfo], "0+", factory=list)
    deleting_topics: list[ShareGroupStatePartitionMetadataValueTopicInfo] = field(
        [ShareGroupStatePartitionMetadataValueTopicInfo], "0+", factory=list
    )


class ShareGroupTargetAssignmentMemberKey(Message, api_key=13, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class ShareGroupTargetAssignmentMemberValueTopicPartition(Struct):
    """A struct of ShareGroupTargetAssignmentMemberValue."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ShareGroupTargetAssignmentMemberValue(Message, api_key=13, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    topic_partitions: list[ShareGroupTargetAssignmentMemberValueTopicPartition] = field(
        [ShareGroupTargetAssignmentMemberValueTopicPartition], "0+", factory=list
    )


class ShareGroupTargetAssignmentMetadataKey(Message, api_key=12, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class ShareGroupTargetAssignmentMetadataValue(
    Message, api_key=12, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    assignment_epoch: int = field("int32", "0+", default=0)
    assignment_timestamp: int = field("int64", "0+", default=0, tag=0, tagged="0+", ignorable=True)


class StreamsGroupCurrentMemberAssignmentKey(
    Message, api_key=22, kind="coordinator-key", versions="0", flexible="none"
):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class StreamsGroupCurrentMemberAssignmentValueTaskIds(Struct):
    """A struct of StreamsGroupCurrentMemberAssignmentValue."""

    subtopology_id: str = field("string", "0+", default="")
    partitions: list[int] = field(["int32"], "0+", factory=list)
    assignment_epochs: list[int] | None = field(["int32"], "0+", factory=list, nullable="0+", tag=0, tagged="0+")


class StreamsGroupCurrentMemberAssignmentValue(
    Message, api_key=22, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    member_epoch: int = field("int32", "0+", default=0)
    previous_member_epoch: int = field("int32", "0+", default=0)
    state: int = field("int8", "0+", default=0)
    active_tasks: list[StreamsGroupCurrentMemberAssignmentValueTaskIds] = field(
        [StreamsGroupCurrentMemberAssignmentValueTaskIds], "0+", factory=list
    )
    standby_tasks: list[StreamsGroupCurrentMemberAssignmentValueTaskIds] = field(
        [StreamsGroupCurrentMemberAssignmentValueTaskIds], "0+", factory=list
    )
    warmup_tasks: list[StreamsGroupCurrentMemberAssignmentValueTaskIds] = field(
        [StreamsGroupCurrentMemberAssignmentValueTaskIds], "0+", factory=list
    )
    active_tasks_pending_revocation: list[StreamsGroupCurrentMemberAssignmentValueTaskIds] = field(
        [StreamsGroupCurrentMemberAssignmentValueTaskIds], "0+", factory=list
    )
    standby_tasks_pending_revocation: list[StreamsGroupCurrentMemberAssignmentValueTaskIds] = field(
        [StreamsGroupCurrentMemberAssignmentValueTaskIds], "0+", factory=list
    )
    warmup_tasks_pending_revocation: list[StreamsGroupCurrentMemberAssignmentValueTaskIds] = field(
        [StreamsGroupCurrentMemberAssignmentValueTaskIds], "0+", factory=list
    )


class StreamsGroupMemberMetadataKey(Message, api_key=19, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class Endpoint(Struct):
    """A struct of StreamsGroupMemberMetadataValue."""

    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class KeyValue(Struct):
    """A struct of StreamsGroupMemberMetadataValue."""

    key: str = field("string", "0+", default="")
    value: str = field("string", "0+", default="")


class StreamsGroupMemberMetadataValue(Message, api_key=19, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    instance_id: str | None = field("string", "0+", default="", nullable="0+")
    rack_id: str | None = field("string", "0+", default="", nullable="0+")
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    rebalance_timeout_ms: int = field("int32", "0+", default=-1)
    topology_epoch: int = field("int32", "0+", default=0)
    process_id: str = field("string", "0+", default="")
    user_endpoint: Endpoint | None = field(Endpoint, "0+", default=None, nullable="0+")
    client_tags: list[KeyValue] = field([KeyValue], "0+", factory=list)


class StreamsGroupMetadataKey(Message, api_key=17, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class LastAssignmentConfig(Struct):
    """A struct of StreamsGroupMetadataValue."""

    key: str = field("string", "0+", default="")
    value: str = field("string", "0+", default="")


class StreamsGroupMetadataValue(Message, api_key=17, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    epoch: int = field("int32", "0+", default=0)
    metadata_hash: int = field("int64", "0+", default=0)
    validated_topology_epoch: int = field("int32", "0+", default=-1, tag=0, tagged="0+")
    last_assignment_configs: list[LastAssignmentConfig] | None = field(
        [LastAssignmentConfig], "0+", factory=list, nullable="0+", tag=1, tagged="0+"
    )
    stored_description_topology_epoch: int = field("int32", "0+", default=-1, tag=2, tagged="0+")
    failed_description_topology_epoch: int = field("int32", "0+", default=-1, tag=3, tagged="0+")


class StreamsGroupTargetAssignmentMemberKey(Message, api_key=21, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    member_id: str = field("string", "0", default="")


class StreamsGroupTargetAssignmentMemberValueTaskIds(Struct):
    """A struct of StreamsGroupTargetAssignmentMemberValue."""

    subtopology_id: str = field("string", "0+", default="")
    partitions: list[int] = field(["int32"], "0+", factory=list)


class StreamsGroupTargetAssignmentMemberValue(
    Message, api_key=21, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    active_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds] = field(
        [StreamsGroupTargetAssignmentMemberValueTaskIds], "0+", factory=list
    )
    standby_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds] = field(
        [StreamsGroupTargetAssignmentMemberValueTaskIds], "0+", factory=list
    )
    warmup_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds] = field(
        [StreamsGroupTargetAssignmentMemberValueTaskIds], "0+", factory=list
    )


class StreamsGroupTargetAssignmentMetadataKey(
    Message, api_key=20, kind="coordinator-key", versions="0", flexible="none"
):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class StreamsGroupTargetAssignmentMetadataValue(
    Message, api_key=20, kind="coordinator-value", versions="0", flexible="0+"
):
    """Version 0; 0+ flexible."""

    assignment_epoch: int = field("int32", "0+", default=0)
    assignment_timestamp: int = field("int64", "0+", default=0, tag=0, tagged="0+", ignorable=True)


class StreamsGroupTopologyKey(Message, api_key=23, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")


class TopicConfig(Struct):
    """A struct of StreamsGroupTopologyValue."""

    key: str = field("string", "0+", default="")
    value: str = field("string", "0+", default="")


class StreamsGroupTopologyValueTopicInfo(Struct):
    """A struct of StreamsGroupTopologyValue."""

    name: str = field("string", "0+", default="")
    partitions: int = field("int32", "0+", default=0)
    replication_factor: int = field("int16", "0+", default=0)
    topic_configs: list[TopicConfig] = field([TopicConfig], "0+", factory=list)


class CopartitionGroup(Struct):
    """A struct of StreamsGroupTopologyValue."""

    source_topics: list[int] = field(["int16"], "0+", factory=list)
    source_topic_regex: list[int] = field(["int16"], "0+", factory=list)
    repartition_source_topics: list[int] = field(["int16"], "0+", factory=list)


class Subtopology(Struct):
    """A struct of StreamsGroupTopologyValue."""

    subtopology_id: str = field("string", "0+", default="")
    source_topics: list[str] = field(["string"], "0+", factory=list)
    source_topic_regex: list[str] = field(["string"], "0+", factory=list)
    state_changelog_topics: list[StreamsGroupTopologyValueTopicInfo] = field(
        [StreamsGroupTopologyValueTopicInfo], "0+", factory=list
    )
    repartition_sink_topics: list[str] = field(["string"], "0+", factory=list)
    repartition_source_topics: list[StreamsGroupTopologyValueTopicInfo] = field(
        [StreamsGroupTopologyValueTopicInfo], "0+", factory=list
    )
    copartition_groups: list[CopartitionGroup] = field([CopartitionGroup], "0+", factory=list)


class StreamsGroupTopologyValue(Message, api_key=23, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    epoch: int = field("int32", "0+", default=0)
    subtopologies: list[Subtopology] = field([Subtopology], "0+", factory=list)
