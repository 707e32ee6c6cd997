"""Replicas spread over brokers and racks, whatever the seed."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_controller.image import MetadataImage
from kafkapy_controller.placement import place_replicas
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats import metadata as m

from .clusters import apply, cluster, directory_of


def place(image: MetadataImage, partitions: int, replication: int, seed: int = 0) -> list[tuple[int, ...]]:
    return place_replicas(image.brokers.values(), partitions, replication, Random(seed))


@given(broker_count=st.integers(1, 7), replication=st.integers(1, 7), partitions=st.integers(1, 30), seed=st.integers())
def test_replicas_are_distinct_and_leaders_are_spread(
    broker_count: int, replication: int, partitions: int, seed: int
) -> None:
    image = cluster(range(1, broker_count + 1))
    replication = min(replication, broker_count)
    placed = place(image, partitions, replication, seed)
    assert len(placed) == partitions
    assert all(len(set(replicas)) == len(replicas) == replication for replicas in placed)
    leaders = Counter(replicas[0] for replicas in placed)
    assert max(leaders.values()) - min(leaders[b] for b in image.brokers) <= 1 + partitions % broker_count


@given(seed=st.integers())
def test_each_partition_has_a_replica_in_every_rack(seed: int) -> None:
    racks = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c", 6: "c"}
    for replicas in place(cluster(racks, racks=racks), 12, 3, seed):
        assert {racks[broker_id] for broker_id in replicas} == {"a", "b", "c"}


@given(seed=st.integers())
def test_fenced_brokers_follow_but_do_not_lead(seed: int) -> None:
    placed = place(cluster([1, 2, 3], fenced=[2]), 9, 3, seed)
    assert {replicas[0] for replicas in placed} == {1, 3}
    assert all(sorted(replicas) == [1, 2, 3] for replicas in placed)


def test_the_seed_settles_the_placement() -> None:
    image = cluster(range(1, 6))
    assert place(image, 10, 3, seed=4) == place(image, 10, 3, seed=4)
    assert len({place(image, 1, 1, seed)[0] for seed in range(50)}) == 5


def test_brokers_that_shut_down_or_are_cordoned_get_nothing() -> None:
    image = cluster([1, 2, 3])
    leaving = m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=0, in_controlled_shutdown=1)
    cordoned = m.BrokerRegistrationChangeRecord(broker_id=2, broker_epoch=0, cordoned_log_dirs=[directory_of(2)])
    image = apply(image, [leaving, cordoned])
    assert place(image, 4, 1) == [(3,)] * 4


def test_a_broker_that_was_shut_down_counts_as_any_other_that_is_down() -> None:
    """Otherwise three brokers, of which one is restarted, could not hold a topic of three replicas."""
    image = cluster([1, 2, 3], fenced=[3])
    image = apply(image, [m.BrokerRegistrationChangeRecord(broker_id=3, broker_epoch=0, in_controlled_shutdown=1)])
    assert sorted(place(image, 1, 3)[0]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("fenced", "replication", "message"),
    [
        ([], 0, "Invalid replication factor 0: the replication factor must be positive."),
        ([1, 2], 1, "All brokers are currently fenced, or have all their log directories cordoned."),
        (
            [],
            3,
            (
                "The target replication factor of 3 cannot be reached because only 2 broker(s) are registered or some "
                "brokers have all their log directories cordoned."
            ),
        ),
    ],
)
def test_what_cannot_be_placed(fenced: list[int], replication: int, message: str) -> None:
    with pytest.raises(KafkaError) as raised:
        place(cluster([1, 2], fenced=fenced), 1, replication)
    assert (raised.value.code, raised.value.message) == (ErrorCode.INVALID_REPLICATION_FACTOR, message)
