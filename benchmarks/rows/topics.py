"""Create one topic, create 1,000 in one request until each takes records, and ask for the metadata of 1,000."""

from __future__ import annotations

import time

from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreateTopicsResponse
from kafkapy_wire.messages.metadata import MetadataResponse

from benchmarks.measurement import Figures, Metric, Scale, SteadyRow, percentile
from benchmarks.peers import Broker
from benchmarks.raw_client import (
    CREATE_TOPICS_VERSION,
    METADATA_VERSION,
    Connection,
    UnexpectedAnswer,
    check_created,
    create_topics_request,
    decode_answer,
    metadata_request,
    request_frame,
    wait_until_usable,
)

TOPIC_COUNT = 1_000
SINGLE_COUNT = 10
WARM_UP_TOPIC_COUNT = 200

CREATE_ONE = Metric("create_one_ms", "Create 1 topic", "ms")
CREATE_MANY = Metric("create_many_ms", f"Create {TOPIC_COUNT:,} topics in one request", "ms")
CREATE_MANY_USABLE = Metric("create_many_usable_ms", "... until first, middle and last take a record", "ms")
CREATE_MANY_CPU = Metric("create_many_cpu_ms", "... broker CPU", "ms")
METADATA_MANY = Metric("metadata_many_ms", f"Metadata of {TOPIC_COUNT:,} topics", "ms")
METADATA_MANY_CPU = Metric("metadata_many_cpu_ms", "... broker CPU", "ms")


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    _measure(broker, scale, topic, WARM_UP_TOPIC_COUNT)


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    """The topics of earlier rounds stay: deleting them would go on in the background while others are measured."""
    return _measure(broker, scale, topic, TOPIC_COUNT)


def _measure(broker: Broker, scale: Scale, prefix: str, topic_count: int) -> Figures:
    with Connection(broker.address) as connection:
        create_one_ms = [_create_ms(connection, [f"{prefix}-one-{number}"]) for number in range(SINGLE_COUNT)]
        names = [f"{prefix}-{number:04d}" for number in range(topic_count)]
        cpu_begin = broker.cpu_seconds()
        create_many_ms = _create_ms(connection, names)
        create_many_cpu_ms = (broker.cpu_seconds() - cpu_begin) * 1e3
        begin = time.perf_counter()
        for name in (names[0], names[topic_count // 2], names[-1]):
            wait_until_usable(connection, name, broker.served)
        usable_ms = create_many_ms + (time.perf_counter() - begin) * 1e3
        metadata_ms, metadata_cpu_ms = _ask_metadata(broker, connection, names, scale.metadata_samples)
    return {
        CREATE_ONE.key: percentile(create_one_ms, 50),
        CREATE_MANY.key: create_many_ms,
        CREATE_MANY_USABLE.key: usable_ms,
        CREATE_MANY_CPU.key: create_many_cpu_ms,
        METADATA_MANY.key: metadata_ms,
        METADATA_MANY_CPU.key: metadata_cpu_ms,
    }


def _create_ms(connection: Connection, names: list[str]) -> float:
    frame = request_frame(ApiKey.CREATE_TOPICS, create_topics_request(names), CREATE_TOPICS_VERSION)
    begin = time.perf_counter()
    connection.socket.sendall(frame)
    answer = connection.receive_bytes()
    elapsed_ms = (time.perf_counter() - begin) * 1e3
    check_created(decode_answer(ApiKey.CREATE_TOPICS, CREATE_TOPICS_VERSION, answer, CreateTopicsResponse))
    return elapsed_ms


def _ask_metadata(broker: Broker, connection: Connection, names: list[str], sample_count: int) -> tuple[float, float]:
    """Median milliseconds, and CPU milliseconds of the broker, for the metadata of these topics by name."""
    frame = request_frame(ApiKey.METADATA, metadata_request(names), METADATA_VERSION)
    samples = []
    answer = b""
    cpu_begin = broker.cpu_seconds()
    for _ in range(sample_count):
        begin = time.perf_counter()
        connection.socket.sendall(frame)
        answer = connection.receive_bytes()
        samples.append((time.perf_counter() - begin) * 1e3)
    cpu_ms = (broker.cpu_seconds() - cpu_begin) * 1e3 / sample_count
    response = decode_answer(ApiKey.METADATA, METADATA_VERSION, answer, MetadataResponse)
    known = sum(topic.error_code == ErrorCode.NONE and len(topic.partitions) == 1 for topic in response.topics)
    if known != len(names):
        raise UnexpectedAnswer(f"Metadata: {known} of {len(names)} topics")
    return percentile(samples, 50), cpu_ms


TOPICS = SteadyRow(
    name="topics",
    metrics=(CREATE_ONE, CREATE_MANY, CREATE_MANY_USABLE, CREATE_MANY_CPU, METADATA_MANY, METADATA_MANY_CPU),
    requires=frozenset({ApiKey.CREATE_TOPICS, ApiKey.METADATA}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=180.0,
)
