"""`python -m compat_tests.crash --kills 500 --seed 1`: the long form of the crash tests. Ends with 1 on any problem."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from compat_tests.crash.workload import run_crashes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="how often to kill the broker (500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments and of what clients do (1)")
    parser.add_argument("--no-transactions", action="store_true", help="only idempotent producers and groups")
    parser.add_argument("--keep", action="store_true", help="keep data and history although nothing was wrong")
    parser.add_argument("--directory", type=Path, help="where to put them (a new directory)")
    arguments = parser.parse_args()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="kafkapy-crash-"))
    directory.mkdir(parents=True, exist_ok=True)

    def tell(text: str) -> None:
        print(text, flush=True)

    outcome = run_crashes(
        directory, kills=arguments.kills, seed=arguments.seed, transactions=not arguments.no_transactions, tell=tell
    )
    for problem in outcome.problems:
        print(f"PROBLEM {problem}")
    print(f"seed {arguments.seed}: {outcome.summary()}")
    if outcome.verdict:
        print(f"checker: {outcome.verdict['sizes']}, allowed: {outcome.verdict['allowed']}")
    if outcome.problems or arguments.keep:
        print(f"kept: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
