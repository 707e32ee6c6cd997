"""What happens to a simulated cluster: chosen by the seed.

Disks lose records only where Kafka promises that none is lost. While a broker's disk has lost something, and until the
broker is in sync everywhere again, no other broker is killed; and it loses something only while all others run, are
registered with their present process, and each of its partitions has another replica that is in sync or eligible. All
topics have min.insync.replicas=2 then. Kills that lose nothing may come at any time and in any number.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kafkapy_wire.api_keys import ApiKey
from tests.simulation.cluster_auditor import ClusterAuditor
from tests.simulation.cluster_network import ClusterNetwork
from tests.simulation.cluster_node import ClusterNode
from tests.simulation.environment import EventQueue, NetworkFaults


class ClusterMisfortune:
    """Kills, pauses, cuts, slows, turns clocks, loses and replaces disks."""

    def __init__(
        self,
        nodes: dict[int, ClusterNode],
        queue: EventQueue,
        network: ClusterNetwork,
        random: Random,
        auditor: ClusterAuditor,
        trace: Callable[[str], None],
        *,
        loses_disks: bool,
    ) -> None:
        self.is_active = True
        self._nodes = nodes
        self._queue = queue
        self._network = network
        self._random = random
        self._auditor = auditor
        self._trace = trace
        # Some kinds at a time: what happens rarely together with everything else would never meet itself.
        kinds: list[Callable[[], str]] = [
            self._kill, self._kill_most, self._pause, self._cut, self._cut_off_leader, self._cut_off_controller,
            self._cut_one_way, self._heal, self._weather, self._turn_clock, self._stop_in_order, self._fragile,
            self._slow_disk, self._depose, self._kill_leader, self._late_isrs, self._late_isrs,
        ]  # fmt: skip
        self._kinds = random.sample(kinds, random.choice([2, 3, 4, 6, len(kinds)]))
        if loses_disks:
            self._kinds += [self._lose_power, self._replace_disk, self._heal]
        self._pause_ms = random.choice([(50, 400), (200, 1_500), (500, 4_000)])

    def act(self) -> None:
        if self.is_active:
            told = self._random.choice(self._kinds)()
            if told:
                self._trace(told)
        self._queue.after(self._random.randint(*self._pause_ms), self.act)

    def _any(self) -> ClusterNode:
        return self._random.choice(list(self._nodes.values()))

    def _controller(self) -> ClusterNode | None:
        active = [n for n in self._nodes.values() if n.has_quorum and n.quorum.controller.is_active]
        return max(active, key=lambda node: node.quorum.metadata_log.epoch, default=None)

    def _leader(self) -> ClusterNode | None:
        """Of some partition."""
        states = [state for topic in self._auditor.newest.topics.values() for state in topic.partitions]
        leaders = sorted({state.leader for state in states if state.leader >= 0})
        return self._nodes[self._random.choice(leaders)] if leaders else None

    def _may_kill(self, node: ClusterNode) -> bool:
        return node.is_running and not (node.is_broker and set(self._auditor.suspects) - {node.node_id})

    def _restart_later(self, node: ClusterNode, between_ms: tuple[int, int] = (1, 4_000)) -> None:
        self._queue.after(self._random.randint(*between_ms), node.start_unless_running)

    def _kill_one(self, node: ClusterNode | None, between_ms: tuple[int, int] = (1, 4_000)) -> str:
        if node is None or not self._may_kill(node):
            return ""
        node.kill()
        self._restart_later(node, between_ms)
        return f"node {node.node_id} is killed"

    def _kill(self) -> str:
        return self._kill_one(self._any())

    def _kill_leader(self) -> str:
        return self._kill_one(self._leader())

    def _depose(self) -> str:
        """The active controller is killed, and is not back before another is."""
        return self._kill_one(self._controller(), (1_000, 5_000))

    def _kill_most(self) -> str:
        victims = [n for n in self._nodes.values() if self._random.random() < 0.8 and self._may_kill(n)]
        for node in victims:
            self._kill_one(node)
        return f"nodes {[node.node_id for node in victims]} are killed"

    def _stop_in_order(self) -> str:
        node = self._any()
        if not node.has_quorum or node.is_paused:
            return ""
        node.stop(lambda: self._restart_later(node))
        return f"node {node.node_id} stops in order"

    def _pause(self) -> str:
        node = self._any()
        if not node.is_running:
            return ""
        node.is_paused = True
        generation = node.generation

        def resume() -> None:
            if node.generation == generation:
                node.resume()

        self._queue.after(self._random.choice([100, 1_000, 3_000, 5_000]), resume)
        return f"node {node.node_id} is paused"

    def _fragile(self) -> str:
        """It dies within one of the next moments, whatever it does then, and is back before the others notice."""
        node = self._any()
        generation = node.generation

        def die() -> None:
            if node.generation == generation and self._may_kill(node):
                node.kill()
                self._queue.after(self._random.randint(0, 50), node.start_unless_running)
                self._trace(f"node {node.node_id} dies")

        self._queue.after(self._random.randint(1, 300), die)
        return f"node {node.node_id} will die and be back at once"

    # -- the network

    def _cut_off(self, node: ClusterNode | None) -> str:
        if node is None:
            return ""
        mine = node.node_id
        self._network.cut = {(a, b) for a in self._nodes for b in self._nodes if (a == mine) != (b == mine)}
        return f"node {mine} is cut off"

    def _cut_off_leader(self) -> str:
        return self._cut_off(self._leader())

    def _cut_off_controller(self) -> str:
        return self._cut_off(self._controller())

    def _cut(self) -> str:
        side = {node_id for node_id in self._nodes if self._random.random() < 0.5}
        self._network.cut = {(a, b) for a in self._nodes for b in self._nodes if (a in side) != (b in side)}
        return f"{side} are cut off"

    def _cut_one_way(self) -> str:
        pairs = [(a, b) for a in self._nodes for b in self._nodes if a != b]
        self._network.cut = {pair for pair in pairs if self._random.random() < 0.3}
        return f"nothing passes {sorted(self._network.cut)}"

    def _heal(self) -> str:
        self._network.cut = set()
        return "the network is whole"

    def _weather(self) -> str:
        random = self._random
        self._network.faults = NetworkFaults(
            loss=random.choice([0.0, 0.02, 0.2]),
            doubling=random.choice([0.0, 0.1]),
            delay_ms=random.choice([(1, 3), (5, 50), (50, 200)]),
            slow=random.choice([0.0, 0.02, 0.1]),
        )
        return f"{self._network.faults}"

    def _late_isrs(self) -> str:
        """Leaders' AlterPartition comes when the partition may have another leader."""
        late_ms = self._random.choice([(0, 0), (50, 500), (300, 2_500)])
        self._network.late_ms = {ApiKey.ALTER_PARTITION: late_ms}
        return f"AlterPartition is late by {late_ms} ms"

    # -- clocks and disks

    def _turn_clock(self) -> str:
        node = self._any()
        leap_ms = self._random.choice([0, 700, 5_000, -700, -5_000])
        rate = self._random.choice([0.9, 1.0, 1.1])
        node.clock.turn(rate=rate, wall_leap_ms=leap_ms)
        return f"the clock of node {node.node_id} leaps {leap_ms} ms and goes at {rate}"

    def _slow_disk(self) -> str:
        node = self._any()
        node.fsync_ms = self._random.choice([(0, 0), (1, 5), (20, 200), (300, 1_000)])
        return f"a sync of node {node.node_id} takes {node.fsync_ms} ms"

    def _may_lose(self, node: ClusterNode) -> bool:
        if not node.is_broker:
            return True
        auditor, mine = self._auditor, node.node_id
        if auditor.suspects:
            return False
        for other in self._nodes.values():
            if not other.is_broker or other is node:
                continue
            broker = auditor.newest.brokers.get(other.node_id)
            if broker is None or broker.fenced or not other.serves_brokers or other.broker_epoch != broker.epoch:
                return False
        for topic in auditor.newest.topics.values():
            for index, state in enumerate(topic.partitions):
                others = {*state.isr, *state.eligible_leader_replicas} - {mine}
                if mine in state.replicas and not any(auditor.has_all(o, (topic.topic_id, index)) for o in others):
                    return False
        return True

    def _lose_power(self) -> str:
        node = self._any()
        if not node.is_running or not self._may_lose(node):
            return ""
        node.lose_power()
        if node.is_broker:
            self._auditor.lost_disk(node.node_id)
        self._restart_later(node)
        return f"node {node.node_id} loses its power"

    def _replace_disk(self) -> str:
        """Of a broker that does not vote in the quorum: a voter must not forget its vote."""
        safe = [node for node in self._nodes.values() if not node.is_controller and self._may_lose(node)]
        if not safe:
            return ""
        node = self._random.choice(safe)
        if node.is_running:
            node.kill()
        node.replace_disk()
        self._auditor.lost_disk(node.node_id)
        self._restart_later(node)
        return f"node {node.node_id} comes back with an empty disk"
