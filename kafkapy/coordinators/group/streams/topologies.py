"""The topology of a streams group: told by its members, stored once, matched with the topics that exist.

All members of a group have the same topology; Apache Kafka 4.4 has no way to change it but to delete the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.records import NO_TOPOLOGY_EPOCH
from kafkapy.coordinators.group.streams.topology import StoredTopology, configure
from kafkapy.coordinators.group.topic_metadata import metadata_hash
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats import group_coordinator as formats

if TYPE_CHECKING:
    from kafkapy.coordinators.group.streams.group import StreamsGroup
    from kafkapy.coordinators.group.streams.tasks import TaskSets
    from kafkapy.coordinators.group.streams.topology import ConfiguredTopology
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages import streams_group_heartbeat as told


class MatchedTopology(NamedTuple):
    """The group's topology, and what became of it with the topics that exist."""

    stored: StoredTopology
    configured: ConfiguredTopology
    metadata_hash: int

    @property
    def validated_epoch(self) -> int:
        return self.stored.epoch if self.configured.is_ready else NO_TOPOLOGY_EPOCH


def settle(
    group: StreamsGroup, value: formats.StreamsGroupTopologyValue | None, written: list[CoordinatorRecord]
) -> StoredTopology:
    """The group's topology: the one it has, or this one, which is stored.

    Raises KafkaError: INVALID_REQUEST, it is another one of the same or a later epoch; UNKNOWN_SERVER_ERROR, there is
    none.
    """
    known = group.topology
    if value is None:
        if known is None:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
        return known
    if known is None:
        written.append(records.topology(group.group_id, value))
        return StoredTopology(value)
    if known.epoch > value.epoch:
        return known  # the member is told that its topology is stale
    by_id = {subtopology.subtopology_id: subtopology for subtopology in value.subtopologies}
    if known.epoch != value.epoch or known.subtopologies != by_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Topology updates are not supported yet.")
    return known


def match(group: StreamsGroup, stored: StoredTopology, image: MetadataImage) -> MatchedTopology:
    """Match the topology with the topics, unless that was done since they changed. Raises KafkaError as `configure`."""
    known, known_hash = group.configured, group.metadata.metadata_hash
    if known is not None and group.topology is not None and group.is_metadata_fresh:
        return MatchedTopology(stored, known, known_hash)
    new_hash = metadata_hash(stored.required_topics, image)
    if known is not None and group.topology is not None and new_hash == known_hash:
        return MatchedTopology(stored, known, known_hash)
    return MatchedTopology(stored, configure(stored, image), new_hash)


def refuse_unknown_tasks(configured: ConfiguredTopology, owned: TaskSets | None) -> None:
    """Raises KafkaError(INVALID_REQUEST): a member has tasks that are not in the topology."""
    if owned is None or configured.subtopologies is None or not configured.is_ready:
        return
    for tasks in owned:
        for name, partitions in tasks.items():
            subtopology = configured.subtopologies.get(name)
            if subtopology is None:
                message = f"Subtopology {name} does not exist in the topology."
                raise KafkaError(ErrorCode.INVALID_REQUEST, message)
            for partition in partitions:
                if not 0 <= partition < subtopology.task_count:
                    message = (
                        f"Task {partition} for subtopology {name} is invalid. "
                        f"Number of tasks for this subtopology: {subtopology.task_count}"
                    )
                    raise KafkaError(ErrorCode.INVALID_REQUEST, message)


def to_store(topology: told.Topology) -> formats.StreamsGroupTopologyValue:
    """What a member has told, as it is stored."""
    return formats.StreamsGroupTopologyValue(
        epoch=topology.epoch,
        subtopologies=[
            formats.Subtopology(
                subtopology_id=of.subtopology_id,
                source_topics=of.source_topics,
                source_topic_regex=of.source_topic_regex,
                state_changelog_topics=[_topic(topic) for topic in of.state_changelog_topics],
                repartition_sink_topics=of.repartition_sink_topics,
                repartition_source_topics=[_topic(topic) for topic in of.repartition_source_topics],
                copartition_groups=[
                    formats.CopartitionGroup(
                        source_topics=each.source_topics,
                        source_topic_regex=each.source_topic_regex,
                        repartition_source_topics=each.repartition_source_topics,
                    )
                    for each in of.copartition_groups
                ],
            )
            for of in topology.subtopologies
        ],
    )


def _topic(topic: told.TopicInfo) -> formats.StreamsGroupTopologyValueTopicInfo:
    return formats.StreamsGroupTopologyValueTopicInfo(
        name=topic.name,
        partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        topic_configs=[formats.TopicConfig(key=config.key, value=config.value) for config in topic.topic_configs],
    )
