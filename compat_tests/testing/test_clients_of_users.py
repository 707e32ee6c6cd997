"""The fixtures' clients are the user that the test names, with each library; `kafka` may be a fixture of the test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

for package in ("confluent_kafka", "kafka", "aiokafka"):
    pytest.importorskip(package)

BOB: dict[str, Any] = {"user": "bob", "mechanism": "SCRAM-SHA-512"}


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka(users={"alice": "a", "bob": "b"}, topics={"t": 1}, tls=True) as made:
        yield made


@pytest.mark.kafka(client="confluent-kafka")
def test_of_confluent_kafka(
    kafka: Kafka, kafka_producer: Callable[..., Any], kafka_consumer: Callable[..., Any]
) -> None:
    producer = kafka_producer(**BOB)
    producer.produce("t", b"x")
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert kafka_consumer("t", certificate="bob", **BOB).poll(PATIENCE_SECONDS).value() == b"x"
    assert kafka.recorded("Produce").last().principal == kafka.recorded("Fetch").last().principal == "User:bob"


@pytest.mark.kafka(client="kafka-python")
def test_of_kafka_python(kafka: Kafka, kafka_producer: Callable[..., Any], kafka_admin: Callable[..., Any]) -> None:
    kafka_producer(**BOB).send("t", b"x").get(PATIENCE_SECONDS)
    assert kafka.recorded("Produce").last().principal == "User:bob"
    with pytest.raises(ValueError, match="did you mean 'alice'"):
        kafka_admin(user="alise")


@pytest.mark.kafka(client="aiokafka")
def test_of_aiokafka(kafka: Kafka, kafka_producer: Callable[..., Any]) -> None:
    async def send() -> None:
        async with kafka_producer(**BOB) as producer:
            await producer.send_and_wait("t", b"x")

    asyncio.run(send())
    assert kafka.recorded("Produce").last().principal == "User:bob"
