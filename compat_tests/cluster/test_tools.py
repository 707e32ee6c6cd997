"""Kafka's own command-line tools on three nodes. A start of a JVM costs more than a second: few tests, long stories."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from compat_tests.apache_kafka import (
    CONFIGS,
    CONSUMER_GROUPS,
    TOPICS,
    JavaTools,
    java_command,
)
from compat_tests.cluster.conftest import NewCluster
from compat_tests.cluster.looking import controller_of, create_topic, partitions_of, until_in_sync
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.sending import send_all
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.test_java_tools import (
    CLUSTER,
    FEATURES,
    GET_OFFSETS,
    LEADER_ELECTION,
    LOG_DIRS,
    QUORUM,
    REASSIGN,
    rows,
)

confluent_kafka = pytest.importorskip("confluent_kafka")

REPLICA_VERIFICATION = "org.apache.kafka.tools.ReplicaVerificationTool"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
NewName = Callable[..., str]

pytestmark = pytest.mark.usefixtures("java")


class Tools:
    """Tools against a cluster, by way of any of its brokers."""

    def __init__(self, tools: JavaTools, bootstrap: str) -> None:
        self._tools = tools
        self.bootstrap = bootstrap

    def __call__(self, main_class: str, *arguments: str, exit_code: int = 0) -> str:
        found, printed = self._tools.run(main_class, "--bootstrap-server", self.bootstrap, *arguments)
        assert found == exit_code, printed
        return printed

    def subcommand(self, main_class: str, name: str, *arguments: str, exit_code: int = 0) -> str:
        """A tool that wants the name of what is to be done first."""
        found, printed = self._tools.run(main_class, name, "--bootstrap-server", self.bootstrap, *arguments)
        assert found == exit_code, printed
        return printed


@pytest.fixture
def tool(cluster: ClusterProcesses) -> Iterator[Tools]:
    with JavaTools(240.0) as tools:
        yield Tools(tools, cluster.bootstrap)


def described(printed: str) -> dict[int, tuple[str, list[int], list[int]]]:
    """Leader, replicas and ISR of each partition in what kafka-topics printed."""
    found = re.findall(r"Partition: (\d+)\tLeader: (\w+)\tReplicas: ([\d,]+)\tIsr: ([\d,]*)", printed)
    return {
        int(index): (leader, list(map(int, replicas.split(","))), sorted(map(int, filter(None, isr.split(",")))))
        for index, leader, replicas, isr in found
    }


def written(path: Path, partitions: Mapping[tuple[str, int], list[int]]) -> str:
    """A reassignment file; its path."""
    moves = [
        {"topic": topic, "partition": index, "replicas": replicas} for (topic, index), replicas in partitions.items()
    ]
    path.write_text(json.dumps({"version": 1, "partitions": moves}))
    return str(path)


def test_topics_and_where_their_replicas_are(cluster: ClusterProcesses, tool: Tools, new_name: NewName) -> None:
    topic = new_name()
    tool(TOPICS, "--create", "--topic", topic, "--replica-assignment", "1:2,2:3,3:1")
    placed = {0: ("1", [1, 2], [1, 2]), 1: ("2", [2, 3], [2, 3]), 2: ("3", [3, 1], [1, 3])}
    assert described(tool(TOPICS, "--describe", "--topic", topic)) == placed
    refused = tool(TOPICS, "--create", "--topic", topic + "-", "--replication-factor", "4", exit_code=1)
    assert "Unable to replicate the partition 4 time(s)" in refused
    tool(TOPICS, "--alter", "--topic", topic, "--partitions", "4")
    assert len(described(tool(TOPICS, "--describe", "--topic", topic))) == 4

    values = [str(n) for n in range(40)]
    send_all(cluster.bootstrap, topic, values, 4)
    ends = tool(GET_OFFSETS, "--topic", topic).split()
    assert ends == [f"{topic}:{index}:10" for index in range(4)]
    directories = json.loads(tool(LOG_DIRS, "--describe", "--topic-list", topic).splitlines()[-1])
    held = {
        broker["broker"]: sorted(p["partition"] for each in broker["logDirs"] for p in each["partitions"])
        for broker in directories["brokers"]
    }
    for index, (_, replicas, _) in placed.items():
        for broker_id in (1, 2, 3):
            assert (f"{topic}-{index}" in held[broker_id]) == (broker_id in replicas)

    verifying = subprocess.Popen(
        java_command(
            *(REPLICA_VERIFICATION, "--broker-list", cluster.bootstrap, "--topics-include", topic),
            *("--report-interval-ms", "500"),
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    with verifying:
        try:
            assert verifying.stdout is not None
            reports = (line for line in verifying.stdout if "max lag is" in line)
            assert "max lag is 0 for partition" in next(reports)
        finally:
            verifying.kill()


def test_partitions_without_enough_replicas(cluster: ClusterProcesses, tool: Tools, new_name: NewName) -> None:
    topic, pair = new_name(), new_name("pair")
    tool(TOPICS, "--create", "--topic", topic, "--replica-assignment", "1:2:3")
    tool(
        *(TOPICS, "--create", "--topic", pair, "--replica-assignment", "2:3"),
        *("--config", "min.insync.replicas=1"),
    )

    def named(option: str) -> set[str]:
        return set(re.findall(r"Topic: (\S+)\tPartition", tool(TOPICS, "--describe", option)))

    options = "--under-replicated-partitions", "--under-min-isr-partitions", "--unavailable-partitions"
    assert [named(option) & {topic, pair} for option in options] == [set(), set(), set()]
    assert not named("--at-min-isr-partitions") & {topic, pair}
    cluster.nodes[2].kill()
    others = f"{cluster.nodes[1].bootstrap},{cluster.nodes[3].bootstrap}"
    eventually(lambda: partitions_of(others, topic)[0].isr == [1, 3], "node 2 has left the ISR")
    eventually(lambda: partitions_of(others, pair)[0].isr == [3], "node 2 has left that of the pair, too")
    assert {topic, pair} <= named("--under-replicated-partitions")
    assert {topic, pair} <= named("--at-min-isr-partitions")
    send_all(others, pair, ["only node 3 has this"])
    # Without node 3 there is no quorum until node 2 is back, which does not have the last record.
    cluster.nodes[3].kill()
    cluster.nodes[2].start(wait=False)
    cluster.nodes[2].wait_until_ready()
    eventually(lambda: partitions_of(cluster.nodes[2].bootstrap, pair)[0].leader == -1, "the pair has no leader")
    assert pair in named("--unavailable-partitions")
    assert topic not in named("--unavailable-partitions")
    preferred = tool(LEADER_ELECTION, "--election-type", "preferred", "--topic", pair, "--partition", "0", exit_code=1)
    assert "PreferredLeaderNotAvailableException" in preferred
    unclean = tool(LEADER_ELECTION, "--election-type", "unclean", "--topic", pair, "--partition", "0")
    assert f"Successfully completed leader election (UNCLEAN) for partitions {pair}-0" in unclean
    assert partitions_of(cluster.nodes[1].bootstrap, pair)[0].leader == 2
    cluster.nodes[3].start()
    until_in_sync(cluster.bootstrap, pair, 2)
    until_in_sync(cluster.bootstrap, topic)
    assert tool(GET_OFFSETS, "--topic", pair).split() == [f"{pair}:0:0"]


def test_replicas_move(cluster: ClusterProcesses, tool: Tools, new_name: NewName, tmp_path: Path) -> None:
    topic = new_name()
    tool(TOPICS, "--create", "--topic", topic, "--replica-assignment", "1:2,2:1")
    send_all(cluster.bootstrap, topic, ["x" * 10_000] * 400, 2)
    topics = tmp_path / "topics.json"
    topics.write_text(json.dumps({"version": 1, "topics": [{"topic": topic}]}))
    plan = tool(REASSIGN, "--generate", "--topics-to-move-json-file", str(topics), "--broker-list", "2,3")
    current, proposed = (json.loads(line) for line in plan.splitlines() if line.startswith("{"))
    assert {each["partition"]: each["replicas"] for each in current["partitions"]} == {0: [1, 2], 1: [2, 1]}
    assert {broker for each in proposed["partitions"] for broker in each["replicas"]} == {2, 3}

    away = written(tmp_path / "away.json", {(topic, 0): [3, 2], (topic, 1): [2, 3]})
    slowly = tool(REASSIGN, "--execute", "--reassignment-json-file", away, "--throttle", "20000")
    assert "The inter-broker throttle limit was set to 20000 B/s" in slowly
    assert re.search(rf"{topic}-0: replicas: 3,2,1\. adding: 3\. removing: 1\.", tool(REASSIGN, "--list"))
    assert "is still in progress" in tool(
        REASSIGN, "--verify", "--reassignment-json-file", away, "--preserve-throttles"
    )
    throttled = tool(CONFIGS, "--describe", "--entity-type", "brokers", "--entity-name", "3")
    assert "follower.replication.throttled.rate=20000" in throttled
    cancelled = tool(REASSIGN, "--cancel", "--reassignment-json-file", away)
    assert f"Successfully cancelled partition reassignments for: {topic}-0,{topic}-1" in cancelled
    assert "No partition reassignments found." in tool(REASSIGN, "--list")
    eventually(
        lambda: {tuple(sorted(view.replicas)) for view in partitions_of(cluster.bootstrap, topic).values()} == {(1, 2)},
        "the replicas are those of before",
    )

    tool(REASSIGN, "--execute", "--reassignment-json-file", away)
    eventually(lambda: "No partition reassignments found." in tool(REASSIGN, "--list"), "all have moved")
    verified = tool(REASSIGN, "--verify", "--reassignment-json-file", away)
    assert f"Reassignment of partition {topic}-0 is completed." in verified
    assert "Clearing broker-level throttles" in verified
    assert "throttled.rate" not in tool(CONFIGS, "--describe", "--entity-type", "brokers", "--entity-name", "3")
    assert [view.isr for view in partitions_of(cluster.bootstrap, topic).values()] == [[2, 3], [2, 3]]
    eventually(lambda: not list(cluster.nodes[1].log_dir.glob(f"{topic}-[01]")), "node 1 has given its replicas up")

    tool(LEADER_ELECTION, "--election-type", "preferred", "--all-topic-partitions")
    assert [view.leader for view in partitions_of(cluster.bootstrap, topic).values()] == [3, 2]
    assert tool(GET_OFFSETS, "--topic", topic).split() == [f"{topic}:0:200", f"{topic}:1:200"]


def test_the_quorum_the_nodes_and_their_features(cluster: ClusterProcesses, tool: Tools) -> None:
    leader = controller_of(cluster.bootstrap)
    printed = tool(QUORUM, "describe", "--status")
    status = dict(re.findall(r"^(\w+): +(.*)$", printed, re.MULTILINE))
    assert int(status["LeaderId"]) == leader
    assert status["CurrentObservers"] == "[]"
    assert [voter["id"] for voter in json.loads(status["CurrentVoters"])] == [1, 2, 3]
    replication = tool(QUORUM, "describe", "--replication")
    assert sorted(re.findall(r"(Leader|Follower)\s*$", replication, re.MULTILINE)) == ["Follower", "Follower", "Leader"]
    assert cluster.cluster_id in tool.subcommand(CLUSTER, "cluster-id")
    endpoints = tool.subcommand(CLUSTER, "list-endpoints")
    for node in cluster.brokers:
        assert re.search(
            rf"^{node.node_id}\s+127\.0\.0\.1\s+{node.place.port}\s.*unfenced\s+broker", endpoints, re.MULTILINE
        )
    features = tool(FEATURES, "describe")
    assert re.search(r"Feature: metadata.version.*FinalizedVersionLevel: 4\.4-IV", features)
    assert re.search(r"Feature: kraft.version.*FinalizedVersionLevel: 0", features)


def test_a_broker_that_is_gone_is_forgotten_and_comes_back(
    cluster: ClusterProcesses, tool: Tools, new_name: NewName
) -> None:
    create_topic(cluster.bootstrap, new_name())
    refused = tool.subcommand(CLUSTER, "unregister", "--id", "9", exit_code=1)
    assert "BrokerIdNotRegisteredException" in refused
    node = cluster.nodes[3]
    node.stop()
    assert "Broker 3 is no longer registered" in tool.subcommand(CLUSTER, "unregister", "--id", "3")
    assert not re.search(r"^3\s", tool.subcommand(CLUSTER, "list-endpoints", "--include-fenced-brokers"), re.MULTILINE)
    node.start()
    assert re.search(r"^3\s.*unfenced", tool.subcommand(CLUSTER, "list-endpoints"), re.MULTILINE)


def test_groups_settings_and_transactions(cluster: ClusterProcesses, tool: Tools, new_name: NewName) -> None:
    topic, group, transactional_id = new_name(), new_name("group"), new_name("id")
    create_topic(cluster.bootstrap, topic, 3)
    send_all(cluster.bootstrap, topic, [str(n) for n in range(30)], 3)
    moved = tool(
        CONSUMER_GROUPS, "--group", group, "--topic", topic, "--reset-offsets", "--to-offset", "4", "--execute"
    )
    assert {row["NEW-OFFSET"] for row in rows(moved)} == {"4"}
    lags = {row["PARTITION"]: row["LAG"] for row in rows(tool(CONSUMER_GROUPS, "--describe", "--group", group))}
    assert lags == {"0": "6", "1": "6", "2": "6"}

    of_broker = ("--entity-type", "brokers", "--entity-name", "2")
    tool(CONFIGS, "--alter", *of_broker, "--add-config", "log.cleaner.threads=2")
    of_all = ("--entity-type", "brokers", "--entity-default")
    tool(CONFIGS, "--alter", *of_all, "--add-config", "log.retention.ms=123456789")
    printed = tool(CONFIGS, "--describe", *of_broker)
    assert "log.cleaner.threads=2" in printed
    assert "log.retention.ms=123456789" in tool(CONFIGS, "--describe", *of_all)
    assert "log.cleaner.threads=2" not in tool(CONFIGS, "--describe", *of_broker[:3], "3")
    tool(CONFIGS, "--alter", *of_broker, "--delete-config", "log.cleaner.threads")
    tool(CONFIGS, "--alter", *of_all, "--delete-config", "log.retention.ms")

    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": transactional_id})
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    for partition in range(3):
        producer.produce(topic, b"open", partition=partition)
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert re.search(rf"^{transactional_id}\s+\d\s+\d+\s+Ongoing", tool(TRANSACTIONS, "list"), re.MULTILINE)
    open_one = tool(TRANSACTIONS, "describe", "--transactional-id", transactional_id)
    assert all(f"{topic}-{partition}" in open_one for partition in range(3))
    start = ("--topic", topic, "--partition", "1", "--start-offset", "10")
    tool(TRANSACTIONS, "abort", *start)
    eventually(
        lambda: f"{topic}:1:12" in tool(GET_OFFSETS, "--topic", topic), "a marker ends the transaction in partition 1"
    )
    assert "10" not in tool(TRANSACTIONS, "describe-producers", "--topic", topic, "--partition", "1").split()[-1]


def test_controllers_come_and_go(new_cluster: NewCluster) -> None:
    """Voters of the metadata log (KIP-853): one in the beginning, then three, then two without the first."""
    cluster = new_cluster(3, voters_in_log=True)
    cluster.start()
    with JavaTools() as tools:
        tool = Tools(tools, cluster.bootstrap)

        def voters() -> list[int]:
            status = tool(QUORUM, "describe", "--status")
            found = re.search(r"^CurrentVoters: +(.*)$", status, re.MULTILINE)
            assert found is not None
            return [voter["id"] for voter in json.loads(found[1])]

        assert voters() == [1]
        assert re.search(r"Feature: kraft.version.*FinalizedVersionLevel: 1", tool(FEATURES, "describe"))
        for node_id in (2, 3):
            added = tool(QUORUM, "--command-config", str(cluster.nodes[node_id].properties), "add-controller")
            assert f"Added controller {node_id} with directory id" in added
        assert voters() == [1, 2, 3]
        replication = tool(QUORUM, "describe", "--replication")
        directory = next(line.split()[1] for line in replication.splitlines() if re.match(r"1\s", line))
        gone = ("--controller-id", "1", "--controller-directory-id", directory)
        assert f"Removed KRaft controller 1 with directory id {directory}" in tool(QUORUM, "remove-controller", *gone)
        assert voters() == [2, 3]
        eventually(lambda: controller_of(cluster.bootstrap) in {2, 3}, "another controller is active")
        again = tool(QUORUM, "remove-controller", *gone, exit_code=1)
        assert "VoterNotFoundException" in again
    create_topic(cluster.bootstrap, "orders", 3)
    until_in_sync(cluster.bootstrap, "orders")
    cluster.nodes[1].stop()
    create_topic(cluster.bootstrap, "payments", 3, replicas=2)


def await_told(tools: JavaTools, bootstrap: str, command: tuple[str, ...], told: str) -> None:
    """kafka-metadata-quorum does it, at once or when it is asked again."""
    eventually(lambda: told in tools.run(QUORUM, "--bootstrap-server", bootstrap, *command)[1], told)


def test_static_voters_move_into_the_metadata_log(new_cluster: NewCluster) -> None:
    """kraft.version 0 to 1 (KIP-853): then a controller can be removed, and added again."""
    cluster = new_cluster(3)
    cluster.start()
    with JavaTools() as tools:
        tool = Tools(tools, cluster.bootstrap)
        up = ("upgrade", "--feature", "kraft.version=1")

        def level() -> str:
            found = re.search(r"Feature: kraft.version.*FinalizedVersionLevel: (\d)", tool(FEATURES, "describe"))
            assert found is not None
            return found[1]

        def directories() -> dict[int, str]:
            lines = tool(QUORUM, "describe", "--replication").splitlines()
            return {int(line.split()[0]): line.split()[1] for line in lines if re.match(r"\d\s", line)}

        assert level() == "0"
        nobody = "AAAAAAAAAAAAAAAAAAAAAA"
        eventually(
            lambda: tools.run(FEATURES, "--bootstrap-server", cluster.bootstrap, *up)[0] == 0, "all have said so"
        )
        assert level() == "1"
        assert "kraft.version was upgraded to 1." in tool(FEATURES, *up)
        known = directories()
        assert sorted(known) == [1, 2, 3]
        assert nobody not in known.values()
        # On a busy machine another leader may have to be elected first.
        remove = ("remove-controller", "--controller-id", "3", "--controller-directory-id", known[3])
        await_told(tools, cluster.bootstrap, remove, "Removed KRaft controller 3")
        add = ("--command-config", str(cluster.nodes[3].properties), "add-controller")
        await_told(tools, cluster.bootstrap, add, "Added controller 3 with directory id")
        assert directories() == known
