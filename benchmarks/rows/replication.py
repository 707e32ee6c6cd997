"""Produces with acks=all to a topic with three replicas: one record at a time, and batches of 1 MB."""

from __future__ import annotations

from benchmarks.cluster_client import create_replicated_topic, leader_address
from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow, percentile
from benchmarks.peers import Broker
from benchmarks.raw_client import Connection, large_batch, wait_until_usable
from benchmarks.rows.batches import RECORD_COUNT, VALUE_BYTES, produce_batches
from benchmarks.rows.latency import SingleProducer, produce_latencies
from kafkapy_wire.api_keys import ApiKey

REPLICATED_P50 = Metric("replicated_p50_ms", "Single produce, acks=all, three replicas, p50", "ms")
REPLICATED_P99 = Metric("replicated_p99_ms", "Single produce, acks=all, three replicas, p99", "ms")
REPLICATED_CPU = Metric("replicated_cpu_us", "... CPU of all nodes for each", "µs")
REPLICATED_RATE = Metric("replicated_mb_per_second", "1 MB batches in, acks=all, three replicas", "MB/s", Better.HIGHER)
REPLICATED_BATCH_CPU = Metric("replicated_cpu_seconds_per_gb", "... CPU of all nodes", "s/GB")

WARM_UP_BATCH_ROUNDS = 4
WARM_UP_REQUESTS_A_PRODUCE = 20  # a replicated produce that is waited for takes that much longer than a pipelined one


def warm_up(cluster: Broker, scale: Scale, topic: str) -> None:
    address = _ready(cluster, f"{topic}-produces")
    with Connection(address) as connection:
        producer = SingleProducer(cluster, connection, f"{topic}-produces")
        produce_latencies(producer, scale.warm_up_requests // WARM_UP_REQUESTS_A_PRODUCE)
    for number in range(WARM_UP_BATCH_ROUNDS):
        measure(cluster, scale, f"{topic}-{number}")


def measure(cluster: Broker, scale: Scale, topic: str) -> Figures:
    address = _ready(cluster, topic)
    batch = large_batch(RECORD_COUNT, VALUE_BYTES)
    with Connection(address) as connection:
        cpu_begin = cluster.cpu_seconds()
        samples_ms = produce_latencies(SingleProducer(cluster, connection, topic), scale.produce_samples)
        cpu_seconds = cluster.cpu_seconds() - cpu_begin
        batches = produce_batches(cluster, connection, topic, batch, scale.batch_count)
    return {
        REPLICATED_P50.key: percentile(samples_ms, 50),
        REPLICATED_P99.key: percentile(samples_ms, 99),
        REPLICATED_CPU.key: cpu_seconds / scale.produce_samples * 1e6,
        REPLICATED_RATE.key: batches.mb_per_second,
        REPLICATED_BATCH_CPU.key: batches.cpu_seconds_per_gb,
    }


def _ready(cluster: Broker, topic: str) -> tuple[str, int]:
    """A new topic that takes records; where its leader is."""
    with Connection(cluster.address) as connection:
        create_replicated_topic(connection, topic)
        address = leader_address(connection, topic)
    with Connection(address) as connection:
        wait_until_usable(connection, [topic], cluster.served)
    return address


REPLICATION = SteadyRow(
    name="replication",
    metrics=(REPLICATED_P50, REPLICATED_P99, REPLICATED_CPU, REPLICATED_RATE, REPLICATED_BATCH_CPU),
    requires=frozenset({ApiKey.PRODUCE}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=180.0,
)
