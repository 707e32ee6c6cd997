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
        """Move replicas from fuller brokers to emptier ones, while one has at least two more than another.

        Each move makes the sum of the squares smaller, so that this ends.
        """
        while self._moved_some():
            pass

    def _moved_some(self) -> bool:
        moved = False
        ordered = sorted(self.loads, key=lambda broker: (self.loads[broker], broker))
        for fuller in reversed(ordered):
            for emptier in ordered:
                moved |= self._even_out(fuller, emptier)
        return moved

    def _even_out(self, fuller: int, emptier: int) -> bool:
        """Move replicas that may: of partitions that are in no fewer racks afterwards."""
        moved = False
        for replicas in self.replicas.values():
            if self.loads[fuller] - self.loads[emptier] < 2:
                break
            if fuller in replicas and emptier not in replicas:
                others = [broker for broker in replicas if broker != fuller]
                if len(self._used_racks([*others, emptier])) >= len(self._used_racks(replicas)):
                    replicas[replicas.index(fuller)] = emptier
                    self.loads[fuller] -= 1
                    self.loads[emptier] += 1
                    moved = True
        return moved

    def _used_racks(self, brokers: Sequence[int]) -> set[str | None]:
        return {rack for broker in brokers if (rack := self._racks.get(broker)) is not None}

    def with_leaders(self) -> Replicas:
        """The replicas, those in front chosen so that brokers lead equally many; the present one where that is so."""
        leaders = {partition: replicas[0] for partition, replicas in self.replicas.items()}
        leads = dict.fromkeys(self.loads, 0)
        for leader in leaders.values():
            leads[leader] += 1
        improved = True
        while improved:  # as in `level`, each change makes the sum of the squares smaller
            improved = False
            for partition, replicas in self.replicas.items():
                leader, other = leaders[partition], min(replicas, key=lambda broker: (leads[broker], broker))
                if leads[leader] - leads[other] >= 2:
                    leaders[partition] = other
                    leads[leader] -= 1
                    leads[other] += 1
                    improved = True
        return {
            partition: [leaders[partition], *(broker for broker in replicas if broker != leaders[partition])]
            for partition, replicas in self.replicas.items()
        }
