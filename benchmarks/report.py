"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import kfake_program
from benchmarks.installation import ROOT
from benchmarks.measurement import Metric, Results, Row, Scale
from benchmarks.peers import Peer
from benchmarks.targets import REFERENCE, Target, times_better

ABSENT = "-"
Targets = Mapping[str, tuple[Target, ...]]  # of each metric that has some, by its key


def machine() -> dict[str, str | int | float]:
    """Where and when a run happened: enough to know which runs may be compared (none from two machines)."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count() or 0,
        "load_average": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "java": _first_line("java", "-version"),
        "kfake": kfake_program.module_version(),
        "revision": _first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    except FileNotFoundError:
        return f"{command[0]} not found"
    return next(iter(done.stdout.splitlines()), "")


def as_json(
    rows: Sequence[Row],
    peers: Sequence[Peer],
    scale: Scale,
    results: Results,
    targets: Targets,
    run: dict[str, str | int | float],
) -> str:
    """Medians, all rounds, ratios and targets of a run."""
    metrics = {}
    for row in rows:
        for metric in row.metrics:
            measured = results.values.get(metric.key, {})
            metrics[metric.key] = {
                "row": row.name,
                "title": metric.title,
                "unit": metric.unit,
                "better": metric.better.value,
                "median": {who: results.median(metric.key, who) for who in measured},
                "times_better_than_kafka": {
                    peer.name: times_better(results, metric, peer.name)
                    for peer in peers
                    if peer.name in measured and peer.name != REFERENCE
                },
                "rounds": measured,
                "targets": [
                    {"text": target.text, "met": target.judge(results)} for target in targets.get(metric.key, ())
                ],
            }
    document = {
        "run": {**run, "scale": scale.name, "rounds": scale.rounds},
        "peers": {peer.name: peer.title for peer in peers},
        "metrics": metrics,
        "left_out": {row: reasons for row, reasons in results.left_out.items() if reasons},
    }
    return json.dumps(document, indent=2) + "\n"


def table(rows: Sequence[Row], peers: Sequence[Peer], results: Results, targets: Targets) -> str:
    """One line a metric: the medians, in brackets how many times better than Apache Kafka (below 1: worse)."""
    lines = [["", *(peer.title for peer in peers), "target", ""]]
    for row in rows:
        for metric in row.metrics:
            held_to = targets.get(metric.key, ())
            lines.append(
                [
                    f"{metric.title}, {metric.unit}",
                    *(_cell(results, metric, peer) for peer in peers),
                    ", ".join(target.text for target in held_to),
                    _verdict(held_to, results),
                ]
            )
            lines.extend(
                [f"  {who}", *(number(value) if n == 0 else "" for n, _ in enumerate(peers)), "", ""]
                for who in results.values.get(metric.key, {})
                if who not in {peer.name for peer in peers} and (value := results.median(metric.key, who)) is not None
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for line in lines:
        values = (f"{cell:>{width}}" for cell, width in zip(line[1:-2], widths[1:-2], strict=True))
        text.append("  ".join([f"{line[0]:<{widths[0]}}", *values, f"{line[-2]:<{widths[-2]}}", line[-1]]).rstrip())
    text.insert(1, "-" * max(len(line) for line in text))
    return "\n".join(text)


def footnotes(results: Results, peers: Sequence[Peer]) -> str:
    """Who was left out of what, and why."""
    titles = {peer.name: peer.title for peer in peers}
    return "\n".join(
        f"{titles.get(name, name)} left out of {row}: {reason}"
        for row, reasons in results.left_out.items()
        for name, reason in reasons.items()
    )


def _cell(results: Results, metric: Metric, peer: Peer) -> str:
    value = results.median(metric.key, peer.name)
    if value is None:
        return ABSENT
    gain = None if peer.name == REFERENCE else times_better(results, metric, peer.name)
    return number(value) + (f" {f'({gain_text(gain)})':<7}" if gain is not None else "")


def gain_text(gain: float) -> str:
    """ "25x", "2.5x" or "0.82x": two digits that count, since the machine's noise is no smaller."""
    return f"{gain:.0f}x" if gain >= 9.95 else f"{gain:.1f}x" if gain >= 0.95 else f"{gain:.2f}x"


def number(value: float) -> str:
    """Three digits that count, thousands grouped."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _verdict(held_to: tuple[Target, ...], results: Results) -> str:
    """ "met" when all that the run could judge are, otherwise those that are not."""
    verdicts = [(target, target.judge(results)) for target in held_to]
    missed = [target.text for target, met in verdicts if met is False]
    if missed:
        return "MISSED" if len(held_to) == 1 else f"MISSED {', '.join(missed)}"
    return "met" if any(met for _, met in verdicts) else ""
