"""The quorum under seeded misfortune, and what the simulation is worth: it finds planted mistakes."""

from __future__ import annotations

import os

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.planting import seeds_that_find
from tests.simulation.simulation import QuorumSimulation

SEEDS = int(os.environ.get("KAFKAPY_SIMULATION_SEEDS", "30"))  # the long form: python -m tests.simulation --seeds 10000
SEEDS_UNTIL_FOUND = 100


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_that_raft_promises_is_broken(seed: int) -> None:
    QuorumSimulation(seed).run()


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return seeds_that_find("--mutations", str(SEEDS_UNTIL_FOUND))


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_simulation_finds(mutation: str, found: dict[str, str]) -> None:
    assert found[mutation].startswith("seed ")
