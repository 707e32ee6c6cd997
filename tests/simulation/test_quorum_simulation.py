"""The quorum under seeded misfortune, and what the simulation is worth: it finds planted mistakes."""

from __future__ import annotations

import os

import pytest

from tests.simulation.auditor import Violation
from tests.simulation.mutations import MUTATIONS
from tests.simulation.simulation import QuorumSimulation

SEEDS = int(os.environ.get("KAFKAPY_SIMULATION_SEEDS", "40"))  # the long form: KAFKAPY_SIMULATION_SEEDS=10000
SEEDS_UNTIL_FOUND = int(os.environ.get("KAFKAPY_MUTATION_SEEDS", "100"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_that_raft_promises_is_broken(seed: int) -> None:
    QuorumSimulation(seed).run()


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_simulation_finds(mutation: str) -> None:
    with MUTATIONS[mutation]():
        for seed in range(SEEDS_UNTIL_FOUND):
            try:
                QuorumSimulation(seed).run()
            except (Violation, AssertionError):
                return
    pytest.fail(f"{mutation}: not found in {SEEDS_UNTIL_FOUND} seeds")
