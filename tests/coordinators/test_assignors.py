"""Server-side assignors beside Kafka's own classes, from its jars: equal inputs, equal assignments.

A group is made from a seed, then changed step by step (members come and go, topics and subscriptions change), and what
was assigned is what the members have in the next step.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, jar_directory, require_tool
from compat_tests.tools import need
from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.registry import ASSIGNORS
from kafkapy.coordinators.group.assignors.simple import SharingMember, simple
from kafkapy.coordinators.group.assignors.specification import GroupSpec, MemberSpec, Target
from kafkapy_wire.uuid import Uuid

JAVA = Path(__file__).parents[2] / "compat_tests" / "java"
SEEDS = range(250)
STEPS = 8


class Oracle:
    """Kafka's assignors in one JVM."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def assign(self, name: str, group: GroupSpec) -> dict[str, Target]:
        topics = [*group.partition_counts]
        lines = [f"case {name} {int(group.is_homogeneous)}"]
        lines += [f"topic {topic.hex()} {group.partition_counts[topic]}" for topic in topics]
        for member_id, member in group.members.items():
            subscribed = ",".join(str(topics.index(topic)) for topic in member.topic_ids)
            assigned = ";".join(
                f"{topics.index(topic)}:{'.'.join(map(str, sorted(partitions)))}"
                for topic, partitions in member.assigned.items()
            )
            instance_id = member.group_instance_id or "-"
            lines.append(f"member {member_id} {instance_id} {subscribed or '-'} {assigned or '-'}")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*lines, "end", sep="\n", file=self._process.stdin, flush=True)
        return dict(_parsed(word, topics) for word in self._process.stdout.readline().split())


def _parsed(word: str, topics: list[Uuid]) -> tuple[str, Target]:
    member_id, _, text = word.partition("=")
    target: Target = {}
    for part in filter(None, text.split(";")):
        number, _, partitions = part.partition(":")
        target[topics[int(number)]] = frozenset(map(int, partitions.split(".")))
    return member_id, target


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    jars = need(jar_directory)
    classes = need(lambda: compiled_java("assignors", JAVA / "Assignors.java", JAVA / "pom.xml", jars))
    command = [need(lambda: require_tool("java")), *JVM_FLAGS, "-cp", classes, "Assignors"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


class Group:
    """A group as it changes."""

    def __init__(self, random: Random, *, is_homogeneous: bool) -> None:
        self.random = random
        self.is_homogeneous = is_homogeneous
        self.counts: dict[Uuid, int] = {}
        self.members: dict[str, MemberSpec] = {}
        for _ in range(random.choice((1, 2, 3, 5, 14))):
            self.add_topic()
        self.shared = self.some_topics()
        for _ in range(random.choice((1, 2, 3, 7, 13, 30))):
            self.join()

    def add_topic(self) -> None:
        self.counts[Uuid(self.random.randbytes(16))] = self.random.choice((1, 1, 2, 3, 4, 7, 16, 33, 100))

    def subscription(self) -> frozenset[Uuid]:
        return self.shared if self.is_homogeneous else self.some_topics()

    def some_topics(self) -> frozenset[Uuid]:
        return frozenset(self.random.sample([*self.counts], self.random.randint(1, len(self.counts))))

    def join(self) -> None:
        number = self.random.randrange(1_000_000)
        member_id = f"{self.random.choice(('m', 'größer-', 'consumer-'))}{number:x}"
        instance_id = f"i{number % 1000}" if self.random.random() < 0.2 else None
        if instance_id in {member.group_instance_id for member in self.members.values()}:
            instance_id = None
        self.members[member_id] = MemberSpec(self.subscription(), {}, instance_id)

    def change(self) -> None:
        match self.random.randrange(5):
            case 0 | 1:
                for _ in range(self.random.choice((1, 1, 4))):
                    self.join()
            case 2:
                for member_id in self.random.sample([*self.members], min(len(self.members) - 1, 2)):
                    del self.members[member_id]
            case 3:
                topic = self.random.choice([*self.counts])
                self.counts[topic] += self.random.choice((1, 5))
            case _:
                self.add_topic()
                if self.is_homogeneous:
                    self.shared = frozenset(
                        self.random.sample([*self.counts], self.random.randint(1, len(self.counts)))
                    )
                for member_id, member in self.members.items():
                    if self.is_homogeneous or self.random.random() < 0.3:
                        self.members[member_id] = member._replace(topic_ids=self.subscription())

    def spec(self) -> GroupSpec:
        members = {member_id: self.members[member_id] for member_id in member_order(self.members)}
        return GroupSpec(members, dict(self.counts), self.is_homogeneous)

    def take(self, assignment: dict[str, Target]) -> None:
        for member_id, member in self.members.items():
            self.members[member_id] = member._replace(assigned=assignment.get(member_id, {}))


@pytest.mark.parametrize("name", ["uniform", "range"])
@pytest.mark.parametrize("is_homogeneous", [True, False], ids=["same", "mixed"])
def test_assignments_are_those_of_apache_kafka(oracle: Oracle, name: str, *, is_homogeneous: bool) -> None:
    for seed in SEEDS:
        group = Group(Random(f"{name} {is_homogeneous} {seed}"), is_homogeneous=is_homogeneous)
        for step in range(STEPS):
            spec = group.spec()
            expected = oracle.assign(name, spec)
            assert ASSIGNORS[name](spec) == expected, f"seed {seed}, step {step}"
            group.take(expected)
            group.change()


ELSEWHERE_MAX = 2
"""Of the assignments of share groups: now and then a partition goes to another member."""


@pytest.mark.parametrize("is_homogeneous", [True, False], ids=["same", "mixed"])
def test_assignments_of_share_groups_are_those_of_apache_kafka(oracle: Oracle, *, is_homogeneous: bool) -> None:
    different = 0
    for seed in SEEDS:
        group = Group(Random(f"simple {is_homogeneous} {seed}"), is_homogeneous=is_homogeneous)
        for step in range(STEPS):
            spec = group.spec()
            expected = oracle.assign("simple", spec)
            members = {name: SharingMember(member.topic_ids, member.assigned) for name, member in spec.members.items()}
            assignable = {topic_id: range(count) for topic_id, count in spec.partition_counts.items()}
            assigned = simple(members, assignable, is_homogeneous=is_homogeneous)
            different += assigned != expected
            assert _read(assigned) == _read(expected), f"seed {seed}, step {step}"
            group.take(expected)
            group.change()
    assert different <= ELSEWHERE_MAX


def _read(assigned: dict[str, Target]) -> set[tuple[Uuid, int]]:
    """The partitions that somebody reads."""
    return {
        (topic_id, index) for target in assigned.values() for topic_id, indexes in target.items() for index in indexes
    }
