"""A strict Kafka, met by unmodified clients: they hear what Apache Kafka says to them, and try again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka

# The delay of the first rebalance is Kafka's, three seconds, and has a test of its own.
SETTINGS = {"group.initial.rebalance.delay.ms": 0}


@pytest.fixture(scope="module")
def strict_kafka() -> Iterator[Kafka]:
    with Kafka(strict=True, settings=SETTINGS) as kafka:
        yield kafka


@pytest.fixture
def kafka(strict_kafka: Kafka) -> Iterator[Kafka]:
    strict_kafka.reset()
    yield strict_kafka
    assert strict_kafka.take_bugs() == []


def errors_of(kafka: Kafka, api: str) -> list[str]:
    """What clients were refused with, in order, each once in a row."""
    told = [error for each in kafka.recorded(api).everything() for error in each.errors]
    return [error for number, error in enumerate(told) if number == 0 or error != told[number - 1]]


@contextmanager
def held_until_refused(kafka: Kafka) -> Iterator[None]:
    """Time stands still, and so a transaction that has ended is being completed, until a client has heard of it."""

    def release() -> None:
        kafka.wait_for_requests("AddPartitionsToTxn", error="CONCURRENT_TRANSACTIONS", timeout=PATIENCE_SECONDS)
        kafka.clock.release()

    kafka.clock.freeze()
    with ThreadPoolExecutor(1) as beside:
        released = beside.submit(release)
        yield
        released.result(PATIENCE_SECONDS)


def check_retries(kafka: Kafka) -> None:
    """What each client has met that has produced to a new topic in two transactions, then consumed with a group."""
    assert errors_of(kafka, "Metadata") == ["UNKNOWN_TOPIC_OR_PARTITION"]
    told = [each.errors for each in kafka.recorded("FindCoordinator").everything()]
    assert told.count(("COORDINATOR_NOT_AVAILABLE",)) >= 2, "of the transactional id, and of the group"
    assert errors_of(kafka, "InitProducerId") == ["COORDINATOR_LOAD_IN_PROGRESS"]
    assert errors_of(kafka, "AddPartitionsToTxn") == ["CONCURRENT_TRANSACTIONS"]
    kafka.wait_for_transaction("orders")
    assert [record.value for record in kafka.records("orders")] == [b"one", b"two"]


def test_confluent_kafka_tries_again(kafka: Kafka) -> None:
    library = pytest.importorskip("confluent_kafka")
    servers = {"bootstrap.servers": kafka.bootstrap_servers}
    producer = library.Producer({**servers, "transactional.id": "orders", "linger.ms": 0})
    producer.init_transactions(PATIENCE_SECONDS)
    with held_until_refused(kafka):
        for value in (b"one", b"two"):
            producer.begin_transaction()
            producer.produce("orders", value)
            producer.commit_transaction(PATIENCE_SECONDS)
    consumer = library.Consumer({**servers, "group.id": "readers", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe(["orders"])
        assert [consumer.poll(PATIENCE_SECONDS).value() for _ in range(2)] == [b"one", b"two"]
    finally:
        consumer.close()
    check_retries(kafka)


def test_kafka_python_tries_again(kafka: Kafka) -> None:
    library = pytest.importorskip("kafka")
    producer = library.KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id="orders")
    try:
        producer.init_transactions()
        with held_until_refused(kafka):
            for value in (b"one", b"two"):
                producer.begin_transaction()
                producer.send("orders", value)
                producer.commit_transaction()
    finally:
        producer.close()
    consumer = library.KafkaConsumer(
        "orders",
        bootstrap_servers=kafka.bootstrap_servers,
        group_id="readers",
        auto_offset_reset="earliest",
        consumer_timeout_ms=PATIENCE_SECONDS * 1_000,
    )
    try:
        assert [next(consumer).value for _ in range(2)] == [b"one", b"two"]
    finally:
        consumer.close()
    check_retries(kafka)


def test_aiokafka_tries_again(kafka: Kafka) -> None:
    library = pytest.importorskip("aiokafka")

    async def run() -> None:
        servers = kafka.bootstrap_servers
        async with library.AIOKafkaProducer(bootstrap_servers=servers, transactional_id="orders") as producer:
            with held_until_refused(kafka):
                for value in (b"one", b"two"):
                    async with producer.transaction():
                        await producer.send_and_wait("orders", value)
        settings: dict[str, Any] = {"group_id": "readers", "auto_offset_reset": "earliest"}
        async with library.AIOKafkaConsumer("orders", bootstrap_servers=servers, **settings) as consumer:
            assert [(await consumer.getone()).value for _ in range(2)] == [b"one", b"two"]

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))
    check_retries(kafka)


def test_the_first_rebalance_waits_for_more_members() -> None:
    """By the broker's clock: the test moves it in place of waiting."""
    library = pytest.importorskip("confluent_kafka")
    with Kafka(strict=["initial-rebalance-delay"], topics={"orders": 1}) as kafka:
        kafka.clock.freeze()
        settings = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "readers"}
        consumer = library.Consumer(settings)
        try:
            consumer.subscribe(["orders"])
            kafka.wait_for_group("readers", 1, state="PreparingRebalance")
            assert consumer.assignment() == []
            kafka.clock.advance(3)
            while not consumer.assignment():
                consumer.poll(0.05)
            kafka.wait_for_group("readers", 1, state="Stable")
        finally:
            consumer.close()


def test_a_topic_that_was_just_created_is_asked_for_again(kafka: Kafka) -> None:
    admin_module = pytest.importorskip("confluent_kafka.admin")
    confluent_kafka = pytest.importorskip("confluent_kafka")
    servers = {"bootstrap.servers": kafka.bootstrap_servers}
    admin = admin_module.AdminClient(servers)
    admin.create_topics([admin_module.NewTopic("orders", 1, 1)])["orders"].result(PATIENCE_SECONDS)
    producer = confluent_kafka.Producer({**servers, "client.id": "producer"})
    producer.produce("orders", b"one")
    assert producer.flush(PATIENCE_SECONDS) == 0
    told = [each.errors for each in kafka.recorded("Metadata", client="producer").everything()]
    assert told.count(("UNKNOWN_TOPIC_OR_PARTITION",)) == 1
    assert [record.value for record in kafka.records("orders")] == [b"one"]


def test_the_kit_itself_does_its_work_at_once(kafka: Kafka) -> None:
    library = pytest.importorskip("confluent_kafka.admin")
    admin = library.AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "client.id": "admin"})
    admin.create_topics([library.NewTopic("orders", 1, 1)])["orders"].result(PATIENCE_SECONDS)
    kafka.reset()
    kafka.create_topic("orders", 1)
    assert "orders" in admin.list_topics(timeout=PATIENCE_SECONDS).topics
    kafka.produce("orders", "one")
    kafka.commit_offsets("readers", {("orders", 0): 1})
    assert kafka.group("readers").offsets == {("orders", 0): 1}
    kafka.delete_group("readers")
    assert kafka.groups() == []


@pytest.mark.parametrize(
    ("strict", "told"),
    [
        (["new-coordinator"], r"no kindness 'new-coordinator' .*\(did you mean 'new-coordinators'\?\)"),
        ("all", r"strict is True, or names of kindnesses \[\"auto-created-topics\"\], and not 'all'"),
        (3, "and not 3"),
    ],
)
def test_a_wrong_name_is_refused(strict: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Kafka(strict=strict)
