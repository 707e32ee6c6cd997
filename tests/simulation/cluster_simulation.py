"""A seeded run of a cluster: trouble, then peace; every event audited."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

from tests.simulation.cluster_auditor import ClusterAuditor
from tests.simulation.cluster_misfortune import ClusterMisfortune
from tests.simulation.cluster_network import ClusterNetwork, SimulatedPeer
from tests.simulation.cluster_node import ClusterNode
from tests.simulation.cluster_workload import ClusterClients
from tests.simulation.environment import EventQueue, NetworkFaults, Violation
from tests.simulation.tasks import in_place_of_trio, running_process

TROUBLE_MS = 14_000
PEACE_MS = 16_000
TRACE_LINES = 120
IN_MEMORY = Path("/dev/shm")


class ClusterSimulation:
    """3 to 5 nodes: brokers that are controllers, too, or 1 to 3 controllers and 3 to 4 brokers."""

    def __init__(self, seed: int, *, with_log: bool = False) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.queue = EventQueue()
        self.network = ClusterNetwork(self.queue, random)
        self.nodes = self.network.nodes
        self.trace: deque[str] = deque(maxlen=None if with_log else TRACE_LINES)
        self._with_log = with_log
        roles = self._roles()
        self.loses_disks = random.random() < 0.5
        self.auditor = ClusterAuditor(self.nodes)
        self.auditor.trace = self.note
        self._directory = Path(
            tempfile.mkdtemp(prefix="kafkapy-simulation-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        )
        voter_ids = [node_id for node_id, role in roles.items() if "controller" in role]
        # With small fetches a replica needs many to catch up, so that much happens meanwhile.
        given = {"replica.fetch.max.bytes": random.choice(["300", "300", "1048576"])}
        for node_id, role in roles.items():
            node = ClusterNode(node_id, role, voter_ids, self._directory / f"node-{node_id}", self.queue, random, given)
            node.trace = lambda text, node_id=node_id: self.note(f"node {node_id} {text}")  # type: ignore[misc]
            self.nodes[node_id] = node
        self.clients = ClusterClients(
            self.nodes, self.queue, self.network, random, self.auditor, self.note, is_min_isr_two=self.loses_disks
        )
        self.misfortune = ClusterMisfortune(
            self.nodes, self.queue, self.network, random, self.auditor, self.note, loses_disks=self.loses_disks
        )

    def _roles(self) -> dict[int, str]:
        random = self.random
        if random.random() < 0.5:
            return dict.fromkeys(range(1, random.choice([3, 3, 4]) + 1), "broker,controller")
        brokers, controllers = random.choice([3, 4]), random.choice([1, 3])
        roles = dict.fromkeys(range(1, brokers + 1), "broker")
        return roles | dict.fromkeys(range(brokers + 1, brokers + controllers + 1), "controller")

    def note(self, text: str) -> None:
        if not text.startswith("    "):
            nodes = ", ".join(self._said_of(node) for node in self.nodes.values())
            text = f"{text:<60} [{nodes}]"
        text = text.replace(f"{self._directory}/", "")  # another one in each run
        self.trace.append(f"{self.queue.now_ms:>6} ms  {text}")

    def _said_of(self, node: ClusterNode) -> str:
        if not node.has_quorum:
            return f"{node.node_id}:-"
        role = "C" if node.quorum.controller.is_active else ""
        role += "" if node.serves_brokers or not node.is_broker else "?"
        return f"{node.node_id}:{role}{'p' if node.is_paused else ''}{node.image.offset}"

    def run(self) -> None:
        """Raises Violation, with the seed and the last of what happened."""
        try:
            with self._world():
                self._run()
        except (Violation, AssertionError, Exception) as failure:
            lines = "\n".join(self.trace)
            raise Violation(
                f"seed {self.seed}, at {self.queue.now_ms} ms: {failure!r}\n{lines}\n"
                f"again: python -m tests.simulation --cluster --seed {self.seed}"
            ) from failure
        finally:
            for node in self.nodes.values():
                if node.is_running:
                    node.kill()
            shutil.rmtree(self._directory, ignore_errors=True)

    @contextmanager
    def _world(self) -> Iterator[None]:
        SimulatedPeer.network = self.network
        logger = logging.getLogger("kafkapy")
        kept = logger.level, logger.propagate
        handler = _Tracing(self)
        logger.setLevel(logging.DEBUG if self._with_log else logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)
        try:
            with (
                in_place_of_trio(),
                patch("kafkapy.peers.peer.Peer", SimulatedPeer),
                patch.object(os, "urandom", self.random.randbytes),
            ):
                yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(kept[0])
            logger.propagate = kept[1]

    def _run(self) -> None:
        for node in self.nodes.values():
            self.queue.after(self.random.randint(0, 500), node.start)
        self.clients.begin()
        self.queue.after(self.random.randint(500, 3_000), self.misfortune.act)
        self.queue.run(TROUBLE_MS, self.auditor.check)
        self._make_peace()
        self.auditor.check()  # nodes that were paused have gone on
        self.queue.run(TROUBLE_MS + PEACE_MS // 2, self.auditor.check)
        before = self.clients.acknowledged
        self.queue.run(TROUBLE_MS + PEACE_MS * 3 // 4, self.auditor.check)
        if self.clients.acknowledged == before:
            raise Violation("at peace nothing is acknowledged")
        self.note("the clients stop")
        self.clients.is_active = False
        self.queue.run(TROUBLE_MS + PEACE_MS, self.auditor.check)
        self.note("the end")
        self.auditor.check_agreement()
        self.clients.check_no_duplicates()

    def _make_peace(self) -> None:
        self.note("peace")
        self.misfortune.is_active = False
        self.clients.administers = False
        self.network.cut.clear()
        self.network.late_ms = {}
        self.network.faults = NetworkFaults()
        for node in self.nodes.values():
            node.fsync_ms = (1, 5)
            node.clock.turn(rate=1.0, wall_leap_ms=0)
            node.resume()
            if not node.is_running:
                node.start()


class _Tracing(logging.Handler):
    """The log lines of the nodes become part of the trace."""

    def __init__(self, simulation: ClusterSimulation) -> None:
        super().__init__()
        self._simulation = simulation

    def emit(self, record: logging.LogRecord) -> None:
        process = running_process()
        who = "" if process is None else f"node {getattr(process, 'node_id', '')}"
        self._simulation.note(f"    {who} {record.name.removeprefix('kafkapy.')}: {record.getMessage()}")
