"""Whole clusters under seeded misfortune, and what the simulation is worth: it finds planted mistakes."""

from __future__ import annotations

import os

import pytest

from tests.simulation.cluster_mutations import CLUSTER_MUTATIONS
from tests.simulation.cluster_simulation import ClusterSimulation
from tests.simulation.planting import seeds_that_find

# The long form: python -m tests.simulation --cluster --seeds 10000, and --mutations 100
SEEDS = int(os.environ.get("KAFKAPY_CLUSTER_SIMULATION_SEEDS", "6"))
SEEDS_UNTIL_FOUND = 80


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_that_kafka_promises_is_broken(seed: int) -> None:
    ClusterSimulation(seed).run()


def test_a_run_is_the_same_each_time() -> None:
    runs = [ClusterSimulation(3) for _ in range(2)]
    for run in runs:
        run.run()
    assert runs[0].trace == runs[1].trace
    assert runs[0].queue.count == runs[1].queue.count


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return seeds_that_find("--cluster", "--mutations", str(SEEDS_UNTIL_FOUND))


@pytest.mark.parametrize("mutation", CLUSTER_MUTATIONS)
def test_the_simulation_of_clusters_finds(mutation: str, found: dict[str, str]) -> None:
    assert found[mutation].startswith("seed ")
