"""A fault with `must_fire` that never fired fails somebody: the block of its Kafka, where no fixture looks at it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kafkapy.testing import AsyncKafka, FaultsNotFired, Kafka
from kafkapy.testing.pool import Pool

RULE: dict[str, Any] = {"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER", "must_fire": True}


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_the_end_of_the_block_says_so_also_of_those_before_a_reset(isolation: Any) -> None:
    kafka = Kafka(isolation=isolation).__enter__()
    kafka.faults.add(**RULE, topic="before")
    kafka.reset()
    assert kafka.faults.unfired() == []  # those of the test that comes now
    kafka.faults.add(**RULE, topic="after").remove()
    with pytest.raises(FaultsNotFired) as raised:
        kafka.__exit__(None, None, None)
    assert [line[:20] for line in str(raised.value).splitlines()] == [
        "faults that must fir",
        'fault 1 (api="Produc',
        'fault 2 (api="Produc',
    ]
    assert '"after"' in str(raised.value)


def test_the_end_of_an_asynchronous_block_says_so() -> None:
    async def leave_unfired() -> None:
        async with AsyncKafka() as kafka:
            await kafka.faults.add(**RULE)

    with pytest.raises(FaultsNotFired):
        asyncio.run(leave_unfired())


def test_an_error_that_leaves_the_block_is_not_hidden() -> None:
    def fail() -> None:
        with Kafka() as kafka:
            kafka.faults.add(**RULE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_what_was_cleared_need_not_fire() -> None:
    with Kafka() as kafka:
        kafka.faults.add(**RULE)
        kafka.faults.clear()


def test_a_pool_tells_the_test_that_has_missed_it_and_no_other() -> None:
    pool = Pool()
    try:
        used = pool.use()
        used.kafka.faults.add(**RULE)
        used.kafka.reset()
        assert [line.split(" (")[0] for line in used.missed_faults()] == ["fault 1"]
        assert pool.use().missed_faults() == []
    finally:
        pool.stop()
