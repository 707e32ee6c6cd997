"""What is asked of a simulated quorum, and what happens to it: chosen by the seed, known to the auditor."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kafkapy_controller.raft.messages import AddVoter, RemoveVoter
from kafkapy_controller.raft.roles import Leader
from kafkapy_controller.voters import ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.uuid import Uuid
from tests.simulation.auditor import Auditor
from tests.simulation.environment import EventQueue, Network, NetworkFaults, Violation
from tests.simulation.quorum_node import QuorumNode


def voter_of(key: ReplicaKey) -> Voter:
    return Voter(key.node_id, key.directory_id, (VoterEndpoint("CONTROLLER", "localhost", 9000 + key.node_id),))


class Clients:
    """Appends at whoever leads, and remembers what was acknowledged."""

    def __init__(self, nodes: dict[int, QuorumNode], queue: EventQueue, random: Random, auditor: Auditor) -> None:
        self.acknowledged: list[tuple[int, int]] = []
        self.is_active = True
        self._nodes = nodes
        self._queue = queue
        self._random = random
        self._auditor = auditor
        self._waiting: list[tuple[QuorumNode, int, int, int]] = []

    def act(self) -> None:
        for node in self._nodes.values():
            if self.is_active and self._random.random() < 0.7:
                offset = node.append()
                if offset is not None and node.quorum is not None:
                    self._waiting.append((node, node.generation, offset, node.quorum.epoch))
        self._queue.after(self._random.randint(5, 100), self.act)

    def note_acknowledged(self) -> None:
        """A leader answers when its high watermark has passed the record: from then on it must never be lost."""
        waiting, self._waiting = self._waiting, []
        for node, generation, offset, epoch in waiting:
            quorum = node.quorum
            if node.generation != generation or quorum is None or quorum.epoch != epoch or not quorum.is_leader:
                continue  # the client does not know, and neither do we
            if quorum.high_watermark > offset:
                if not self._auditor.has_committed(offset, epoch):
                    raise Violation(f"offset {offset} of epoch {epoch} is acknowledged, not committed")
                self.acknowledged.append((offset, epoch))
            else:
                self._waiting.append((node, generation, offset, epoch))


class Misfortune:
    """Kills, pauses, cuts, slows, fills disks, turns clocks, takes snapshots and changes the voters."""

    def __init__(
        self, nodes: dict[int, QuorumNode], queue: EventQueue, network: Network, random: Random, auditor: Auditor
    ) -> None:
        self.is_active = True
        self._nodes = nodes
        self._queue = queue
        self._network = network
        self._random = random
        self._auditor = auditor
        self._changes = 0
        self._replaced = 0
        # Some kinds at a time: what happens rarely together with everything else would never meet itself.
        kinds: list[Callable[[], str]] = [
            self._kill, self._kill_most, self._pause, self._cut, self._cut_off_leader, self._cut_one_way, self._heal,
            self._weather, self._fill_disk, self._turn_clock, self._snapshot, self._snapshot,
            self._change_voters, self._stop_in_order, self._fragile, self._fragile, self._slow_disk, self._depose,
            self._replace_disk,
        ]  # fmt: skip
        self._kinds = random.sample(kinds, random.choice([2, 3, 4, 6, len(kinds)]))
        if random.random() < 0.3:
            self._kinds += [
                self._change_voters,
                self._change_voters_in_vain,
                self._remove_leader,
                self._depose,
                self._heal,
            ]
        self._pause_ms = random.choice([(10, 150), (50, 400), (300, 3000)])

    def act(self) -> None:
        if self.is_active:
            told = self._random.choice(self._kinds)()
            if told:
                self._any().trace(told)
        self._queue.after(self._random.randint(*self._pause_ms), self.act)

    def _any(self) -> QuorumNode:
        return self._random.choice(list(self._nodes.values()))

    def _leader(self) -> QuorumNode | None:
        leaders = [n for n in self._nodes.values() if n.quorum is not None and isinstance(n.quorum.role, Leader)]
        return max(leaders, key=lambda node: node.quorum.epoch if node.quorum is not None else 0, default=None)

    def _restart_later(self, node: QuorumNode) -> None:
        self._queue.after(self._random.randint(1, 4000), node.start_unless_running)

    def _kill(self) -> str:
        node = self._any()
        if node.quorum is None:
            return ""
        node.crash()
        self._restart_later(node)
        return f"node {node.node_id} is killed"

    def _kill_most(self) -> str:
        victims = [node for node in self._nodes.values() if self._random.random() < 0.8]
        for node in victims:
            if node.quorum is not None:
                node.crash()
                self._restart_later(node)
        return f"nodes {[node.node_id for node in victims]} are killed"

    def _stop_in_order(self) -> str:
        node = self._leader()
        if node is None:
            return ""
        node.stop()

        def gone() -> None:
            if node.quorum is not None and node.quorum.is_stopping:
                node.crash()
                self._restart_later(node)

        self._queue.after(self._random.randint(1, 300), gone)
        return f"node {node.node_id} stops in order"

    def _pause(self) -> str:
        node = self._any()
        node.is_paused = True
        generation = node.generation

        def resume() -> None:
            if node.generation == generation:
                node.resume()

        self._queue.after(self._random.randint(10, 6000), resume)
        return f"node {node.node_id} is paused"

    def _cut(self) -> str:
        side = {node_id for node_id in self._nodes if self._random.random() < 0.5}
        self._network.cut = {(a, b) for a in self._nodes for b in self._nodes if (a in side) != (b in side)}
        return f"{side} are cut off"

    def _cut_off_leader(self) -> str:
        leader = self._leader()
        if leader is None:
            return ""
        mine = leader.node_id
        self._network.cut = {(a, b) for a in self._nodes for b in self._nodes if (a == mine) != (b == mine)}
        return f"leader {mine} is cut off"

    def _cut_one_way(self) -> str:
        pairs = [(a, b) for a in self._nodes for b in self._nodes if a != b]
        self._network.cut = {pair for pair in pairs if self._random.random() < 0.4}
        return f"nothing passes {sorted(self._network.cut)}"

    def _heal(self) -> str:
        self._network.cut = set()
        return "the network is whole"

    def _weather(self) -> str:
        random = self._random
        self._network.faults = NetworkFaults(
            loss=random.choice([0.0, 0.05, 0.3]),
            doubling=random.choice([0.0, 0.1]),
            delay_ms=random.choice([(1, 3), (5, 50), (100, 300)]),
            slow=random.choice([0.0, 0.05, 0.2]),
        )
        return f"{self._network.faults}"

    def _fragile(self) -> str:
        """It dies after one of its next steps, whatever that does, and is back before the others notice."""
        node = self._any()
        if node.quorum is None:
            return ""
        generation = node.generation

        def die() -> None:
            if node.generation == generation and node.quorum is not None:
                node.crash()
                self._queue.after(self._random.randint(0, 30), node.start_unless_running)

        node.die_after(self._random.randint(1, 30), die)
        return f"node {node.node_id} will die and be back at once"

    def _depose(self) -> str:
        """The leader is killed, and is not back before another leads."""
        leader = self._leader()
        if leader is None:
            return ""
        leader.crash()
        self._queue.after(self._random.randint(2000, 9000), leader.start_unless_running)
        return f"leader {leader.node_id} is killed"

    def _slow_disk(self) -> str:
        node = self._any()
        node.fsync_ms = self._random.choice([(0, 0), (1, 5), (20, 300), (500, 3000)])
        return f"a sync of node {node.node_id} takes {node.fsync_ms} ms"

    def _fill_disk(self) -> str:
        node = self._any()
        node.disk_is_full = not node.disk_is_full
        return f"the disk of node {node.node_id} is full: {node.disk_is_full}"

    def _turn_clock(self) -> str:
        node = self._any()
        leap_ms = self._random.choice([0, 500, 5_000, 3_600_000])
        rate = self._random.choice([0.9, 1.0, 1.1])
        node.turn_clock(leap_ms=leap_ms, rate=rate)
        return f"the clock of node {node.node_id} leaps {leap_ms} ms and goes at {rate}"

    def _snapshot(self) -> str:
        node = self._any()
        if node.quorum is None or node.is_paused:
            return ""
        node.take_snapshot(delete=self._random.random() < 0.7)
        return f"node {node.node_id} takes a snapshot"

    def _change_voters(self) -> str:
        leader = self._leader()
        if leader is None or leader.quorum is None or leader.is_paused:
            return ""
        self._changes += 1
        voters = leader.quorum.membership.voters
        outside = [node.key for node in self._nodes.values() if not leader.quorum.membership.votes(node.key)]
        if outside and (len(voters) < 3 or self._random.random() < 0.5):
            key = self._random.choice(outside)
            late = self._random.random() < 0.5
            leader.receive(f"add {self._changes}", AddVoter(voter_of(key), ack_when_committed=late))
            return f"node {key.node_id} is to vote"
        voter = self._random.choice(voters)
        leader.receive(f"remove {self._changes}", RemoveVoter(ReplicaKey(voter.node_id, voter.directory_id)))
        return f"node {voter.node_id} is not to vote any more"

    def _change_voters_in_vain(self) -> str:
        """A change that its leader appends, and nobody else hears of."""
        return f"{self._cut_off_leader()}; {self._change_voters()}"

    def _remove_leader(self) -> str:
        leader = self._leader()
        if leader is None or leader.is_paused:
            return ""
        self._changes += 1
        leader.receive(f"remove {self._changes}", RemoveVoter(leader.key))
        return f"leader {leader.node_id} is not to vote any more"

    def _replace_disk(self) -> str:
        """Of a node that does not vote: a voter that forgets its vote is what directory ids are there to tell."""
        leader = self._leader()
        if leader is None or leader.quorum is None:
            return ""
        safe = [node for node in self._nodes.values() if self._votes_nowhere(node)]
        if not safe:
            return ""
        node = self._random.choice(safe)
        if node.quorum is not None:
            node.crash()
        self._replaced += 1
        node.replace_disk(ReplicaKey(node.node_id, Uuid(self._replaced.to_bytes(8, "big") + bytes(8))))
        self._auditor.forget_disk(node)
        self._restart_later(node)
        return f"node {node.node_id} comes back with an empty disk"

    def _votes_nowhere(self, node: QuorumNode) -> bool:
        others = [other.quorum for other in self._nodes.values() if other.quorum is not None]
        return len(others) == len(self._nodes) and not any(other.membership.votes(node.key) for other in others)
