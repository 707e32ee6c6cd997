"""Brokers that are added to a running cluster, and removed from it, met by unmodified clients."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
admin = pytest.importorskip("confluent_kafka.admin")

QUICK = {
    "linger.ms": 0,
    "retry.backoff.ms": 10,
    "retry.backoff.max.ms": 100,
    "reconnect.backoff.max.ms": 100,
    "topic.metadata.refresh.fast.interval.ms": 20,
}


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Kafka]:
    settings = {
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 100,
        "replica.lag.time.max.ms": 1_000,
    }
    with Kafka(nodes=3, racks=("a", "b", "c"), settings=settings) as kafka:
        yield kafka


def brokers_seen(kafka: Kafka) -> dict[int, str]:
    client = admin.AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    return {
        each.id: f"{each.host}:{each.port}" for each in client.list_topics(timeout=PATIENCE_SECONDS).brokers.values()
    }


def racks_seen(kafka: Kafka) -> dict[int, str | None]:
    client = admin.AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    return {each.id: each.rack for each in client.describe_cluster(request_timeout=PATIENCE_SECONDS).result().nodes}


def replicas_of(kafka: Kafka, topic: str) -> list[tuple[int, ...]]:
    return [tuple(each.replicas) for each in kafka.topic(topic).partitions]


def send(kafka: Kafka, partition: int, value: bytes) -> Any:
    """The record as its producer knows it when it is acknowledged."""
    sent: list[Any] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "client.id": "app", **QUICK})
    producer.produce("orders", value, partition=partition, on_delivery=lambda *report: sent.append(report))
    assert producer.flush(PATIENCE_SECONDS) == 0
    ((error, message),) = sent
    assert error is None
    return message


@contextmanager
def producing(kafka: Kafka, partitions: int) -> Iterator[list[tuple[int, bytes]]]:
    """A producer with acks=all goes on within the block; the list grows by what was acknowledged."""
    acknowledged: list[tuple[int, bytes]] = []
    errors: list[Any] = []
    done = threading.Event()

    def report(error: Any, message: Any) -> None:
        if error is not None:
            errors.append(error)
        else:
            acknowledged.append((message.partition(), message.value()))

    def run() -> None:
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": kafka.bootstrap_servers, "acks": "all", "enable.idempotence": True, **QUICK}
        )
        number = 0
        while not done.wait(0.002):
            producer.produce("orders", b"%d" % number, partition=number % partitions, on_delivery=report)
            producer.poll(0)
            number += 1
        assert producer.flush(PATIENCE_SECONDS) == 0

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: bool(acknowledged), "a record is acknowledged")
        yield acknowledged
    finally:
        done.set()
        thread.join(PATIENCE_SECONDS)
    assert errors == []


def test_an_added_broker_leads_and_leaves_under_a_producer(kafka_cluster: Kafka) -> None:
    assert kafka_cluster.add_node(rack="d") == 4
    assert len(kafka_cluster.bootstrap_servers.split(",")) == 4
    seen = brokers_seen(kafka_cluster)
    assert list(seen) == [1, 2, 3, 4]
    assert seen[4] == kafka_cluster.nodes()[3].address
    kafka_cluster.create_topic("orders", 8, replicas=3, settings={"min.insync.replicas": 2})
    led = [each for each in replicas_of(kafka_cluster, "orders") if each[0] == 4]
    assert led
    with producing(kafka_cluster, 8) as acknowledged:
        before = len(acknowledged)
        kafka_cluster.remove_node(4)
        after = len(acknowledged)
        eventually(lambda: len(acknowledged) > after, "another record is acknowledged")
        assert after > before
    assert list(brokers_seen(kafka_cluster)) == [1, 2, 3]
    assert [set(each) for each in replicas_of(kafka_cluster, "orders")] == [{1, 2, 3}] * 8
    assert len(kafka_cluster.bootstrap_servers.split(",")) == 3
    stored = [(record.partition, record.value) for record in kafka_cluster.records("orders")]
    assert sorted(stored) == sorted(acknowledged)


def test_an_added_broker_is_killed_and_comes_back(kafka_cluster: Kafka) -> None:
    node = kafka_cluster.add_node()
    kafka_cluster.create_topic("orders", 4, replicas=4, settings={"min.insync.replicas": 2})
    [partition] = [number for number, each in enumerate(replicas_of(kafka_cluster, "orders")) if each[0] == node]
    with producing(kafka_cluster, 4) as acknowledged:
        kafka_cluster.kill_node(node)
        itself_or_nobody = (node, None, -1)
        eventually(
            lambda: kafka_cluster.topic("orders").partitions[partition].leader not in itself_or_nobody,
            "another broker leads",
        )
        kafka_cluster.start_node(node)
        eventually(
            lambda: all(node in each.isr for each in kafka_cluster.topic("orders").partitions), "the broker is in sync"
        )
        kafka_cluster.move_leader("orders", partition, node)
        before = sum(number == partition for number, _ in acknowledged)
        eventually(lambda: sum(number == partition for number, _ in acknowledged) > before, "its leader acknowledges")
    stored = [(record.partition, record.value) for record in kafka_cluster.records("orders")]
    assert sorted(stored) == sorted(acknowledged)


def test_clock_faults_links_and_recording_hold_for_an_added_broker(kafka_cluster: Kafka) -> None:
    kafka_cluster.clock.freeze()
    kafka_cluster.clock.advance(3_600)
    now_ms = kafka_cluster.clock.read().now_ms
    node = kafka_cluster.add_node(rack="d")
    assert racks_seen(kafka_cluster) == {1: "a", 2: "b", 3: "c", 4: "d"}
    kafka_cluster.create_topic("orders", 4, replicas=4, settings={"message.timestamp.type": "LogAppendTime"})
    [partition] = [number for number, each in enumerate(replicas_of(kafka_cluster, "orders")) if each[0] == node]
    fault = kafka_cluster.faults.add(api="Produce", broker=node, error="NOT_LEADER_OR_FOLLOWER", times=1)
    assert send(kafka_cluster, partition, b"a").timestamp()[1] == now_ms
    assert fault.read().fired == 1
    assert kafka_cluster.recorded("Produce", node=node, client="app").count() == 2
    kafka_cluster.clock.advance(60)
    assert send(kafka_cluster, partition, b"b").timestamp()[1] == now_ms + 60_000
    kafka_cluster.clock.release()

    # Without the active controller a leader cannot have its ISR shrunk.
    follower = next(each.node_id for each in kafka_cluster.nodes() if not each.is_active_controller)
    assert follower != node
    kafka_cluster.cut_link(node, follower)
    send(kafka_cluster, partition, b"c")  # returns when the ISR has shrunk
    assert follower not in kafka_cluster.topic("orders").partitions[partition].isr
    kafka_cluster.heal_link(node, follower)
    eventually(lambda: follower in kafka_cluster.topic("orders").partitions[partition].isr, "the follower is in sync")
    kafka_cluster.set_rack(node, "a")
    assert racks_seen(kafka_cluster)[node] == "a"
