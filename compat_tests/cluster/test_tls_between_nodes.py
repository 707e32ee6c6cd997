"""Nodes of both kinds in one cluster, which reach each other with TLS and must show certificates."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.deadlines import eventually
from compat_tests.kafkapy_process import kafkapy_command
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")
admin_of = pytest.importorskip("confluent_kafka.admin")

SECONDS = 60
VALUES = [f"{number} ".encode() * 20_000 for number in range(10)]


def test_nodes_of_both_kinds_replicate_over_mutual_tls(tmp_path: Path) -> None:
    """Two of kafkapy with PKCS12 and JKS, one of Apache Kafka with PEM. Every record is on all three."""
    need(jar_directory)
    directory = tmp_path / "certificates"
    nodes = [option for name in ("node1", "node2", "node3") for option in ("--server", name)]
    subprocess.run([kafkapy_command(), "certs", str(directory), *nodes], check=True, capture_output=True)
    stores = {1: ("PKCS12", "p12", "truststore.p12"), 2: ("JKS", "jks", "truststore.jks"), 3: ("PEM", "pem", "ca.crt")}
    own: dict[int, dict[str, str]] = {}
    for node_id, (kind, suffix, trusted) in stores.items():
        own[node_id] = {
            "ssl.keystore.type": kind,
            "ssl.keystore.location": str(directory / f"node{node_id}.{suffix}"),
            "ssl.truststore.type": kind,
            "ssl.truststore.location": str(directory / trusted),
        }
        if kind != "PEM":
            passwords = ("ssl.keystore.password", "ssl.key.password", "ssl.truststore.password")
            own[node_id] |= dict.fromkeys(passwords, "changeit")
    settings = {
        "listener.security.protocol.map": "PLAINTEXT:SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.client.auth": "required",
    }
    client = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(directory / "ca.crt"),
        "ssl.certificate.location": str(directory / "client.crt"),
        "ssl.key.location": str(directory / "client.key"),
    }
    with ClusterProcesses(tmp_path, apache={3}, settings=settings, own_settings=own) as cluster:
        config = {"bootstrap.servers": cluster.bootstrap, **client}
        admin: Any = admin_of.AdminClient(config)
        admin.create_topics([admin_of.NewTopic("orders", num_partitions=3, replication_factor=3)])["orders"].result(
            SECONDS
        )
        producer = confluent_kafka.Producer({**config, "acks": "all"})
        for number, value in enumerate(VALUES):
            producer.produce("orders", value, partition=number % 3)
        assert producer.flush(SECONDS) == 0

        def all_in_sync() -> bool:
            partitions = admin.list_topics("orders", SECONDS).topics["orders"].partitions.values()
            return all(sorted(partition.isrs) == [1, 2, 3] for partition in partitions)

        eventually(all_in_sync, f"all replicas are in sync\n{cluster.output()}")
        consumer = confluent_kafka.Consumer({**config, "group.id": "readers", "auto.offset.reset": "earliest"})
        consumer.subscribe(["orders"])
        read = [consumer.poll(SECONDS) for _ in VALUES]
        consumer.close()
        assert sorted(message.value() for message in read) == sorted(VALUES)
        assert not cluster.bugs()
