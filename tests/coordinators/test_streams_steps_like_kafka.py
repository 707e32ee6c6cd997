"""The steps of members of streams groups beside Kafka's own class, from its jars: equal inputs, equal results.

A member, its target and the owners of tasks are made from a seed: few tasks, so that roles collide. There are warm-up
tasks, too, although Apache Kafka 4.4 assigns none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest

from kafkapy.coordinators.group.streams.member import MemberState, StreamsMember
from kafkapy.coordinators.group.streams.owners import TaskOwners
from kafkapy.coordinators.group.streams.reconciliation import Step
from kafkapy.coordinators.group.streams.tasks import HeldTasks, Tasks, TaskSets, each
from kafkapy_wire.errors import KafkaError
from tests.kafkas_own import Oracle, kafkas_own

SEEDS = range(3_000)
TASKS = [(name, partition) for name in "01" for partition in range(3)]
OWN, OTHER = "process-a", "process-b"


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with kafkas_own("StreamsGroupParts") as oracle:
        yield oracle


def tasks_of(chosen: list[tuple[str, int]]) -> dict[str, frozenset[int]]:
    return {
        name: frozenset(partition for other, partition in chosen if other == name)
        for name in sorted({name for name, _ in chosen})
    }


def some(random: Random) -> TaskSets:
    """Each task in one role at most."""
    roles: list[list[tuple[str, int]]] = [[], [], [], []]
    for task in TASKS:
        random.choice(roles).append(task)
    return TaskSets(*map(tasks_of, roles[:3]))


def held(random: Random, tasks: TaskSets) -> HeldTasks:
    active = {
        name: {partition: random.randint(1, 5) for partition in sorted(partitions)}
        for name, partitions in tasks.active.items()
    }
    return HeldTasks(active, tasks.standby, tasks.warmup)


def nearly(random: Random, of: HeldTasks) -> TaskSets:
    """What a member says it has: some of it may have changed its role, or be gone."""
    other = some(random)
    if random.random() < 0.3:
        return other
    return TaskSets(
        *(
            tasks_of([task for task in each(tasks) if random.random() < 0.8])
            for tasks in (of.active_tasks(), of.standby, of.warmup)
        )
    )


def made(seed: int) -> tuple[Step, StreamsMember]:
    random = Random(seed)
    member = StreamsMember(
        "member",
        epoch=random.randint(1, 5),
        previous_epoch=random.randint(0, 4),
        state=random.choice([*MemberState]),
        process_id=OWN,
        assigned=held(random, some(random)),
    )
    if member.state is MemberState.UNREVOKED_TASKS:
        member = member._replace(pending_revocation=held(random, some(random)))
    owners = TaskOwners()
    owners.add(member)
    for process_id in (OWN, OTHER):
        if random.random() < 0.7:
            owners.add(StreamsMember("other", process_id=process_id, assigned=held(random, some(random))))
    has = member.assigned if random.random() < 0.5 else member.pending_revocation
    owned = None if random.random() < 0.25 else nearly(random, has)
    return Step(member.epoch + random.choice((0, 1, 1, 3)), some(random), owned, owners), member


def lists(tasks: Tasks) -> dict[str, list[int]]:
    return {name: sorted(partitions) for name, partitions in tasks.items()}


def plain_held(of: HeldTasks) -> list[Mapping[str, object]]:
    active = {name: {str(partition): epoch for partition, epoch in since.items()} for name, since in of.active.items()}
    return [active, lists(of.standby), lists(of.warmup)]


def question(step: Step, member: StreamsMember) -> dict[str, object]:
    active: dict[str, dict[str, str]] = {}
    for (name, partition), process_id in step.owners.active.items():
        active.setdefault(name, {})[str(partition)] = process_id
    standby: dict[str, dict[str, list[str]]] = {}
    warmup: dict[str, dict[str, list[str]]] = {}
    for name, partition in TASKS:
        standby.setdefault(name, {})[str(partition)] = sorted(step.owners.standby((name, partition)))
        warmup.setdefault(name, {})[str(partition)] = sorted(step.owners.warmup((name, partition)))
    return {
        "state": int(member.state),
        "epoch": member.epoch,
        "previous": member.previous_epoch,
        "process": member.process_id,
        "assigned": plain_held(member.assigned),
        "pending": plain_held(member.pending_revocation),
        "targetEpoch": step.target_epoch,
        "target": [lists(tasks) for tasks in step.target],
        "owned": None if step.owned is None else [lists(tasks) for tasks in step.owned],
        "active": active,
        "standby": standby,
        "warmup": warmup,
    }


def answer(step: Step, member: StreamsMember) -> dict[str, Any]:
    try:
        after = step.of(member)
    except KafkaError as error:
        return {"refused": error.message}
    return {
        "state": int(after.state),
        "epoch": after.epoch,
        "previous": after.previous_epoch,
        "assigned": plain_held(after.assigned),
        "pending": plain_held(after.pending_revocation),
    }


def test_steps_are_kafkas_own(oracle: Oracle) -> None:
    for seed in SEEDS:
        step, member = made(seed)
        expected = oracle.ask({"step": question(step, member)})
        assert answer(step, member) == expected, f"seed {seed}: {member}, {step}"
