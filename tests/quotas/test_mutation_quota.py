"""How long a client has to wait for controller_mutation_rate, from when on it is told."""

from __future__ import annotations

from kafkapy.quotas.client_quotas import CONTROLLER_MUTATION_RATE
from kafkapy.quotas.mutation_quota import MutationQuota
from kafkapy.security.principal import user
from tests.quotas.lab import DEFAULT, QuotaLab


def test_a_wait_is_whole_until_a_millisecond_has_passed() -> None:
    """Whatever fraction of a millisecond the clock shows."""
    for _ in range(200):
        lab = QuotaLab()
        lab.publish({(DEFAULT, None): {CONTROLLER_MUTATION_RATE: 5e-324}})
        quota = MutationQuota(lab.quotas, user("a"), None, is_strict=False)
        quota.charge("t", 1)
        wait_ms = quota.throttle_ms
        assert wait_ms == 0x7FFF_FFFF
        lab.clock.advance(3)
        assert wait_ms - quota.throttle_ms == 3
