"""A suite of tests for pytest, with a broker at KIT_SUITE_ADDRESS, or without that with the fixture of the test kit.

KIT_SUITE_TESTS is the number of tests; with KIT_SUITE_A_BROKER_EACH=yes each starts a broker in the process. Each
creates a topic, produces ten records and reads them back. Beside a broker that all tests share, each test needs a name
of its own; with the fixture it does not.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

TESTS = int(os.environ["KIT_SUITE_TESTS"])
ADDRESS = os.environ.get("KIT_SUITE_ADDRESS")
HAS_CREATE_TOPICS = os.environ.get("KIT_SUITE_CREATES") != "no"
A_BROKER_EACH = os.environ.get("KIT_SUITE_A_BROKER_EACH") == "yes"
RECORDS = 10
TIMEOUT_SECONDS = 60


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Address and topic of one test."""
    if ADDRESS:
        yield ADDRESS, f"orders-{uuid.uuid4().hex[:8]}"
    elif A_BROKER_EACH:
        from kafkapy.testing import Kafka

        with Kafka() as kafka:
            yield kafka.bootstrap_servers, "orders"
    else:
        yield request.getfixturevalue("kafka").bootstrap_servers, "orders"


@pytest.mark.parametrize("_number", range(TESTS))
def test_records_come_back(broker: tuple[str, str], _number: int) -> None:
    address, topic = broker
    settings: dict[str, str | int | float | bool] = {"bootstrap.servers": address, "log_level": 0}
    if HAS_CREATE_TOPICS:
        admin = AdminClient(settings)
        [created] = admin.create_topics([NewTopic(topic, 1, 1)]).values()
        created.result(TIMEOUT_SECONDS)
    producer = Producer({**settings, "linger.ms": 0})
    for each in range(RECORDS):
        producer.produce(topic, b"%d" % each, partition=0)
    assert producer.flush(TIMEOUT_SECONDS) == 0
    consumer = Consumer({**settings, "group.id": topic, "enable.auto.commit": False})
    # Without a group, whose waits are the client's, and at an offset: librdkafka takes half a second to look one up.
    consumer.assign([TopicPartition(topic, 0, 0)])
    received = consumer.consume(RECORDS, timeout=TIMEOUT_SECONDS)
    consumer.close()
    assert [message.value() for message in received] == [b"%d" % each for each in range(RECORDS)]
