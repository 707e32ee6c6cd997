"""The topology of a streams group, matched with the topics that exist: how many tasks, and what is missing."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_wire.messages.create_topics import CreatableTopic


class StreamsStatus(IntEnum):
    """What a heartbeat tells a member beside its tasks."""

    STALE_TOPOLOGY = 0
    MISSING_SOURCE_TOPICS = 1
    INCORRECTLY_PARTITIONED_TOPICS = 2
    MISSING_INTERNAL_TOPICS = 3
    SHUTDOWN_APPLICATION = 4
    ASSIGNMENT_DELAYED = 5
    MISSING_CLIENT_TAGS = 6


class TopologyProblem(Exception):
    """The topics that exist do not fit the topology. The group waits until they do."""

    def __init__(self, status: StreamsStatus, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class ConfiguredInternalTopic(NamedTuple):
    name: str
    partition_count: int
    replication_factor: int | None
    """None: as the broker has it by default."""
    configs: Mapping[str, str]


class ConfiguredSubtopology(NamedTuple):
    task_count: int
    source_topics: frozenset[str]
    repartition_source_topics: Mapping[str, ConfiguredInternalTopic]
    repartition_sink_topics: frozenset[str]
    state_changelog_topics: Mapping[str, ConfiguredInternalTopic]


class ConfiguredTopology(NamedTuple):
    topology_epoch: int
    subtopologies: Mapping[str, ConfiguredSubtopology] | None
    """By id, in ascending order. None if source topics are missing, or partition counts do not fit."""
    internal_topics_to_create: Mapping[str, CreatableTopic]
    problem: TopologyProblem | None

    @property
    def task_count(self) -> int:
        return sum([of.task_count for of in (self.subtopologies or {}).values()])

    @property
    def is_ready(self) -> bool:
        """Whether tasks may be assigned."""
        return self.problem is None
