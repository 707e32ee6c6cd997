"""What a test does to a Kafka, as unmodified clients meet it: state, the clock, nodes, leaders and coordinators.

More of it is in test_kafka.py and test_kafka_cluster.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.polled import polled
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")

JUMPS_MAX = 1_000


@contextmanager
def producing(kafka: Kafka, **settings: Any) -> Iterator[Any]:
    """`send(value)` returns the record when it is acknowledged, with its timestamp."""

    def send(value: bytes, topic: str = "orders") -> Any:
        sent: list[Any] = []
        producer.produce(topic, value, partition=0, on_delivery=lambda *report: sent.append(report))
        assert producer.flush(PATIENCE_SECONDS) == 0
        ((error, message),) = sent
        assert error is None
        return message

    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "linger.ms": 0,
            "enable.idempotence": True,
            "retry.backoff.ms": 10,
            "reconnect.backoff.max.ms": 100,
            "client.id": "app",
            **settings,
        }
    )
    yield send
    producer.flush(PATIENCE_SECONDS)


def read(kafka: Kafka, count: int, group: str | None = None) -> list[bytes]:
    """What a consumer reads of orders, from the earliest record on, or from what its group has committed."""
    consumer = kafka_python.KafkaConsumer(
        "orders",
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    try:
        found = [record.value for record in polled(consumer, count)]
        if group is not None:
            consumer.commit()
    finally:
        consumer.close()
    return found


def timestamp_ms(message: Any) -> int:
    kind, found = message.timestamp()
    assert kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME
    return int(found)


def test_a_producer_goes_on_in_a_topic_that_was_deleted_and_made_again(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    with producing(kafka, **{"enable.idempotence": False}) as send:
        send(b"in the old one")
        kafka.delete_topics("orders")
        kafka.create_topic("orders", 1)
        send(b"in the new one")
    assert read(kafka, 1) == [b"in the new one"]


def test_a_group_that_was_deleted_begins_anew(kafka: Kafka) -> None:
    kafka.produce("orders", "a", "b")
    assert read(kafka, 2, "g") == [b"a", b"b"]
    kafka.wait_for_group("g", members=0)
    kafka.delete_group("g")
    assert read(kafka, 2, "g") == [b"a", b"b"]


def test_a_cleared_recording_has_what_clients_ask_from_then_on(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    with producing(kafka) as send:
        send(b"a")
        kafka.clear_recording()
        assert kafka.recorded("Produce").count() == 0
        send(b"b")
    assert kafka.recorded("Produce", client="app").count() == 1


def test_records_get_the_time_that_the_clock_shows(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1, settings={"message.timestamp.type": "LogAppendTime"})
    with producing(kafka) as send:
        frozen_ms = kafka.clock.freeze().now_ms
        assert [timestamp_ms(send(b"a")), timestamp_ms(send(b"b"))] == [frozen_ms, frozen_ms]
        kafka.clock.advance(3_600)
        assert timestamp_ms(send(b"c")) == frozen_ms + 3_600_000
        kafka.clock.release()
        times, until = [frozen_ms + 3_600_000], time.monotonic() + PATIENCE_SECONDS
        while times[0] == times[-1] and time.monotonic() < until:
            times.append(timestamp_ms(send(b"d")))
        assert times[0] < times[-1]


def test_jumps_come_to_the_end_of_a_transaction(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    kafka.clock.freeze()
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "t", "transaction.timeout.ms": 60_000}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    producer.produce("orders", b"late")
    producer.flush(PATIENCE_SECONDS)
    before_ms = kafka.clock.read().now_ms
    jumps = 0
    while kafka.transaction("t").state == "Ongoing" and jumps < JUMPS_MAX:
        kafka.clock.jump()
        jumps += 1
    assert kafka.wait_for_transaction("t").state == "CompleteAbort"
    assert kafka.clock.read().now_ms - before_ms >= 60_000
    with pytest.raises(confluent_kafka.KafkaException) as fenced:
        producer.commit_transaction(PATIENCE_SECONDS)
    assert fenced.value.args[0].code() in (
        confluent_kafka.KafkaError._FENCED,
        confluent_kafka.KafkaError.INVALID_PRODUCER_EPOCH,
        confluent_kafka.KafkaError.PRODUCER_FENCED,
    )


# -- three nodes


@pytest.fixture
def orders(kafka_cluster: Kafka) -> Kafka:
    kafka_cluster.create_topic("orders", 1, replicas=3, settings={"min.insync.replicas": 2})
    return kafka_cluster


def leader_of(kafka: Kafka) -> int:
    return kafka.wait_for_topic("orders", timeout=PATIENCE_SECONDS).partitions[0].leader


def test_a_producer_follows_leaders_that_stop_and_start_and_restart(orders: Kafka) -> None:
    sent = []
    with producing(orders, acks="all") as send:
        for number in range(3):
            leader = leader_of(orders)
            if number % 2:
                orders.restart_node(leader)
            else:
                orders.stop_node(leader)
                sent.append(b"while %d is down" % leader)
                send(sent[-1])
                orders.start_node(leader)
            sent.append(b"after that of %d" % leader)
            send(sent[-1])
    assert read(orders, len(sent)) == sent


def test_a_wiped_node_serves_what_it_has_fetched_again(orders: Kafka) -> None:
    with producing(orders) as send:
        send(b"a")
    follower = leader_of(orders) % 3 + 1
    with pytest.raises(LookupError, match=f"node {follower} runs: stop or kill it first"):
        orders.wipe_node(follower)
    orders.stop_node(follower)
    orders.wipe_node(follower)
    orders.start_node(follower)
    until = time.monotonic() + PATIENCE_SECONDS
    while follower not in orders.topic("orders").partitions[0].isr and time.monotonic() < until:
        time.sleep(0.01)
    orders.move_leader("orders", 0, follower)
    orders.clear_recording()
    assert read(orders, 1) == [b"a"]
    assert {each.node_id for each in orders.recorded("Fetch")} == {follower}


def test_a_transaction_is_committed_by_the_coordinator_that_it_has_moved_to(orders: Kafka) -> None:
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": orders.bootstrap_servers, "transactional.id": "t", "retry.backoff.ms": 10}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    producer.produce("orders", b"in a transaction")
    assert producer.flush(PATIENCE_SECONDS) == 0
    other = orders.transaction("t").coordinator % 3 + 1
    orders.move_transaction_coordinator("t", other)
    producer.commit_transaction(PATIENCE_SECONDS)
    ended = orders.wait_for_transaction("t", timeout=PATIENCE_SECONDS)
    assert (ended.state, ended.coordinator) == ("CompleteCommit", other)
    assert read(orders, 1) == [b"in a transaction"]


def test_fetches_of_followers_that_are_held_keep_a_producer_waiting(orders: Kafka) -> None:
    leader = leader_of(orders)
    held = orders.faults.add(api="Fetch", sender="nodes", broker=leader, topic="orders", hold="before")
    elsewhere = orders.faults.add(api="Produce", broker=leader % 3 + 1, disconnect="before")
    producer = confluent_kafka.Producer({"bootstrap.servers": orders.bootstrap_servers, "acks": "all", "linger.ms": 0})
    held.wait(held=2, timeout=PATIENCE_SECONDS)
    producer.produce("orders", b"a")
    orders.wait_for_records("orders", 0)
    assert producer.flush(0.1) == 1
    held.remove()
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert read(orders, 1) == [b"a"]
    assert elsewhere.read().matched == 0
