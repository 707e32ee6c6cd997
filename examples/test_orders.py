"""Tests with kafkapy's fixtures: `pip install ./kafkapy confluent-kafka pytest`, where ./kafkapy is a checkout of its
repository, then `pytest test_orders.py`.

The fixtures come with the package. One broker, in a thread, serves all tests of a run; each begins with nothing in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer

if TYPE_CHECKING:
    from kafkapy.testing import Kafka


def place_order(bootstrap_servers: str, customer: str, order: str) -> None:
    """What is tested here; yours is elsewhere."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0, "retry.backoff.ms": 10})
    producer.produce("orders", key=customer, value=order)
    producer.flush()


def test_an_order_is_stored(kafka: Kafka) -> None:
    place_order(kafka.bootstrap_servers, "alice", "1 tea")
    [record] = kafka.wait_for_records("orders")
    assert (record.key, record.value) == (b"alice", b"1 tea")


def test_an_order_arrives(kafka: Kafka) -> None:
    kafka.produce("orders", "1 tea")
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "shop", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["orders"])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert message.value() == b"1 tea"
    assert kafka.wait_for_lag("shop").offsets == {("orders", 0): 1}


@pytest.mark.kafka(topics={"orders": 1})
def test_an_order_is_sent_again_when_the_leader_moves(kafka: Kafka) -> None:
    kafka.faults.add(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2, must_fire=True)
    place_order(kafka.bootstrap_servers, "alice", "1 tea")
    assert len(kafka.records("orders")) == 1
    assert kafka.recorded("Produce").count() == 3


@pytest.mark.kafka(nodes=3, topics={"orders": {"replicas": 3, "settings": {"min.insync.replicas": 2}}})
def test_an_order_outlives_a_broker(kafka: Kafka) -> None:
    place_order(kafka.bootstrap_servers, "alice", "1 tea")
    kafka.kill_node(kafka.topic("orders").partitions[0].leader)
    kafka.wait_for_topic("orders")
    place_order(kafka.bootstrap_servers, "bob", "2 coffees")
    assert {record.key for record in kafka.records("orders")} == {b"alice", b"bob"}
