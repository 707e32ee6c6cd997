"""`uniform`, for members that all read the same topics: as many partitions for each, and as few moved as can be.

First every member keeps what it has, up to its quota; then those below their quota get what nobody owns. The members
that get one more than others are the first ones that have it already, if enough members follow that could take it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.assignors import uniform_mixed
from kafkapy.coordinators.group.assignors.java_order import assigned_topic_order, partition_order, topic_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.coordinators.group.assignors.specification import GroupSpec, Target
    from kafkapy_wire.uuid import Uuid

NAME = "uniform"


def assign(group: GroupSpec) -> dict[str, Target]:
    if not group.members:
        return {}
    if not group.is_homogeneous:
        return uniform_mixed.assign(group)
    topic_ids = next(iter(group.members.values())).topic_ids
    if not topic_ids:
        return {}
    unassigned = [*_owned_by_nobody(group, topic_order(topic_ids))]
    partition_count = sum(group.partition_counts[topic_id] for topic_id in topic_ids)
    kept, unfilled = _retain(group, partition_count, unassigned)
    rest = iter(unassigned)
    for member_id, room in unfilled:
        _add(kept[member_id], rest, room)
    return {
        member_id: {topic_id: frozenset(partitions) for topic_id, partitions in assigned.items() if partitions}
        for member_id, assigned in kept.items()
    }


def _owned_by_nobody(group: GroupSpec, topic_ids: list[Uuid]) -> Iterator[tuple[Uuid, int]]:
    owned: dict[Uuid, set[int]] = {topic_id: set() for topic_id in topic_ids}
    for member in group.members.values():
        for topic_id, partitions in member.assigned.items():
            if topic_id in owned:
                owned[topic_id].update(partitions)
    for topic_id in topic_ids:
        taken = owned[topic_id]
        for partition in range(group.partition_counts[topic_id]):
            if partition not in taken:
                yield topic_id, partition


def _retain(
    group: GroupSpec, partition_count: int, unassigned: list[tuple[Uuid, int]]
) -> tuple[dict[str, dict[Uuid, set[int]]], list[tuple[str, int]]]:
    """What each member keeps, and the members below their quota with how many they lack. What is taken from members
    above it is appended to `unassigned`.
    """
    member_count = len(group.members)
    smallest_quota, extras = divmod(partition_count, member_count)
    kept: dict[str, dict[Uuid, set[int]]] = {}
    unfilled: list[tuple[str, int]] = []
    for index, (member_id, member) in enumerate(group.members.items()):
        gets_extra = extras > 0
        room = smallest_quota + gets_extra
        keeps = kept[member_id] = {}
        for topic_id in assigned_topic_order(member.assigned):
            partitions = member.assigned[topic_id]
            if topic_id not in member.topic_ids:
                continue
            if len(partitions) <= room:
                keeps[topic_id] = set(partitions)
                room -= len(partitions)
                continue
            order = [*partition_order(partitions)]
            keeps[topic_id] = set(order[:room])
            unassigned += [(topic_id, partition) for partition in order[room:]]
            room = 0
        if room and gets_extra and member_count - index > extras:
            room -= 1
            gets_extra = False  # a later member may have one more already
        if room:
            unfilled.append((member_id, room))
        extras -= gets_extra
    return kept, unfilled


def _add(assigned: dict[Uuid, set[int]], rest: Iterator[tuple[Uuid, int]], room: int) -> None:
    for _ in range(room):
        following = next(rest, None)
        if following is None:
            return
        topic_id, partition = following
        assigned.setdefault(topic_id, set()).add(partition)
