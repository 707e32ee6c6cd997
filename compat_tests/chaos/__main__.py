"""`python -m compat_tests.chaos --minutes 30 --nodes 3 --seed 1`: the long form of the chaos test. 1 on any problem."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from compat_tests.chaos.run import Chaos
from compat_tests.chaos.security import PROTOCOLS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long nodes have troubles (10)")
    parser.add_argument("--nodes", type=int, default=3, choices=(3, 5), help="broker and controller each (3)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the troubles and of what clients do (1)")
    parser.add_argument("--apache", action="store_true", help="nodes of Apache Kafka: does the test tell the truth?")
    parser.add_argument(
        "--security", choices=PROTOCOLS, default="plaintext", help="of every listener, controllers' too (plaintext)"
    )
    parser.add_argument("--keep", action="store_true", help="keep everything although nothing was wrong")
    parser.add_argument("--directory", type=Path, help="where to put it (a new directory)")
    arguments = parser.parse_args()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="kafkapy-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no node and no network is left behind

    def tell(text: str) -> None:
        print(text, flush=True)

    chaos = Chaos(
        directory,
        nodes=arguments.nodes,
        seed=arguments.seed,
        seconds=60 * arguments.minutes,
        tell=tell,
        apache=arguments.apache,
        protocol=arguments.security,
    )
    outcome = chaos.run()
    for problem in outcome.problems:
        print(f"PROBLEM {problem}")
    print(f"seed {arguments.seed}, {outcome.seconds:.0f} s: {chaos.summary}")
    if outcome.verdict:
        print(f"checker: {outcome.verdict['sizes']}, allowed: {outcome.verdict['allowed']}")
    if outcome.problems or arguments.keep:
        print(f"kept: {directory}; what was done when is in {directory / 'log'}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
