"""`python -m benchmarks`: kafkapy beside Apache Kafka, kfake and librdkafka's mock, as a table, JSON and a picture.

With --cluster: clusters of three nodes, of kafkapy and of Apache Kafka.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import installation, plot, profiling, report, targets
from benchmarks.clusters import CLUSTERS
from benchmarks.measurement import FULL, QUICK, Results, Row, Scale
from benchmarks.peers import ON_DEMAND, PEERS, Peer
from benchmarks.rows import CLUSTER_ROWS, ROWS
from benchmarks.runner import FAILURES, run_row
from compat_tests.apache_kafka import ApacheKafkaFailed, MissingTool

RESULTS_DIRECTORY = Path(__file__).resolve().parent / "results"
ROW_NAMES = [row.name for row in ROWS]
CLUSTER_ROW_NAMES = [row.name for row in CLUSTER_ROWS]


def main() -> int:
    """0: all measured; 1: something failed, then the table says what."""
    arguments = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwinds, and so stops the brokers
    # The brokers are those installed, not a tree that the caller's shell points at, and their modules are compiled.
    for variable in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(variable, None)
    # 1,000 connections take a descriptor each here, and each in the broker, which inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    scale = QUICK if arguments.quick else FULL
    if arguments.rounds:
        scale = dataclasses.replace(scale, rounds=arguments.rounds)
    try:
        if arguments.profile:
            (row,) = (row for row in ROWS if row.name == arguments.profile)
            file = arguments.output / f"profile-{row.name}.pstats"
            print(f"{profiling.profile(row, scale, file)}\n\nall of it: {file}")
            return 0
        rows = [row for row in (CLUSTER_ROWS if arguments.cluster else ROWS) if row.name in arguments.only]
        makers = CLUSTERS if arguments.cluster else {**PEERS, **ON_DEMAND}
        peers = [make() for name, make in makers.items() if name in arguments.peers]
        held_to = targets.merged(targets.TARGETS, targets.no_worse_than(arguments.before))
        figures = arguments.output / ("cluster.json" if arguments.cluster else "latest.json")
        return _compare(rows, peers, scale, held_to, figures)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (MissingTool, ApacheKafkaFailed, *FAILURES) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cluster", action="store_true", help="clusters of three nodes instead of single brokers")
    parser.add_argument("--quick", action="store_true", help="less work and fewer rounds: to see that it runs")
    parser.add_argument(
        "--only",
        type=_names(ROW_NAMES + CLUSTER_ROW_NAMES),
        metavar="ROW[,ROW]",
        help=f"{', '.join(ROW_NAMES)}; of clusters: {', '.join(CLUSTER_ROW_NAMES)}",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each peer is measured in turn")
    parser.add_argument(
        "--peers",
        type=_names(list(dict.fromkeys([*PEERS, *ON_DEMAND, *CLUSTERS]))),
        metavar="PEER[,PEER]",
        help=f"{', '.join(PEERS)}; on demand: {', '.join(ON_DEMAND)}; of clusters: {', '.join(CLUSTERS)}",
    )
    parser.add_argument(
        "--before", type=_earlier_run, default={}, metavar="LATEST.JSON", help="an earlier run: no row may be worse"
    )
    parser.add_argument("--profile", choices=ROW_NAMES, metavar="ROW", help="kafkapy under cProfile instead")
    parser.add_argument("--output", type=Path, default=RESULTS_DIRECTORY, metavar="DIRECTORY")
    arguments = parser.parse_args()
    for option, known in (
        ("only", CLUSTER_ROW_NAMES if arguments.cluster else ROW_NAMES),
        ("peers", list(CLUSTERS if arguments.cluster else PEERS)),
    ):
        chosen = getattr(arguments, option)
        if chosen is None:
            setattr(arguments, option, known)
        elif not set(chosen) <= {*known, *(() if arguments.cluster or option == "only" else ON_DEMAND)}:
            parser.error(f"--{option} takes {', '.join(known)} {'with' if arguments.cluster else 'without'} --cluster")
    return arguments


def _names(known: list[str]) -> Callable[[str], list[str]]:
    """Takes names out of `known`, separated by commas; gives them in the order of `known`."""

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return [name for name in known if name in chosen]

    return parse


def _earlier_run(text: str) -> dict[str, float]:
    try:
        return targets.gains_in(Path(text))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _compare(rows: Sequence[Row], peers: Sequence[Peer], scale: Scale, held_to: report.Targets, figures: Path) -> int:
    installation.program()  # the yardsticks of `start` run in it, whoever takes part
    results = Results()
    peers = [peer for peer in peers if _install(peer, results)]
    run = report.machine()
    print(f"{run['cpu']}, {run['cpu_count']} CPUs; {run['system']}; load {run['load_average']:.2f}; {run['date']}")
    print(f"kafkapy {run['revision']}, Python {run['python']}, installed in {installation.environment()}")
    print(f"Apache Kafka on {run['java']}, with the JVM flags of its own scripts; kfake {run['kfake']}")
    print(
        f"{scale.name} run, medians of {scale.rounds} rounds; in brackets: times better than Apache Kafka\n", flush=True
    )
    for row in rows:
        run_row(row, peers, scale, results)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    print(report.table(rows, peers, results, held_to))
    if notes := report.footnotes(results, peers):
        print(f"\n{notes}")
    figures.parent.mkdir(parents=True, exist_ok=True)
    figures.write_text(report.as_json(rows, peers, scale, results, held_to, run))
    written = [figures, *plot.draw(rows, results, run, figures.parent)]
    print(f"\nwritten: {', '.join(map(str, written))}")
    return 1 if results.failed else 0


def _install(peer: Peer, results: Results) -> bool:
    """Whether the peer's programs are there, downloaded or built. Without `java` or `go` all rows leave it out."""
    try:
        peer.install()
    except MissingTool as missing:
        print(f"{peer.title} is left out: {missing}", file=sys.stderr)
        results.left_out.setdefault("all rows", {})[peer.name] = str(missing)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
