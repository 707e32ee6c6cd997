"""From the topology that a streams group has stored, and the topics that exist, to tasks and missing topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.group.assignors.java_order import member_order, string_key
from kafkapy.coordinators.group.streams.topology.configured import (
    ConfiguredInternalTopic,
    ConfiguredSubtopology,
    ConfiguredTopology,
    StreamsStatus,
    TopologyProblem,
)
from kafkapy.coordinators.group.streams.topology.partition_counts import PartitionCounts, copartition_groups
from kafkapy_controller.topic_names import check_topic_name
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kafkapy.coordinators.group.streams.topology.stored import StoredTopology
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValueTopicInfo, Subtopology

TASKS_MAX: Final = 100_000
"""Of one group. Apache Kafka has no limit; this is far above what clusters have as partitions."""

_NAMED_TOPICS: Final = 3
"""So many topics are named in a message."""
_DEFAULT_REPLICATION_FACTOR: Final = -1


def configure(topology: StoredTopology, image: MetadataImage) -> ConfiguredTopology:
    """Raises KafkaError if no topics could ever fit the topology."""
    groups = copartition_groups(topology)
    try:
        _refuse_missing_sources(topology, image)
        subtopologies = _configured(topology, PartitionCounts(topology, groups, image))
        missing = _missing_internal_topics(topology, subtopologies, image)
    except TopologyProblem as problem:
        return ConfiguredTopology(topology.epoch, None, {}, problem)
    return ConfiguredTopology(topology.epoch, subtopologies, missing, _problem_of(missing))


def _problem_of(missing: Collection[str]) -> TopologyProblem | None:
    if not missing:
        return None
    message = f"Internal topics are missing: {_some_of(missing)}"
    return TopologyProblem(StreamsStatus.MISSING_INTERNAL_TOPICS, message)


def _refuse_missing_sources(topology: StoredTopology, image: MetadataImage) -> None:
    missing = {
        topic
        for subtopology in topology.subtopologies.values()
        for topic in subtopology.source_topics
        if topic not in image.topics
    }
    if missing:
        names = _some_of(sorted(missing, key=string_key))
        raise TopologyProblem(StreamsStatus.MISSING_SOURCE_TOPICS, f"Source topics {names} are missing.")


def _configured(topology: StoredTopology, counts: PartitionCounts) -> dict[str, ConfiguredSubtopology]:
    configured = {name: _subtopology(each, counts) for name, each in topology.subtopologies.items()}
    task_count = sum(each.task_count for each in configured.values())
    if task_count > TASKS_MAX:
        message = f"The topology has {task_count} tasks; a group may have {TASKS_MAX}."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    return {name: configured[name] for name in sorted(configured, key=string_key)}


def _subtopology(subtopology: Subtopology, counts: PartitionCounts) -> ConfiguredSubtopology:
    return ConfiguredSubtopology(
        counts.task_count(subtopology),
        frozenset(subtopology.source_topics),
        _internal_topics(subtopology.repartition_source_topics, counts),
        frozenset(subtopology.repartition_sink_topics),
        _internal_topics(subtopology.state_changelog_topics, counts),
    )


def _internal_topics(
    topics: Iterable[StreamsGroupTopologyValueTopicInfo], counts: PartitionCounts
) -> dict[str, ConfiguredInternalTopic]:
    return {topic.name: _internal_topic(topic, counts) for topic in topics}


def _internal_topic(topic: StreamsGroupTopologyValueTopicInfo, counts: PartitionCounts) -> ConfiguredInternalTopic:
    check_topic_name(topic.name)
    count = topic.partitions or counts.decided(topic.name)
    if count < 1:
        # Apache Kafka answers UNKNOWN_SERVER_ERROR as well.
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"Topic {topic.name} cannot have {count} partitions")
    configs = {config.key: config.value for config in topic.topic_configs}
    return ConfiguredInternalTopic(topic.name, count, topic.replication_factor or None, configs)


def _missing_internal_topics(
    topology: StoredTopology, subtopologies: Mapping[str, ConfiguredSubtopology], image: MetadataImage
) -> dict[str, CreatableTopic]:
    internal: dict[str, ConfiguredInternalTopic] = {}
    for subtopology in subtopologies.values():
        internal |= subtopology.repartition_source_topics
        internal |= subtopology.state_changelog_topics
    missing = dict.fromkeys(member_order(internal))
    for topic in topology.required_topics_in_order:
        found = image.topics.get(topic)
        if found is None or topic not in missing:
            continue
        del missing[topic]
        if len(found.partitions) != internal[topic].partition_count:
            message = (
                f"Existing topic {topic} has different number of partitions: "
                f"expected {internal[topic].partition_count}, found {len(found.partitions)}"
            )
            raise TopologyProblem(StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS, message)
    return {topic: _creatable(internal[topic]) for topic in missing}


def _creatable(topic: ConfiguredInternalTopic) -> CreatableTopic:
    return CreatableTopic(
        name=topic.name,
        num_partitions=topic.partition_count,
        replication_factor=topic.replication_factor or _DEFAULT_REPLICATION_FACTOR,
        configs=[CreatableTopicConfig(name=name, value=value) for name, value in topic.configs.items()],
    )


def _some_of(topics: Collection[str]) -> str:
    named = ", ".join([*topics][:_NAMED_TOPICS])
    others = len(topics) - _NAMED_TOPICS
    return f"{named} and {others} additional topics" if others > 0 else named
