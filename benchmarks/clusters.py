"""The clusters that are compared: three nodes, each a broker and a controller, each cluster as its user starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import installation
from benchmarks.peers import (
    RELEASE_SETTINGS,
    Launch,
    Peer,
    install_kafka,
    kafka_format,
    kafka_start,
    kafkapy_options,
)
from compat_tests.apache_kafka import CLUSTER_ID, KAFKA_VERSION

NODE_COUNT = 3
# What a cluster has instead of the ones and zeros of the release's config/server.properties, which is for one node.
REPLICATION = {
    "default.replication.factor": "3",
    "offsets.topic.replication.factor": "3",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}
BOOTSTRAP = "bootstrap: "


def one_process() -> Peer:
    """`kafkapy cluster --nodes 3 --port 0`: all nodes in one process."""

    def commands(launch: Launch) -> list[list[str]]:
        nodes = ["--nodes", str(NODE_COUNT), "--port", "0"]
        return [[str(installation.program()), "cluster", *nodes, *kafkapy_options(launch)]]

    def find_ports(printed: str) -> list[int] | None:
        for line in printed.splitlines(keepends=True):
            if line.startswith(BOOTSTRAP) and line.endswith("\n"):
                return [int(server.rpartition(":")[2]) for server in line.removeprefix(BOOTSTRAP).split(",")]
        return None

    return Peer(
        "kafkapy",
        "kafkapy, one process",
        installation.program,
        commands,
        find_ports=find_ports,
        left_out=dict.fromkeys(("failover", "failover_short"), "its nodes end together"),
        node_count=NODE_COUNT,
    )


def processes() -> Peer:
    """`kafkapy server.properties`, three times."""

    def commands(launch: Launch) -> list[list[str]]:
        program = str(installation.program())
        return [[program, str(file), "--cluster-id", CLUSTER_ID] for file in _properties(launch, {})]

    return Peer("processes", "kafkapy, three processes", installation.program, commands, node_count=NODE_COUNT)


def apache_kafka() -> Peer:
    """Three JVMs with static voters: `kafka-storage format`, then the broker."""

    def prepare(launch: Launch) -> list[list[str]]:
        return [kafka_format(file) for file in _properties(launch, RELEASE_SETTINGS)]

    def commands(launch: Launch) -> list[list[str]]:
        return [kafka_start(_properties_file(launch, node_id)) for node_id in _node_ids()]

    return Peer(
        "kafka",
        f"Apache Kafka {KAFKA_VERSION}",
        install_kafka,
        commands,
        prepare,
        node_count=NODE_COUNT,
    )


def _properties(launch: Launch, settings: Mapping[str, str]) -> list[Path]:
    """Write `server.properties` of each node."""
    voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(launch.controller_ports, 1))
    files = []
    for node_id in _node_ids():
        listeners = (
            f"PLAINTEXT://127.0.0.1:{launch.ports[node_id - 1]},"
            f"CONTROLLER://127.0.0.1:{launch.controller_ports[node_id - 1]}"
        )
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(node_id),
            "controller.quorum.voters": voters,
            "listeners": listeners,
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            **settings,
            "log.dirs": str(launch.data / f"node-{node_id}"),
            **REPLICATION,
            **launch.settings,
        }
        file = _properties_file(launch, node_id)
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        files.append(file)
    return files


def _properties_file(launch: Launch, node_id: int) -> Path:
    return launch.work / f"node-{node_id}" / "server.properties"


def _node_ids() -> range:
    return range(1, NODE_COUNT + 1)


CLUSTERS: Mapping[str, Callable[[], Peer]] = {
    "kafkapy": one_process,
    "processes": processes,
    "kafka": apache_kafka,
}
