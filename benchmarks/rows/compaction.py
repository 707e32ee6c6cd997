"""Compaction of one partition: how fast the cleaner gets through a log that has never been cleaned.

The log is produced with `cleanup.policy=delete`, then the topic becomes a compacted one. What is timed is seen from
outside and the same for every broker: from the request that asks for it until `cleaner-offset-checkpoint` says that all
but the active segment is clean. Brokers look for work each LOOKS_EACH_MS.
"""

from __future__ import annotations

import functools
import random
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow, Throughput
from benchmarks.peers import Broker
from benchmarks.prepared import PreparedProduces
from benchmarks.raw_client import Connection, UnexpectedAnswer, now_ms, ready_topic
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.records import NewRecord, build_batch

IN_FLIGHT = 5
BATCH_BYTES = 16_384  # batch.size of Kafka's producer
SEGMENT_BYTES = 16 << 20
LOOKS_EACH_MS = 50
POLL_SECONDS = 0.005
TIME_LIMIT_SECONDS = 120.0
CHECKPOINT = "cleaner-offset-checkpoint"
INCREMENTAL_ALTER_CONFIGS_VERSION = 1
RESOURCE_TYPE_TOPIC = 2
OPERATION_SET = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """Records whose keys are drawn at random."""

    value_bytes: int
    records_a_key: int  # on average, so one in so many is left
    part: float  # of the scale's compaction_mb


LARGE_RECORDS = Shape(value_bytes=1_000, records_a_key=5, part=1.0)
SMALL_RECORDS = Shape(value_bytes=100, records_a_key=2, part=0.5)

LARGE_RATE = Metric("compaction_1kb_mb_per_second", "Compaction, records of 1 kB", "MB/s", Better.HIGHER)
LARGE_CPU = Metric("compaction_1kb_cpu_seconds_per_gb", "... broker CPU", "s/GB")
SMALL_RATE = Metric("compaction_100b_mb_per_second", "Compaction, records of 100 B, many keys", "MB/s", Better.HIGHER)
SMALL_CPU = Metric("compaction_100b_cpu_seconds_per_gb", "... broker CPU", "s/GB")


@functools.cache
def batches_to_compact(shape: Shape, total_mb: int) -> list[bytes]:
    """The same for every peer and in every round, none compressed, all of one size."""
    dice = random.Random(shape.value_bytes)
    records_a_batch = BATCH_BYTES // (shape.value_bytes + 22)  # a key of 12 bytes, and some for lengths and deltas
    batch_count = int(total_mb * 1e6 * shape.part) // BATCH_BYTES
    key_count = batch_count * records_a_batch // shape.records_a_key
    timestamp = now_ms()
    value = bytes(shape.value_bytes)
    return [
        build_batch(
            NewRecord(timestamp=timestamp, key=b"key-%08d" % dice.randrange(key_count), value=value)
            for _ in range(records_a_batch)
        )
        for _ in range(batch_count)
    ]


def clean_once(broker: Broker, topic: str, batches: list[bytes]) -> Throughput:
    """Fill a new topic, then have it compacted. Raises UnexpectedAnswer: not done after TIME_LIMIT_SECONDS."""
    with Connection(broker.address) as connection:
        configs = {"segment.bytes": str(SEGMENT_BYTES), "cleanup.policy": "delete"}
        ready_topic(connection, topic, broker.served, configs=configs)
        PreparedProduces(topic, batches, broker.served).send(connection, in_flight=IN_FLIGHT)
        segments = sorted((broker.launch.data / f"{topic}-0").glob("*.log"))
        size_bytes = sum(segment.stat().st_size for segment in segments[:-1])
        active_base_offset = int(segments[-1].stem)
        cpu_begin = broker.cpu_seconds()
        begin = time.perf_counter()
        _set_cleanup_policy(connection, topic, "compact")
        checkpoint = broker.launch.data / CHECKPOINT
        while _clean_up_to(checkpoint, topic) < active_base_offset:
            if time.perf_counter() - begin > TIME_LIMIT_SECONDS:
                raise UnexpectedAnswer(f"{topic} is not clean after {TIME_LIMIT_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - begin
        cpu_seconds = broker.cpu_seconds() - cpu_begin
        _set_cleanup_policy(connection, topic, "delete")  # or it is looked at again while others are cleaned
    return Throughput(size_bytes, seconds, cpu_seconds)


def _clean_up_to(checkpoint: Path, topic: str) -> int:
    """The offset in the line `topic partition offset` of the file; 0: none yet."""
    try:
        lines = checkpoint.read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[2]) for line in lines if line.startswith(f"{topic} 0 ")), 0)


def _set_cleanup_policy(connection: Connection, topic: str, policy: str) -> None:
    config = AlterableConfig(name="cleanup.policy", config_operation=OPERATION_SET, value=policy)
    resource = AlterConfigsResource(resource_type=RESOURCE_TYPE_TOPIC, resource_name=topic, configs=[config])
    response = connection.call(
        ApiKey.INCREMENTAL_ALTER_CONFIGS,
        IncrementalAlterConfigsRequest(resources=[resource]),
        INCREMENTAL_ALTER_CONFIGS_VERSION,
        IncrementalAlterConfigsResponse,
    )
    if any(answer.error_code != ErrorCode.NONE for answer in response.responses):
        raise UnexpectedAnswer(f"IncrementalAlterConfigs: error {response.responses[0].error_code}")


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    large = clean_once(broker, f"{topic}-large", batches_to_compact(LARGE_RECORDS, scale.compaction_mb))
    small = clean_once(broker, f"{topic}-small", batches_to_compact(SMALL_RECORDS, scale.compaction_mb))
    return {
        LARGE_RATE.key: large.mb_per_second,
        LARGE_CPU.key: large.cpu_seconds_per_gb,
        SMALL_RATE.key: small.mb_per_second,
        SMALL_CPU.key: small.cpu_seconds_per_gb,
    }


COMPACTION = SteadyRow(
    name="compaction",
    metrics=(LARGE_RATE, LARGE_CPU, SMALL_RATE, SMALL_CPU),
    requires=frozenset({ApiKey.PRODUCE, ApiKey.INCREMENTAL_ALTER_CONFIGS}),
    warm_up=measure,
    measure=measure,
    time_limit_seconds=240.0,
    durable=True,  # both fsync what they have cleaned before it replaces what was there
    settings={"log.cleaner.backoff.ms": str(LOOKS_EACH_MS)},
    rounds_max=3,
)
