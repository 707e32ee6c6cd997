"""Which brokers could have a replica that another one is to give up, and what hinders those that could."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.image import NO_LEADER

if TYPE_CHECKING:
    from collections.abc import Collection

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.image import MetadataImage, PartitionImage


class Held(NamedTuple):
    """A partition that has a replica on the broker."""

    topic: str
    number: int
    """Its index."""
    image: PartitionImage

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"

    @property
    def settled(self) -> list[int]:
        """The replicas, were a reassignment that is under way cancelled."""
        return [each for each in self.image.replicas if each not in self.image.adding_replicas]


class Places:
    """The other brokers: those in racks that a partition is not in come first, and of them those with few replicas."""

    def __init__(self, nodes: ControlledNodes, image: MetadataImage, leaving: int) -> None:
        self._leaving = leaving
        self._members = {member.node_id for member in nodes.cluster.members if "broker" in member.roles}
        self._paused = {node.node_id for node in nodes.running() if node.is_paused}
        self._changing = {node_id for node_id, lock in nodes.changing.items() if lock.locked()} - {leaving}
        self._answering = {node.node_id for node in nodes.brokers}
        others = [each for each in image.brokers.values() if each.has_room and each.broker_id != leaving]
        # The controller misses one that was killed, or is paused, when its session is over.
        active = {each.broker_id for each in others if each.is_active}
        self.usable = active & self._answering | active - self._members
        self.late = {each.broker_id for each in others} & (self._answering | self._changing) - self.usable
        """They run and the controller does not hear of them, as a heartbeat is late on a busy machine or behind a cut
        link; or another call starts or stops them.
        """
        self._racks = {each.broker_id: each.rack for each in image.brokers.values()}
        self._loads = Counter(
            replica
            for topic in image.topics.values()
            for partition in topic.partitions
            for replica in partition.replicas
        )

    def best(self, held: Held) -> int | None:
        """Who could have the replica next; None: nobody. It is late only where no other would do as well."""
        replicas = [each for each in held.settled if each != self._leaving]
        free = (self.usable | self.late).difference(replicas)
        used = {self._racks[each] for each in replicas if self._racks.get(each) is not None}

        def order(broker: int) -> tuple[bool, bool, int, int]:
            return self._racks[broker] in used, broker in self.late, self._loads[broker], broker

        return min(free, key=order, default=None)

    def take(self, broker: int) -> None:
        """It gets a replica."""
        self._loads[broker] += 1

    def completes(self, held: Held) -> bool:
        """A reassignment that is under way takes the replica away, and can be complete."""
        adding, removing = set(held.image.adding_replicas), set(held.image.removing_replicas)
        if self._leaving not in removing or adding & removing:
            return False
        return adding <= self.usable or (adding <= self.usable | self.late and self.best(held) in adding)

    def is_enough(self, held: Held) -> bool:
        """The partition could keep as many replicas."""
        return self._leaving not in held.settled or self.completes(held) or self.best(held) is not None

    def missed(self, held: Held) -> set[int]:
        """Whom a reassignment that is under way waits for, but for those that copy."""
        isr = set(held.image.isr)
        waits_for = set(held.image.replicas).difference(held.image.removing_replicas, isr)
        if held.image.leader == NO_LEADER:
            waits_for |= isr
        return waits_for - self.usable - {self._leaving}

    def what_would_do(self, held: Held) -> str:
        """Where nobody could have the replica."""
        idle = self._members.difference(self._answering, held.settled, {self._leaving})
        steps = ["add a node", *(f"resume node {each}" for each in sorted(idle & self._paused))]
        steps += [f"start node {each}" for each in sorted(idle - self._paused)]
        return f"no other broker runs that could have one: {', '.join(steps)}"

    def what_hinders(self, brokers: Collection[int]) -> str:
        """Why these are not usable, and what to do."""
        return "; ".join(map(self._what_hinders, sorted(brokers)))

    def _what_hinders(self, broker: int) -> str:
        if broker in self._changing:
            return f"another call starts or stops node {broker}"
        if broker in self._paused:
            return f"node {broker} is paused: resume it"
        if broker in self._answering:
            return (
                f"the controller does not hear of node {broker}: heal cut links, or kill it, or set a longer "
                "broker.session.timeout.ms"
            )
        return f"node {broker} does not run" + (": start it" if broker in self._members else "")
