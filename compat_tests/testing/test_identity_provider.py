"""Tokens of the test kit's identity provider, shown by unmodified clients, and renewed in the middle of traffic."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import IdentityProvider, Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")
pytest.importorskip("jwt")

CLIENT = {"my-service": "its secret"}


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider(CLIENT) as made:
        yield made


@pytest.fixture(scope="module")
def kafka(provider: IdentityProvider) -> Iterator[Kafka]:
    settings = {**provider.settings(), "connection.failed.authentication.delay.ms": "0"}
    with Kafka(settings=settings, topics={"t": 1}) as made:
        yield made


def oidc(kafka: Kafka, provider: IdentityProvider, secret: str = "its secret") -> dict[str, object]:
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "my-service",
        "sasl.oauthbearer.client.secret": secret,
        "sasl.oauthbearer.token.endpoint.url": provider.token_url,
    }


def send(producer: Any) -> list[object]:
    """The errors of one record; one that was not answered is one, too."""
    errors: list[object] = ["no answer"]
    producer.produce("t", b"x", on_delivery=lambda error, _: errors.__setitem__(0, error))
    producer.flush(PATIENCE_SECONDS)
    return [error for error in errors if error is not None]


def test_librdkafka_asks_for_tokens(kafka: Kafka, provider: IdentityProvider) -> None:
    assert not send(confluent_kafka.Producer(oidc(kafka, provider)))
    assert "User:my-service" in {exchange.principal for exchange in kafka.recorded("Produce").everything()}


def test_librdkafka_is_told_that_its_secret_is_wrong(kafka: Kafka, provider: IdentityProvider) -> None:
    told: list[Any] = []
    producer = confluent_kafka.Producer({**oidc(kafka, provider, "wrong"), "error_cb": told.append})
    while not told:
        producer.poll(1)
    assert told[0].code() == confluent_kafka.KafkaError._AUTHENTICATION


def test_librdkafka_shows_a_new_token_before_the_old_one_ends() -> None:
    with (
        IdentityProvider(CLIENT, lifetime_seconds=4) as provider,
        Kafka(settings=provider.settings(), topics={"t": 1}) as kafka,
    ):
        producer = confluent_kafka.Producer({**oidc(kafka, provider), "retries": 0})

        def logins() -> Counter[int]:
            return Counter(each.peer_port for each in kafka.recorded("SaslAuthenticate").everything())

        while max(logins().values(), default=0) < 2:
            assert not send(producer)
        assert not send(producer)


def test_clients_of_python_show_tokens(kafka: Kafka, provider: IdentityProvider) -> None:
    oauth: Any = pytest.importorskip("kafka.net.sasl.oauth")
    base: Any = oauth.AbstractTokenProvider
    asynchronous: Any = aiokafka.abc.AbstractTokenProvider

    class Tokens(base):  # type: ignore[misc]  # the libraries have no types
        def token(self) -> str:
            return provider.token("alice")

    producer = kafka_python.KafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_provider=Tokens(),
    )
    assert producer.send("t", b"x").get(PATIENCE_SECONDS).topic == "t"
    producer.close()

    class AsyncTokens(asynchronous):  # type: ignore[misc]
        async def token(self) -> str:
            return provider.token("bob")

    async def run() -> None:
        async with aiokafka.AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauth_token_provider=AsyncTokens(),
        ) as client:
            await client.send_and_wait("t", b"x")

    asyncio.run(asyncio.wait_for(run(), 30))
    assert {"User:alice", "User:bob"} <= {exchange.principal for exchange in kafka.recorded("Produce").everything()}
