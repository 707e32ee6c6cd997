"""The nodes of a cluster: stopped, killed, started again, emptied, and cut off from one another."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import trio

from kafkapy.control.values import NodeState

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes


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
        )
        for member in cluster.members
    ]


async def stop_node(nodes: ControlledNodes, node_id: int) -> None:
    """Stop a node in order: other nodes take over what it leads. Raises LookupError: it does not run."""
    async with nodes.changing[nodes.running_id(node_id)]:
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
    async with nodes.changing[node_id]:
        if node_id in nodes.cluster.running:
            raise LookupError(f"node {node_id} runs: stop or kill it first")
        await trio.to_thread.run_sync(shutil.rmtree, nodes.cluster.directory_of(node_id), True)


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
