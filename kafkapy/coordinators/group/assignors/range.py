"""`range`: of each topic every subscriber gets a range of partitions that lie side by side.

If all members read the same topics, and these have equally many partitions, a member gets the same partitions of every
topic, as a join needs. Static members come first, by their instance ids: they keep their ranges after a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.assignors.java_order import string_key

if TYPE_CHECKING:
    from kafkapy.coordinators.group.assignors.specification import GroupSpec, Target
    from kafkapy_wire.uuid import Uuid

NAME = "range"


def assign(group: GroupSpec) -> dict[str, Target]:
    subscriber_counts: dict[Uuid, int] = {}
    for member in group.members.values():
        for topic_id in member.topic_ids:
            subscriber_counts[topic_id] = subscriber_counts.get(topic_id, 0) + 1
    starts = dict.fromkeys(subscriber_counts, 0)
    # (partitions of each subscriber, subscribers that get one more)
    quotas = {topic_id: divmod(group.partition_counts[topic_id], n) for topic_id, n in subscriber_counts.items()}
    extras = {topic_id: extra for topic_id, (_, extra) in quotas.items()}
    assignment: dict[str, Target] = {}
    for member_id in _sorted_members(group):
        target: Target = {}
        for topic_id in group.members[member_id].topic_ids:
            start = starts[topic_id]
            end = start + quotas[topic_id][0]
            if extras[topic_id]:
                extras[topic_id] -= 1
                end += 1
            starts[topic_id] = end
            if end > start:
                target[topic_id] = frozenset(range(start, end))
        assignment[member_id] = target
    return assignment


def _sorted_members(group: GroupSpec) -> list[str]:
    def key(member_id: str) -> tuple[bool, bytes]:
        instance_id = group.members[member_id].group_instance_id
        return instance_id is None, string_key(member_id if instance_id is None else instance_id)

    return sorted(group.members, key=key)
