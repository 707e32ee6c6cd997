"""Each field of a rule as unmodified clients meet it: those that it names, and not the others beside them.

What makes clients try again is in tests/faults/test_clients.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")
kafka_python = pytest.importorskip("kafka")


@contextmanager
def librdkafka(kafka: Kafka, **settings: Any) -> Iterator[Any]:
    """`send(value)` returns the error of the delivery report, or None."""

    def send(value: bytes, topic: str = "orders") -> Any:
        errors: list[Any] = []
        producer.produce(topic, value, partition=0, on_delivery=lambda error, _message: errors.append(error))
        assert producer.flush(PATIENCE_SECONDS) == 0
        return errors[0]

    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 0, "retry.backoff.ms": 10, **settings}
    )
    yield send
    producer.flush(PATIENCE_SECONDS)


@contextmanager
def python(kafka: Kafka, **settings: Any) -> Iterator[Any]:
    """`send(value)` of kafka-python returns the error that it raises, or None."""

    def send(value: bytes) -> Any:
        try:
            producer.send("orders", value, partition=0).get(PATIENCE_SECONDS)
        except kafka_python.errors.KafkaError as error:
            return error
        return None

    producer = kafka_python.KafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, retry_backoff_ms=10, **{"client_id": "python", **settings}
    )
    yield send
    producer.close()


@contextmanager
def reading(kafka: Kafka) -> Iterator[Any]:
    """A consumer of kafka-python, without a group."""
    consumer = kafka_python.KafkaConsumer(
        "orders", bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    try:
        yield consumer
    finally:
        consumer.close()


@pytest.fixture
def orders(kafka: Kafka) -> Kafka:
    kafka.create_topic("orders", 1)
    return kafka


def values(kafka: Kafka) -> list[bytes | None]:
    return [each.value for each in kafka.records("orders")]


def fields_of(kafka: Kafka, field: str) -> dict[str, object]:
    """Of rules that meet librdkafka's producer and not that of kafka-python."""
    produced = kafka.recorded("Produce", client="app").last()
    software, _, version = produced.software.partition(" ")
    return {
        "version": produced.api_version,
        "client_id": "ap?",
        "client_software": software,
        "client_version": version,
    }[field]  # type: ignore[return-value]


@pytest.mark.parametrize("field", ["version", "client_id", "client_software", "client_version"])
def test_a_rule_about_one_client_leaves_the_other_alone(field: str, orders: Kafka) -> None:
    # An older api_version of kafka-python's: a request of another version.
    with librdkafka(orders, **{"client.id": "app"}) as send, python(orders, api_version=(2, 0)) as send_of_python:
        assert send(b"before") is None
        fault = orders.faults.add(api="Produce", error="INVALID_RECORD", **{field: fields_of(orders, field)})
        assert send_of_python(b"not met") is None
        assert send(b"met").code() == confluent_kafka.KafkaError.INVALID_RECORD
        state = fault.read()
    assert (state.matched, state.fired) == (1, 1)
    assert values(orders) == [b"before", b"not met"]


@pytest.mark.parametrize(
    ("field", "ours", "other"),
    [
        ("listener", "PLAINTEXT", "SSL"),
        ("principal", "User:ANONYMOUS", "User:alice"),
        ("broker", 1, 2),
        ("topic", "ord*", "payments"),
        ("partition", 0, 1),
        ("where", "acks == -1", "acks == 1"),
    ],
)
def test_a_rule_about_something_else_is_not_met(orders: Kafka, field: str, ours: object, other: object) -> None:
    with librdkafka(orders) as send:
        elsewhere = orders.faults.add(api="Produce", error="INVALID_RECORD", **{field: other})
        assert send(b"not met") is None
        with orders.faults.add(api="Produce", error="INVALID_RECORD", **{field: ours}):
            assert send(b"met").code() == confluent_kafka.KafkaError.INVALID_RECORD
        assert elsewhere.read().matched == 0
    assert values(orders) == [b"not met"]


def test_a_topic_is_met_by_its_id(orders: Kafka) -> None:
    orders.create_topic("payments", 1)
    topic_id = orders.topic("orders").topic_id
    with librdkafka(orders) as send, orders.faults.add(api="Produce", topic_id=topic_id, error="INVALID_RECORD"):
        assert send(b"other", "payments") is None
        assert send(b"met").code() == confluent_kafka.KafkaError.INVALID_RECORD
    assert values(orders) == []


def test_so_many_pass_before_the_one_that_is_met(orders: Kafka) -> None:
    with librdkafka(orders) as send:
        orders.faults.add(api="Produce", error="INVALID_RECORD", skip=2, times=1, must_fire=True)
        errors = [send(b"%d" % number) for number in range(4)]
    assert [error and error.code() for error in errors] == [
        *(None, None, confluent_kafka.KafkaError.INVALID_RECORD, None)
    ]
    assert values(orders) == [b"0", b"1", b"3"]


def test_one_group_is_refused_and_another_one_reads(orders: Kafka) -> None:
    orders.produce("orders", "a")
    fault = orders.faults.add(api="JoinGroup", group="billing", error="GROUP_AUTHORIZATION_FAILED")
    for group, expected in (("billing", None), ("shipping", b"a")):
        consumer = kafka_python.KafkaConsumer(
            "orders", bootstrap_servers=orders.bootstrap_servers, group_id=group, auto_offset_reset="earliest"
        )
        try:
            if expected is None:
                with pytest.raises(kafka_python.errors.GroupAuthorizationFailedError):
                    consumer.poll(timeout_ms=PATIENCE_SECONDS * 1_000)
            else:
                assert next(consumer).value == expected
        finally:
            consumer.close()
    assert fault.read().fired == 1


