"""The replicas of a broker that leaves the cluster: moved to others by reassignments, as many for each partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from kafkapy.control.places import Held, Places
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
    from kafkapy_controller.image import MetadataImage

TIMEOUT_MS: Final = 10_000
AGAIN_SECONDS: Final = 0.02
AGAIN_SECONDS_PER_PARTITION: Final = 50e-6
"""To look at 10,000 takes 30 ms."""
PARTITIONS_PER_REQUEST_MAX: Final = 1_000
NAMED_MAX: Final = 5
"""How many partitions and reasons an error names."""


def check_enough_brokers(nodes: ControlledNodes, broker: int) -> None:
    """Raises ValueError: the partitions of a broker could not keep as many replicas. A broker that runs counts, also
    while the controller does not hear of it. LookupError: no node runs.
    """
    image = nodes.newest_image
    places = Places(nodes, image, broker)
    for held in _held(nodes, image, broker):
        if not places.is_enough(held):
            raise ValueError(
                f"node {broker} cannot be removed: {held} has replicas on the brokers "
                f"{', '.join(map(str, held.settled))}, and {places.what_would_do(held)}, or see that it needs fewer "
                "replicas (`kafkapy cluster reassign --replication-factor`)"
            )


async def move_replicas_away(nodes: ControlledNodes, broker: int, until: float) -> None:
    """Returns when other brokers have the replicas of this one. One that does not run may keep those that no other has
    in sync. `until`: by trio's clock; it is tried at least once.

    What is under way is cancelled, unless it takes the replica away: a reassignment to replicas that the partition has
    all, and that leave out one which is being added, is never complete. A broker that runs and that the controller does
    not hear of, or that another call starts, is waited for where no other would do as well. Raises NotYet, which says
    what the moves wait for.
    """
    seen = await _begin_moves(nodes, broker)
    with trio.move_on_at(until):
        while seen.waiting:
            await trio.sleep(max(AGAIN_SECONDS, AGAIN_SECONDS_PER_PARTITION * len(seen.waiting)))
            seen = await _begin_moves(nodes, broker)
    if seen.waiting:
        raise NotYet(_still_held(broker, seen, has_controller=nodes.active_controller_id() is not None))


class _Seen(NamedTuple):
    waiting: list[Held]
    """What the broker still had."""
    hindered: dict[str, str]
    """What a partition waits for, other than time, by its name."""
    begun: bool
    """There were moves under way."""


async def _begin_moves(nodes: ControlledNodes, broker: int) -> _Seen:
    """Ask for the moves that can be begun and are not under way. Raises NotYet: no controller is active."""
    await nodes.controller()
    image = nodes.newest_image
    waiting = list(_held(nodes, image, broker))
    places = Places(nodes, image, broker)
    leaving = image.brokers.get(broker)
    silent = {broker} if leaving is not None and leaving.fenced and broker in nodes.cluster.running else set()
    hindered: dict[str, str] = {}
    wanted: dict[Held, list[int] | None] = {}
    for held in waiting:
        is_moving = bool(held.image.adding_replicas or held.image.removing_replicas)
        if is_moving and not places.completes(held):
            wanted[held] = None
        elif is_moving:
            if missed := places.missed(held) | silent:
                hindered[str(held)] = places.what_hinders(missed)
        elif (best := places.best(held)) is None:
            hindered[str(held)] = places.what_would_do(held)
        elif best in places.late:
            hindered[str(held)] = places.what_hinders({best})
        else:
            places.take(best)
            wanted[held] = [best if each == broker else each for each in held.image.replicas]
    refused = await _ask(nodes, wanted)
    begun = any(held.image.removing_replicas and held not in wanted for held in waiting)
    begun = begun or any(replicas is not None and str(held) not in refused for held, replicas in wanted.items())
    return _Seen(waiting, hindered | refused, begun)


def _still_held(broker: int, seen: _Seen, *, has_controller: bool) -> str:
    waiting = seen.waiting
    named = ", ".join(map(str, waiting[:NAMED_MAX])) + (", ..." if len(waiting) > NAMED_MAX else "")
    held = f"node {broker} still has replicas of {len(waiting)} partitions ({named})"
    if not has_controller:
        return f"{held}; no controller is active"
    reasons: dict[str, str] = {}
    for each, why in seen.hindered.items():
        reasons.setdefault(why, each)
    told = [f"{each}: {why}" for why, each in reasons.items()][:NAMED_MAX]
    then = "the moves that were begun go on: ask again to wait for them" if seen.begun else "ask again"
    return "; ".join([held, *told, then])


def _held(nodes: ControlledNodes, image: MetadataImage, broker: int) -> Iterator[Held]:
    """Where a broker has replicas that can be moved."""
    runs = broker in nodes.cluster.running
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            if broker in partition.replicas and (runs or set(partition.isr) - {broker}):
                yield Held(topic.name, index, partition)


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
