"""Histories of a correct broker are clean; one change that breaks a promise is found, by its name."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kafkapy.history import check_history
from tests.history.model_broker import ABORTED, COMMITTED, Simulation

Event = dict[str, Any]

RANDOM = st.integers(0, 2**64 - 1).map(random.Random)
STEPS = st.integers(1, 150)
PATIENT = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@PATIENT
@given(RANDOM, STEPS)
def test_histories_of_a_correct_broker_are_clean(chance: random.Random, steps: int) -> None:
    verdict = check_history(Simulation(chance, steps).history.lines)
    assert verdict.is_clean(), verdict.anomalies


def entries(simulation: Simulation, state: str | None) -> list[tuple[int, int, str]]:
    """(partition, offset, value) of the records outside of transactions (None), or of those that ended so."""
    return [
        (partition, offset, entry.value)
        for partition, stored in enumerate(simulation.broker.partitions)
        for offset, entry in enumerate(stored)
        if entry.value is not None and (entry.transaction.state if entry.transaction else None) == state
    ]


def without(events: list[Event], value: str) -> None:
    """Nobody polls the value any more."""
    for event in events:
        if event["f"] == "poll":
            event["records"] = [record for record in event["records"] if record[3] != value]


def acknowledged(events: list[Event]) -> set[str]:
    return {event["value"] for event in events if event["f"] == "send" and event["type"] == "ok"}


def lose_a_record(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    candidates = [value for _, _, value in entries(simulation, None) if value in acknowledged(events)]
    assume(candidates)
    without(events, chance.choice(candidates))
    return {"lost-write", "unseen"}


def lose_part_of_a_transaction(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    candidates = []
    for stored in simulation.broker.partitions:
        for entry in stored:
            siblings = [
                other.value
                for other_stored in simulation.broker.partitions
                for other in other_stored
                if other.transaction is entry.transaction and other.value is not None
            ]
            committed = entry.transaction is not None and entry.transaction.state == COMMITTED
            if entry.value is not None and committed and len(siblings) > 1:
                candidates.append(entry.value)
    assume(candidates)
    without(events, chance.choice(candidates))
    return {"torn-transaction"}


def show_an_aborted_record(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    # One whose commit was asked for in vain would be visible by right: nobody knows what became of it.
    candidates = [
        (partition, offset, value)
        for partition, offset, value in entries(simulation, ABORTED)
        if not getattr(simulation.broker.partitions[partition][offset].transaction, "commit_was_asked_for", False)
    ]
    assume(candidates)
    partition, offset, value = chance.choice(candidates)
    final = next(event for event in events if event.get("final") and event["isolation"] == "read_committed")
    final["records"] = sorted([*final["records"], ["orders", partition, offset, value]])
    return {"G1a"}


def double_a_record(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    candidates = entries(simulation, None)
    assume(candidates)
    partition, _, value = chance.choice(candidates)
    end = len(simulation.broker.partitions[partition])
    for event in events[-2:]:
        records = [record for record in event["records"] if record[1] <= partition]
        later = [record for record in event["records"] if record[1] > partition]
        event["records"] = [*records, ["orders", partition, end, value], *later]
    return {"duplicate"}


def two_values_at_one_offset(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    candidates = entries(simulation, None)
    assume(candidates)
    partition, offset, _ = chance.choice(candidates)
    events.insert(0, events[0] | {"f": "send", "type": "invoke", "process": "x", "topic": "orders", "value": "another"})
    events[-1]["records"] = [
        [*record[:3], "another"] if record[1:3] == [partition, offset] else record for record in events[-1]["records"]
    ]
    return {"inconsistent-offsets"}


def poll_what_nobody_sent(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    candidates = [index for index, event in enumerate(events) if event["f"] == "send"]
    assume(candidates)
    events[-1]["records"].append(["orders", 1, len(simulation.broker.partitions[1]), "from nowhere"])
    return {"phantom"}


def skip_a_record(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    inner = [
        (event, index)
        for event in events[:-2]
        if event["f"] == "poll"
        for index in range(1, len(event["records"]) - 1)
        if event["records"][index - 1][1] == event["records"][index][1] == event["records"][index + 1][1]
    ]
    assume(inner)
    event, index = chance.choice(inner)
    del event["records"][index]
    return {"int-poll-skip"}


def forget_a_commit(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    """The group was told that there is nothing, although a commit of the partition was acknowledged before."""
    candidates = []
    committed: set[int] = set()
    asked = -1
    for event in events:
        if event["f"] == "commit" and event.get("group") == "group":
            asked = event["offsets"][0][1]
        elif event["f"] == "commit" and event["process"] == "c0" and event["type"] == "ok":
            committed.add(asked)
        elif event["f"] == "resume" and event["type"] == "ok" and event["offsets"][0][1] in committed:
            candidates.append(event)
    assume(candidates)
    chance.choice(candidates)["offsets"][0][2] = None
    return {"lost-commit"}


def invent_a_commit(simulation: Simulation, events: list[Event], chance: random.Random) -> set[str]:
    candidates = [event for event in events if event["f"] == "resume" and event["type"] == "ok"]
    assume(candidates)
    chance.choice(candidates)["offsets"][0][2] = 1_000_000
    return {"phantom-commit"}


@pytest.mark.parametrize(
    "spoil",
    [
        lose_a_record,
        lose_part_of_a_transaction,
        show_an_aborted_record,
        double_a_record,
        two_values_at_one_offset,
        poll_what_nobody_sent,
        skip_a_record,
        forget_a_commit,
        invent_a_commit,
    ],
    ids=lambda spoil: spoil.__name__,
)
@PATIENT
@given(RANDOM, st.integers(60, 150))
def test_one_broken_promise_is_found(
    spoil: Callable[[Simulation, list[Event], random.Random], set[str]], chance: random.Random, steps: int
) -> None:
    simulation = Simulation(chance, steps)
    events = [json.loads(line) for line in simulation.history.lines]
    expected = spoil(simulation, events, chance)
    found = check_history([json.dumps(event) for event in events]).findings.counts
    assert expected & found.keys(), found
