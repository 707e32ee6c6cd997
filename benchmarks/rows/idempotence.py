"""The same batches with and without a producer id (KIP-98), in turns on one connection: what idempotence costs.

Sequences and checksums are written before the clock runs, so the client does the same for both.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from benchmarks.measurement import Figures, Metric, Scale, SteadyRow
from benchmarks.peers import Broker
from benchmarks.prepared import PreparedProduces
from benchmarks.raw_client import Connection, init_producer_id, large_batch, one_record_batch, ready_topic
from kafkapy_wire.api_keys import ApiKey

IN_FLIGHT = 5  # an idempotent producer may have no more: the broker remembers five batches
LARGE_VALUE_BYTES = 1_000
NO_PRODUCER = (-1, -1)
LARGE_SLICES_MAX = 50  # also for the warm-up: little is to be written, as in the row of large batches

SMALL_TIME = Metric("idempotent_small_time_ratio", "Idempotent over plain, 1 record, time", "x")
SMALL_CPU = Metric("idempotent_small_cpu_ratio", "... broker CPU", "x")
SMALL_PLAIN_US = Metric("idempotent_small_plain_cpu_us", "Plain produce, broker CPU", "µs")
SMALL_IDEMPOTENT_US = Metric("idempotent_small_cpu_us", "Idempotent produce, broker CPU", "µs")
LARGE_TIME = Metric("idempotent_16kb_time_ratio", "Idempotent over plain, 16 kB, time", "x")
LARGE_CPU = Metric("idempotent_16kb_cpu_ratio", "... broker CPU", "x")
LARGE_PLAIN_GB = Metric("idempotent_16kb_plain_cpu_seconds_per_gb", "... broker CPU, plain", "s/GB")
LARGE_IDEMPOTENT_GB = Metric("idempotent_16kb_cpu_seconds_per_gb", "... broker CPU, idempotent", "s/GB")


@dataclass(frozen=True, slots=True)
class Shape:
    records_a_batch: int
    request_count: int  # of one slice


SMALL = Shape(records_a_batch=1, request_count=500)
LARGE = Shape(records_a_batch=16, request_count=100)  # a full batch of Kafka's producer: batch.size is 16,384


class Side:
    """A topic, its requests, and what they took. `producer` is an id and an epoch, or NO_PRODUCER."""

    def __init__(
        self,
        broker: Broker,
        connection: Connection,
        topic: str,
        batches: list[bytes],
        *,
        records_a_batch: int,
        producer: tuple[int, int],
    ) -> None:
        self._broker = broker
        self._connection = connection
        ready_topic(connection, topic, broker.served)
        self._requests = PreparedProduces(topic, batches, broker.served)
        self._producer = producer
        # Plain batches have the sequence -1, all of them. They are stamped, too: who has just worked is held back by
        # the scheduler on a busy machine.
        self._next_sequence, self._step = (-1, 0) if producer == NO_PRODUCER else (0, records_a_batch)
        self._seconds: list[float] = []
        self._cpu_seconds: list[float] = []

    def run(self) -> None:
        """All batches once."""
        self._next_sequence = self._requests.stamp_producer(
            *self._producer, first_sequence=self._next_sequence, records_a_batch=self._step
        )
        cpu_begin = self._broker.cpu_seconds()
        begin = time.perf_counter()
        self._requests.send(self._connection, in_flight=IN_FLIGHT)
        self._seconds.append(time.perf_counter() - begin)
        self._cpu_seconds.append(self._broker.cpu_seconds() - cpu_begin)

    # Of one slice; the median, since whatever else the machine does hits single slices hard.

    @property
    def seconds(self) -> float:
        return statistics.median(self._seconds)

    @property
    def cpu_seconds(self) -> float:
        return statistics.median(self._cpu_seconds)

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_seconds / self._requests.count * 1e6

    @property
    def cpu_seconds_per_gb(self) -> float:
        return self.cpu_seconds / (self._requests.records_bytes / 1e9)


@dataclass(frozen=True, slots=True)
class Comparison:
    plain: Side
    idempotent: Side

    @property
    def time_ratio(self) -> float:
        return self.idempotent.seconds / self.plain.seconds

    @property
    def cpu_ratio(self) -> float:
        return self.idempotent.cpu_seconds / self.plain.cpu_seconds


def _compare(broker: Broker, connection: Connection, topic: str, batch: bytes, shape: Shape, slices: int) -> Comparison:
    """`slices` times some requests from each side, which begin by turns."""
    batches = [batch] * shape.request_count
    plain, idempotent = (
        Side(broker, connection, name, batches, records_a_batch=shape.records_a_batch, producer=producer)
        for name, producer in ((f"{topic}-p", NO_PRODUCER), (f"{topic}-i", init_producer_id(connection)))
    )
    for number in range(slices):
        for side in (plain, idempotent) if number % 2 else (idempotent, plain):
            side.run()
    return Comparison(plain, idempotent)


def _measure(broker: Broker, topic: str, slices: int) -> Figures:
    with Connection(broker.address) as connection:
        small = _compare(broker, connection, f"{topic}-small", one_record_batch(), SMALL, slices)
        batch = large_batch(LARGE.records_a_batch, LARGE_VALUE_BYTES)
        large = _compare(broker, connection, f"{topic}-large", batch, LARGE, min(slices, LARGE_SLICES_MAX))
    return {
        SMALL_TIME.key: small.time_ratio,
        SMALL_CPU.key: small.cpu_ratio,
        SMALL_PLAIN_US.key: small.plain.cpu_us_per_request,
        SMALL_IDEMPOTENT_US.key: small.idempotent.cpu_us_per_request,
        LARGE_TIME.key: large.time_ratio,
        LARGE_CPU.key: large.cpu_ratio,
        LARGE_PLAIN_GB.key: large.plain.cpu_seconds_per_gb,
        LARGE_IDEMPOTENT_GB.key: large.idempotent.cpu_seconds_per_gb,
    }


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    _measure(broker, topic, scale.warm_up_requests // (2 * SMALL.request_count))


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    return _measure(broker, topic, scale.idempotence_slices)


IDEMPOTENCE = SteadyRow(
    name="idempotence",
    metrics=(
        SMALL_TIME,
        SMALL_CPU,
        SMALL_PLAIN_US,
        SMALL_IDEMPOTENT_US,
        LARGE_TIME,
        LARGE_CPU,
        LARGE_PLAIN_GB,
        LARGE_IDEMPOTENT_GB,
    ),
    requires=frozenset({ApiKey.PRODUCE, ApiKey.INIT_PRODUCER_ID}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=180.0,
)
