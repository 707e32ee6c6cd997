"""Which partitions of a share group have a state at the share coordinator: a value.

A partition is read once its state is initialized. Until the share coordinator has answered, it is being initialized;
if no answer has come after group.share.initialize.retry.interval.ms, the next heartbeat has it asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

UNKNOWN_NAME = "<UNKNOWN>"


class TopicState(NamedTuple):
    """Partitions of one topic. `since_ms`: when this was replayed."""

    name: str
    partitions: frozenset[int]
    since_ms: int


Partitions = dict["Uuid", frozenset[int]]


class TopicStates(NamedTuple):
    """By topic id. `deleting`: topics whose states are being deleted."""

    initializing: Mapping[Uuid, TopicState] = {}
    initialized: Mapping[Uuid, TopicState] = {}
    deleting: frozenset[Uuid] = frozenset()

    @property
    def known(self) -> frozenset[Uuid]:
        return frozenset({*self.initializing, *self.initialized})

    def missing(
        self, topics: Iterable[str], image: MetadataImage, now_ms: int, retry_ms: int
    ) -> dict[Uuid, TopicState]:
        """What is to be initialized so that the topics can be read."""
        waiting = {
            topic_id: state for topic_id, state in self.initializing.items() if now_ms - state.since_ms < retry_ms
        }
        covered = merged(self.initialized, waiting)
        missing = {}
        for name in topics:
            topic = image.topics.get(name)
            if topic is None:
                continue
            done = covered[topic.topic_id].partitions if topic.topic_id in covered else frozenset()
            if not done or len(done) < len(topic.partitions):
                rest = frozenset(range(len(topic.partitions))) - done
                missing[topic.topic_id] = TopicState(name, rest, now_ms)
        return missing

    def begin(self, topics: Mapping[Uuid, TopicState]) -> TopicStates:
        """These are being initialized."""
        return TopicStates(merged(self.initializing, topics), self.initialized, self.deleting - topics.keys())

    def finish(self, partitions: Partitions, image: MetadataImage, now_ms: int) -> TopicStates:
        """The share coordinator has initialized these."""
        done = {topic_id: TopicState(name_of(topic_id, image), of, now_ms) for topic_id, of in partitions.items()}
        return TopicStates(_without(self.initializing, partitions), merged(self.initialized, done), self.deleting)

    def give_up(self, partitions: Partitions) -> TopicStates:
        """The share coordinator has not initialized these."""
        return self._replace(initializing=_without(self.initializing, partitions))

    def begin_deletion(self, topics: frozenset[Uuid]) -> TopicStates:
        """The states of these topics are being deleted."""
        initialized = {topic_id: state for topic_id, state in self.initialized.items() if topic_id not in topics}
        return TopicStates(self.initializing, initialized, self.deleting | topics)

    def forget(self, deleted: frozenset[Uuid]) -> TopicStates:
        """These topics are gone."""
        return TopicStates(
            {topic_id: state for topic_id, state in self.initializing.items() if topic_id not in deleted},
            {topic_id: state for topic_id, state in self.initialized.items() if topic_id not in deleted},
            self.deleting - deleted,
        )


def merged(first: Mapping[Uuid, TopicState], second: Mapping[Uuid, TopicState]) -> dict[Uuid, TopicState]:
    both = dict(first)
    for topic_id, state in second.items():
        known = both.get(topic_id)
        both[topic_id] = state if known is None else state._replace(partitions=known.partitions | state.partitions)
    return both


def name_of(topic_id: Uuid, image: MetadataImage) -> str:
    topic = image.topics_by_id.get(topic_id)
    return UNKNOWN_NAME if topic is None else topic.name


def _without(states: Mapping[Uuid, TopicState], partitions: Partitions) -> dict[Uuid, TopicState]:
    left = {}
    for topic_id, state in states.items():
        rest = state.partitions - partitions.get(topic_id, frozenset())
        if rest:
            left[topic_id] = state._replace(partitions=rest)
    return left
