"""The assignor `simple` of share groups: every partition goes to somebody, and several members may share one.

Each member gets about as many partitions as the others, and what it was to read before stays with it where that fits.
If all members read the same topics, partitions of all topics are dealt together; else topic by topic.

Differs: in groups of more than 16 members Apache Kafka may consider them in another order, that of a Java set.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import share_partition_order, topic_order

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
    held = [
        {(topic_id, index) for topic_id, indexes in member.assigned.items() for index in indexes}
        for member in members.values()
    ]
    if is_homogeneous:
        subscribed = next(iter(members.values())).topic_ids if members else frozenset()
        if not subscribed:
            return {name: {} for name in names}
        places = [(topic_id, index) for topic_id in topic_order(subscribed) for index in assignable.get(topic_id, ())]
        _deal(range(len(names)), places, held)
    else:
        topics = {topic_id for member in members.values() for topic_id in member.topic_ids}
        if not topics:
            return {name: {} for name in names}
        for topic_id in topic_order(topics):
            readers = [number for number, name in enumerate(names) if topic_id in members[name].topic_ids]
            places = [(topic_id, index) for index in assignable.get(topic_id, ())]
            _deal_topic(readers, places, held, topic_id)
        for mine in held:
            mine -= {place for place in mine if place[0] not in topics}
    return {name: _target(mine) for name, mine in zip(names, held, strict=True)}


def _deal_topic(readers: Sequence[int], places: list[Place], held: list[set[Place]], topic_id: Uuid) -> None:
    others = [{place for place in mine if place[0] != topic_id} for mine in held]
    of_topic = [{place for place in mine if place[0] == topic_id} for mine in held]
    reading = frozenset(readers)
    for number, mine in enumerate(of_topic):
        if number not in reading:
            mine.clear()
    _deal(readers, places, of_topic)
    for number, mine in enumerate(of_topic):
        held[number] = others[number] | mine


def _deal(numbers: Sequence[int], places: list[Place], held: list[set[Place]]) -> None:
    """Change what `numbers` hold, so that each of `places` is held by as many of them as its fair share asks."""
    known = frozenset(places)
    count = len(numbers)
    sharing = ceil(count / len(places)) if places else 0
    wanted = _fair_counts(numbers, sharing * len(places))
    for number in numbers:
        held[number] &= known
    holders: dict[Place, set[int]] = {place: set() for place in share_partition_order(known)}
    for number in numbers:
        mine = held[number]
        for place in [*share_partition_order(mine)][: max(len(mine) - wanted[number], 0)]:
            mine.discard(place)
        for place in mine:
            holders[place].add(number)
    for place, by in holders.items():
        for number in sorted(by)[: max(len(by) - sharing, 0)]:
            by.discard(number)
            held[number].discard(place)
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
    held: list[set[Place]],
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
            held[number].add(place)
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
