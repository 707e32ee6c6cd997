"""A short soak: every kind of work goes on side by side without an error, and no descriptor stays open."""

from __future__ import annotations

from tests.soak.growth import descriptors_left, memory_growth, slope
from tests.soak.soak import Plan, soak

SECONDS = 10
MEMORY_GROWTH_MAX = 60  # MB a minute: caches fill during such a short run, a copy of all that is produced is more


def test_mixed_work_leaves_no_errors_and_no_descriptors() -> None:
    lines: list[str] = []
    outcome = soak(Plan(seconds=SECONDS, report_seconds=0.25), lines.append)
    assert not outcome.unexpected_errors, (outcome.unexpected_errors, lines)
    for kind in ("records", "transactions", "fetches", "lives of members", "topics", "connections", "questions"):
        assert outcome.done[kind], (kind, lines)
    assert not descriptors_left(*outcome.at_rest), (outcome.at_rest, lines)
    assert memory_growth(outcome.samples) < MEMORY_GROWTH_MAX, lines


def test_slope_is_that_of_the_line_nearest_to_the_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 0), (1, 1), (2, 0)]) == 0
