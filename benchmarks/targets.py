"""What the figures are held to; a target is judged within one run, since only that compares like with like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measurement import Better, Metric, Results
from benchmarks.rows import (
    batches,
    big_log,
    idempotence,
    latency,
    life,
    pipeline,
    restart,
    start,
    transactions,
)

SUBJECT = "kafkapy"
REFERENCE = "kafka"

START_SECONDS_MAX = 0.25
START_YARDSTICK_TIMES_MAX = 1.6  # a slow machine is slow for `import trio` too
IDLE_MB_MAX = 45.0
IDEMPOTENT_RATIO_MAX = 1.1
CLEAN_RESTART_SECONDS_MAX = 1.0
KILLED_RESTART_SECONDS_MAX = 3.0
# A log of 10 GB against one of 10 MB: as much as two processes that did the same differ by.
BIG_LOG_MORE_RATIO_MAX = 1.05
BIG_LOG_MORE_MB_MAX = 3.0


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


def _at_most(metric: Metric, most: float) -> Callable[[Results], bool | None]:
    def judge(results: Results) -> bool | None:
        value = results.median(metric.key, SUBJECT)
        return None if value is None else value <= most

    return judge


def _big_log(results: Results) -> bool | None:
    big_mb = results.median(big_log.BIG_MB.key, SUBJECT)
    small_mb = results.median(big_log.SMALL_MB.key, SUBJECT)
    if big_mb is None or small_mb is None:
        return None
    return big_mb <= max(small_mb * BIG_LOG_MORE_RATIO_MAX, small_mb + BIG_LOG_MORE_MB_MAX)


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


def _at_least_kafka(*metrics: Metric) -> dict[str, Target]:
    return {
        metric.key: Target(f"{'≥' if metric.better is Better.HIGHER else '≤'} Kafka", _against_kafka(metric, 1.0))
        for metric in metrics
    }


def _idempotent(*metrics: Metric) -> dict[str, Target]:
    return {
        metric.key: Target(f"≤ {IDEMPOTENT_RATIO_MAX}", _at_most(metric, IDEMPOTENT_RATIO_MAX)) for metric in metrics
    }


TARGETS: dict[str, Target] = {
    start.START_SECONDS.key: Target(f"≤ {START_SECONDS_MAX} s or {START_YARDSTICK_TIMES_MAX}x import trio", _start),
    start.IDLE_MB.key: Target(f"≤ {IDLE_MB_MAX:.0f} MB", _at_most(start.IDLE_MB, IDLE_MB_MAX)),
    life.LIFE_SECONDS.key: Target("≤ 1/5 of Kafka", _against_kafka(life.LIFE_SECONDS, 5.0)),
    **_at_least_kafka(latency.PRODUCE_P50, latency.PRODUCE_P99),
    pipeline.PIPELINED_RATE.key: Target("≥ 2x Kafka", _against_kafka(pipeline.PIPELINED_RATE, 2.0)),
    batches.IN_RATE.key: Target("≥ 1.2x Kafka", _against_kafka(batches.IN_RATE, 1.2)),
    batches.OUT_RATE.key: Target("≥ 1.5x Kafka", _against_kafka(batches.OUT_RATE, 1.5)),
    **_idempotent(idempotence.SMALL_TIME, idempotence.SMALL_CPU, idempotence.LARGE_TIME, idempotence.LARGE_CPU),
    **_at_least_kafka(
        transactions.RATE,
        transactions.P99,
        transactions.OLD_RATE,
        transactions.OLD_P99,
        transactions.MANY_RATE,
        transactions.MANY_P99,
    ),
    restart.CLEAN_SERVED.key: Target(
        f"≤ {CLEAN_RESTART_SECONDS_MAX:.0f} s", _at_most(restart.CLEAN_SERVED, CLEAN_RESTART_SECONDS_MAX)
    ),
    restart.KILLED_SERVED.key: Target(
        f"≤ {KILLED_RESTART_SECONDS_MAX:.0f} s", _at_most(restart.KILLED_SERVED, KILLED_RESTART_SECONDS_MAX)
    ),
    big_log.BIG_MB.key: Target("≤ with 10 MB, but 5 % or 3 MB", _big_log),
}
