"""What is done to a cluster while clients use it, one trouble after the other, drawn by a seed.

At most one node has a trouble at a time, but for the trouble that kills a majority at once: a process that is killed
leaves what it has written. Before a disk is emptied the cluster is at rest, and afterwards again: what was acknowledged
is on the other nodes then.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from compat_tests.apache_kafka import ApacheKafkaFailed
from compat_tests.chaos.quiet import Quiet
from compat_tests.cluster.looking import admin_client, kafka_errors, kafka_structs
from compat_tests.cluster.node_process import NodeProcess
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.kafkapy_process import KafkapyFailed

REST_SECONDS_MAX = 60.0
CALM_CHANCE = 0.3
REPLICAS = 3


class Troubles:
    """`one` does one. `met` counts what was done."""

    def __init__(
        self,
        cluster: ClusterProcesses,
        chance: random.Random,
        topics: list[str],
        tell: Callable[[str], None],
        *,
        dynamic: bool = True,
    ) -> None:
        self.met: Counter[str] = Counter()
        self._cluster = cluster
        self._chance = chance
        self._topics = topics
        self._tell = tell
        self._quiet = Quiet(cluster)
        kinds: dict[str, tuple[int, Callable[[], None]]] = {
            "kill": (5, self._kill),
            "kill and start at once": (2, self._kill_and_start),
            "kill while starting": (2, self._kill_while_starting),
            "kill a majority": (1, self._kill_majority),
            "stop": (4, self._stop),
            "pause": (4, self._pause),
            "empty disk": (2, self._empty_disk),
            "elect": (2, self._elect),
            "reassign": (3, self._reassign if dynamic else self._elect),
        }
        if cluster.namespaces is not None:
            kinds |= {
                "cut off": (3, self._cut_off),
                "cut from peers": (3, self._cut_from_peers),
                "cut one way": (3, self._cut_one_way),
            }
        self._kinds = kinds

    def one(self) -> None:
        """One trouble and its end; now and then a wait until the cluster is at rest. Raises NotAtRest."""
        names = list(self._kinds)
        kind = self._chance.choices(names, [self._kinds[name][0] for name in names])[0]
        self.met[kind] += 1
        self._kinds[kind][1]()
        if self._chance.random() < CALM_CHANCE:
            self.rest()
        else:
            time.sleep(self._chance.uniform(0.0, 2.0))

    def rest(self) -> None:
        """Wait until the cluster is at rest. Raises NotAtRest."""
        began = time.monotonic()
        self._quiet.wait(REST_SECONDS_MAX)
        self._tell(f"at rest after {time.monotonic() - began:.1f} s")

    def end(self) -> None:
        """Nothing is cut, and every node runs. Raises NotAtRest and the failures of nodes."""
        if self._cluster.namespaces is not None:
            self._cluster.namespaces.mend()
        for node in self._cluster.nodes.values():
            if not node.runs:
                self._start(node)
        self.rest()

    def _start(self, node: NodeProcess) -> None:
        began = time.monotonic()
        node.start()
        self._tell(f"node {node.node_id}: serves {time.monotonic() - began:.1f} s after its start")

    def _node(self) -> NodeProcess:
        return self._chance.choice(list(self._cluster.nodes.values()))

    def _kill(self) -> None:
        node, seconds = self._node(), self._chance.uniform(0.0, 5.0)
        self._tell(f"node {node.node_id}: killed for {seconds:.1f} s")
        node.kill()
        time.sleep(seconds)
        self._start(node)

    def _kill_and_start(self) -> None:
        node = self._node()
        self._tell(f"node {node.node_id}: killed and started at once")
        node.kill()
        self._start(node)

    def _kill_while_starting(self) -> None:
        node, seconds = self._node(), self._chance.uniform(0.0, 1.0)
        self._tell(f"node {node.node_id}: killed, and once more {seconds:.2f} s after its start")
        node.kill()
        node.start(wait=False)
        time.sleep(seconds)
        node.kill()
        self._start(node)

    def _kill_majority(self) -> None:
        nodes = self._chance.sample(list(self._cluster.nodes.values()), len(self._cluster.nodes) // 2 + 1)
        self._tell(f"nodes {[node.node_id for node in nodes]}: killed together")
        for node in nodes:
            node.kill()
        time.sleep(self._chance.uniform(0.0, 1.0))
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait_until_ready()

    def _stop(self) -> None:
        node, seconds = self._node(), self._chance.uniform(0.0, 3.0)
        began = time.monotonic()
        exit_code = node.stop()
        self._tell(f"node {node.node_id}: stopped in {time.monotonic() - began:.1f} s, for {seconds:.1f} s")
        if exit_code not in (0, 143):
            raise KafkapyFailed(f"node {node.node_id} stopped with {exit_code}:\n{node.last_output()}")
        time.sleep(seconds)
        self._start(node)

    def _pause(self) -> None:
        node, seconds = self._node(), 10 ** self._chance.uniform(-1.0, 0.9)
        self._tell(f"node {node.node_id}: paused for {seconds:.1f} s")
        node.pause()
        time.sleep(seconds)
        node.resume()

    def _empty_disk(self) -> None:
        """Everything that is committed is on the other nodes before the disk is emptied: they go on without it."""
        self.rest()
        node = self._node()
        self._tell(f"node {node.node_id}: killed, its disk emptied")
        node.kill()
        self._quiet.wait_without(node.node_id, REST_SECONDS_MAX)
        node.empty_disk()
        self._start(node)
        self.rest()

    def _elect(self) -> None:
        self._tell("preferred leaders elected")
        self._quiet.elect_preferred()

    def _reassign(self) -> None:
        """Some partitions of one topic move to other replicas, or to others first."""
        topic = self._chance.choice(self._topics)
        brokers = [node.node_id for node in self._cluster.brokers]
        wanted = {
            kafka_structs.TopicPartition(topic, index): self._chance.sample(brokers, min(REPLICAS, len(brokers)))
            for index in self._quiet.replicas(topic)
            if self._chance.random() < 0.7
        }
        self._tell(f"reassigned: { ({f'{topic}-{tp.partition}': replicas for tp, replicas in wanted.items()}) }")
        with suppress(kafka_errors.KafkaError), admin_client(self._cluster.bootstrap) as admin:
            admin.alter_partition_reassignments(wanted)

    def _cut_off(self) -> None:
        """From everybody."""
        self._cut("cut off", both_ways=True, clients=True)

    def _cut_from_peers(self) -> None:
        """Clients still reach it, which may lead partitions and the quorum and cannot know better."""
        self._cut("cut off from the other nodes", both_ways=True, clients=False)

    def _cut_one_way(self) -> None:
        self._cut("cut off one way from the other nodes", both_ways=False, clients=False)

    def _cut(self, what: str, *, both_ways: bool, clients: bool) -> None:
        network = self._cluster.namespaces
        assert network is not None
        node, seconds = self._node(), self._chance.uniform(0.5, 8.0)
        host = node.place.host
        others = [other for other in network.hosts if other != host]
        if not both_ways:
            others = self._chance.sample(others, self._chance.randint(1, len(others)))
        self._tell(f"node {node.node_id}: {what} for {seconds:.1f} s")
        network.cut(host, [*others, network.host] if clients else others)
        if both_ways:
            for other in others:
                network.cut(other, [host])
        time.sleep(seconds)
        network.mend()


FAILURES = (KafkapyFailed, ApacheKafkaFailed)
