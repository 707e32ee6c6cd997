"""What the figures are held to; a target is judged within one run, since only that compares like with like.

"No worse than before" takes an earlier run as well (`--before`), and of each of the two how many times better than
Apache Kafka kafkapy did in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measurement import Better, Metric, Results
from benchmarks.rows import (
    batches,
    big_log,
    compaction,
    connections,
    failover,
    formed,
    groups,
    idempotence,
    idle_connections,
    kit,
    latency,
    life,
    pipeline,
    replication,
    restart,
    sharing,
    start,
    stop,
    topics,
    transactions,
)

SUBJECT = "kafkapy"
REFERENCE = "kafka"
KFAKE = "kfake"
PROCESSES = "processes"
RECORDING = "recording"
NAMES = {SUBJECT: "kafkapy", REFERENCE: "Kafka", KFAKE: "kfake", PROCESSES: "three processes", RECORDING: "recording"}

START_SECONDS_MAX = 0.25
KIT_FIRST_SECONDS_MAX = 0.25
KIT_SECOND_MS_MAX = 30
KIT_RESET_MS_MAX = 10
RECORDING_CPU_RATIO_MAX = 1.3
START_YARDSTICK_TIMES_MAX = 1.6  # a slow machine is slow for `import trio` too
IDLE_MB_MAX = 45.0
IDLE_CONNECTION_KB_MAX = 8.0
STOP_MS_MAX = 30
STOP_5000_SECONDS_MAX = 3.0
IDEMPOTENT_RATIO_MAX = 1.1
CLEAN_RESTART_SECONDS_MAX = 1.0
KILLED_RESTART_SECONDS_MAX = 3.0
# A log of 10 GB against one of 10 MB: as much as two processes that did the same differ by.
BIG_LOG_MORE_RATIO_MAX = 1.05
BIG_LOG_MORE_MB_MAX = 3.0
FORMED_SECONDS_MAX = 0.6
FORMED_MB_MAX = 60.0
FAILOVER_SHORT_SECONDS_MAX = 0.3
NO_WORSE_RATIO_MIN = 0.9  # of the gain over Apache Kafka: two runs of the same code differ by that much


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


def _big_log(results: Results) -> bool | None:
    big_mb = results.median(big_log.BIG_MB.key, SUBJECT)
    small_mb = results.median(big_log.SMALL_MB.key, SUBJECT)
    if big_mb is None or small_mb is None:
        return None
    return big_mb <= max(small_mb * BIG_LOG_MORE_RATIO_MAX, small_mb + BIG_LOG_MORE_MB_MAX)


def _at_most(metric: Metric, most: float, unit: str = "", subject: str = SUBJECT) -> Target:
    def judge(results: Results) -> bool | None:
        value = results.median(metric.key, subject)
        return None if value is None else value <= most

    return Target(f"≤ {most:g} {unit}".rstrip(), judge)


def _against(metric: Metric, peer: str, times: float = 1.0, subject: str = SUBJECT) -> Target:
    """The figure at least (where more is better) or at most `times` that of a peer."""
    higher = metric.better is Better.HIGHER

    def judge(results: Results) -> bool | None:
        value = results.median(metric.key, subject)
        other = results.median(metric.key, peer)
        if value is None or other is None:
            return None
        return value >= times * other if higher else value <= times * other

    factor = "" if times == 1 else f"{times:g}x "
    who = "" if subject == SUBJECT else f" ({NAMES[subject]})"
    return Target(f"{'≥' if higher else '≤'} {factor}{NAMES[peer]}{who}", judge)


def times_better(results: Results, metric: Metric, who: str) -> float | None:
    """How many times better than Apache Kafka: 2.0 is twice the rate or half the time. None: one was not measured."""
    value = results.median(metric.key, who)
    reference = results.median(metric.key, REFERENCE)
    if not value or not reference:
        return None
    return value / reference if metric.better is Better.HIGHER else reference / value


def gains_in(file: Path) -> dict[str, float]:
    """From the `latest.json` of an earlier run: metric key -> how many times better than Apache Kafka kafkapy did.

    Raises OSError; ValueError: the file is not such a run.
    """
    document = json.loads(file.read_text())
    try:
        gains = {key: metric["times_better_than_kafka"].get(SUBJECT) for key, metric in document["metrics"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not the latest.json of a run of `python -m benchmarks`") from error
    return {key: gain for key, gain in gains.items() if gain is not None}


def no_worse_than(before: dict[str, float]) -> dict[str, tuple[Target, ...]]:
    """One more target for each of NO_WORSE that the earlier run measured."""

    def target(metric: Metric, gain_before: float) -> Target:
        def judge(results: Results) -> bool | None:
            gain = times_better(results, metric, SUBJECT)
            return None if gain is None else gain >= NO_WORSE_RATIO_MIN * gain_before

        return Target(f"as before ({gain_before:.2g}x)", judge)

    return {metric.key: (target(metric, before[metric.key]),) for metric in NO_WORSE if metric.key in before}


def merged(*groups: dict[str, tuple[Target, ...]]) -> dict[str, tuple[Target, ...]]:
    """Metric key -> all its targets."""
    targets: dict[str, tuple[Target, ...]] = {}
    for group in groups:
        for key, more in group.items():
            targets[key] = (*targets.get(key, ()), *more)
    return targets


def _each(metrics: Iterable[Metric], *conditions: Callable[[Metric], Target]) -> dict[str, tuple[Target, ...]]:
    return {metric.key: tuple(condition(metric) for condition in conditions) for metric in metrics}


def _kafka(times: float = 1.0, subject: str = SUBJECT) -> Callable[[Metric], Target]:
    return lambda metric: _against(metric, REFERENCE, times, subject)


def _kfake(times: float = 1.0) -> Callable[[Metric], Target]:
    return lambda metric: _against(metric, KFAKE, times)


TARGETS: dict[str, tuple[Target, ...]] = {
    start.START_SECONDS.key: (Target(f"≤ {START_SECONDS_MAX} s or {START_YARDSTICK_TIMES_MAX}x import trio", _start),),
    start.IDLE_MB.key: (_at_most(start.IDLE_MB, IDLE_MB_MAX, "MB"),),
    start.STOP_MS.key: (_at_most(start.STOP_MS, STOP_MS_MAX, "ms"),),
    **_each([life.LIFE_SECONDS], _kafka(0.2)),
    kit.FIRST_SECONDS.key: (_at_most(kit.FIRST_SECONDS, KIT_FIRST_SECONDS_MAX, "s"),),
    kit.SECOND_MS.key: (_at_most(kit.SECOND_MS, KIT_SECOND_MS_MAX, "ms"),),
    kit.RESET_MS.key: (_at_most(kit.RESET_MS, KIT_RESET_MS_MAX, "ms"),),
    **_each([kit.SUITE_SECONDS, kit.SUITE_EACH_SECONDS], _kafka()),
    **_each([latency.PRODUCE_P50, latency.PRODUCE_P99], _kafka(), _kfake(1.15)),
    **_each([latency.PRODUCE_ALL_P50, latency.PRODUCE_ALL_P99], _kafka()),
    **_each([latency.DELIVERY_P50, latency.DELIVERY_P99], _kfake(1.25)),
    **_each([pipeline.PIPELINED_RATE], _kafka(2), _kfake(0.95)),
    **_each(
        [pipeline.PIPELINED_CPU],
        _kfake(),
        lambda metric: _against(metric, SUBJECT, RECORDING_CPU_RATIO_MAX, subject=RECORDING),
    ),
    **_each([batches.IN_RATE], _kafka(1.2)),
    **_each([batches.OUT_RATE], _kafka(1.5)),
    **_each([connections.CONNECTIONS_RATE], _kafka(1.5), _kfake(0.7)),
    idle_connections.CONNECTION_KB.key: (_at_most(idle_connections.CONNECTION_KB, IDLE_CONNECTION_KB_MAX, "kB"),),
    **_each([topics.CREATE_EPHEMERAL], _kfake(1.5)),
    **_each([topics.METADATA_MANY], _kafka()),
    **_each(
        [idempotence.SMALL_TIME, idempotence.SMALL_CPU, idempotence.LARGE_TIME, idempotence.LARGE_CPU],
        lambda metric: _at_most(metric, IDEMPOTENT_RATIO_MAX),
    ),
    **_each(
        [
            transactions.RATE,
            transactions.P99,
            transactions.OLD_RATE,
            transactions.OLD_P99,
            transactions.MANY_RATE,
            transactions.MANY_P99,
        ],
        _kafka(),
    ),
    **_each(groups.REBALANCE_MS.values(), _kafka()),
    **_each(groups.REBALANCE_CPU.values(), _kafka(0.5)),
    **_each([sharing.RATE, sharing.ACK_P99], _kafka()),
    **_each([compaction.LARGE_RATE, compaction.SMALL_RATE], _kafka()),
    restart.CLEAN_SERVED.key: (_at_most(restart.CLEAN_SERVED, CLEAN_RESTART_SECONDS_MAX, "s"),),
    restart.KILLED_SERVED.key: (_at_most(restart.KILLED_SERVED, KILLED_RESTART_SECONDS_MAX, "s"),),
    stop.STOP_SECONDS.key: (_at_most(stop.STOP_SECONDS, STOP_5000_SECONDS_MAX, "s"),),
    big_log.BIG_MB.key: (Target("≤ with 10 MB, but 5 % or 3 MB", _big_log),),
    formed.FORMED_SECONDS.key: (_at_most(formed.FORMED_SECONDS, FORMED_SECONDS_MAX, "s"),),
    formed.FORMED_MB.key: (_at_most(formed.FORMED_MB, FORMED_MB_MAX, "MB"),),
    **_each(
        [replication.REPLICATED_P50, replication.REPLICATED_P99, replication.REPLICATED_RATE],
        _kafka(),
        _kafka(subject=PROCESSES),
    ),
    **_each([replication.REPLICATED_BATCH_CPU], _kafka(0.5), _kafka(0.5, subject=PROCESSES)),
    **_each(
        failover.FAILOVER_SHORT_GAPS,
        lambda metric: _at_most(metric, FAILOVER_SHORT_SECONDS_MAX, "s", subject=PROCESSES),
    ),
}
NO_WORSE: tuple[Metric, ...] = (
    start.START_SECONDS,
    start.IDLE_MB,
    batches.IN_RATE,
    batches.IN_CPU,
    batches.OUT_RATE,
    batches.OUT_CPU,
    transactions.RATE,
    transactions.P99,
    transactions.MANY_RATE,
    transactions.MANY_P99,
    restart.CLEAN_SERVED,
    restart.KILLED_SERVED,
)
