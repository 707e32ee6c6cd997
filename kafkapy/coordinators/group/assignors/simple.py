"""The assignor `simple` of share groups: every partition goes to somebody, and several members may share one.

Each member gets about as many partitions as the others, and what it was to read before stays with it where that fits.
If all members read the same topics, partitions of all topics are dealt together; else topic by topic.

Differs: once in thousands of assignments, in groups of more than 12 members, somebody gets another partition than in
Apache Kafka.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import (
    assigned_topic_order,
    grown_number_order,
    grown_place_order,
    partition_order,
    place_order,
    topic_order,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy_wire.uuid import Uuid

Place = tuple["Uuid", int]
"""topic id and partition."""


class SharingMember(NamedTuple):
    """One member: the topics it reads, and what it was to read so far."""

    topic_ids: AbstractSet[Uuid]
    assigned: Target


def simple(
    members: Mapping[str, SharingMember], assignable: Mapping[Uuid, Sequence[int]], *, is_homogeneous: bool
) -> dict[str, Target]:
    """`assignable`: the partitions of each topic that may be dealt; `members` in the order to consider them."""
    names = [*members]
    held = [_places(member.assigned) for member in members.values()]
    topics = {topic_id for member in members.values() for topic_id in member.topic_ids}
    if is_homogeneous:
        shared = next(iter(members.values())).topic_ids if members else frozenset()
        places = [
            (topic_id, index) for topic_id in assigned_topic_order(shared) for index in assignable.get(topic_id, ())
        ]
        _deal(range(len(names)), places, held, _Mixed())
    else:
        for topic_id in topic_order(topics):
            readers = [number for number, name in enumerate(names) if topic_id in members[name].topic_ids]
            _deal_topic(topic_id, readers, [(topic_id, index) for index in assignable.get(topic_id, ())], held)
    return {name: _target(mine) for name, mine in zip(names, held, strict=True)}


def _places(assigned: Target) -> list[Place]:
    return [
        (topic_id, index)
        for topic_id in assigned_topic_order(assigned)
        for index in partition_order(assigned[topic_id])
    ]


class _Mixed:
    """How places of several topics come."""

    def all(self, places: Sequence[Place], count: int) -> list[Place]:
        return place_order(places, count)

    def of_member(self, places: Sequence[Place]) -> list[Place]:
        return grown_place_order(places)


class _OneTopic(_Mixed):
    def all(self, places: Sequence[Place], count: int) -> list[Place]:  # noqa: ARG002
        return sorted(places)

    def of_member(self, places: Sequence[Place]) -> list[Place]:
        by_index = {index: (topic_id, index) for topic_id, index in places}
        return [by_index[index] for index in grown_number_order(by_index)]


def _deal_topic(topic_id: Uuid, readers: Sequence[int], places: list[Place], held: list[list[Place]]) -> None:
    reading = frozenset(readers)
    of_topic = [
        [place for place in mine if place[0] == topic_id] if number in reading else []
        for number, mine in enumerate(held)
    ]
    _deal(readers, places, of_topic, _OneTopic())
    for number, mine in enumerate(of_topic):
        held[number] = [place for place in held[number] if place[0] != topic_id] + mine


def _deal(numbers: Sequence[int], places: list[Place], held: list[list[Place]], order: _Mixed) -> None:
    """Change what `numbers` hold, so that each of `places` is held by as many of them as its fair share asks."""
    known = frozenset(places)
    sharing = ceil(len(numbers) / len(places)) if places else 0
    wanted = _fair_counts(numbers, sharing * len(places))
    seen: dict[Place, None] = {}  # in the order in which the places come up
    for number in numbers:
        held[number] = [place for place in held[number] if place in known]
        seen.update(dict.fromkeys(held[number]))
    seen.update(dict.fromkeys(places))
    holders: dict[Place, set[int]] = {place: set() for place in order.all([*seen], len(places))}
    for number in numbers:
        surplus = len(held[number]) - wanted[number]
        if surplus > 0:
            held[number] = order.of_member(held[number])[surplus:]
        for place in held[number]:
            holders[place].add(number)
    for place, by in holders.items():
        for number in grown_number_order(sorted(by))[: max(len(by) - sharing, 0)]:
            by.discard(number)
            held[number].remove(place)
    _fill([number for number in numbers if len(held[number]) < wanted[number]], wanted, sharing, holders, held)


def _fair_counts(numbers: Sequence[int], total: int) -> dict[int, int]:
    """How many each is to hold: they add up to `total`, and differ by at most one."""
    each = total / len(numbers) if numbers else 0.0
    return {number: ceil(each * (at + 1)) - ceil(each * at) for at, number in enumerate(numbers)}


def _fill(
    unfilled: list[int],
    wanted: Mapping[int, int],
    sharing: int,
    holders: Mapping[Place, set[int]],
    held: list[list[Place]],
) -> None:
    """Deal what too few hold, in turn, to those who hold too little."""
    at, has_dealt = 0, False
    for place, by in holders.items():
        missing = sharing - len(by)
        while missing > 0 and unfilled:
            if at >= len(unfilled):
                if not has_dealt:
                    break
                at, has_dealt = 0, False
            number = unfilled[at]
            at += 1
            if number in by:
                continue
            held[number].append(place)
            by.add(number)
            missing -= 1
            has_dealt = True
            if len(held[number]) >= wanted[number]:
                at -= 1
                del unfilled[at]
        if not unfilled:
            return


def _target(places: Iterable[Place]) -> Target:
    found: dict[Uuid, set[int]] = {}
    for topic_id, index in places:
        found.setdefault(topic_id, set()).add(index)
    return {topic_id: frozenset(indexes) for topic_id, indexes in sorted(found.items())}
