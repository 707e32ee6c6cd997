"""Who floods a node with nonsense does not flood its log."""

from __future__ import annotations

import logging

import pytest

from kafkapy.clock import ManualClock
from kafkapy.network.complaints import LINES_PER_PERIOD, PERIOD_MS, Complaints

LOGGER = logging.getLogger("tests.complaints")


def test_some_lines_a_minute_and_then_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(frozen=True)
    complaints = Complaints(LOGGER, clock)
    for number in range(1_000):
        complaints.warn("nonsense %d from %s", number, "a client")
    assert [record.getMessage() for record in caplog.records[:2]] == [
        "nonsense 0 from a client",
        "nonsense 1 from a client",
    ]
    assert len(caplog.records) == LINES_PER_PERIOD + 1
    clock.advance(PERIOD_MS)
    assert caplog.records[-1].getMessage() == f"{1_000 - LINES_PER_PERIOD} lines like the ones before were left out"
    complaints.warn("once more")
    assert caplog.records[-1].getMessage() == "once more"
    assert len(caplog.records) == LINES_PER_PERIOD + 3


def test_who_complains_seldom_is_heard_each_time(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(frozen=True)
    complaints = Complaints(LOGGER, clock)
    for _ in range(5):
        for _ in range(LINES_PER_PERIOD):
            complaints.warn("nonsense")
        clock.advance(PERIOD_MS)
    assert {record.getMessage() for record in caplog.records} == {"nonsense"}
    assert len(caplog.records) == 5 * LINES_PER_PERIOD
