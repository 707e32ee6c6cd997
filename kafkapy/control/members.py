"""The nodes of a cluster: stopped, killed, started again, emptied, and cut off from one another."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS
from kafkapy.control.values import NodeState
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes
    from kafkapy_controller.image import BrokerImage, MetadataImage

MOVE_SECONDS = 30


async def list_nodes(nodes: ControlledNodes) -> list[NodeState]:
    """Every node of the cluster, running or not, by id."""
    cluster = nodes.cluster
    active = nodes.active_controller_id()
    return [
        NodeState(
            node_id=member.node_id,
            roles=tuple(member.roles.split(",")),
            rack=member.rack,
            address=cluster.broker_address(member.node_id),
            is_running=member.node_id in cluster.running,
            is_active_controller=member.node_id == active,
            is_paused=member.node_id in cluster.running and cluster.nodes[member.node_id].is_paused,
        )
        for member in cluster.members
    ]


async def stop_node(nodes: ControlledNodes, node_id: int) -> None:
    """Stop a node in order: other nodes take over what it leads. Raises LookupError: it does not run, or is paused."""
    async with nodes.changing_one(nodes.running_id(node_id)):
        if nodes.node(node_id).is_paused:
            raise LookupError(f"node {node_id} is paused, so that it cannot stop in order: resume it first, or kill it")
        nodes.node(node_id).kept = True  # the next start finds that it has ended, and need not wait for its session
        await nodes.cluster.stop(node_id)


async def kill_node(nodes: ControlledNodes, node_id: int) -> None:
    """End a node as SIGKILL does: connections break and nobody is told. Raises LookupError: it does not run."""
    await nodes.cluster.kill(nodes.running_id(node_id))


async def start_node(nodes: ControlledNodes, node_id: int) -> None:
    """Start a node again, at its addresses. Raises LookupError: there is no such node, or it runs."""
    known = [member.node_id for member in nodes.cluster.members]
    if node_id not in known:
        raise LookupError(f"there is no node {node_id}; there are {', '.join(map(str, known))}")
    if node_id in nodes.cluster.running:
        raise LookupError(f"node {node_id} runs already")
    await nodes.start([node_id])


async def join_all(nodes: ControlledNodes) -> None:
    """Until the active controller hears of every broker and all brokers know that none is fenced: new topics have whole
    ISRs then, and no session ends because of what went before. Raises NotYet.
    """
    if len(nodes.cluster.members) == 1:
        return
    with nodes.patience("every broker to be in touch with the active controller"):
        while True:
            async with trio.open_nursery() as nursery:
                for node in nodes.brokers:
                    nursery.start_soon(node.in_touch)
            controller = nodes.node(await nodes.controller())
            images = [node.parts.metadata.image for node in (controller, *nodes.brokers)]
            if all(is_unfenced(image, node.node_id) for image in images for node in nodes.brokers):
                return
            await trio.sleep(LOOK_AGAIN_SECONDS)


def is_unfenced(image: MetadataImage, node_id: int) -> bool:
    """Whether the metadata has a broker that has its part in the cluster."""
    broker = image.brokers.get(node_id)
    return broker is not None and not broker.fenced


async def restart_node(nodes: ControlledNodes, node_id: int) -> None:
    """Stop a node in order and start it again. Raises LookupError: it does not run."""
    await stop_node(nodes, node_id)
    await nodes.start([node_id])


async def wipe_node(nodes: ControlledNodes, node_id: int) -> None:
    """Delete all that a node has stored, as a new disk has it; it must not run. `start_node` brings it back empty.

    Raises LookupError: there is no such node, or it runs.
    """
    if node_id not in [member.node_id for member in nodes.cluster.members]:
        raise LookupError(f"there is no node {node_id}")
    async with nodes.changing_one(node_id):
        if node_id in nodes.cluster.running:
            raise LookupError(f"node {node_id} runs: stop or kill it first")
        await trio.to_thread.run_sync(shutil.rmtree, nodes.cluster.directory_of(node_id), True)


async def pause_node(nodes: ControlledNodes, node_id: int) -> None:
    """Suspend a node, as SIGSTOP does a process: it answers nothing and sends nothing, and its timers do not fire.

    Connections stay open, and new ones are made. Others miss it when its session with them is over. Raises LookupError:
    it does not run.
    """
    async with nodes.changing_one(nodes.running_id(node_id)):  # one that is stopping would never end
        nodes.cluster.pause(nodes.running_id(node_id))


async def resume_node(nodes: ControlledNodes, node_id: int) -> None:
    """Undo `pause_node`: what came meanwhile is answered. Raises LookupError: it does not run, or is not paused."""
    if not nodes.node(node_id).is_paused:
        raise LookupError(f"node {node_id} is not paused")
    nodes.cluster.resume(node_id)


async def set_rack(nodes: ControlledNodes, node_id: int, rack: str | None = None) -> None:
    """Move a broker to another rack, or to none. When this returns every broker says so to clients, and new replicas
    are placed by it. The node keeps running, and its connections stay.

    Raises LookupError: there is no such broker; ValueError: a rack has a name.
    """
    check_rack(rack)
    brokers = [member.node_id for member in nodes.cluster.members if "broker" in member.roles]
    if node_id not in brokers:
        raise LookupError(f"there is no broker {node_id}; there are {', '.join(map(str, brokers))}")
    async with nodes.changing_one(node_id):
        nodes.cluster.move_to_rack(node_id, rack)
    with trio.fail_after(MOVE_SECONDS):
        while not _stands_in(nodes, node_id, rack):
            with suppress(KafkaError, LookupError):  # another controller becomes the active one
                controller = nodes.node(await nodes.controller()).parts.controller
                await controller.change_registration(node_id, partial(_in_rack, rack)).wait()
            await trio.sleep(LOOK_AGAIN_SECONDS)


def check_rack(rack: str | None) -> None:
    """Raises ValueError: that is no rack."""
    if rack is not None and not (rack.strip() and rack.isprintable()):
        raise ValueError("a rack has a name, of one line; no rack at all is null")


def _in_rack(rack: str | None, broker: BrokerImage) -> BrokerImage:
    return broker._replace(rack=rack)


def _stands_in(nodes: ControlledNodes, node_id: int, rack: str | None) -> bool:
    """As far as every broker knows; one that has never registered will say so when it does."""
    images = [node.broker.metadata.image for node in nodes.brokers]
    return all(node_id not in image.brokers or image.brokers[node_id].rack == rack for image in images)


async def cut_link(nodes: ControlledNodes, sender: int, receiver: int, both_ways: bool = True) -> None:
    """Let no request of one node reach another; nor the other way round, unless only one way is asked for.

    Clients still reach both. Raises LookupError: one of them does not run.
    """
    for one, other in _ways(sender, receiver, both_ways):
        for address in nodes.cluster.addresses(other):
            nodes.node(one).peers.cut(*address)


async def heal_link(nodes: ControlledNodes, sender: int, receiver: int, both_ways: bool = True) -> None:
    """Undo `cut_link`. Raises LookupError: one of them does not run."""
    for one, other in _ways(sender, receiver, both_ways):
        for address in nodes.cluster.addresses(other):
            nodes.node(one).peers.heal(*address)


def _ways(sender: int, receiver: int, both_ways: bool) -> list[tuple[int, int]]:
    return [(sender, receiver), (receiver, sender)][: 1 + both_ways]
