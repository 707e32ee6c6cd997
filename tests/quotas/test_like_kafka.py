"""The use of quotas beside Kafka's own classes, from its jars: equal uses at equal times, equal throttle times."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from kafkapy.quotas.client_quotas import CONTROLLER_MUTATION_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE, ClientQuotas
from kafkapy.security.principal import user
from tests.kafkas_own import Oracle, kafkas_own
from tests.quotas.lab import DEFAULT, QuotaLab

SEEDS = range(600)
USERS = ("alice", "bob", "carol")
CLIENTS = ("app", "tool", "")
BOUNDS = {
    PRODUCER_BYTE_RATE: (1.0, 1_000.0, 10_000_000.0),
    REQUEST_PERCENTAGE: (0.5, 10.0, 150.0),
    CONTROLLER_MUTATION_RATE: (0.1, 2.0, 50.0),
}


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with kafkas_own("QuotaParts") as oracle:
        yield oracle


def made(seed: int) -> dict[str, Any]:
    random = Random(seed)
    key = random.choice((PRODUCER_BYTE_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE))
    bounds = BOUNDS[key]
    entities = {
        (random.choice((None, DEFAULT, *USERS)), random.choice((None, DEFAULT, *CLIENTS[:2])))
        for _ in range(random.randint(1, 6))
    } - {(None, None)}
    uses = []
    most = 20_000 if key == CONTROLLER_MUTATION_RATE else 5_000_000
    for _ in range(random.randint(5, 60)):
        value = random.choice((0.0, 1.0, random.uniform(0, 20), random.uniform(0, most)))
        if key == PRODUCER_BYTE_RATE and random.random() < 0.1:
            value = -value
        later_ms = random.choice((0, 1, 17, 400, 999, 1_000, 1_001, random.randint(0, 30_000)))
        uses.append([later_ms, random.choice(USERS), random.choice(CLIENTS), value])
    return {
        "windows": [random.choice((1, 2, 11)), random.choice((1, 1, 3))],
        "key": key,
        "quotas": [[*entity, random.choice(bounds)] for entity in sorted(entities, key=repr)],
        "uses": uses,
    }


def played(asked: dict[str, Any]) -> dict[str, list[float]]:
    lab = QuotaLab(windows=tuple(asked["windows"]))
    lab.publish({(name, client): {asked["key"]: bound} for name, client, bound in asked["quotas"]})
    throttles: list[float] = []
    most: list[float] = []
    for later_ms, name, client, value in asked["uses"]:
        lab.clock.advance(later_ms)
        throttles.append(_used(lab.quotas, asked["key"], name, client, value))
        bound = lab.quotas.most(asked["key"], user(name), client)
        most.append(-1 if bound is None else bound)
    return {"throttles": throttles, "most": most}


def _used(quotas: ClientQuotas, key: str, name: str, client: str, value: float) -> int:
    if value < 0:
        quotas.take_back(key, user(name), client, -value)
        return 0
    if key != CONTROLLER_MUTATION_RATE:
        return quotas.record(key, user(name), client, value)
    throttle_ms = quotas.mutation_throttle_ms(user(name), client)
    if not throttle_ms:
        quotas.record_mutations(user(name), client, value)
    return throttle_ms


def test_throttle_times_are_kafkas(oracle: Oracle) -> None:
    """For mutations controller.quota.window.num and controller.quota.window.size.seconds count, for all else
    quota.window.num and quota.window.size.seconds."""
    throttled = 0
    for seed in SEEDS:
        asked = made(seed)
        theirs, ours = oracle.ask(asked), played(asked)
        assert ours == theirs, f"seed {seed}: {asked}"
        throttled += sum(map(bool, ours["throttles"]))
    assert throttled > 1_000
