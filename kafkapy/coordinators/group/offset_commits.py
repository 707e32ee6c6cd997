"""Shared by OffsetCommit and TxnOffsetCommit: which requested topics exist, and the answers about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from kafkapy.turns import Turn, each_in_turns
from kafkapy_wire.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kafkapy.pending import Pending
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

A = TypeVar("A")
P = TypeVar("P")


class OffsetToCommit(Protocol):
    """One partition of either request."""

    @property
    def partition_index(self) -> int: ...

    @property
    def committed_offset(self) -> int: ...

    @property
    def committed_leader_epoch(self) -> int: ...

    @property
    def committed_metadata(self) -> str | None: ...


class Topic(Protocol):
    """One topic of either request, as it is in the request."""

    @property
    def name(self) -> str: ...

    @property
    def topic_id(self) -> Uuid: ...

    @property
    def partitions(self) -> Sequence[OffsetToCommit]: ...


class TopicToCommit(NamedTuple):
    """One topic of either request. Those that are known to exist have both name and id."""

    name: str
    topic_id: Uuid
    partitions: Sequence[OffsetToCommit]

    @classmethod
    def of(cls, topic: Topic) -> TopicToCommit:
        return cls(topic.name, topic.topic_id, topic.partitions)

    def refused(self, error: ErrorCode) -> TopicOutcome:
        return TopicOutcome(
            self.name, self.topic_id, [(partition.partition_index, error) for partition in self.partitions]
        )


class TopicOutcome(NamedTuple):
    """The result of one topic: (partition, error) of each partition."""

    name: str
    topic_id: Uuid
    partitions: list[tuple[int, ErrorCode]]


def resolve(
    asked: Iterable[TopicToCommit], image: MetadataImage, *, by_id: bool
) -> tuple[list[TopicToCommit], list[TopicOutcome]]:
    """The topics that exist, with name and id; and the errors for those that do not.

    UNKNOWN_TOPIC_ID for topics asked for by id, else UNKNOWN_TOPIC_OR_PARTITION.
    """
    known: list[TopicToCommit] = []
    refused: list[TopicOutcome] = []
    for topic in asked:
        found = image.topics_by_id.get(topic.topic_id) if by_id else image.topics.get(topic.name)
        if found is None:
            refused.append(topic.refused(ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            continue
        indexes = range(len(found.partitions))
        existing = [partition for partition in topic.partitions if partition.partition_index in indexes]
        if len(existing) < len(topic.partitions):
            missing = [partition for partition in topic.partitions if partition.partition_index not in indexes]
            outcome = TopicToCommit(found.name, found.topic_id, missing).refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            refused.append(outcome)
        if existing:
            known.append(TopicToCommit(found.name, found.topic_id, existing))
    return known, refused


def merged(refused: list[TopicOutcome], committed: list[TopicOutcome]) -> list[TopicOutcome]:
    """The outcomes, each topic once, in Apache Kafka's order: errors before commits."""
    if not refused:
        return committed
    by_topic: dict[tuple[str, Uuid], TopicOutcome] = {}
    _merge_into(by_topic, refused)
    _merge_into(by_topic, committed)
    return list(by_topic.values())


def _merge_into(by_topic: dict[tuple[str, Uuid], TopicOutcome], outcomes: Iterable[TopicOutcome]) -> None:
    for topic in outcomes:
        first = by_topic.setdefault((topic.name, topic.topic_id), topic)
        if first is not topic:
            first.partitions.extend(topic.partitions)


def answers(
    outcomes: Iterable[TopicOutcome], answer: Callable[..., A], partition_answer: Callable[[tuple[int, ErrorCode]], P]
) -> list[A]:
    """The topics of a response: `answer` is the response's class of a topic."""
    return [
        answer(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=[partition_answer(outcome) for outcome in topic.partitions],
        )
        for topic in outcomes
    ]


PARTITIONS_AT_ONCE_MAX = 500
"""Of a commit, decided and stored as one batch: a few milliseconds."""


def is_long(topics: Sequence[Topic]) -> bool:
    """Whether a request names so many partitions that it is to be cut by `pieces_of`."""
    if len(topics) > PARTITIONS_AT_ONCE_MAX:
        return True
    return sum([len(topic.partitions) for topic in topics]) > PARTITIONS_AT_ONCE_MAX


def pieces_of(asked: Iterable[TopicToCommit]) -> Iterator[list[TopicToCommit]]:
    """The topics in pieces of so many partitions. A topic without partitions is included."""
    piece: list[TopicToCommit] = []
    room = PARTITIONS_AT_ONCE_MAX
    for topic in asked:
        for start in range(0, max(len(topic.partitions), 1), PARTITIONS_AT_ONCE_MAX):
            part = topic.partitions[start : start + PARTITIONS_AT_ONCE_MAX]
            if piece and len(part) >= room:
                yield piece
                piece, room = [], PARTITIONS_AT_ONCE_MAX
            piece.append(TopicToCommit(topic.name, topic.topic_id, part))
            room -= max(len(part), 1)
    if piece:
        yield piece


async def commit_in_turns(
    topics: Sequence[Topic],
    commit: Callable[[list[TopicToCommit]], Pending[list[TopicOutcome]]],
    answer: Callable[..., A],
    partition_answer: Callable[[tuple[int, ErrorCode]], P],
) -> list[A]:
    """Call `commit` for each piece of a long request in turn. Answers as `answers` does, with each topic once."""
    turn = Turn()
    by_topic: dict[tuple[str, Uuid], TopicOutcome] = {}
    for piece in pieces_of(await each_in_turns(TopicToCommit.of, topics)):
        _merge_into(by_topic, await commit(piece).wait())
        await turn.share()
    answered = []
    for topic in by_topic.values():
        partitions = await each_in_turns(partition_answer, topic.partitions)
        answered.append(answer(name=topic.name, topic_id=topic.topic_id, partitions=partitions))
        await turn.share()
    return answered
