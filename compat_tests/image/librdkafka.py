"""What the tests of Rust's and .NET's modules do with a broker, by librdkafka: it is the client of those languages."""

from __future__ import annotations

from contextlib import closing

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

VALUES = [b"one", b"two", b"three"]


def addresses_told(bootstrap: str) -> list[str]:
    """`host:port` of each broker, in the first answer to a client that has just connected."""
    admin = confluent_admin.AdminClient({"bootstrap.servers": bootstrap})
    brokers = admin.list_topics(timeout=PATIENCE_SECONDS).brokers
    return [f"{broker.host}:{broker.port}" for _, broker in sorted(brokers.items())]


def send_and_read(bootstrap: str) -> list[bytes]:
    """The values of three records, sent to a topic and read as a group."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    for value in VALUES:
        producer.produce("orders", value, partition=0)
    assert producer.flush(PATIENCE_SECONDS) == 0, "the records are not sent"
    settings = {"bootstrap.servers": bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
    with closing(confluent_kafka.Consumer(settings)) as consumer:
        consumer.subscribe(["orders"])
        read = consumer.consume(len(VALUES), PATIENCE_SECONDS)
        return [message.value() for message in read if message.error() is None]
