"""What is done to the nodes of a cluster. `generate.py` makes `async_node_verbs.py` from this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.control import leadership, members, membership
from kafkapy.control.nodes import ANSWER_SECONDS
from kafkapy.testing.asking import Asking

if TYPE_CHECKING:
    from kafkapy.control.values import NodeState

REMOVE_SECONDS = ANSWER_SECONDS


class NodeVerbs(Asking):
    """A cluster whose nodes are stopped, killed, added, removed, cut off, and moved."""

    def nodes(self) -> list[NodeState]:
        """Every node of the cluster, running or not, by id."""
        return self._call(members.list_nodes)

    def stop_node(self, node_id: int) -> None:
        """Stop a node in order: others take over what it leads."""
        return self._call(members.stop_node, node_id)

    def kill_node(self, node_id: int) -> None:
        """End a node as SIGKILL does: connections break and nobody is told."""
        return self._call(members.kill_node, node_id)

    def start_node(self, node_id: int) -> None:
        """Start a node again, at its addresses."""
        return self._call(members.start_node, node_id)

    def restart_node(self, node_id: int) -> None:
        """Stop a node in order and start it again."""
        return self._call(members.restart_node, node_id)

    def wipe_node(self, node_id: int) -> None:
        """Delete all that a node has stored; it must not run."""
        return self._call(members.wipe_node, node_id)

    def pause_node(self, node_id: int) -> None:
        """Suspend a node, as SIGSTOP does: connections stay open, and it answers nothing. Others miss it after its
        session."""
        return self._call(members.pause_node, node_id)

    def resume_node(self, node_id: int) -> None:
        """Let a node go on that was paused: it answers what came meanwhile."""
        return self._call(members.resume_node, node_id)

    def set_rack(self, node_id: int, rack: str | None = None) -> None:
        """Move a broker to another rack, or to none; it keeps running."""
        return self._call(members.set_rack, node_id, rack)

    def add_node(self, *, rack: str | None = None) -> int:
        """Start another broker, which is no controller; its id. It can have replicas when this returns. Clients find it
        by their metadata, new ones also in `bootstrap_servers`."""
        return self._call(membership.add_node, rack)

    def remove_node(self, node_id: int, *, timeout: float = REMOVE_SECONDS) -> None:
        """Move the replicas of a broker to others, stop it, unregister it and delete what it has stored.

        Raises ValueError: it is a controller, too, or too few brokers would be left; NotYet: moving takes longer."""
        return self._call(membership.remove_node, node_id, timeout)

    def cut_link(self, sender: int, receiver: int, *, both_ways: bool = True) -> None:
        """Let no request of one node reach another, nor the other way round. Clients still reach both."""
        return self._call(members.cut_link, sender, receiver, both_ways)

    def heal_link(self, sender: int, receiver: int, *, both_ways: bool = True) -> None:
        """Undo `cut_link`."""
        return self._call(members.heal_link, sender, receiver, both_ways)

    def move_leader(self, topic: str, partition: int, broker: int) -> None:
        """Have another replica in sync lead a partition."""
        return self._call(leadership.move_leader, topic, partition, broker)

    def shrink_isr(self, topic: str, partition: int, broker: int) -> None:
        """Take a follower out of the ISR of a partition, and keep it out until `expand_isr`."""
        return self._call(leadership.shrink_isr, topic, partition, broker)

    def expand_isr(self, topic: str, partition: int, broker: int) -> None:
        """Let a follower that was kept out join the ISR again; returns when it has."""
        return self._call(leadership.expand_isr, topic, partition, broker)

    def move_group_coordinator(self, group_id: str, broker: int) -> None:
        """Have another broker coordinate a group."""
        return self._call(leadership.move_group_coordinator, group_id, broker)

    def move_transaction_coordinator(self, transactional_id: str, broker: int) -> None:
        """Have another broker coordinate a transactional id."""
        return self._call(leadership.move_transaction_coordinator, transactional_id, broker)
