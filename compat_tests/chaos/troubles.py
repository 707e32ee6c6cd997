"""What is done to a cluster while clients use it, one trouble after the other, drawn by a seed.

At most one node has a trouble at a time, but for the trouble that kills a majority at once: a process that is killed
leaves what it has written. Before a disk is emptied the cluster is at rest, and afterwards again: what was acknowledged
is on the other nodes then. A broker that is added is like the others until it is removed: other troubles meet it, too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from compat_tests.apache_kafka import ApacheKafkaFailed
from compat_tests.chaos.clients import REPLICAS
from compat_tests.chaos.quiet import NotAtRest, Quiet
from compat_tests.cluster.looking import admin_client, kafka_errors, kafka_structs
from compat_tests.cluster.node_process import NodeProcess
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.command_line import ClusterCommand
from compat_tests.crash.outdated import Outdated
from compat_tests.kafkapy_process import KafkapyFailed

REST_SECONDS_MAX = 120.0
ASK_AGAIN_SECONDS = 2.0
TRIES_BEFORE_CANCELLING = 6
CALM_CHANCE = 0.3


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
        command_config: Path | None = None,
    ) -> None:
        self.met: Counter[str] = Counter()
        self.outdated: list[Outdated] = []
        """When a node may have answered by what was true before."""
        self._cluster = cluster
        self._command = ClusterCommand(cluster.bootstrap, command_config)
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
        if cluster.spares:
            kinds |= {"add a broker": (6, self._add), "remove a broker": (4, self._remove)}
        if cluster.namespaces is not None:
            kinds |= {
                "cut off": (3, self._cut_off),
                "cut from peers": (3, self._cut_from_peers),
                "cut one way": (3, self._cut_one_way),
            }
        self._kinds = kinds

    def one(self, kind: str | None = None) -> None:
        """One trouble and its end, of this kind if there is any; now and then a wait until the cluster is at rest.

        Nothing is done where a trouble of that kind is not possible. Raises NotAtRest.
        """
        names = [name for name in self._kinds if self._is_possible(name)]
        if kind is None:
            kind = self._chance.choices(names, [self._kinds[name][0] for name in names])[0]
        elif kind not in names:
            self._tell(f"{kind}: not possible here")
            return
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
        began = time.monotonic()
        for node in nodes:
            node.kill()
        time.sleep(self._chance.uniform(0.0, 1.0))
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait_until_ready()
        if self.outdated and self.outdated[-1].meets(began, began):  # there was nobody to hear of anything from
            self.outdated[-1] = self.outdated[-1]._replace(end=time.monotonic())

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
        began = time.monotonic()
        node.pause()
        time.sleep(seconds)
        node.resume()
        self.outdated.append(Outdated(began, time.monotonic()))

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
            (topic, index): self._chance.sample(brokers, min(REPLICAS, len(brokers)))
            for index in self._quiet.replicas(topic)
            if self._chance.random() < 0.7
        }
        self._tell(f"reassigned: { ({f'{topic}-{index}': replicas for (_, index), replicas in wanted.items()}) }")
        self._ask_to_move(wanted)

    def _is_possible(self, kind: str) -> bool:
        match kind:
            case "add a broker":
                return bool(self._cluster.spares)
            case "remove a broker":
                return bool(self._added())
            case _:
                return True

    def _added(self) -> list[NodeProcess]:
        return [node for node in self._cluster.brokers if not node.place.is_controller]

    def _add(self) -> None:
        """A new broker, which gets replicas of everything, coordinators' partitions too."""
        node = self._cluster.add_spare()
        self._tell(f"node {node.node_id}: added")
        self._start(node)
        self._quiet.wait_for_broker(node.node_id, REST_SECONDS_MAX)
        others = [each.node_id for each in self._cluster.brokers if each is not node]
        wanted = {
            partition: [node.node_id, *self._chance.sample(others, min(REPLICAS, len(others)) - 1)]
            for partition in self._quiet.partitions()
            if self._chance.random() < 0.4
        }
        self._ask_to_move(wanted)

    def _remove(self) -> None:
        """As Kafka's documentation has it: its replicas move to other brokers, it stops, it is unregistered.

        What is under way is cancelled first. A reassignment to replicas that the partition has all, and that leave out
        one which is being added, is never complete: `adding` keeps it. Apache Kafka 4.4.0, asked, does the same.
        """
        self.rest()
        node = self._chance.choice(self._added())
        self._tell(f"node {node.node_id}: its replicas move to others")
        others = [each.node_id for each in self._cluster.brokers if each is not node]
        wanted: dict[tuple[str, int], list[int]] = {}
        began, tries, refusals = time.monotonic(), 0, Counter[str]()
        while held := self._quiet.held_by(node.node_id):
            if time.monotonic() - began > REST_SECONDS_MAX:
                raise NotAtRest(
                    f"node {node.node_id} still holds replicas of {held} after {REST_SECONDS_MAX:.0f} s and {tries} "
                    f"requests, which were to be {wanted}; refused: {dict(refusals)}"
                )
            if tries % TRIES_BEFORE_CANCELLING == 0:
                self._ask_to_move(dict.fromkeys(held))
            tries += 1
            for partition in held:
                wanted.setdefault(partition, self._chance.sample(others, min(REPLICAS, len(others))))
            refusals[self._ask_to_move({partition: wanted[partition] for partition in held})] += 1
            time.sleep(ASK_AGAIN_SECONDS)
        self._tell(f"node {node.node_id}: holds nothing after {time.monotonic() - began:.1f} s; removed")
        if self._chance.random() < 0.5:
            node.stop()
        else:
            node.kill()
        self._command("unregister", str(node.node_id))
        self._cluster.make_spare(node.node_id)
        self.rest()

    def _ask_to_move(self, wanted: Mapping[tuple[str, int], list[int] | None]) -> str:
        """None: back to where it was. Returns why it was refused; what is not answered is not done, or later: who needs
        it asks again.
        """
        moves = {kafka_structs.TopicPartition(*partition): replicas for partition, replicas in wanted.items()}
        try:
            with admin_client(self._cluster.bootstrap) as admin:
                answers = admin.alter_partition_reassignments(moves)
        except kafka_errors.KafkaError as error:
            return str(error)
        return ", ".join(sorted({error.__name__ for error in answers.values() if error is not None})) or "none"

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
        began = time.monotonic()
        network.cut(host, [*others, network.host] if clients else others)
        if both_ways:
            for other in others:
                network.cut(other, [host])
        time.sleep(seconds)
        network.mend()
        self.outdated.append(Outdated(began, time.monotonic()))


FAILURES = (KafkapyFailed, ApacheKafkaFailed)
