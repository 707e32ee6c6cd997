"""`uniform`, for members that read different topics: as equal as their subscriptions allow, few partitions moved.

Every member keeps what it has and still reads. What nobody owns goes to the subscribers with the fewest partitions,
topic by topic, those topics first that have the most partitions for each subscriber. Then, topic by topic, partitions
move from the subscribers with the most to those with the least, until nothing moves, or `ROUNDS_MAX` rounds are over:
where subscriptions overlap in part, balance comes slowly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.assignors.java_order import signed_halves

if TYPE_CHECKING:
    from kafkapy.coordinators.group.assignors.specification import GroupSpec, Target
    from kafkapy_wire.uuid import Uuid

ROUNDS_MAX = 16
_NOBODY = -1


def assign(group: GroupSpec) -> dict[str, Target]:
    return _Assignment(group).build()


class _Assignment:
    """Members are numbered in their order; of each partition the number of its owner is kept."""

    def __init__(self, group: GroupSpec) -> None:
        self._group = group
        self._subscribers: dict[Uuid, list[int]] = {}
        for number, member in enumerate(group.members.values()):
            for topic_id in member.topic_ids:
                self._subscribers.setdefault(topic_id, []).append(number)
        self._owners = {topic_id: [_NOBODY] * group.partition_counts[topic_id] for topic_id in self._subscribers}
        self._sizes = [0] * len(group.members)

    def build(self) -> dict[str, Target]:
        if not self._subscribers:
            return {}
        self._retain()
        self._assign_rest()
        self._balance()
        return self._result()

    def _retain(self) -> None:
        for number, member in enumerate(self._group.members.values()):
            for topic_id, partitions in member.assigned.items():
                if topic_id in member.topic_ids:
                    self._sizes[number] += len(partitions)
                    owners = self._owners[topic_id]
                    for partition in partitions:
                        owners[partition] = number

    def _assign_rest(self) -> None:
        unowned = {
            topic_id: partitions
            for topic_id, owners in self._owners.items()
            if (partitions := [partition for partition, owner in enumerate(owners) if owner == _NOBODY])
        }
        for topic_id in self._sorted_topics(unowned):
            loads = _Loads(self._subscribers[topic_id], self._sizes)
            for partition in unowned[topic_id]:
                self._give(topic_id, partition, loads.next_least_loaded())

    def _balance(self) -> None:
        topic_ids = self._sorted_topics(topic_id for topic_id, members in self._subscribers.items() if len(members) > 1)
        last_changed = _NOBODY
        for _ in range(ROUNDS_MAX):
            for index, topic_id in enumerate(topic_ids):
                if index == last_changed:
                    return  # a whole round without a change
                if self._balance_topic(topic_id) or last_changed == _NOBODY:
                    last_changed = index

    def _balance_topic(self, topic_id: Uuid) -> bool:
        """Move partitions from the subscribers with the most to those with the least. False: none was moved."""
        loads = _Loads(self._subscribers[topic_id], self._sizes)
        if loads.imbalance <= 1:
            return False
        owned: dict[int, list[int]] = {}
        for partition, owner in enumerate(self._owners[topic_id]):
            owned.setdefault(owner, []).append(partition)
        moved = False
        while not loads.is_balanced:
            giver = loads.next_most_loaded()
            while giver is not None and not owned.get(giver):
                loads.exclude_most_loaded()
                giver = loads.next_most_loaded()
            if giver is None:
                break
            partition = owned[giver].pop()
            taker = loads.next_least_loaded()
            if loads.is_balanced:
                break
            self._give(topic_id, partition, taker)
            moved = True
        return moved

    def _give(self, topic_id: Uuid, partition: int, member: int) -> None:
        owners = self._owners[topic_id]
        if owners[partition] != _NOBODY:
            self._sizes[owners[partition]] -= 1
        owners[partition] = member
        self._sizes[member] += 1

    def _sorted_topics(self, topic_ids: object) -> list[Uuid]:
        """Most partitions for each subscriber first, then fewest subscribers, then by id."""
        counts, subscribers = self._group.partition_counts, self._subscribers

        def key(topic_id: Uuid) -> tuple[float, int, tuple[int, int]]:
            subscriber_count = len(subscribers[topic_id])
            return -counts[topic_id] / subscriber_count, subscriber_count, signed_halves(topic_id)

        return sorted(topic_ids, key=key)  # type: ignore[call-overload, no-any-return]

    def _result(self) -> dict[str, Target]:
        assigned: list[dict[Uuid, list[int]]] = [{} for _ in self._sizes]
        for topic_id, owners in self._owners.items():
            for partition, owner in enumerate(owners):
                assigned[owner].setdefault(topic_id, []).append(partition)
        return {
            member_id: {topic_id: frozenset(partitions) for topic_id, partitions in assigned[number].items()}
            for number, member_id in enumerate(self._group.members)
        }


class _Loads:
    """The subscribers of a topic, sorted by how many partitions they own, from both ends.

    [0, low_end) are those with the fewest. Each of them is given one partition in turn; then their level rises, and
    those that are on the new level join them. [high_start, high_end) are those with the most, and the same downwards;
    members that have no partition to give lie beyond high_end.
    """

    def __init__(self, subscribers: list[int], sizes: list[int]) -> None:
        self._sizes = sizes
        self._members = members = sorted(subscribers, key=lambda number: (sizes[number], number))
        self._low_level = sizes[members[0]] - 1
        self._low_end = 0
        self._next_low = 0
        self._high_level = sizes[members[-1]] + 1
        self._high_start = self._high_end = len(members)
        self._next_high = len(members) - 1
        self.imbalance = sizes[members[-1]] - sizes[members[0]]

    @property
    def is_balanced(self) -> bool:
        return self._high_level - self._low_level <= 1

    def next_least_loaded(self) -> int:
        """The member that gets the next partition."""
        if self._next_low >= self._low_end:
            self._low_level += 1
            while self._low_end < len(self._members) and self._size_at(self._low_end) == self._low_level:
                self._low_end += 1
            self._next_low = 0
        self._next_low += 1
        return self._members[self._next_low - 1]

    def next_most_loaded(self) -> int | None:
        """The member that gives the next partition; None: nobody has one to give."""
        if self._next_high < self._high_start:
            if self._high_end <= self._high_start and self._high_start > 0:
                self._high_level = self._size_at(self._high_start - 1)  # all on this level were excluded
            else:
                self._high_level -= 1
            while self._high_start > 0 and self._size_at(self._high_start - 1) == self._high_level:
                self._high_start -= 1
            self._next_high = self._high_end - 1
        if self._next_high < 0:
            return None
        self._next_high -= 1
        return self._members[self._next_high + 1]

    def exclude_most_loaded(self) -> None:
        """The member that `next_most_loaded` has just returned has nothing to give."""
        members, excluded = self._members, self._next_high + 1
        last = self._high_end - 1
        members[excluded], members[last] = members[last], members[excluded]
        self._high_end -= 1

    def _size_at(self, index: int) -> int:
        return self._sizes[self._members[index]]
