"""The short form of the crash tests; `python -m compat_tests.crash` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")

from compat_tests.crash.workload import run_crashes

KILLS = 6


def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    outcome = run_crashes(tmp_path, kills=KILLS, seed=1)
    print(outcome.summary())
    assert not outcome.problems, "\n".join(outcome.problems)
    assert outcome.kills == KILLS
    assert outcome.acknowledged > 100
    assert outcome.transactions > 10
    assert outcome.cleanings["compacted"] > 0
