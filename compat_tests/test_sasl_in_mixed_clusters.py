"""Apache Kafka 4.4.0 and kafkapy in one cluster whose nodes log in at one another, as controllers and as brokers."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_tests.cluster.processes import ClusterProcesses

confluent_kafka = pytest.importorskip("confluent_kafka")
admin = pytest.importorskip("confluent_kafka.admin")

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
USERS = f'{PLAIN} required username="node" password="n" user_node="n" user_alice="secret";'
SETTINGS = {
    "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config": USERS,
    "listener.name.controller.plain.sasl.jaas.config": USERS,
}


@pytest.mark.usefixtures("java")
def test_nodes_of_both_kinds_log_in_at_one_another(tmp_path: Path) -> None:
    with ClusterProcesses(tmp_path, 3, settings=SETTINGS, apache=[1]) as cluster:
        config = {
            "bootstrap.servers": cluster.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "alice",
            "sasl.password": "secret",
        }
        client = admin.AdminClient(config)
        for future in client.create_topics([admin.NewTopic("t", 6, 3)]).values():
            future.result(30)
        producer = confluent_kafka.Producer({**config, "acks": "all"})
        errors: list[object] = []
        for partition in range(6):  # of leaders of both kinds, with followers of both kinds
            producer.produce("t", b"x", partition=partition, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(30) == 0
        assert errors == [None] * 6
        assert not cluster.bugs(), cluster.output()
