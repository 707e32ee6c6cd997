"""Topologies that are refused as soon as a member tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue, Subtopology


def refuse_patterns(topology: StreamsGroupTopologyValue) -> None:
    """Apache Kafka 4.4 does not know source topics by pattern yet, although the protocol has a field for them."""
    if any(subtopology.source_topic_regex for subtopology in topology.subtopologies):
        message = "Regular expressions for source topics are not supported yet."
        raise KafkaError(ErrorCode.INVALID_REQUEST, message)


def refuse_contradictions(topology: StreamsGroupTopologyValue) -> None:
    """Raises KafkaError STREAMS_INVALID_TOPOLOGY; UNKNOWN_SERVER_ERROR if a name comes twice, as Apache Kafka does."""
    for subtopology in topology.subtopologies:
        for topic in subtopology.state_changelog_topics:
            if topic.partitions:
                message = (
                    f"Changelog topic {topic.name} must have an undefined partition count, "
                    f"but it is set to {topic.partitions}."
                )
                raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    _refuse_twins("subtopology", [subtopology.subtopology_id for subtopology in topology.subtopologies])
    for subtopology in topology.subtopologies:
        _refuse_twin_topics(subtopology)


def _refuse_twin_topics(subtopology: Subtopology) -> None:
    for topics in (subtopology.repartition_source_topics, subtopology.state_changelog_topics):
        _refuse_twins("internal topic", [topic.name for topic in topics])
        for topic in topics:
            _refuse_twins("setting", [config.key for config in topic.topic_configs])


def _refuse_twins(kind: str, names: Collection[str]) -> None:
    if len({*names}) != len(names):
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"The topology has a {kind} twice: {_first_twin(names)}")


def _first_twin(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("no name comes twice")
