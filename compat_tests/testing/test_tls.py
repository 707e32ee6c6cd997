"""Clusters of the test kit with TLS: unmodified clients of Python with the configurations that it hands out."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka, KafkaNotStarted

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")

VALUES = [b"small", b"x" * 900_000, b"last"]


@pytest.fixture(scope="module")
def mutual() -> Iterator[Kafka]:
    """Three nodes that reach each other with TLS; clients must have a certificate."""
    with Kafka(nodes=3, tls="mutual", topics={"orders": 1, "payments": 1}) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def requested() -> Iterator[Kafka]:
    """One node; clients may have a certificate."""
    with Kafka(tls=True, isolation="process") as kafka:
        yield kafka


def producers(kafka: Kafka, topic: str) -> set[str]:
    """The principals of those who have produced to it."""
    return {exchange.principal for exchange in kafka.recorded("Produce", topic=topic)}


def test_a_cluster_replicates_over_tls(mutual: Kafka) -> None:
    """acks=all: the followers have fetched over connections of their own."""
    producer = confluent_kafka.Producer({**mutual.config_for("confluent_kafka"), "acks": "all"})
    for value in VALUES:
        producer.produce("orders", value)
    assert producer.flush(PATIENCE_SECONDS) == 0
    config: dict[str, Any] = {**mutual.config_for("librdkafka", certificate="alice"), "group.id": "readers"}
    consumer = confluent_kafka.Consumer({**config, "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    read = [consumer.poll(PATIENCE_SECONDS) for _ in VALUES]
    assert {each.node for each in mutual.connections()} <= {1, 2, 3}
    consumer.close()
    assert [message and message.value() for message in read] == VALUES
    assert producers(mutual, "orders") == {"User:CN=client"}
    assert len(mutual.topic("orders").partitions[0].isr) == 3


def test_a_leader_that_is_killed_is_followed_by_another(mutual: Kafka) -> None:
    leader = mutual.topic("payments").partitions[0].leader
    assert leader is not None
    mutual.kill_node(leader)
    mutual.produce("payments", "meanwhile")
    mutual.start_node(leader)
    mutual.produce("payments", "afterwards")
    assert [record.value for record in mutual.records("payments")] == [b"meanwhile", b"afterwards"]


def test_confluent_kafka(requested: Kafka) -> None:
    for certificate, principal in ((None, "User:ANONYMOUS"), ("alice", "User:CN=alice")):
        topic = f"confluent-{certificate}"
        producer = confluent_kafka.Producer(requested.config_for("confluent-kafka", certificate=certificate))
        producer.produce(topic, b"value")
        assert producer.flush(PATIENCE_SECONDS) == 0
        assert producers(requested, topic) == {principal}


def test_kafka_python(requested: Kafka) -> None:
    for certificate, principal in ((None, "User:ANONYMOUS"), ("alice", "User:CN=alice")):
        topic = f"kafka-python-{certificate}"
        config = requested.config_for("kafka-python", certificate=certificate)
        producer = kafka_python.KafkaProducer(**config)
        for value in VALUES:
            producer.send(topic, value).get(PATIENCE_SECONDS)
        producer.close()
        consumer = kafka_python.KafkaConsumer(
            topic, auto_offset_reset="earliest", consumer_timeout_ms=PATIENCE_SECONDS * 1_000, **config
        )
        assert [next(consumer).value for _ in VALUES] == VALUES
        consumer.close()
        assert producers(requested, topic) == {principal}


def test_aiokafka(requested: Kafka) -> None:
    async def round_trip(topic: str, config: dict[str, Any]) -> list[bytes]:
        async with aiokafka.AIOKafkaProducer(**config) as producer:
            for value in VALUES:
                await producer.send_and_wait(topic, value)
        async with aiokafka.AIOKafkaConsumer(topic, auto_offset_reset="earliest", **config) as consumer:
            return [(await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)).value for _ in VALUES]

    for certificate, principal in ((None, "User:ANONYMOUS"), ("alice", "User:CN=alice")):
        topic = f"aiokafka-{certificate}"

        async def run(topic: str, certificate: str | None) -> list[bytes]:
            return await round_trip(topic, requested.config_for("aiokafka", certificate=certificate))

        assert asyncio.run(run(topic, certificate)) == VALUES
        assert producers(requested, topic) == {principal}


def test_users_log_in_over_tls() -> None:
    """SASL_SSL, between the nodes, too; the principal is that of the login, whatever certificate is shown."""
    with Kafka(nodes=2, tls=True, users={"alice": "secret"}, topics={"orders": {"replicas": 2}}) as kafka:
        config: dict[str, Any] = kafka.config_for("confluent_kafka", certificate="bob")
        assert config["security.protocol"] == "SASL_SSL"
        producer = confluent_kafka.Producer({**config, "acks": "all"})
        for value in VALUES:
            producer.produce("orders", value)
        assert producer.flush(PATIENCE_SECONDS) == 0
        assert producers(kafka, "orders") == {"User:alice"}
        for library in ("kafka-python", "aiokafka"):
            assert kafka.config_for(library)["security_protocol"] == "SASL_SSL"
        python = kafka_python.KafkaConsumer("orders", auto_offset_reset="earliest", **kafka.config_for("kafka-python"))
        assert [next(python).value for _ in VALUES] == VALUES
        python.close()
        assert len(kafka.topic("orders").partitions[0].isr) == 2


def test_what_is_not_there_is_told(requested: Kafka) -> None:
    with pytest.raises(ValueError, match=r"'\.\./x' cannot be a name of a certificate"):
        requested.config_for("java", certificate="../x")
    for client, certificate in (("java", "alice"), ("pem", None)):
        with Kafka() as plain, pytest.raises(ValueError, match=r"TLS was not asked for: Kafka\(tls=True\)"):
            plain.config_for(client, certificate=certificate)
    with pytest.raises(ValueError, match='tls is True, or "mutual"'):
        Kafka(tls="required")  # type: ignore[arg-type]
    with pytest.raises(KafkaNotStarted, match=r"ssl\.cipher\.suites has NONE"):
        Kafka(tls=True, settings={"ssl.cipher.suites": "NONE"}).__enter__()
    files = requested.config_for("pem", certificate="carol")
    command = ["openssl", "verify", "-CAfile", str(files["ca"]), str(files["certificate"])]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
