"""Users of the test kit log in with unmodified clients, by every mechanism that the clients have."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
USERS = {"alice": 'se"cr\\et ;', "bob, =x": "b"}


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    settings = {"connection.failed.authentication.delay.ms": "0"}
    with Kafka(users=USERS, topics={"t": 1}, settings=settings) as made:
        yield made


def principals(kafka: Kafka) -> set[str]:
    return {exchange.principal for exchange in kafka.recorded("Produce").everything()}


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("user", USERS)
def test_librdkafka_logs_in(kafka: Kafka, mechanism: str, user: str) -> None:
    config = kafka.config_for("librdkafka", user=user, mechanism=mechanism)
    producer = confluent_kafka.Producer(config)
    producer.produce("t", b"x")
    assert producer.flush(PATIENCE_SECONDS) == 0
    consumer = confluent_kafka.Consumer({**config, "group.id": f"{mechanism}-{user}", "auto.offset.reset": "earliest"})
    consumer.subscribe(["t"])
    message = consumer.poll(PATIENCE_SECONDS)
    consumer.close()
    assert message is not None
    assert message.error() is None
    assert f"User:{user}" in principals(kafka)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kafka_python_logs_in(kafka: Kafka, mechanism: str) -> None:
    config: dict[str, Any] = kafka.config_for("kafka-python", mechanism=mechanism)
    producer = kafka_python.KafkaProducer(**config)
    assert producer.send("t", b"x").get(PATIENCE_SECONDS).topic == "t"
    producer.close()
    consumer = kafka_python.KafkaConsumer("t", **config, auto_offset_reset="earliest")
    assert next(iter(consumer)).value == b"x"
    consumer.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_aiokafka_logs_in(kafka: Kafka, mechanism: str) -> None:
    async def run() -> bytes:
        config: dict[str, Any] = kafka.config_for("aiokafka", mechanism=mechanism)
        async with aiokafka.AIOKafkaProducer(**config) as producer:
            await producer.send_and_wait("t", b"x")
        async with aiokafka.AIOKafkaConsumer("t", **config, auto_offset_reset="earliest") as consumer:
            message = await consumer.getone()
            assert message.value is not None
            return bytes(message.value)

    assert asyncio.run(asyncio.wait_for(run(), 30)) == b"x"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_told_by_every_client(kafka: Kafka, mechanism: str) -> None:
    told: list[Any] = []
    config = {**kafka.config_for("librdkafka", mechanism=mechanism), "sasl.password": "wrong", "error_cb": told.append}
    producer = confluent_kafka.Producer(config)
    while not any(error.code() == confluent_kafka.KafkaError._AUTHENTICATION for error in told):
        producer.poll(1)

    async def run() -> None:
        own: dict[str, Any] = {**kafka.config_for("aiokafka", mechanism=mechanism), "sasl_plain_password": "wrong"}
        producer = aiokafka.AIOKafkaProducer(**own)
        try:
            with pytest.raises(aiokafka.errors.KafkaConnectionError):
                await producer.start()
        finally:
            await producer.stop()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_sessions_of_librdkafka_are_renewed() -> None:
    """KIP-368: the client authenticates again before its session ends, and no request is lost."""
    with Kafka(users={"alice": "a"}, topics={"t": 1}, settings={"connections.max.reauth.ms": "2500"}) as kafka:
        producer = confluent_kafka.Producer({**kafka.config_for("librdkafka"), "retries": 0})
        failed: list[object] = []

        def logins() -> Counter[int]:
            return Counter(each.peer_port for each in kafka.recorded("SaslAuthenticate").everything())

        while max(logins().values(), default=0) < 2:
            producer.produce("t", b"x", on_delivery=lambda error, _: failed.append(error) if error else None)
            producer.flush(PATIENCE_SECONDS)
        assert not failed


def test_a_cluster_with_users() -> None:
    """Its nodes log in at one another by the first of the mechanisms."""
    with Kafka(nodes=3, users={"alice": "a"}, mechanisms=["SCRAM-SHA-512"], topics={"t": {"replicas": 3}}) as kafka:
        producer = confluent_kafka.Producer({**kafka.config_for("librdkafka"), "acks": "all"})
        producer.produce("t", b"x")
        assert producer.flush(PATIENCE_SECONDS) == 0
        login = {"mechanism": "scram-sha-512", "username": "alice", "password": "a"}
        assert kafka.config_for("kafkajs")["sasl"] == login


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"users": ["alice"]}, "a password for each"),
        ({"users": {"alice": ""}}, "has a name and a password"),
        ({"users": {"alice": 1}}, "password of 'alice'"),
        ({"users": {"a": "b"}, "mechanisms": ["PLANE"]}, "did you mean 'PLAIN'"),
        ({"mechanisms": ["PLAIN"]}, "nobody could log in"),
        ({"users": {"a": "b"}, "mechanisms": "PLAIN"}, r"\[\"PLAIN\"\] is expected"),
    ],
)
def test_users_that_are_none_are_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Kafka(**arguments)


def test_configurations_of_users_that_are_none_are_refused(kafka: Kafka) -> None:
    with pytest.raises(ValueError, match="did you mean 'alice'"):
        kafka.config_for("java", user="alise")
    with pytest.raises(ValueError, match="no user can log in by 'GSSAPI'"):
        kafka.config_for("java", mechanism="GSSAPI")


def alter(admin: Any, *alterations: Any) -> None:
    for future in admin.alter_user_scram_credentials(list(alterations)).values():
        future.result(PATIENCE_SECONDS)


def sends(producer: Any) -> list[Any]:
    """The errors of one record."""
    errors: list[Any] = []
    producer.produce("t", b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(PATIENCE_SECONDS)
    return [error for error in errors if error is not None]


def may_log_in(config: dict[str, Any], password: str) -> bool:
    told: list[Any] = []
    client = confluent_kafka.Producer({**config, "sasl.password": password, "error_cb": told.append})
    while True:
        client.poll(0)
        if any(error.code() == confluent_kafka.KafkaError._AUTHENTICATION for error in told):
            return False
        try:
            client.list_topics(timeout=0.2)
        except confluent_kafka.KafkaException:
            continue
        return True


def test_credentials_that_change_in_the_middle_of_traffic() -> None:
    """Who has logged in goes on, as in Apache Kafka, until it has to log in again: then the new credentials count."""
    admin_module = pytest.importorskip("confluent_kafka.admin")
    settings = {"connection.failed.authentication.delay.ms": "0"}
    mechanism = admin_module.ScramMechanism.SCRAM_SHA_256
    with Kafka(users={"alice": "old"}, topics={"t": 1}, settings=settings) as kafka:
        config: dict[str, Any] = kafka.config_for("librdkafka", mechanism="SCRAM-SHA-256")
        admin = admin_module.AdminClient(kafka.config_for("librdkafka", mechanism="PLAIN"))
        producer = confluent_kafka.Producer(config)
        assert not sends(producer)

        info = admin_module.ScramCredentialInfo(mechanism, 4_096)
        alter(admin, admin_module.UserScramCredentialUpsertion("alice", info, b"new"))
        assert not sends(producer)
        assert not may_log_in(config, "old")
        assert may_log_in(config, "new")

        alter(admin, admin_module.UserScramCredentialDeletion("alice", mechanism))
        assert not sends(producer)
        assert not may_log_in(config, "new")

        alter(admin, admin_module.UserScramCredentialUpsertion("alice", info, b"old"))
        kafka.close_connections()
        assert not sends(producer)
