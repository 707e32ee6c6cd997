"""A client may have another client id with each request, of 32 kB each."""

from __future__ import annotations

from kafkapy.quotas.client_quotas import PRODUCER_BYTE_RATE
from kafkapy.security.principal import user
from tests.quotas.lab import DEFAULT, QuotaLab


def test_long_client_ids_have_their_quotas_and_are_not_kept() -> None:
    lab = QuotaLab()
    lab.publish({(None, DEFAULT): {PRODUCER_BYTE_RATE: 100.0}, (None, "y" * 400): {PRODUCER_BYTE_RATE: 1e9}})
    ids = [f"{number}{'x' * 32_000}" for number in range(50)]
    for client_id in ids:
        assert lab.quotas.record(PRODUCER_BYTE_RATE, user("mallory"), client_id, 900) == 0
    assert sum(len(str(key)) for key in lab.quotas._uses) < 32_000
    assert lab.quotas.record(PRODUCER_BYTE_RATE, user("mallory"), ids[0], 900) > 0, "of that client id, it is too much"
    assert lab.quotas.record(PRODUCER_BYTE_RATE, user("mallory"), "y" * 400, 5_000) == 0
