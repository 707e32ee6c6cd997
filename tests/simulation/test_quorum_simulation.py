"""The quorum under seeded misfortune, and what the simulation is worth: it finds planted mistakes."""

from __future__ import annotations

import os

import pytest

from tests.simulation.environment import Violation
from tests.simulation.mutations import FIRST_SEED, MUTATIONS
from tests.simulation.simulation import QuorumSimulation

SEEDS = int(os.environ.get("KAFKAPY_SIMULATION_SEEDS", "30"))  # the long form: python -m tests.simulation --seeds 10000
SEEDS_UNTIL_FOUND = 100


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_that_raft_promises_is_broken(seed: int) -> None:
    QuorumSimulation(seed).run()


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_simulation_finds(mutation: str) -> None:
    with MUTATIONS[mutation]():
        first = FIRST_SEED.get(mutation, 0)
        for seed in [*range(first, SEEDS_UNTIL_FOUND), *range(first)]:
            try:
                QuorumSimulation(seed).run()
            except (Violation, AssertionError):
                return
    pytest.fail(f"{mutation}: not found in {SEEDS_UNTIL_FOUND} seeds")
