"""What a test makes of two transcripts: every difference is either in the table of accepted ones, or a failure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from compat_tests.differential.accepted_differences import ACCEPTED
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.peer import Answer


def judge(
    scenario: str,
    kafkapy: Sequence[Answer],
    apache: Sequence[Answer],
    config: pytest.Config,
    *,
    is_strict: bool = False,
) -> None:
    """Fail the test for a difference that is not accepted, and for an accepted one that is not there. With `is_strict`
    no kindness is accepted.
    """
    assert apache, "a scenario that asks nothing compares nothing"
    found = list(differences(kafkapy, apache))
    accepted = [entry for entry in ACCEPTED if entry.scenario == scenario]
    if is_strict:
        accepted = [entry for entry in accepted if entry.switch is None]
    if config.getoption("--broker") == "apache":
        accepted = []
    unexplained = [one for one in found if not any(entry.covers(one) for entry in accepted)]
    outdated = [entry.where for entry in accepted if not any(entry.covers(one) for one in found)]
    if unexplained:
        text = f"{len(unexplained)} unexplained differences\n" + report(unexplained)
        pytest.fail(text, pytrace=False)  # an assert would have pytest explain the list, which takes minutes
    if outdated:
        pytest.fail("accepted_differences.py lists what is no longer true: " + "; ".join(outdated), pytrace=False)
