"""Bounds that our controllers refuse may be in the metadata of a cluster all the same: Apache Kafka's take some."""

from __future__ import annotations

from math import inf, nan

import pytest

from kafkapy.quotas.client_quotas import (
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    REQUEST_PERCENTAGE,
)
from kafkapy.quotas.sampled_rate import WAIT_MS_MAX
from kafkapy.security.principal import user
from tests.quotas.lab import QuotaLab

ALICE = user("alice")


@pytest.mark.parametrize(
    ("bound", "wait_ms"), [(nan, 0), (inf, 0), (0.0, WAIT_MS_MAX), (-1.0, WAIT_MS_MAX), (-inf, WAIT_MS_MAX)]
)
def test_a_bound_that_is_no_number_bounds_nothing_and_one_of_nothing_all(bound: float, wait_ms: int) -> None:
    lab = QuotaLab()
    keys = (CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE)
    lab.publish({("alice", None): dict.fromkeys(keys, bound)})
    quotas = lab.quotas
    assert quotas.record(CONSUMER_BYTE_RATE, ALICE, "c", 100) == wait_ms
    assert bool(quotas.record(REQUEST_PERCENTAGE, ALICE, "c", 100)) == bool(wait_ms), "of a window at most"
    quotas.record_mutations(ALICE, "c", 10)
    assert quotas.mutation_throttle_ms(ALICE, "c") == wait_ms
    most = quotas.most(CONSUMER_BYTE_RATE, ALICE, "c")
    assert most is not None
    assert (int(most) > 2**31) is not bool(wait_ms)
