"""What the members of a consumer group read, and whether the topics behind it have changed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.coordinators.group.consumer.member import ConsumerMember


class ResolvedPattern(NamedTuple):
    """The topics that a pattern has matched. `version`: the offset of the metadata that was looked at."""

    topics: frozenset[str]
    version: int
    resolved_at_ms: int


class Subscriptions:
    """How many members read each topic by its name, use each pattern, and prefer each assignor.

    Changes with `count`, a member at a time; `changed` gives a copy, for a decision that is not replayed yet.
    """

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.patterns: Counter[str] = Counter()
        self.assignors: Counter[str] = Counter()
        self.member_count = 0
        self.name_count = 0
        """How many names the members have named, all together."""

    def count(self, member: ConsumerMember, step: int) -> None:
        self.member_count += step
        self.name_count += step * len(member.topics)
        for topic in member.topics:
            _count(self.names, topic, step)
        if member.pattern:
            _count(self.patterns, member.pattern, step)
        if member.server_assignor is not None:
            _count(self.assignors, member.server_assignor, step)

    def changed(self, removed: Iterable[ConsumerMember], added: Iterable[ConsumerMember]) -> Subscriptions:
        copy = Subscriptions()
        copy.names, copy.patterns, copy.assignors = self.names.copy(), self.patterns.copy(), self.assignors.copy()
        copy.member_count, copy.name_count = self.member_count, self.name_count
        for member in removed:
            copy.count(member, -1)
        for member in added:
            copy.count(member, 1)
        return copy

    def topics(self, resolved: Mapping[str, ResolvedPattern]) -> set[str]:
        """All topics that some member reads."""
        topics = set(self.names)
        for pattern in self.patterns:
            if pattern in resolved:
                topics |= resolved[pattern].topics
        return topics

    @property
    def is_homogeneous(self) -> bool:
        """As Apache Kafka decides it: whether all members read the same topics by name, or all by one pattern."""
        if not self.patterns:
            return all(count == self.member_count for count in self.names.values())
        return not self.names and len(self.patterns) == 1 and self.patterns.total() == self.member_count

    def preferred_assignor(self, default: str) -> str:
        """The one that most members name; between equals the one that a Java map gives first, as in Apache Kafka."""
        if not self.assignors:
            return default
        if len(self.assignors) == 1:
            return next(iter(self.assignors))
        return max(member_order(self.assignors), key=self.assignors.__getitem__)


def _count(counter: Counter[str], name: str, step: int) -> None:
    counter[name] += step
    if not counter[name]:
        del counter[name]


def subscribed_topics(member: ConsumerMember, resolved: Mapping[str, ResolvedPattern]) -> frozenset[str]:
    """The topics that the member reads. A pattern that is not resolved yet matches none."""
    if not member.pattern or member.pattern not in resolved:
        return member.topics
    return member.topics | resolved[member.pattern].topics
