"""The range assignor of classic consumer groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkapy.client.offsets import Partition

RANGE = "range"
"""The assignor's name: Java's RangeAssignor, so that its consumers may be members of the same group."""


def assign_ranges(
    subscriptions: Mapping[str, Sequence[str]], partition_counts: Mapping[str, int]
) -> dict[str, list[Partition]]:
    """Member id -> its partitions: each topic is cut into as many ranges as members want it, the longer ones first.

    Members take them in the order of their ids. A topic that is not in `partition_counts` does not exist (yet).
    """
    assignment: dict[str, list[Partition]] = {member: [] for member in subscriptions}
    for topic in sorted({topic for topics in subscriptions.values() for topic in topics}):
        members = sorted(member for member, topics in subscriptions.items() if topic in topics)
        size, longer = divmod(partition_counts.get(topic, 0), len(members))
        start = 0
        for position, member in enumerate(members):
            end = start + size + (position < longer)
            assignment[member] += [(topic, index) for index in range(start, end)]
            start = end
    return assignment
