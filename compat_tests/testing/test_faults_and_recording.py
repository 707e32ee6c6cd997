"""Faults that a test wants, and what clients asked: through the test kit, with unmodified clients."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import AsyncKafka, InvalidFilter, InvalidRule, Kafka, KafkaNotStarted, NotRecorded, NotYet
from kafkapy_wire.messages.produce import ProduceRequest

confluent_kafka = pytest.importorskip("confluent_kafka")


def produce(kafka: Kafka, value: bytes, **settings: Any) -> Any:
    """The error that a producer's delivery report has, if any."""
    errors: list[Any] = []
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "client.id": "producer", "linger.ms": 0, **settings}
    )
    producer.produce("orders", value, on_delivery=lambda error, _message: errors.append(error))
    assert producer.flush(PATIENCE_SECONDS) == 0
    return errors[0]


def test_an_error_is_retried_and_stored_once(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    fault = kafka.faults.add(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2, must_fire=True)
    assert kafka.faults.unfired()[0].fault_id == fault.fault_id
    assert produce(kafka, b"a", **{"retry.backoff.ms": 10}) is None
    state = fault.read()
    assert (state.matched, state.fired, state.is_spent) == (2, 2, True)
    assert state.rule == {
        "api": "Produce",
        "topic": "orders",
        "error": "NOT_LEADER_OR_FOLLOWER",
        "times": 2,
        "must_fire": True,
    }
    assert kafka.faults.unfired() == []
    assert [each.value for each in kafka.records("orders")] == [b"a"]
    answers = kafka.recorded("Produce", client="producer").everything()
    assert [each.errors for each in answers] == [("NOT_LEADER_OR_FOLLOWER",)] * 2 + [()]


def test_a_lost_answer_makes_a_duplicate_only_without_idempotence(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    with kafka.faults.add(api="Produce", disconnect="after", times=1) as fault:
        assert produce(kafka, b"twice", **{"retry.backoff.ms": 10}) is None
        assert fault.read().fired == 1
    with kafka.faults.add(api="Produce", disconnect="after", times=1):
        assert produce(kafka, b"once", **{"retry.backoff.ms": 10, "enable.idempotence": True}) is None
    assert kafka.faults.all() == []
    assert [each.value for each in kafka.records("orders")] == [b"twice", b"twice", b"once"]


def test_a_request_is_held_until_it_is_released(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    fault = kafka.faults.add(api="Produce", hold="before")
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 0})
    producer.produce("orders", b"held")
    producer.poll(0)
    assert fault.wait(held=1, timeout=PATIENCE_SECONDS).held == 1
    assert kafka.records("orders") == []
    assert kafka.recorded("Produce", outcome="waiting").count() == 1
    assert fault.release() == 1
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert [each.value for each in kafka.records("orders")] == [b"held"]
    with pytest.raises(NotYet, match=r"to fire 9 times .* now it has fired 1 times"):
        fault.wait(fired=9, timeout=0.02)


def test_a_wrong_rule_is_refused_and_nothing_is_added(kafka: Kafka) -> None:
    with pytest.raises(InvalidRule, match="topik") as refused:
        kafka.faults.add(api="Produce", topik="orders", error="NOT_LEADER_OR_FOLLOWER")
    assert refused.value.nearest == "topic"
    with pytest.raises(InvalidRule):
        kafka.faults.add(api="Heartbeat", topic="orders", disconnect="before")
    assert kafka.faults.all() == []


def test_reset_forgets_faults_and_the_recording(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    kafka.faults.add(api="Produce", error="INVALID_RECORD")
    assert produce(kafka, b"refused").code() == confluent_kafka.KafkaError.INVALID_RECORD
    kafka.reset()
    assert kafka.faults.all() == []
    assert len(kafka.recorded()) == 0
    kafka.create_topic("orders", 1)
    assert produce(kafka, b"taken") is None


def test_what_clients_asked_is_looked_through(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    produce(kafka, b"a")
    recorded = kafka.recorded(client="producer")
    recorded.assert_sequence("ApiVersions", "Metadata", {"api": "Produce", "topic": "orders"})
    exchange = recorded.last("Produce")
    assert isinstance(exchange.request, ProduceRequest)
    assert exchange.topics == frozenset({"orders"})
    assert (exchange.node_id, exchange.software.split()[0]) == (1, "confluent-kafka-python")
    assert "Produce v" in recorded.timeline("Produce")
    with pytest.raises(NotRecorded, match="JoinGroup"):
        recorded.assert_sequence("JoinGroup")
    with pytest.raises(InvalidFilter, match="Produce"):
        kafka.recorded("Produse")
    assert kafka.recorded(client="somebody else").count() == 0


def test_a_request_is_waited_for(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "g", "session.timeout.ms": 6_000}
    )
    try:
        consumer.subscribe(["orders"])
        until = time.monotonic() + PATIENCE_SECONDS
        while not consumer.assignment() and time.monotonic() < until:
            consumer.poll(0.1)
        beats = kafka.wait_for_requests("Heartbeat", group="g", timeout=PATIENCE_SECONDS)
        assert beats.last().groups == {"g"}
        with pytest.raises(NotYet, match="there are 0"):
            kafka.wait_for_requests("LeaveGroup", group="g", timeout=0.02)
    finally:
        consumer.close()
    assert kafka.wait_for_requests("LeaveGroup", group="g", timeout=PATIENCE_SECONDS).count() == 1


def test_the_same_in_a_process_and_awaited() -> None:
    async def main() -> None:
        async with AsyncKafka(isolation="process", topics={"orders": 1}) as kafka:
            async with await kafka.faults.add(api="Produce", error="NOT_LEADER_OR_FOLLOWER", times=1) as fault:
                producer = confluent_kafka.Producer(
                    {"bootstrap.servers": kafka.bootstrap_servers, "retry.backoff.ms": 10, "client.id": "p"}
                )
                producer.produce("orders", b"a")
                assert await asyncio.to_thread(producer.flush, PATIENCE_SECONDS) == 0
                assert (await fault.read()).fired == 1
            recorded = await kafka.recorded("Produce", client="p")
            assert [each.errors for each in recorded.everything()] == [("NOT_LEADER_OR_FOLLOWER",), ()]
            assert recorded.last().topics == {"orders"}
            with pytest.raises(InvalidRule, match="did you mean"):
                await kafka.faults.add(api="Produse", disconnect="before")

    asyncio.run(main())


def test_an_old_broker_in_a_test() -> None:
    with Kafka(as_kafka="2.8", topics={"orders": 1}) as kafka:
        assert produce(kafka, b"a") is None
        versions = kafka.recorded("ApiVersions", client="producer").last().response
        highest: dict[int, int] = {each.api_key: each.max_version for each in versions.api_keys}  # type: ignore[union-attr]
        assert highest[0] == 9  # Produce
        assert 68 not in highest  # ConsumerGroupHeartbeat
        assert kafka.recorded("Produce").last().api_version <= 9


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_single_apis_are_capped_in_a_test(isolation: Literal["thread", "process"]) -> None:
    with Kafka(cap_apis={"Produce": 7, "DescribeCluster": None}, isolation=isolation, topics={"orders": 1}) as kafka:
        assert produce(kafka, b"a") is None
        versions = kafka.recorded("ApiVersions", client="producer").last().response
        highest: dict[int, int] = {each.api_key: each.max_version for each in versions.api_keys}  # type: ignore[union-attr]
        assert highest[0] == 7
        assert 60 not in highest  # DescribeCluster
        assert kafka.recorded("Produce").last().api_version == 7
    with pytest.raises(KafkaNotStarted, match=r"there is no API Fetsh: did you mean Fetch\?"):
        Kafka(cap_apis={"Fetsh": 11}, isolation=isolation).__enter__()
