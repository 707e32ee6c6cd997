"""`python -m tests.simulation [--cluster] --seeds N [--first SEED]`, or `--seed SEED` for one run with its trace.

`--cluster` plays whole clusters instead of the quorum alone. `--mutations N` plants each mistake in turn and says which
of N seeds finds it, beginning with the one that is known to; with `--anew`, with seed 0.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulation import cluster_mutations, mutations
from tests.simulation.cluster_simulation import ClusterSimulation
from tests.simulation.environment import Violation
from tests.simulation.simulation import QuorumSimulation


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--cluster", action="store_true", help="whole clusters, not the quorum alone")
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="only this one, with its trace")
    parser.add_argument("--mutations", type=int, metavar="N", help="which of N seeds finds each planted mistake")
    parser.add_argument("--anew", action="store_true", help="which finds it first")
    arguments = parser.parse_args()
    kind: type[QuorumSimulation | ClusterSimulation] = ClusterSimulation if arguments.cluster else QuorumSimulation
    if arguments.seed is not None:
        return _run_one(kind, arguments.seed)
    if arguments.mutations is not None:
        return _find_mutations(kind, arguments.mutations, anew=arguments.anew)
    return _run_many(kind, range(arguments.first, arguments.first + arguments.seeds))


def _run_one(kind: type[QuorumSimulation | ClusterSimulation], seed: int) -> int:
    simulation = kind(seed, with_log=True) if kind is ClusterSimulation else kind(seed)
    try:
        simulation.run()
    except Violation as violation:
        print(violation)
        return 1
    print("\n".join(simulation.trace))
    return 0


def _run_many(kind: type[QuorumSimulation | ClusterSimulation], seeds: range) -> int:
    failed, events, acknowledged = [], 0, 0
    began = time.monotonic()
    for seed in seeds:
        simulation = kind(seed)
        try:
            simulation.run()
        except Violation as violation:
            failed.append(seed)
            print(violation, flush=True)
        events += simulation.queue.count
        clients = simulation.clients.acknowledged
        acknowledged += clients if isinstance(clients, int) else len(clients)
    minutes = (time.monotonic() - began) / 60
    print(
        f"{len(seeds)} seeds, {len(seeds) / minutes:.0f} a minute: {events} events, "
        f"{acknowledged} acknowledged, {len(failed)} violations {failed[:20]}"
    )
    return 1 if failed else 0


def _find_mutations(kind: type[QuorumSimulation | ClusterSimulation], count: int, *, anew: bool) -> int:
    of_cluster = kind is ClusterSimulation
    planted = cluster_mutations.CLUSTER_MUTATIONS if of_cluster else mutations.MUTATIONS
    known = cluster_mutations.FIRST_SEED if of_cluster else mutations.FIRST_SEED
    missed = 0
    for name, plant in planted.items():
        first = 0 if anew else known.get(name, 0)
        seeds = [*range(first, count), *range(min(first, count))]
        found = next((seed for seed in seeds if _finds(kind, plant, seed)), None)
        missed += found is None
        print(f"{name}: {'not found' if found is None else f'seed {found}'}", flush=True)
    return 1 if missed else 0


def _finds(kind: type[QuorumSimulation | ClusterSimulation], plant: object, seed: int) -> bool:
    assert callable(plant)
    with plant():
        try:
            kind(seed).run()
        except (Violation, AssertionError):
            return True
    return False


if __name__ == "__main__":
    if "PYTHONHASHSEED" not in os.environ:  # sets of strings have another order in each process otherwise
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    raise SystemExit(main())
