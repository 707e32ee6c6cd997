"""The short form of each attack: the broker survives, and it costs what it may cost in CPU, memory and lines of log."""

from __future__ import annotations

import pytest

from tests.attack.__main__ import SHORT_SCALE, above_bounds
from tests.attack.scenario import Scenario, run
from tests.attack.scenarios import ALL


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_an_attack_costs_what_it_may(scenario: Scenario) -> None:
    outcome = run(scenario, SHORT_SCALE)
    assert outcome.waits.produces > 0
    assert not above_bounds(scenario, outcome), outcome
