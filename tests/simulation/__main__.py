"""`python -m tests.simulation --seeds N [--first SEED]`, or `--seed SEED` for one run with its trace."""

from __future__ import annotations

import argparse
import time

from tests.simulation.environment import Violation
from tests.simulation.simulation import QuorumSimulation


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="only this one, with the last lines of its trace")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        simulation = QuorumSimulation(arguments.seed)
        try:
            simulation.run()
        except Violation as violation:
            print(violation)
            return 1
        print("\n".join(simulation.trace))
        return 0
    failed, events, acknowledged = [], 0, 0
    began = time.monotonic()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        simulation = QuorumSimulation(seed)
        try:
            simulation.run()
        except Violation as violation:
            failed.append(seed)
            print(violation, flush=True)
        events += simulation.queue.count
        acknowledged += len(simulation.clients.acknowledged)
    minutes = (time.monotonic() - began) / 60
    print(
        f"{arguments.seeds} seeds, {arguments.seeds / minutes:.0f} a minute: {events} events, "
        f"{acknowledged} records acknowledged, {len(failed)} violations {failed[:20]}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
