"""Records in and out by librdkafka, in one call each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS, eventually

confluent_kafka = pytest.importorskip("confluent_kafka")

FAST = {
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 20,
    "topic.metadata.refresh.fast.interval.ms": 50,
    "log_level": 0,
}


def send_all(bootstrap: str, topic: str, values: Sequence[str], partitions: int = 1) -> dict[str, tuple[int, int]]:
    """Send with acks=all, round the partitions: where each value lies, all acknowledged."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1, **FAST}
    )
    placed: dict[str, tuple[int, int]] = {}
    errors: list[Any] = []

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            errors.append(error)
        else:
            placed[message.value().decode()] = message.partition(), message.offset()

    for n, value in enumerate(values):
        producer.produce(topic, value.encode(), partition=n % partitions, on_delivery=delivered)
    assert producer.flush(PATIENCE_SECONDS) == 0, "records have no answer"
    assert errors == []
    return placed


def read_all(bootstrap: str, topic: str, partitions: int = 1, *, committed: bool = True) -> list[str]:
    """Every record there is now, a partition after the other."""
    found: dict[int, list[str]] = {n: [] for n in range(partitions)}
    unread = set(found)
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "nobody's",  # the client wants a name; it commits nothing
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "fetch.wait.max.ms": 50,
            **FAST,
        }
    )
    with closing(consumer):
        beginning = confluent_kafka.OFFSET_BEGINNING
        consumer.assign([confluent_kafka.TopicPartition(topic, n, beginning) for n in found])

        def at_the_end() -> bool:
            for message in consumer.consume(500, 0.02):
                if message.error() is None:
                    found[message.partition()].append(message.value().decode())
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                elif not message.error().retriable():
                    raise AssertionError(message.error())
            return not unread

        eventually(at_the_end, f"the end of every partition of {topic}", pause_seconds=0)
    return [value for values in found.values() for value in values]
