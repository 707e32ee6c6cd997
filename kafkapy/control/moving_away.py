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
    from collections.abc import Iterator

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.image import MetadataImage, PartitionImage

TIMEOUT_MS: Final = 10_000
AGAIN_SECONDS: Final = 0.02
AGAIN_SECONDS_PER_PARTITION: Final = 50e-6
"""To look at 10,000 takes 30 ms."""
PARTITIONS_PER_REQUEST_MAX: Final = 1_000
NAMED_MAX: Final = 5
"""How many partitions an error names."""


NO_OTHER: Final = "no other broker runs that could have one: add a node"


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


def check_enough_brokers(nodes: ControlledNodes, broker: int) -> None:
    """Raises ValueError: the partitions of a broker could not keep as many replicas. A broker that runs counts, also
    while the controller does not hear of it.
    """
    image = nodes.newest_image
    places = _Places(nodes, image, broker)
    for held in _held(nodes, image, broker):
        is_going = broker in held.image.removing_replicas or broker not in held.settled
        if not is_going and places.choose(held) is None:
            raise ValueError(
                f"node {broker} cannot be removed: {held} has replicas on the brokers "
                f"{', '.join(map(str, held.settled))}, and {NO_OTHER} first, or see that it needs fewer "
                "replicas (`kafkapy cluster reassign --replication-factor`)"
            )


async def move_replicas_away(nodes: ControlledNodes, broker: int, until: float) -> None:
    """Returns when other brokers have the replicas of this one. One that does not run may keep those that no other has
    in sync. `until`: by trio's clock; moves are begun at least once.

    What is under way is cancelled, unless it takes the replica away: a reassignment to replicas that the partition has
    all, and that leave out one which is being added, is never complete. A broker that runs and that the controller does
    not hear of, or that another call starts, is waited for where no other could do. Raises NotYet, which says what the
    moves wait for.
    """
    seen = await _begin_moves(nodes, broker)
    with trio.move_on_at(until):
        while seen.waiting:
            await trio.sleep(max(AGAIN_SECONDS, AGAIN_SECONDS_PER_PARTITION * len(seen.waiting)))
            seen = await _begin_moves(nodes, broker)
    if seen.waiting:
        raise NotYet(_still_held(broker, seen))


class _Seen(NamedTuple):
    waiting: list[Held]
    """What the broker still had."""
    hindered: dict[str, str]
    """What a partition waits for, other than time, by its name."""
    begun: bool
    """Moves are under way."""


async def _begin_moves(nodes: ControlledNodes, broker: int) -> _Seen:
    """Ask for what can be moved now, and was not asked for before."""
    image = nodes.newest_image
    waiting = list(_held(nodes, image, broker))
    places = _Places(nodes, image, broker)
    leaving = image.brokers.get(broker)
    silent = {broker} if leaving is not None and leaving.fenced and broker in nodes.cluster.running else set()
    hindered: dict[str, str] = {}
    wanted: dict[Held, list[int] | None] = {}
    begun = False
    for held in waiting:
        adding, removing = set(held.image.adding_replicas), held.image.removing_replicas
        if broker in removing and places.can_take(adding, held):
            begun = True
            if missed := adding & places.late | silent:
                hindered[str(held)] = _does_not_hear(missed)
        elif adding or removing:
            wanted[held] = None
        elif (chosen := places.choose(held)) is None:
            hindered[str(held)] = f"{NO_OTHER}, or start one"
        elif chosen in places.late:
            hindered[str(held)] = _does_not_hear({chosen})
        else:
            wanted[held] = [chosen if each == broker else each for each in held.image.replicas]
    refused = await _ask(nodes, wanted)
    begun = begun or any(replicas is not None and str(held) not in refused for held, replicas in wanted.items())
    return _Seen(waiting, hindered | refused, begun)


def _does_not_hear(brokers: set[int]) -> str:
    named = " and ".join(f"node {each}" for each in sorted(brokers))
    return f"the controller does not hear of {named}: heal cut links, or set a longer broker.session.timeout.ms"


def _still_held(broker: int, seen: _Seen) -> str:
    waiting = seen.waiting
    named = ", ".join(map(str, waiting[:NAMED_MAX])) + (", ..." if len(waiting) > NAMED_MAX else "")
    why = next((f"; {each}: {seen.hindered[str(each)]}" for each in waiting if str(each) in seen.hindered), "")
    then = "the moves that were begun go on: ask again to wait for them" if seen.begun else "ask again after that"
    return f"node {broker} still has replicas of {len(waiting)} partitions ({named}){why}; {then}"


def _held(nodes: ControlledNodes, image: MetadataImage, broker: int) -> Iterator[Held]:
    """Where a broker has replicas that can be moved."""
    runs = broker in nodes.cluster.running
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            if broker in partition.replicas and (runs or set(partition.isr) - {broker}):
                yield Held(topic.name, index, partition)


class _Places:
    """The brokers that can take replicas: in racks that a partition is not in, and of those that have the fewest."""

    def __init__(self, nodes: ControlledNodes, image: MetadataImage, leaving: int) -> None:
        self._leaving = leaving
        members = {member.node_id for member in nodes.cluster.members}
        # The controller misses one that was killed when its session is over; one that is paused answers nothing.
        answering = {node.node_id for node in nodes.brokers}
        others = [each for each in image.brokers.values() if each.has_room and each.broker_id != leaving]
        active = {each.broker_id for each in others if each.is_active}
        self.usable = active & answering | active - members
        coming = answering | {node_id for node_id, lock in nodes.changing.items() if lock.locked()}
        self.late = {each.broker_id for each in others} & coming - self.usable
        """They run, or another call starts or stops them: a heartbeat is late, on a busy machine or behind a cut link,
        and the next one unfences them.
        """
        self._racks = {each.broker_id: each.rack for each in image.brokers.values()}
        self._loads = Counter(
            replica
            for topic in image.topics.values()
            for partition in topic.partitions
            for replica in partition.replicas
        )

    def can_take(self, adding: set[int], held: Held) -> bool:
        """Those who are being added hear of it, or are late while nobody else could be added in place of them."""
        if adding <= self.usable:
            return True
        return adding <= self.usable | self.late and self.usable <= set(held.image.replicas)

    def choose(self, held: Held) -> int | None:
        """Who has the replica next; None: no other broker could. One that is late is it only where no other would do as
        well.
        """
        replicas = [each for each in held.settled if each != self._leaving]
        free = (self.usable | self.late).difference(replicas)
        if not free:
            return None
        used = {self._racks[each] for each in replicas if self._racks.get(each) is not None}
        chosen = min(free, key=lambda each: (self._racks[each] in used, each in self.late, self._loads[each], each))
        self._loads[chosen] += 1
        return chosen


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
