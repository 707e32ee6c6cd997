"""Latency of single produces, one at a time, and from a produce to a consumer that waits in a long poll."""

from __future__ import annotations

import struct
import time

from benchmarks.measurement import Figures, Metric, Scale, SteadyRow, percentile
from benchmarks.peers import Broker
from benchmarks.raw_client import (
    ACKS_ALL,
    ACKS_LEADER,
    REQUEST_CORRELATION_ID_AT,
    Connection,
    FetchAnswer,
    FetchFrame,
    ProduceAnswer,
    UnexpectedAnswer,
    one_record_batch,
    produce_frame,
    produce_version,
    ready_topic,
)
from benchmarks.rows.pipeline import produce_pipelined
from kafkapy_wire.api_keys import ApiKey

PRODUCE_P50 = Metric("produce_acks_1_p50_ms", "Single produce, acks=1, p50", "ms")
PRODUCE_P99 = Metric("produce_acks_1_p99_ms", "Single produce, acks=1, p99", "ms")
PRODUCE_ALL_P50 = Metric("produce_p50_ms", "Single produce, acks=all, p50", "ms")
PRODUCE_ALL_P99 = Metric("produce_p99_ms", "Single produce, acks=all, p99", "ms")
DELIVERY_P50 = Metric("delivery_p50_ms", "Produce to waiting consumer, p50", "ms")
DELIVERY_P99 = Metric("delivery_p99_ms", "Produce to waiting consumer, p99", "ms")

FETCH_WAIT_MS = 10_000
FETCH_BYTES = 1 << 20
# Between fetch and produce: they go over two connections, and the broker must have parked the fetch before.
PARK_SECONDS = 0.001
WARM_UP_REQUESTS_A_DELIVERY = 50  # a delivery takes that much longer than a pipelined request
_BUFFER_BYTES = 1 << 16


class SingleProducer:
    """Produces one record and waits for its answer."""

    def __init__(self, broker: Broker, connection: Connection, topic: str, *, acks: int = ACKS_ALL) -> None:
        self._connection = connection
        self._frame = produce_frame(topic, one_record_batch(), broker.served, acks=acks)
        self._answer = ProduceAnswer(topic, produce_version(broker.served))
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._correlation_id = 0

    def send(self) -> None:
        self._correlation_id += 1
        struct.pack_into(">i", self._frame, REQUEST_CORRELATION_ID_AT, self._correlation_id)
        self._connection.socket.sendall(self._frame)

    def receive(self) -> int:
        """The offset of the record sent last. Raises UnexpectedAnswer."""
        self._connection.receive(self._buffer)
        return self._answer.base_offset(self._buffer, 0, self._correlation_id)


def warm_up_produce(broker: Broker, scale: Scale, topic: str) -> None:
    produce_pipelined(broker, f"{topic}-pipelined", scale.warm_up_requests)
    measure_produce(broker, scale, topic)


def measure_produce(broker: Broker, scale: Scale, topic: str) -> Figures:
    with Connection(broker.address) as connection:
        ready_topic(connection, topic, broker.served)
        leader_ms, all_ms = (
            produce_latencies(SingleProducer(broker, connection, topic, acks=acks), scale.produce_samples)
            for acks in (ACKS_LEADER, ACKS_ALL)
        )
    return {
        PRODUCE_P50.key: percentile(leader_ms, 50),
        PRODUCE_P99.key: percentile(leader_ms, 99),
        PRODUCE_ALL_P50.key: percentile(all_ms, 50),
        PRODUCE_ALL_P99.key: percentile(all_ms, 99),
    }


def warm_up_delivery(broker: Broker, scale: Scale, topic: str) -> None:
    produce_pipelined(broker, f"{topic}-pipelined", scale.warm_up_requests)
    _deliver(broker, topic, scale.warm_up_requests // WARM_UP_REQUESTS_A_DELIVERY)


def measure_delivery(broker: Broker, scale: Scale, topic: str) -> Figures:
    samples_ms = _deliver(broker, topic, scale.delivery_samples)
    return {DELIVERY_P50.key: percentile(samples_ms, 50), DELIVERY_P99.key: percentile(samples_ms, 99)}


def _deliver(broker: Broker, topic: str, sample_count: int) -> list[float]:
    with Connection(broker.address) as connection, Connection(broker.address) as consumer:
        ready_topic(connection, topic, broker.served)
        producer = SingleProducer(broker, connection, topic)
        return delivery_latencies(producer, consumer, topic, sample_count)


def produce_latencies(producer: SingleProducer, sample_count: int) -> list[float]:
    """Milliseconds from sending a request to having its answer."""
    samples = []
    for _ in range(sample_count):
        begin = time.perf_counter_ns()
        producer.send()
        producer.receive()
        samples.append((time.perf_counter_ns() - begin) / 1e6)
    return samples


def delivery_latencies(producer: SingleProducer, consumer: Connection, topic: str, sample_count: int) -> list[float]:
    """Milliseconds from sending a record to a waiting consumer having it. Raises UnexpectedAnswer: it came without."""
    producer.send()
    next_offset = producer.receive() + 1
    fetch = FetchFrame(topic, max_bytes=FETCH_BYTES, max_wait_ms=FETCH_WAIT_MS)
    answer = FetchAnswer(topic)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    samples = []
    for _ in range(sample_count):
        consumer.socket.sendall(fetch.at(next_offset))
        time.sleep(PARK_SECONDS)
        begin = time.perf_counter_ns()
        producer.send()
        consumer.receive(buffer)
        samples.append((time.perf_counter_ns() - begin) / 1e6)
        if not answer.records_bytes(buffer):
            raise UnexpectedAnswer("Fetch: answered without the record")
        next_offset = producer.receive() + 1
    return samples


PRODUCE_LATENCY = SteadyRow(
    name="produce",
    metrics=(PRODUCE_P50, PRODUCE_P99, PRODUCE_ALL_P50, PRODUCE_ALL_P99),
    requires=frozenset({ApiKey.PRODUCE}),
    warm_up=warm_up_produce,
    measure=measure_produce,
    time_limit_seconds=120.0,
)
DELIVERY_LATENCY = SteadyRow(
    name="delivery",
    metrics=(DELIVERY_P50, DELIVERY_P99),
    requires=frozenset({ApiKey.PRODUCE, ApiKey.FETCH}),
    warm_up=warm_up_delivery,
    measure=measure_delivery,
    time_limit_seconds=120.0,
)
