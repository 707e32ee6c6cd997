"""What the figures are held to; a target is judged within one run, since only that compares like with like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measurement import Better, Metric, Results
from benchmarks.rows import batches, latency, life, pipeline, start

SUBJECT = "kafkapy"
REFERENCE = "kafka"

START_SECONDS_MAX = 0.25
START_YARDSTICK_TIMES_MAX = 1.6  # a slow machine is slow for `import trio` too
IDLE_MB_MAX = 45.0


@dataclass(frozen=True, slots=True)
class Target:
    """`judge` tells whether it is met, None when the run did not measure what it needs."""

    text: str
    judge: Callable[[Results], bool | None]


def _start(results: Results) -> bool | None:
    seconds = results.median(start.START_SECONDS.key, SUBJECT)
    trio_seconds = results.median(start.START_SECONDS.key, start.YARDSTICK_TRIO)
    if seconds is None or trio_seconds is None:
        return None
    return seconds <= max(START_SECONDS_MAX, START_YARDSTICK_TIMES_MAX * trio_seconds)


def _idle(results: Results) -> bool | None:
    idle_mb = results.median(start.IDLE_MB.key, SUBJECT)
    return None if idle_mb is None else idle_mb <= IDLE_MB_MAX


def _against_kafka(metric: Metric, times: float) -> Callable[[Results], bool | None]:
    def judge(results: Results) -> bool | None:
        gain = times_better(results, metric, SUBJECT)
        return None if gain is None else gain >= times

    return judge


def times_better(results: Results, metric: Metric, who: str) -> float | None:
    """How many times better than Apache Kafka: 2.0 is twice the rate or half the time. None: one was not measured."""
    value = results.median(metric.key, who)
    reference = results.median(metric.key, REFERENCE)
    if not value or not reference:
        return None
    return value / reference if metric.better is Better.HIGHER else reference / value


TARGETS: dict[str, Target] = {
    start.START_SECONDS.key: Target(f"≤ {START_SECONDS_MAX} s or {START_YARDSTICK_TIMES_MAX}x import trio", _start),
    start.IDLE_MB.key: Target(f"≤ {IDLE_MB_MAX:.0f} MB", _idle),
    life.LIFE_SECONDS.key: Target("≤ 1/5 of Kafka", _against_kafka(life.LIFE_SECONDS, 5.0)),
    latency.PRODUCE_P50.key: Target("≤ Kafka", _against_kafka(latency.PRODUCE_P50, 1.0)),
    latency.PRODUCE_P99.key: Target("≤ Kafka", _against_kafka(latency.PRODUCE_P99, 1.0)),
    pipeline.PIPELINED_RATE.key: Target("≥ 2x Kafka", _against_kafka(pipeline.PIPELINED_RATE, 2.0)),
    batches.IN_RATE.key: Target("≥ 1.2x Kafka", _against_kafka(batches.IN_RATE, 1.2)),
    batches.OUT_RATE.key: Target("≥ 1.5x Kafka", _against_kafka(batches.OUT_RATE, 1.5)),
}
