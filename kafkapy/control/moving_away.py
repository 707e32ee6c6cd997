"""The replicas of a broker that leaves the cluster: moved to others by reassignments, as many for each partition."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from kafkapy.control.values import NotYet
from kafkapy_wire.errors import KafkaError, error_code
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.image import MetadataImage, PartitionImage

TIMEOUT_MS: Final = 10_000
AGAIN_SECONDS: Final = 0.02
PARTITIONS_PER_REQUEST_MAX: Final = 1_000
NAMED_MAX: Final = 5
"""How many partitions an error names."""


class Held(NamedTuple):
    """A partition that has a replica on the broker."""

    topic: str
    number: int
    """Its index."""
    image: PartitionImage

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


def check_enough_brokers(nodes: ControlledNodes, broker: int) -> None:
    """Raises ValueError: the partitions of a broker could not keep as many replicas."""
    image = nodes.image
    places = _Places(nodes, image, broker)
    for held in _held(nodes, image, broker):
        places.instead(broker, held)


async def move_replicas_away(nodes: ControlledNodes, broker: int, until: float) -> None:
    """Returns when other brokers have the replicas of this one. One that does not run may keep those that no other has
    in sync. `until`: by trio's clock.

    What is under way is cancelled, unless it takes the replica away: a reassignment to replicas that the partition has
    all, and that leave out one which is being added, is never complete. Raises NotYet; ValueError: too few brokers.
    """
    refusals: dict[str, str] = {}
    while True:
        image = nodes.node(await nodes.controller()).parts.metadata.image
        waiting = list(_held(nodes, image, broker))
        if not waiting:
            return
        if trio.current_time() >= until:
            raise NotYet(_still_held(broker, waiting, refusals))
        places = _Places(nodes, image, broker)
        refusals = {}
        wanted: dict[Held, list[int] | None] = {}
        for held in waiting:
            adding, removing = held.image.adding_replicas, held.image.removing_replicas
            if broker in removing and places.usable.issuperset(adding):
                continue  # it is on its way
            if adding or removing:
                wanted[held] = None
            elif (chosen := places.instead(broker, held)) is not None:
                wanted[held] = [chosen if each == broker else each for each in held.image.replicas]
            else:
                refusals[str(held)] = f"the controller does not hear of {places.fenced(held)}, which could have one"
        refusals |= await _ask(nodes, wanted)
        await trio.sleep(AGAIN_SECONDS)


def _still_held(broker: int, waiting: Sequence[Held], refusals: dict[str, str]) -> str:
    named = ", ".join(map(str, waiting[:NAMED_MAX])) + (", ..." if len(waiting) > NAMED_MAX else "")
    why = next((f"; {each}: {refusals[str(each)]}" for each in waiting if str(each) in refusals), "")
    return (
        f"node {broker} still has replicas of {len(waiting)} partitions ({named}){why}; the moves that were "
        "begun go on: ask again to wait for them"
    )


def _held(nodes: ControlledNodes, image: MetadataImage, broker: int) -> Iterator[Held]:
    """Where a broker has replicas that can be moved."""
    runs = broker in nodes.cluster.running
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            if broker in partition.replicas and (runs or set(partition.isr) - {broker}):
                yield Held(topic.name, index, partition)


class _Places:
    """The brokers that can take replicas: those that have the fewest first, in racks that a partition is not in."""

    def __init__(self, nodes: ControlledNodes, image: MetadataImage, leaving: int) -> None:
        # The controller misses a node that was just killed when its session is over.
        down = {member.node_id for member in nodes.cluster.members} - {node.node_id for node in nodes.brokers}
        roomy = [each for each in image.brokers.values() if each.has_room and each.broker_id not in {leaving, *down}]
        self.usable = {each.broker_id for each in roomy if each.is_active}
        self._fenced = {each.broker_id for each in roomy if each.fenced}
        """They run: a heartbeat was late, on a busy machine or behind a cut link, and the next one unfences them."""
        self._racks = {each.broker_id: each.rack for each in image.brokers.values()}
        self._loads = Counter(
            replica
            for topic in image.topics.values()
            for partition in topic.partitions
            for replica in partition.replicas
        )

    def instead(self, broker: int, held: Held) -> int | None:
        """None: those that could have one are fenced. Raises ValueError: there is none."""
        replicas = [each for each in held.image.replicas if each != broker]
        free = self.usable.difference(replicas)
        if not free:
            if self._fenced.difference(replicas):
                return None
            raise ValueError(
                f"node {broker} cannot be removed: {held} has replicas on the brokers "
                f"{', '.join(map(str, held.image.replicas))}, and no other broker runs that could have one: add a node "
                "first, or see that it needs fewer replicas (`kafkapy cluster reassign --replication-factor`)"
            )
        used = {self._racks[each] for each in replicas if self._racks.get(each) is not None}
        chosen = min(free, key=lambda each: (self._racks[each] in used, self._loads[each], each))
        self._loads[chosen] += 1
        return chosen

    def fenced(self, held: Held) -> str:
        """Names those that could take a replica if they were not."""
        return " and ".join(f"node {each}" for each in sorted(self._fenced.difference(held.image.replicas)))


async def _ask(nodes: ControlledNodes, wanted: dict[Held, list[int] | None]) -> dict[str, str]:
    """Have partitions moved; None: back to where they were. Returns what was refused, by partition."""
    refusals: dict[str, str] = {}
    asked = list(wanted.items())
    for first in range(0, len(asked), PARTITIONS_PER_REQUEST_MAX):
        topics: dict[str, ReassignableTopic] = {}
        for held, replicas in asked[first : first + PARTITIONS_PER_REQUEST_MAX]:
            topic = topics.setdefault(held.topic, ReassignableTopic(name=held.topic, partitions=[]))
            topic.partitions.append(ReassignablePartition(partition_index=held.number, replicas=replicas))
        request = AlterPartitionReassignmentsRequest(topics=list(topics.values()), timeout_ms=TIMEOUT_MS)
        try:
            answer = await nodes.ask_controller(request, AlterPartitionReassignmentsResponse)
        except (KafkaError, LookupError):  # another controller becomes the active one
            return refusals
        for topic_answer in answer.responses:
            for each in topic_answer.partitions:
                if each.error_code:
                    why = each.error_message or error_code(each.error_code).name
                    refusals[f"{topic_answer.name}-{each.partition_index}"] = why
    return refusals
