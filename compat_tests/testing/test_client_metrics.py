"""What clients push of their metrics (KIP-714), seen by a test: librdkafka pushes wherever a broker announces it."""

from __future__ import annotations

from collections.abc import Iterator

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
