"""A plan of replicas: as evenly over some brokers as it goes, with as few moves as that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkapy.client.offsets import Partition

Replicas = dict[Partition, list[int]]


def spread(
    present: Mapping[Partition, Sequence[int]],
    brokers: Sequence[int],
    racks: Mapping[int, str | None],
    replication_factor: int | None = None,
) -> Replicas:
    """Where the replicas of each partition should be: on `brokers` alone, the preferred leader first.

    Replicas stay where they are as far as that is even; `replication_factor` None keeps their number. A partition has
    its replicas in as many racks as there are, if it must move anyway.
    Each number of replicas is at most `len(brokers)`: the caller has seen to that.
    """
    plan = _Plan(sorted(set(brokers)), racks)
    for partition in sorted(present):
        wanted = replication_factor or len(present[partition])
        plan.keep(partition, [broker for broker in present[partition] if broker in plan.loads][:wanted])
    for partition in sorted(present):
        plan.fill(partition, replication_factor or len(present[partition]))
    plan.level()
    return plan.with_leaders()


class _Plan:
    def __init__(self, brokers: Sequence[int], racks: Mapping[int, str | None]) -> None:
        self.replicas: Replicas = {}
        self.loads = dict.fromkeys(brokers, 0)
        self._racks = racks

    def keep(self, partition: Partition, brokers: list[int]) -> None:
        self.replicas[partition] = brokers
        for broker in brokers:
            self.loads[broker] += 1

    def fill(self, partition: Partition, wanted: int) -> None:
        """Give the partition replicas on the brokers that have the least, in racks that it is not in first."""
        replicas = self.replicas[partition]
        while len(replicas) < wanted:
            used = self._used_racks(replicas)
            candidates = [broker for broker in self.loads if broker not in replicas]
            broker = min(candidates, key=lambda one: (self._racks.get(one) in used, self.loads[one], one))
            replicas.append(broker)
            self.loads[broker] += 1

    def level(self) -> None:
        """Move replicas from the fullest broker to the emptiest, while one has at least two more than the other.

        Each move makes the sum of the squares smaller, so that this ends.
        """
        while True:
            ordered = sorted(self.loads, key=lambda broker: (self.loads[broker], broker))
            if not self._move_one(ordered):
                return

    def _move_one(self, ordered: Sequence[int]) -> bool:
        for fullest in reversed(ordered):
            for emptiest in ordered:
                if self.loads[fullest] - self.loads[emptiest] < 2:
                    break
                partition = self._movable(fullest, emptiest)
                if partition is not None:
                    replicas = self.replicas[partition]
                    replicas[replicas.index(fullest)] = emptiest
                    self.loads[fullest] -= 1
                    self.loads[emptiest] += 1
                    return True
        return False

    def _movable(self, source: int, target: int) -> Partition | None:
        """A partition whose replica may move without being in fewer racks than before."""
        for partition, replicas in self.replicas.items():
            if source in replicas and target not in replicas:
                others = [broker for broker in replicas if broker != source]
                racks_before = self._used_racks(replicas)
                if len(self._used_racks([*others, target])) >= len(racks_before):
                    return partition
        return None

    def _used_racks(self, brokers: Sequence[int]) -> set[str | None]:
        return {rack for broker in brokers if (rack := self._racks.get(broker)) is not None}

    def with_leaders(self) -> Replicas:
        """The replicas, each time with one in front that leads few partitions; the present one if that is as good."""
        leads = dict.fromkeys(self.loads, 0)
        planned: Replicas = {}
        for partition, replicas in self.replicas.items():
            leader = min(replicas, key=lambda broker: (leads[broker], replicas.index(broker)))
            leads[leader] += 1
            planned[partition] = [leader, *(broker for broker in replicas if broker != leader)]
        return planned
