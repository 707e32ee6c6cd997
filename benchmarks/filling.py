"""Topics of many partitions, each of which holds records."""

from __future__ import annotations

import time

from benchmarks.peers import Broker
from benchmarks.raw_client import (
    ACKS_ALL,
    NOT_YET,
    RETRY_SECONDS_MAX,
    TIMEOUT_SECONDS,
    Connection,
    UnexpectedAnswer,
    create_topics,
    create_topics_request,
    produce_version,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData

PARTITIONS_A_REQUEST = 1_000  # with 64 kB each, below the default of socket.request.max.bytes (100 MiB)


def create_filled_topic(
    broker: Broker, connection: Connection, topic: str, partition_count: int, *batches: bytes
) -> None:
    """A new topic with these batches in every partition. Raises UnexpectedAnswer."""
    create_topics(connection, create_topics_request([topic], partition_count=partition_count))
    for batch in batches:
        produce_to_all(broker, connection, topic, partition_count, batch)


def produce_to_all(broker: Broker, connection: Connection, topic: str, partition_count: int, batch: bytes) -> None:
    """The batch to each partition, again to those whose leader the broker does not know yet to be.

    Raises UnexpectedAnswer: another error, or not all after TIMEOUT_SECONDS.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for first in range(0, partition_count, PARTITIONS_A_REQUEST):
        left = list(range(first, min(first + PARTITIONS_A_REQUEST, partition_count)))
        while left := _produce(broker, connection, topic, left, batch):
            if time.monotonic() > deadline:
                raise UnexpectedAnswer(f"Produce: {len(left)} partitions take no records")
            time.sleep(RETRY_SECONDS_MAX)


def _produce(broker: Broker, connection: Connection, topic: str, indexes: list[int], batch: bytes) -> list[int]:
    """One request; the partitions that are not there yet."""
    request = ProduceRequest(
        acks=ACKS_ALL,
        timeout_ms=TIMEOUT_SECONDS * 1000,
        topic_data=[
            TopicProduceData(
                name=topic, partition_data=[PartitionProduceData(index=index, records=batch) for index in indexes]
            )
        ],
    )
    response = connection.call(ApiKey.PRODUCE, request, produce_version(broker.served), ProduceResponse)
    return [each.index for each in response.responses[0].partition_responses if not there("Produce", each.error_code)]


def there(what: str, error_code: int) -> bool:
    """Whether there was no error. Raises UnexpectedAnswer: one that waiting does not help."""
    if error_code != ErrorCode.NONE and error_code not in NOT_YET:
        raise UnexpectedAnswer(f"{what}: error {error_code}")
    return error_code == ErrorCode.NONE
