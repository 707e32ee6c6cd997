"""Create one topic, create 1,000 in one request, and ask for the metadata of 1,000.

A broker may answer before it has made the topic's directory and files: Apache Kafka makes them in the background,
kafkapy when a partition is first used. So what is compared is the time until every topic has taken a record; the time
to the answer stands beside it. In `topics` all fsync metadata: kafkapy keeps its data there, since `--ephemeral` does
without. In `create` it is ephemeral, as kfake always is, and creates single topics.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

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
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreateTopicsResponse
from kafkapy_wire.messages.metadata import MetadataResponse

TOPIC_COUNT = 1_000
SINGLE_COUNT = 10
WARM_UP_TOPIC_COUNT = 200
WARM_UP_METADATA_TIMES = 10

CREATE_EPHEMERAL = Metric("create_ephemeral_ms", "Create 1 topic, a record in it, ephemeral", "ms")
CREATE_EPHEMERAL_ANSWER = Metric("create_ephemeral_answer_ms", "... of it until the creation is answered", "ms")
CREATE_ONE = Metric("create_one_ms", "Create 1 topic, a record in it", "ms")
CREATE_ONE_ANSWER = Metric("create_one_answer_ms", "... of it until the creation is answered", "ms")
CREATE_MANY = Metric("create_many_ms", f"Create {TOPIC_COUNT:,} topics, a record in each", "ms")
CREATE_MANY_ANSWER = Metric("create_many_answer_ms", "... of it until the creation is answered", "ms")
CREATE_MANY_CPU = Metric("create_many_cpu_ms", "... broker CPU", "ms")
METADATA_MANY = Metric("metadata_many_ms", f"Metadata of {TOPIC_COUNT:,} topics", "ms")
METADATA_MANY_CPU = Metric("metadata_many_cpu_ms", "... broker CPU", "ms")


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    _measure(broker, topic, WARM_UP_TOPIC_COUNT, WARM_UP_METADATA_TIMES * scale.metadata_samples)


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    """The topics of earlier rounds stay: deleting them would go on in the background while others are measured."""
    return _measure(broker, topic, TOPIC_COUNT, scale.metadata_samples)


def create_singles(broker: Broker, scale: Scale, prefix: str) -> Figures:
    """Medians of topics that are created and written to one after the other."""
    with Connection(broker.address) as connection:
        created = [_create(broker, connection, [f"{prefix}-{number:04d}"]) for number in range(scale.created_topics)]
    return {
        CREATE_EPHEMERAL.key: percentile([each.used_ms for each in created], 50),
        CREATE_EPHEMERAL_ANSWER.key: percentile([each.answered_ms for each in created], 50),
    }


def _measure(broker: Broker, prefix: str, topic_count: int, metadata_samples: int) -> Figures:
    with Connection(broker.address) as connection:
        singles = [_create(broker, connection, [f"{prefix}-one-{number}"]) for number in range(SINGLE_COUNT)]
        names = [f"{prefix}-{number:04d}" for number in range(topic_count)]
        many = _create(broker, connection, names)
        metadata_ms, metadata_cpu_ms = _ask_metadata(broker, connection, names, metadata_samples)
    return {
        CREATE_ONE.key: percentile([each.used_ms for each in singles], 50),
        CREATE_ONE_ANSWER.key: percentile([each.answered_ms for each in singles], 50),
        CREATE_MANY.key: many.used_ms,
        CREATE_MANY_ANSWER.key: many.answered_ms,
        CREATE_MANY_CPU.key: many.cpu_ms,
        METADATA_MANY.key: metadata_ms,
        METADATA_MANY_CPU.key: metadata_cpu_ms,
    }


@dataclass(frozen=True, slots=True)
class Creation:
    """Milliseconds from the request to its answer, and until each topic has taken a record."""

    answered_ms: float
    used_ms: float
    cpu_ms: float  # of the broker, until the latter


def _create(broker: Broker, connection: Connection, names: list[str]) -> Creation:
    frame = request_frame(ApiKey.CREATE_TOPICS, create_topics_request(names), CREATE_TOPICS_VERSION)
    cpu_begin = broker.cpu_seconds()
    begin = time.perf_counter()
    connection.socket.sendall(frame)
    answer = connection.receive_bytes()
    answered = time.perf_counter()
    wait_until_usable(connection, names, broker.served)
    used = time.perf_counter()
    cpu_ms = (broker.cpu_seconds() - cpu_begin) * 1e3
    check_created(names, decode_answer(ApiKey.CREATE_TOPICS, CREATE_TOPICS_VERSION, answer, CreateTopicsResponse))
    return Creation((answered - begin) * 1e3, (used - begin) * 1e3, cpu_ms)


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
    metrics=(
        CREATE_ONE,
        CREATE_ONE_ANSWER,
        CREATE_MANY,
        CREATE_MANY_ANSWER,
        CREATE_MANY_CPU,
        METADATA_MANY,
        METADATA_MANY_CPU,
    ),
    requires=frozenset({ApiKey.CREATE_TOPICS, ApiKey.METADATA}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=180.0,
    durable=True,
)
CREATE = SteadyRow(
    name="create",
    metrics=(CREATE_EPHEMERAL, CREATE_EPHEMERAL_ANSWER),
    requires=frozenset({ApiKey.CREATE_TOPICS}),
    warm_up=create_singles,
    measure=create_singles,
    time_limit_seconds=120.0,
)
