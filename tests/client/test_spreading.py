"""Replicas spread over brokers: complete, even, in different racks, and no further from where they are than needed."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from kafkapy.client.spreading import Replicas, spread


def loads(planned: Replicas, brokers: list[int]) -> list[int]:
    return [sum(broker in replicas for replicas in planned.values()) for broker in brokers]


def leads(planned: Replicas, brokers: list[int]) -> list[int]:
    return [sum(replicas[0] == broker for replicas in planned.values()) for broker in brokers]


def moved(present: Replicas, planned: Replicas) -> int:
    return sum(len(set(planned[one]) - set(present[one])) for one in planned)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Replicas, list[int], int | None]:
    brokers = draw(st.lists(st.integers(1, 7), min_size=1, max_size=6, unique=True))
    anywhere = st.lists(st.integers(1, 9), min_size=1, max_size=len(brokers), unique=True)
    present = {("t", index): draw(anywhere) for index in range(draw(st.integers(0, 12)))}
    return present, brokers, draw(st.none() | st.integers(1, len(brokers)))


@given(clusters())
def test_every_partition_has_its_replicas_on_the_brokers_and_they_are_even(
    cluster: tuple[Replicas, list[int], int | None],
) -> None:
    present, brokers, replication_factor = cluster
    planned = spread(present, brokers, {}, replication_factor)
    assert planned.keys() == present.keys()
    for partition, replicas in planned.items():
        assert len(replicas) == len(set(replicas)) == (replication_factor or len(present[partition]))
        assert set(replicas) <= set(brokers)
    counts = loads(planned, brokers)
    assert max(counts) - min(counts) <= 1
    again = spread(planned, brokers, {}, replication_factor)
    assert moved(planned, again) == 0, "what is even stays"


@given(clusters(), st.dictionaries(st.integers(1, 7), st.sampled_from(["a", "b"])))
def test_no_partition_is_in_fewer_racks_than_before(
    cluster: tuple[Replicas, list[int], int | None], racks: dict[int, str]
) -> None:
    _, brokers, _ = cluster
    by_rack: dict[str | None, list[int]] = {}
    for broker in sorted(brokers):
        by_rack.setdefault(racks.get(broker), []).append(broker)
    one_a_rack = [members[0] for rack, members in by_rack.items() if rack is not None] or brokers[:1]
    present = {("t", index): one_a_rack for index in range(5)}
    planned = spread(present, brokers, dict(racks))
    for replicas in planned.values():
        assert {racks.get(one) for one in replicas} - {None} == {racks.get(one) for one in one_a_rack} - {None}


def test_a_new_broker_takes_its_share_and_nothing_else_moves() -> None:
    present = {("t", index): [1, 2] if index % 2 else [2, 1] for index in range(12)}
    planned = spread(present, [1, 2, 3], {})
    assert loads(planned, [1, 2, 3]) == [8, 8, 8]
    assert leads(planned, [1, 2, 3]) == [4, 4, 4]
    assert moved(present, planned) == 8


def test_a_broker_that_is_left_out_keeps_nothing() -> None:
    present = {("t", index): [1 + index % 3, 1 + (index + 1) % 3] for index in range(9)}
    planned = spread(present, [1, 2], {})
    assert loads(planned, [1, 2]) == [9, 9]
    assert moved(present, planned) == 6


def test_more_replicas_go_to_other_racks_first() -> None:
    racks = {1: "a", 2: "a", 3: "b", 4: "b"}
    planned = spread({("t", index): [1 + index] for index in range(4)}, [1, 2, 3, 4], racks, 2)
    assert all({racks[one] for one in replicas} == {"a", "b"} for replicas in planned.values())
    assert loads(planned, [1, 2, 3, 4]) == [2, 2, 2, 2]
    assert leads(planned, [1, 2, 3, 4]) == [1, 1, 1, 1]
