"""A record as a consumer of confluent-kafka got it."""

from __future__ import annotations

from confluent_kafka import Message


def record_of(message: Message) -> tuple[str, int, int, str]:
    """Topic, partition, offset, value of a message that is no error."""
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    assert value is not None
    return topic, partition, offset, value.decode()
