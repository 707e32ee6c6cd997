"""Clients of the fixtures, by each library: who they log in as."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkapy.testing import Kafka
from kafkapy.testing.libraries import clients_of

pytest.importorskip("confluent_kafka")
pytest.importorskip("kafka")
pytest.importorskip("aiokafka")


def principals(kafka: Kafka) -> set[str]:
    return {exchange.principal for exchange in kafka.recorded("Produce").everything()}


@pytest.mark.parametrize("library", ["confluent-kafka", "kafka-python", "aiokafka"])
def test_clients_of_the_fixtures_are_who_the_test_says(library: str) -> None:
    """`user` and its kin are taken out of the settings, which the libraries would refuse."""
    with (
        Kafka(users={"alice": "a", "bob": "b"}, topics={"t": 1}, tls=True) as kafka,
        clients_of(library, kafka) as clients,
    ):
        bob: dict[str, Any] = {"user": "bob", "mechanism": "SCRAM-SHA-512"}

        async def with_aiokafka() -> None:
            async with clients.producer(**bob) as producer:
                await producer.send_and_wait("t", b"x")
            await clients.consumer("t", certificate="bob", **bob).stop()

        if library == "aiokafka":
            asyncio.run(with_aiokafka())
        else:
            producer = clients.producer(**bob)
            if library == "kafka-python":
                producer.send("t", b"x").get(20)
            else:
                producer.produce("t", b"x")
                assert producer.flush(20) == 0
            clients.consumer("t", certificate="bob", **bob)
        assert principals(kafka) == {"User:bob"}
        if library != "aiokafka":  # whose clients have no connection, nor a loop, before they are started
            with pytest.raises(ValueError, match="did you mean 'alice'"):
                clients.admin(user="alise")
