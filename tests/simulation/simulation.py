"""A seeded run of a quorum: trouble, then peace; every event audited."""

from __future__ import annotations

from collections import deque
from random import Random

from kafkapy_controller.raft.following import QuorumBroken
from kafkapy_controller.raft.quorum import QuorumTimeouts
from kafkapy_controller.voters import QuorumMembership, ReplicaKey
from kafkapy_wire.uuid import ZERO_UUID, Uuid
from tests.simulation.auditor import Auditor
from tests.simulation.environment import EventQueue, Network, NetworkFaults, Violation
from tests.simulation.quorum_node import QuorumNode
from tests.simulation.workload import Clients, Misfortune, voter_of

TROUBLE_MS = 30_000
PEACE_MS = 40_000
"""Long enough for elections, and for a snapshot to be fetched in parts."""
TRACE_LINES = 60


class QuorumSimulation:
    """1 to 5 voters and 0 to 2 observers. The seed decides everything."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.queue = EventQueue()
        self.network = Network(self.queue, random)
        self.nodes: dict[int, QuorumNode] = {}
        self.trace: deque[str] = deque(maxlen=TRACE_LINES)
        voter_count = random.choice([1, 2, 3, 3, 3, 4, 5])
        observer_count = random.choice([0, 1, 2])
        kraft_version = random.choice([0, 1, 1])
        keys = [ReplicaKey(i, Uuid(bytes([i]) * 16)) for i in range(1, voter_count + observer_count + 1)]
        named = keys if kraft_version else [ReplicaKey(key.node_id, ZERO_UUID) for key in keys]
        members = QuorumMembership(kraft_version, tuple(voter_of(key) for key in named[:voter_count]))
        timeouts = QuorumTimeouts(fetch_max_wait_ms=random.choice([50, 500]))
        self.auditor = Auditor(self.nodes)
        for key in keys:
            node = QuorumNode(key, members, self.queue, self.network, self.nodes, random, timeouts)
            node.trace = self.note
            node.sending = self.auditor.sending
            self.nodes[key.node_id] = node
        self.clients = Clients(self.nodes, self.queue, random, self.auditor)
        self.misfortune = Misfortune(self.nodes, self.queue, self.network, random, self.auditor)

    def note(self, text: str) -> None:
        roles = ", ".join(
            f"{n.node_id}:-" if n.quorum is None else f"{n.node_id}:{type(n.quorum.role).__name__}/{n.quorum.epoch}"
            f"/{n.quorum.high_watermark}/{n.quorum.log_end_offset}"
            for n in self.nodes.values()
        )  # fmt: skip
        self.trace.append(f"{self.queue.now_ms:>8} ms  {text:<60} {roles}")

    def run(self) -> None:
        """Raises Violation, with the seed and the last of what happened."""
        try:
            for node in self.nodes.values():
                self.queue.after(self.random.randint(0, 500), node.start)
            self.queue.after(1, self.clients.act)
            self.queue.after(self.random.randint(0, 3000), self.misfortune.act)
            self.queue.run(TROUBLE_MS, self._after_each)
            self._make_peace()
            self.queue.run(TROUBLE_MS + PEACE_MS // 2, self._after_each)
            self._expect_progress()
        except (Violation, AssertionError, QuorumBroken) as failure:
            lines = "\n".join(self.trace)
            raise Violation(
                f"seed {self.seed}, at {self.queue.now_ms} ms: {failure!r}\n{lines}\n"
                f"again: python -m tests.simulation --seed {self.seed}"
            ) from failure

    def _after_each(self) -> None:
        self.auditor.check()
        self.clients.note_acknowledged()

    def _make_peace(self) -> None:
        self.note("peace")
        self.misfortune.is_active = False
        self.network.cut.clear()
        self.network.faults = NetworkFaults()
        for node in self.nodes.values():
            node.disk_is_full = False
            node.fsync_ms = (1, 5)
            if node.quorum is not None and node.quorum.is_stopping:
                node.crash()
            if node.is_paused:
                node.resume()
        absent = self._minority()
        for node in self.nodes.values():
            if node in absent:
                if node.quorum is not None:
                    node.crash()
            elif node.quorum is None:
                node.start()
        for node in absent:
            self.queue.after(PEACE_MS * 3 // 4, node.start_unless_running)

    def _minority(self) -> list[QuorumNode]:
        """Voters that stay away for a while: the others must do without."""
        memberships = [node.disk.membership(node.first_members) for node in self.nodes.values()]
        voter_ids = {voter_id for membership in memberships for voter_id in membership.voter_ids}
        count = min((len(membership.voters) - 1) // 2 for membership in memberships)
        leaders = [node for node in self.nodes.values() if node.quorum is not None and node.quorum.is_leader]
        others = [node for node in self.nodes.values() if node.node_id in voter_ids and node not in leaders]
        return (leaders + self.random.sample(others, len(others)))[: count if self.random.random() < 0.7 else 0]

    def _expect_progress(self) -> None:
        before = len(self.clients.acknowledged)
        self.queue.run(TROUBLE_MS + PEACE_MS * 3 // 4, self._after_each)
        self.note("the clients stop")
        if len(self.clients.acknowledged) == before:
            raise Violation("at peace nothing is committed")
        self.clients.is_active = False
        self.queue.run(TROUBLE_MS + PEACE_MS, self._after_each)
        self.note("the end")
        self.auditor.check_agreement(list(self.nodes.values()))
