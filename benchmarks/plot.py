"""The picture for the README: how many times better than Apache Kafka, one bar a metric, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import Metric, Results, Row
from benchmarks.report import gain_text, number
from benchmarks.rows import (
    batches,
    big_log,
    compaction,
    connections,
    idempotence,
    idle_connections,
    latency,
    life,
    pipeline,
    restart,
    start,
    stop,
    topics,
    transactions,
)
from benchmarks.targets import REFERENCE, SUBJECT, times_better
from compat_tests.apache_kafka import KAFKA_VERSION

# The rows somebody chooses a broker by; the table has all.
SHOWN: tuple[Metric, ...] = (
    start.START_SECONDS,
    start.IDLE_MB,
    life.LIFE_SECONDS,
    latency.PRODUCE_P50,
    latency.PRODUCE_P99,
    latency.DELIVERY_P50,
    latency.DELIVERY_P99,
    pipeline.PIPELINED_RATE,
    batches.IN_RATE,
    batches.OUT_RATE,
    connections.CONNECTIONS_RATE,
    idle_connections.CONNECTION_KB,
    topics.CREATE_ONE,
    topics.CREATE_MANY,
    topics.METADATA_MANY,
    idempotence.SMALL_IDEMPOTENT_US,
    transactions.RATE,
    transactions.P99,
    transactions.MANY_RATE,
    compaction.LARGE_RATE,
    compaction.SMALL_RATE,
    restart.CLEAN_SERVED,
    restart.KILLED_SERVED,
    stop.STOP_SECONDS,
    big_log.BIG_MB,
)
AHEAD, BEHIND, INK, FAINT = "#1a7f5a", "#c2571a", "#24292f", "#8b949e"
INCHES_WIDE, INCHES_A_BAR = 9.0, 0.42


def draw(rows: Sequence[Row], results: Results, run: dict[str, str | int | float], directory: Path) -> list[Path]:
    """Write `latest.svg` and `latest.png`; the files written, none when no metric has both brokers."""
    measured = {metric.key for row in rows for metric in row.metrics}
    bars = [
        (metric, gain)
        for metric in SHOWN
        if metric.key in measured and (gain := times_better(results, metric, SUBJECT)) is not None
    ]
    if not bars:
        return []
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: small, and sharp at every size
    mpl.rcParams["font.family"] = ["DejaVu Sans", "sans-serif"]
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(INCHES_WIDE, 1.5 + INCHES_A_BAR * len(bars)), layout="constrained")
    positions = list(range(len(bars)))
    gains = [gain for _, gain in bars]
    axes.barh(positions, [gain - 1 for gain in gains], left=1, height=0.62, color=[_color(gain) for gain in gains])
    axes.set_xscale("log")
    least, most = min([0.5, *gains]), max([2.0, *gains])
    axes.set_xlim(least / 1.6, most * 6)
    axes.axvline(1, color=INK, linewidth=1)
    for position, (metric, gain) in enumerate(bars):
        axes.annotate(
            _label(results, metric, gain),
            (max(gain, 1.0), position),
            xytext=(6, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=8.5,
            color=INK,
        )
    axes.set_yticks(positions, [metric.title for metric, _ in bars], fontsize=9.5, color=INK)
    axes.set_ylim(len(bars) - 0.5, -0.5)  # the first on top
    ticks = [
        tick
        for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
        if least / 1.6 <= tick <= most * 1.5
    ]
    axes.set_xticks(ticks, ["Kafka" if tick == 1 else f"{tick:g}x" for tick in ticks], fontsize=8.5, color=FAINT)
    axes.minorticks_off()
    axes.tick_params(length=0)
    axes.grid(axis="x", color="#d0d7de", linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.suptitle(
        f"kafkapy: times better than Apache Kafka {KAFKA_VERSION} (shorter, smaller, or more a second)",
        x=0.01,
        horizontalalignment="left",
        fontsize=11,
        color=INK,
    )
    axes.set_xlabel(
        "The axis is logarithmic. Medians of one run in turns. "
        f"{run['cpu']}, {run['cpu_count']} CPUs. {str(run['date'])[:10]}",
        fontsize=8,
        color=FAINT,
        loc="left",
    )
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / "latest.svg", directory / "latest.png"]
    for file in files:
        figure.savefig(file, dpi=160, facecolor="white")
    pyplot.close(figure)
    return files


def _color(gain: float) -> str:
    return AHEAD if gain >= 1 else BEHIND


def _label(results: Results, metric: Metric, gain: float) -> str:
    subject = number(results.median(metric.key, SUBJECT) or 0.0)
    reference = number(results.median(metric.key, REFERENCE) or 0.0)
    return f"$\\bf{{{gain_text(gain)}}}$   {subject} {metric.unit}  (Kafka {reference})"