def test_a_member_is_fenced_by_its_instance_id(orders: Kafka) -> None:
    fault = orders.faults.add(api="JoinGroup", member="till-1", error="FENCED_INSTANCE_ID")
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": orders.bootstrap_servers, "group.id": "g", "group.instance.id": "till-1"}
    )
    try:
        consumer.subscribe(["orders"])
        message, until = None, time.monotonic() + PATIENCE_SECONDS
        while message is None and time.monotonic() < until:
            message = consumer.poll(1)
        assert message is not None
        assert message.error().code() in (
            confluent_kafka.KafkaError._FATAL,
            confluent_kafka.KafkaError.FENCED_INSTANCE_ID,
        )
    finally:
        consumer.close()
    assert fault.read().fired == 1


# -- what happens to the answer


def test_the_message_of_an_error_reaches_the_user(kafka: Kafka) -> None:
    kafka.faults.add(api="CreateTopics", topic="orders", error="POLICY_VIOLATION", message="not before Monday")
    admin = confluent_admin.AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    with pytest.raises(confluent_kafka.KafkaException, match="not before Monday") as refused:
        admin.create_topics([confluent_admin.NewTopic("orders", 1, 1)])["orders"].result(PATIENCE_SECONDS)
    assert refused.value.args[0].code() == confluent_kafka.KafkaError.POLICY_VIOLATION
    assert kafka.topics() == []


def test_an_edited_answer_is_believed(orders: Kafka) -> None:
    partition = kafka_python.TopicPartition("orders", 0)
    with reading(orders) as consumer:
        with orders.faults.add(api="ListOffsets", topic="orders", edit={"topics.partitions.offset": 42}):
            assert consumer.end_offsets([partition]) == {partition: 42}
        assert consumer.end_offsets([partition]) == {partition: 0}


def test_stale_metadata_lacks_what_was_made_since(orders: Kafka) -> None:
    with reading(orders) as consumer:
        with orders.faults.add(api="Metadata", stale_metadata=True):
            orders.create_topic("payments", 1)
            assert consumer.topics() == {"orders"}
        assert consumer.topics() == {"orders", "payments"}


def test_a_throttled_producer_is_told_for_how_long(orders: Kafka) -> None:
    told: list[float] = []
    with librdkafka(orders, throttle_cb=lambda event: told.append(event.throttle_time)) as send:
        orders.faults.add(api="Produce", throttle_time_ms=123, times=1)
        assert send(b"a") is None
        until = time.monotonic() + PATIENCE_SECONDS
        while not told and time.monotonic() < until:
            assert send(b"more") is None
    assert told[0] == pytest.approx(0.123)


def test_a_pause_between_slices_keeps_the_rest_until_the_fault_is_gone(orders: Kafka) -> None:
    orders.produce("orders", "x" * 5_000)
    fault = orders.faults.add(api="Fetch", slicer_bytes=500, slicer_delay_ms=1_000_000)
    with reading(orders) as consumer:
        until = time.monotonic() + PATIENCE_SECONDS
        while not fault.read().fired and time.monotonic() < until:
            assert consumer.poll(timeout_ms=50) == {}
        assert consumer.poll(timeout_ms=50) == {}
        fault.remove()
        assert next(consumer).value == b"x" * 5_000


@pytest.mark.parametrize("sender", ["clients", "anyone", None])
def test_requests_of_clients_are_not_those_of_nodes(sender: str | None, orders: Kafka) -> None:
    orders.produce("orders", "a")
    of_nodes = orders.faults.add(api="Fetch", sender="nodes", disconnect="before")
    of_clients = orders.faults.add(api="Fetch", sender=sender, error="TOPIC_AUTHORIZATION_FAILED", partition=0, times=1)
    with reading(orders) as consumer:
        with pytest.raises(kafka_python.errors.TopicAuthorizationFailedError):
            consumer.poll(timeout_ms=PATIENCE_SECONDS * 1_000)
        assert next(consumer).value == b"a"
    assert (of_nodes.read().matched, of_clients.read().fired) == (0, 1)


@pytest.mark.parametrize("end", ["remove", "clear"])
def test_requests_that_are_held_go_on_when_the_fault_is_gone(end: str, orders: Kafka) -> None:
    fault = orders.faults.add(api="Produce", hold="before")
    producer = confluent_kafka.Producer({"bootstrap.servers": orders.bootstrap_servers, "linger.ms": 0})
    producer.produce("orders", b"held")
    producer.poll(0)
    fault.wait(held=1, timeout=PATIENCE_SECONDS)
    assert values(orders) == []
    if end == "remove":
        fault.remove()
    else:
        orders.faults.clear()
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert values(orders) == [b"held"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_black_hole_is_left_when_the_client_has_waited_enough(when: str, orders: Kafka) -> None:
    settings = {"enable.idempotence": True, "request.timeout.ms": 100, "socket.timeout.ms": 300}
    with librdkafka(orders, **settings) as send:
        fault = orders.faults.add(api="Produce", black_hole=when, times=1)
        assert send(b"sent again") is None
        assert fault.read().fired == 1
    assert values(orders) == [b"sent again"]
