"""Brokers that join a running cluster and leave it for good, and the nodes that a fresh state goes back to."""

from __future__ import annotations

import shutil
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.control.members import check_rack, is_unfenced
from kafkapy.control.moving_away import check_enough_brokers, move_replicas_away
from kafkapy.control.nodes import ANSWER_SECONDS, LOOK_AGAIN_SECONDS
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kafkapy.cluster import Member
    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.image import MetadataImage

UNDO_SECONDS: Final = 5.0
"""How long the controller may take to forget a broker that could not be added."""


async def add_node(nodes: ControlledNodes, rack: str | None = None) -> int:
    """Start another broker, at an address and in a directory of its own, and return its id: the next free one.

    It is no controller. When this returns the active controller has unfenced it, and every broker that is not cut off
    knows it, so that it can have replicas. It stays until `remove_node` or `reset`, also when the cluster is started
    again; the numbers of replicas that topics have by default stay the same. Raises NotYet, StartupError; ValueError: a
    rack has a name.
    """
    check_rack(rack)
    nodes.cluster.check_can_restart("no node can be added")
    async with nodes.changing_all:
        member = nodes.cluster.new_member(rack, nodes.image.brokers)
        try:
            nodes.change_members([*nodes.cluster.members, member])
            with nodes.patience(f"node {member.node_id}, a new broker, to join (the log says what keeps it)"):
                await nodes.start([member.node_id])
        except Exception:
            with trio.move_on_after(UNDO_SECONDS):
                await _unregister(nodes, member.node_id)
            await _forget(nodes, {member.node_id})
            raise
        with nodes.patience(f"every broker to know node {member.node_id}, which was added"):
            while not all(is_unfenced(image, member.node_id) for image in await _images(nodes)):  # noqa: ASYNC110  # soon
                await trio.sleep(LOOK_AGAIN_SECONDS)
    return member.node_id


async def remove_node(nodes: ControlledNodes, node_id: int, timeout: float = ANSWER_SECONDS) -> None:
    """Take a broker out of the cluster for good: other brokers get its replicas, it stops, it is unregistered, and what
    it has stored is deleted.

    Of a broker that does not run what others have in sync is moved; records that it alone had are lost. `timeout`
    bounds the moves, and the wait for brokers that the controller does not hear of. After a NotYet, which says what is
    waited for, moves go on, and another call takes up from there. Raises LookupError: there is no such node, or it is
    paused; ValueError: it is a controller, too, or there are too few other brokers; NotYet.
    """
    nodes.cluster.check_can_restart("no node can be removed")
    async with nodes.changing_all:
        _check_can_go(nodes, node_id)
        async with nodes.changing_one(node_id):
            if node_id in nodes.cluster.running and nodes.node(node_id).is_paused:
                raise LookupError(f"node {node_id} is paused, so that it cannot stop in order: resume it, or kill it")
            check_enough_brokers(nodes, node_id)
            until = trio.current_time() + timeout
            if node_id in nodes.cluster.running:
                await move_replicas_away(nodes, node_id, until)
            if node_id in nodes.cluster.running:  # it may have been killed meanwhile
                await nodes.cluster.stop(node_id)
            with nodes.patience(f"every broker to know that node {node_id} is gone"):
                await _unregister(nodes, node_id)
            # Of a topic that was made while it stopped, or of a dead one.
            await move_replicas_away(nodes, node_id, until)
            for node in nodes.running():
                for address in nodes.cluster.addresses(node_id):
                    node.peers.heal(*address)
            await _forget(nodes, {node_id})


def _check_can_go(nodes: ControlledNodes, node_id: int) -> None:
    """Raises LookupError: there is no such node; ValueError: the cluster cannot do without it."""
    members = {member.node_id: member for member in nodes.cluster.members}
    if node_id not in members:
        raise LookupError(f"there is no node {node_id}; there are {', '.join(map(str, members))}")
    if "controller" in members[node_id].roles:
        raise ValueError(
            f"node {node_id} is a controller, and the controllers of this cluster stay the same: `stop_node` or "
            "`kill_node` it; brokers can be removed that were added, or of a cluster with controllers of their own "
            "(Kafka(nodes=3, controllers=1), `kafkapy cluster --nodes 3 --controllers 1`)"
        )
    if sum("broker" in member.roles for member in members.values()) == 1:
        raise ValueError(f"node {node_id} is the only broker, so that it cannot be removed: add another one first")


async def _images(nodes: ControlledNodes) -> list[MetadataImage]:
    """What the active controller knows, and the brokers that it hears of. Raises NotYet: no controller is active."""
    image = nodes.node(await nodes.controller()).parts.metadata.image
    in_touch = [node for node in nodes.brokers if is_unfenced(image, node.node_id)]
    return [image, *(node.parts.metadata.image for node in in_touch)]


async def _unregister(nodes: ControlledNodes, node_id: int) -> None:
    """Until no broker knows it any more."""
    while any(node_id in image.brokers for image in await _images(nodes)):
        with suppress(KafkaError, LookupError):  # it is unregistered by now, or another controller becomes active
            await nodes.node(await nodes.controller()).parts.controller.unregister_broker(node_id)
        await trio.sleep(LOOK_AGAIN_SECONDS)


async def _forget(nodes: ControlledNodes, node_ids: Collection[int]) -> None:
    """What does not run is no node of the cluster any more, and what it has stored is deleted."""
    nodes.change_members([member for member in nodes.cluster.members if member.node_id not in node_ids])
    await delete_directories(nodes, node_ids)


async def delete_directories(nodes: ControlledNodes, node_ids: Iterable[int]) -> None:
    for node_id in list(node_ids):
        await trio.to_thread.run_sync(shutil.rmtree, nodes.cluster.directory_of(node_id), True)


# A fresh state


async def begin_again_with_first_members(nodes: ControlledNodes) -> None:
    """The nodes that were added are killed and deleted, and those that were removed can be started again, empty.

    The controller does not hear of it: see `unregister_strangers`. Raises NotYet, StartupError.
    """
    wanted = {member.node_id for member in nodes.members_at_start}
    added = [member.node_id for member in nodes.cluster.members if member.node_id not in wanted]
    async with AsyncExitStack() as held:
        for node_id in added:
            with nodes.patience(f"node {node_id}, which another call starts or stops"):
                await held.enter_async_context(nodes.changing_one(node_id))
            if node_id in nodes.cluster.running:
                await nodes.cluster.kill(node_id)
        go_back_to_members(nodes, nodes.members_at_start)
    await delete_directories(nodes, added)


def go_back_to_members(nodes: ControlledNodes, members: Iterable[Member]) -> None:
    """Those that the cluster has now stay in the racks that they are in. Raises StartupError."""
    now = {member.node_id: member for member in nodes.cluster.members}
    wanted = [now.get(member.node_id, member) for member in members]
    if [member.node_id for member in wanted] != list(now):
        nodes.change_members(wanted)


async def unregister_strangers(nodes: ControlledNodes) -> None:
    """Brokers that are no nodes of the cluster, and were not registered when it began. Raises NotYet."""
    known = {*nodes.changing, *nodes.image_at_start.brokers}
    for node_id in [each for each in nodes.image.brokers if each not in known]:
        with nodes.patience(f"every broker to know that node {node_id} is gone"):
            await _unregister(nodes, node_id)
