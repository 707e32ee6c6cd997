"""A broker for your tests: started once, gone with them. Run it with `pytest examples/test_orders.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Where the broker listens, for `bootstrap.servers`."""
    command = [sys.executable, "-m", "kafkapy", "--ephemeral", "--port", "0", "--exit-with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
        assert broker.stdout is not None
        listening = re.search(r"listens at (\S+)", broker.stdout.readline())
        assert listening is not None, "the broker has said on standard error why it did not start"
        yield listening[1]
        broker.terminate()


def test_an_order_arrives(kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("orders", key="alice", value="1 tea")
    producer.flush()

    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "shop", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value()) == (b"alice", b"1 tea")
