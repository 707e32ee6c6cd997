"""How many partitions the internal topics of a topology are to have: repartition topics, then changelog topics.

Subtopologies are taken in the order of the stored topology. It matters: a repartition topic gets as many partitions as
the largest source topic that is known when its turn comes.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.assignors.java_order import member_order, string_key
from kafkapy.coordinators.group.streams.topology.configured import StreamsStatus, TopologyProblem
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kafkapy.coordinators.group.streams.topology.stored import StoredTopology
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.record_formats.group_coordinator import CopartitionGroup, Subtopology


class PartitionCounts:
    """What is known: of topics that exist, and of internal topics what was decided."""

    def __init__(self, topology: StoredTopology, copartition_groups: Iterable[list[str]], image: MetadataImage) -> None:
        """Decides. Raises TopologyProblem, or KafkaError: no topics could fit the topology."""
        self._image = image
        self._decided: dict[str, int] = {}
        subtopologies = [*topology.subtopologies.values()]
        self._decided |= _repartition_counts(subtopologies, image)
        copartitioning = _Copartitioning(subtopologies, self)
        for topics in copartition_groups:
            copartitioning.enforce(topics)
        self._decided |= self._changelog_counts(subtopologies)

    def known(self, topic: str) -> int | None:
        found = self._image.topics.get(topic)
        return len(found.partitions) if found is not None else self._decided.get(topic)

    def decided(self, topic: str) -> int:
        """Whether or not the topic exists."""
        return self._decided[topic]

    def decide(self, topic: str, count: int) -> None:
        self._decided[topic] = count

    def task_count(self, subtopology: Subtopology) -> int:
        """A task for each partition of the largest source topic."""
        return max(self.of(topic) for topic in source_topics(subtopology))

    def of(self, topic: str) -> int:
        """Of a topic whose count is known by now."""
        count = self.known(topic)
        if count is None:
            raise _unexpected(f"No partition count for topic {topic}")
        return count

    def _changelog_counts(self, subtopologies: Iterable[Subtopology]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for subtopology in subtopologies:
            if not (subtopology.source_topics or subtopology.repartition_source_topics):
                message = f"No source topics found for subtopology {subtopology.subtopology_id}"
                raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
            count = self.task_count(subtopology)
            counts.update({topic.name: count for topic in subtopology.state_changelog_topics})
        return counts


def copartition_groups(topology: StoredTopology) -> list[list[str]]:
    """The topics of each. Raises KafkaError: a group names a topic that its subtopology does not have."""
    return [
        _topics_of(subtopology, group)
        for subtopology in topology.subtopologies.values()
        for group in subtopology.copartition_groups
    ]


def source_topics(subtopology: Subtopology) -> Iterator[str]:
    yield from subtopology.source_topics
    yield from (topic.name for topic in subtopology.repartition_source_topics)


def _unexpected(message: str) -> KafkaError:
    """Apache Kafka answers UNKNOWN_SERVER_ERROR, too: it has no other check against such topologies."""
    return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, message)


def _repartition_counts(subtopologies: list[Subtopology], image: MetadataImage) -> dict[str, int]:
    """Those of repartition topics: as the topology says, else as many as the largest source of who writes to them.

    Apache Kafka goes through all subtopologies again and again until no count is missing. Each is visited once here, as
    soon as it can say something: in the same round as there, and in the same order within a round.
    """
    counts = {
        topic.name: topic.partitions
        for subtopology in subtopologies
        for topic in subtopology.repartition_source_topics
        if topic.partitions
    }
    readers: defaultdict[str, list[int]] = defaultdict(list)
    for position, subtopology in enumerate(subtopologies):
        for topic in subtopology.repartition_source_topics:
            readers[topic.name].append(position)
    visits = [
        (0, position)
        for position, subtopology in enumerate(subtopologies)
        if any(topic in image.topics for topic in subtopology.source_topics)
        or any(topic.name in counts for topic in subtopology.repartition_source_topics)
    ]
    planned = {position for _, position in visits}
    heapify(visits)
    while visits:
        round_number, position = heappop(visits)
        subtopology = subtopologies[position]
        missing = [name for name in subtopology.repartition_sink_topics if name not in counts]
        if not missing:
            continue
        counts |= dict.fromkeys(missing, _largest(subtopology, counts, image))
        for name in missing:
            for reader in readers[name]:
                if reader not in planned:
                    planned.add(reader)
                    heappush(visits, (round_number + (reader <= position), reader))
    if any(topic not in counts for subtopology in subtopologies for topic in subtopology.repartition_sink_topics):
        raise KafkaError(
            ErrorCode.STREAMS_INVALID_TOPOLOGY,
            "Failed to compute number of partitions for all repartition topics. "
            "There may be loops in the topology that cannot be resolved.",
        )
    if any(topic not in counts for topic in readers):
        raise KafkaError(
            ErrorCode.STREAMS_INVALID_TOPOLOGY,
            "Failed to compute number of partitions for all repartition topics, "
            "because a repartition source topic is never used as a sink topic.",
        )
    return counts


def _largest(subtopology: Subtopology, counts: Mapping[str, int], image: MetadataImage) -> int:
    """The largest of the source topics whose count is known."""
    known = [counts[topic.name] for topic in subtopology.repartition_source_topics if topic.name in counts]
    known += [len(image.topics[topic].partitions) for topic in subtopology.source_topics if topic in image.topics]
    return max(known)


class _Copartitioning:
    """Topics that are joined must have as many partitions as one another."""

    def __init__(self, subtopologies: list[Subtopology], counts: PartitionCounts) -> None:
        self._counts = counts
        self._flexible: set[str] = set()
        """Repartition topics whose partition count is ours to choose."""
        fixed: dict[str, None] = {}
        for subtopology in subtopologies:
            for topic in subtopology.repartition_source_topics:
                if topic.partitions:
                    fixed[topic.name] = None
                else:
                    self._flexible.add(topic.name)
        self._fixed = fixed.keys()
        self._fixed_counts = {counts.of(topic) for topic in fixed}
        self._first_fixed = counts.of(member_order(fixed)[0]) if fixed else 0

    def enforce(self, topics: list[str]) -> None:
        if not topics:
            return
        repartition = {
            topic: self._counts.of(topic) for topic in topics if topic in self._flexible or topic in self._fixed
        }
        others = {topic: self._counts.of(topic) for topic in topics if topic not in repartition}
        if others:
            count = _same(others)
        elif self._fixed:
            # Apache Kafka compares the fixed counts of the whole topology, not only those of this group.
            if len(self._fixed_counts) > 1:
                raise _differing(repartition)
            count = self._first_fixed
        else:
            count = _largest_above_zero(repartition)
        for topic in member_order(repartition):
            known = repartition[topic]
            if topic in self._fixed and known != count:
                message = (
                    f"Number of partitions [{known}] of repartition topic [{topic}] doesn't match "
                    f"number of partitions [{count}] of the source topic."
                )
                raise TopologyProblem(StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS, message)
            self._counts.decide(topic, count)


def _topics_of(subtopology: Subtopology, group: CopartitionGroup) -> list[str]:
    """In the order of a Java set."""
    try:
        names = [subtopology.source_topics[index] for index in group.source_topics if _in_list(index)]
        names += [
            subtopology.repartition_source_topics[index].name
            for index in group.repartition_source_topics
            if _in_list(index)
        ]
    except IndexError:
        raise _unexpected("A copartition group names a topic that the subtopology does not have") from None
    return member_order(dict.fromkeys(names))


def _in_list(index: int) -> bool:
    if index < 0:
        raise IndexError
    return True


def _largest_above_zero(counts: Mapping[str, int]) -> int:
    largest = max(counts.values())
    if largest < 1:  # a repartition topic of the topology says that it has less than none
        names = ", ".join(member_order(counts))
        message = f"All topics in the copartition group had undefined partition number: [{names}]"
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)
    return largest


def _same(counts: Mapping[str, int]) -> int:
    if len({*counts.values()}) > 1:
        raise _differing(counts)
    return next(iter(counts.values()))


def _differing(counts: Mapping[str, int]) -> TopologyProblem:
    texts = ", ".join(f"{topic}={counts[topic]}" for topic in sorted(counts, key=string_key))
    message = f"Following topics do not have the same number of partitions: [{{{texts}}}]"
    return TopologyProblem(StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS, message)
