"""The names of topics in the topology that a member tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from kafkapy_controller.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkapy_wire.messages.streams_group_heartbeat import Topology

NAMES_MAX: Final = 10_000
"""Subtopologies, topics and their settings in one topology: in Apache Kafka they fit into a record of a megabyte."""


class Topic(Protocol):
    name: str


class Subtopology(Protocol):
    """As a heartbeat and a description say it."""

    @property
    def source_topics(self) -> Sequence[str]: ...
    @property
    def repartition_sink_topics(self) -> Sequence[str]: ...
    @property
    def repartition_source_topics(self) -> Sequence[Topic]: ...
    @property
    def state_changelog_topics(self) -> Sequence[Topic]: ...


def topic_names(subtopologies: Iterable[Subtopology]) -> list[str]:
    """Each once."""
    names: dict[str, None] = {}
    for of in subtopologies:
        names |= dict.fromkeys(of.source_topics)
        names |= dict.fromkeys(of.repartition_sink_topics)
        names |= dict.fromkeys(topic.name for topic in of.repartition_source_topics)
        names |= dict.fromkeys(topic.name for topic in of.state_changelog_topics)
    return [*names]


def refuse_topic_names(topology: Topology) -> None:
    """Raises KafkaError(STREAMS_INVALID_TOPOLOGY). As Apache Kafka, before anything else is looked at."""
    if _name_count(topology) > NAMES_MAX:
        message = f"The topology has more than {NAMES_MAX} subtopologies, topics and settings of topics."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    names = topic_names(topology.subtopologies)
    internal = [name for name in names if name in INTERNAL_TOPICS]
    if internal:
        message = f"Use of Kafka internal topics {','.join(internal)} in a Kafka Streams topology is prohibited."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    invalid = [name for name in names if not is_valid_topic_name(name)]
    if invalid:
        message = f"Topic names {','.join(invalid)} are not valid topic names."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)


def _name_count(topology: Topology) -> int:
    count = len(topology.subtopologies)
    for of in topology.subtopologies:
        count += len(of.source_topics) + len(of.repartition_sink_topics) + len(of.copartition_groups)
        for each in of.copartition_groups:
            count += len(each.source_topics) + len(each.repartition_source_topics)
        for topics in (of.repartition_source_topics, of.state_changelog_topics):
            count += len(topics) + sum([len(topic.topic_configs) for topic in topics])
        if count > NAMES_MAX:
            break
    return count
