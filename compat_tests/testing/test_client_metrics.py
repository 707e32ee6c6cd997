"""What clients push of their metrics (KIP-714), seen by a test: librdkafka pushes wherever a broker announces it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.command_line import ClusterCommand
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
pytest.importorskip("opentelemetry.proto.metrics.v1.metrics_pb2")

CONNECTIONS = "org.apache.kafka.producer.connection.creation.total"


@pytest.fixture(scope="module")
def receiving() -> Iterator[Kafka]:
    with Kafka(settings={"metric.reporters": "kafkapy.ClientTelemetryReceiver"}) as kafka:
        yield kafka


def test_what_librdkafka_pushes_is_there_for_the_test(receiving: Kafka) -> None:
    changes = ("metrics=org.apache.kafka.producer.connection.", "interval.ms=200", "match=client_id=pushes")
    configure = ClusterCommand(receiving.bootstrap_servers)
    configure("set", "--client-metrics", "of-a-test", *changes, command="configs")
    producer = confluent_kafka.Producer({"bootstrap.servers": receiving.bootstrap_servers, "client.id": "pushes"})
    other = confluent_kafka.Producer({"bootstrap.servers": receiving.bootstrap_servers, "client.id": "does-not-push"})
    for each in (producer, other):
        each.produce("pushed", b"a record")
        each.flush()
    first, second = receiving.client_metrics.wait("pushes", count=2)[:2]
    assert first.client_id == "pushes"
    assert "librdkafka" in first.software or "rdkafka" in first.software
    assert first.client_instance_id == second.client_instance_id
    assert not first.is_malformed
    assert {metric.name for metric in first.metrics} >= {CONNECTIONS}
    assert all(metric.name.startswith("org.apache.kafka.producer.connection.") for metric in first.metrics)
    assert first.values(CONNECTIONS)
    assert receiving.client_metrics.pushed("does-not-push") == []


def test_a_broker_without_the_receiver_says_what_to_set(kafka: Kafka) -> None:
    with pytest.raises(RuntimeError, match=r"set metric\.reporters=kafkapy\.ClientTelemetryReceiver"):
        kafka.client_metrics.pushed()


def test_franz_go_pushes_too(receiving: Kafka, go_program: Path) -> None:
    """By prefix: franz-go 1.22 takes `*`, by which Apache Kafka asks for all metrics, for a prefix like any other."""
    receiving.create_topic("read-by-franz")
    configure = ClusterCommand(receiving.bootstrap_servers)
    changes = ("metrics=org.apache.kafka.consumer.", "interval.ms=200", "match=client_id=kgo")
    configure("set", "--client-metrics", "of-franz", *changes, command="configs")
    command = [str(go_program), "franz", "member", receiving.bootstrap_servers, "franz", "read-by-franz", "10000"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as member:
        try:
            push = receiving.client_metrics.wait("kgo", timeout=20.0)[0]
        finally:
            member.terminate()
    assert push.software.startswith("kgo ")
    assert not push.is_malformed
    assert push.resource["group_id"] == "franz"
    assert "org.apache.kafka.consumer.connection.creation.total" in {metric.name for metric in push.metrics}
