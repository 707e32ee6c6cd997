"""Tasks and topologies of streams groups beside Kafka's own classes, from its jars: equal inputs, equal results.

A group is made from a seed, then changed step by step (members and processes come and go, tasks are lost, offsets are
told); a topology is made from a seed, and so are the topics that exist, some of them with wrong partition counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.coordinators.group.assignors.sticky_tasks import (
    SubtopologySpec,
    TaskAssignorError,
    TaskGroupSpec,
    TaskMemberSpec,
    sticky_tasks,
)
from kafkapy.coordinators.group.streams.tasks import Tasks, TaskSets
from kafkapy.coordinators.group.streams.topology import ConfiguredInternalTopic, StoredTopology, configure
from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
from kafkapy_wire.codec import encode
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.create_topics import CreatableTopic
from kafkapy_wire.record_formats.group_coordinator import (
    CopartitionGroup,
    StreamsGroupTopologyValue,
    StreamsGroupTopologyValueTopicInfo,
    Subtopology,
    TopicConfig,
)
from kafkapy_wire.uuid import Uuid
from tests.kafkas_own import Oracle, kafkas_own

GROUP_SEEDS = range(250)
GROUP_STEPS = 8
TOPOLOGY_SEEDS = range(3_000)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with kafkas_own("StreamsGroupParts") as oracle:
        yield oracle


class Group:
    """A streams group as it changes."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.subtopologies: dict[str, SubtopologySpec] = {}
        self.members: dict[str, TaskMemberSpec] = {}
        self.standby_count = random.choice((0, 0, 1, 1, 2, 3))
        for _ in range(random.choice((1, 1, 2, 3, 12))):
            self.add_subtopology()
        for _ in range(random.choice((1, 2, 3, 7, 13, 40))):
            self.join()

    def add_subtopology(self) -> None:
        count = self.random.choice((1, 2, 3, 4, 7, 16, 33))
        self.subtopologies[str(len(self.subtopologies))] = SubtopologySpec(count, self.random.random() < 0.7)

    def join(self) -> None:
        process_ids = sorted({member.process_id for member in self.members.values()})
        if process_ids and self.random.random() < 0.5:
            process_id = self.random.choice(process_ids)
        else:
            process_id = f"process-{self.random.randrange(1_000_000):x}"
        offsets = self.some_offsets() if self.random.random() < 0.3 else {}
        self.members[f"member-{self.random.randrange(1_000_000):x}"] = TaskMemberSpec(process_id, {}, {}, offsets)

    def some_offsets(self) -> dict[str, dict[int, int]]:
        return {
            name: {
                partition: self.random.choice((0, 5, 5, 1_000, self.random.randrange(10_000)))
                for partition in range(subtopology.task_count)
                if self.random.random() < 0.4
            }
            for name, subtopology in self.subtopologies.items()
            if self.random.random() < 0.7
        }

    def change(self) -> None:
        match self.random.randrange(7):
            case 0 | 1:
                for _ in range(self.random.choice((1, 1, 4))):
                    self.join()
            case 2:
                for member_id in self.random.sample([*self.members], min(len(self.members), 2)):
                    del self.members[member_id]
            case 3:
                gone = self.random.choice([*self.members.values()]).process_id if self.members else ""
                self.members = {name: each for name, each in self.members.items() if each.process_id != gone}
            case 4:
                self.add_subtopology()
            case 5:
                self.standby_count = self.random.choice((0, 1, 2))
            case _:
                for member_id, member in self.members.items():
                    self.members[member_id] = member._replace(
                        active=self.without_some(member.active),
                        standby=self.without_some(member.standby),
                        task_offsets=self.some_offsets(),
                    )

    def without_some(self, tasks: Tasks) -> Tasks:
        return {
            name: frozenset(partition for partition in partitions if self.random.random() < 0.8)
            for name, partitions in tasks.items()
        }

    def spec(self) -> TaskGroupSpec:
        members = {member_id: self.members[member_id] for member_id in member_order(self.members)}
        return TaskGroupSpec(members, dict(self.subtopologies), self.standby_count)

    def take(self, assigned: dict[str, TaskSets]) -> None:
        for member_id, member in self.members.items():
            tasks = assigned[member_id]
            self.members[member_id] = member._replace(active=tasks.active, standby=tasks.standby)


def test_tasks_are_assigned_as_by_apache_kafka(oracle: Oracle) -> None:
    for seed in GROUP_SEEDS:
        group = Group(Random(f"tasks {seed}"))
        for step in range(GROUP_STEPS):
            spec = group.spec()
            expected = _asked(oracle, spec)
            assert _assigned(spec) == expected, f"seed {seed}, step {step}"
            if isinstance(expected, dict):
                group.take(expected)
            group.change()


def _assigned(spec: TaskGroupSpec) -> dict[str, TaskSets] | str:
    try:
        return sticky_tasks(spec)
    except TaskAssignorError as error:
        return str(error)


def _asked(oracle: Oracle, spec: TaskGroupSpec) -> dict[str, TaskSets] | str:
    members = {
        member_id: {
            "process": member.process_id,
            "active": {name: sorted(partitions) for name, partitions in member.active.items()},
            "standby": {name: sorted(partitions) for name, partitions in member.standby.items()},
            "offsets": member.task_offsets,
        }
        for member_id, member in spec.members.items()
    }
    subtopologies = {name: [each.task_count, each.is_stateful] for name, each in spec.subtopologies.items()}
    question = {"standbys": spec.standby_count, "subtopologies": subtopologies, "members": members}
    answer = oracle.ask({"assign": question})
    if "refused" in answer:
        return str(answer["refused"])
    return {member_id: TaskSets(*map(_tasks, both)) for member_id, both in answer.items()}


def _tasks(plain: dict[str, list[int]]) -> Tasks:
    return {name: frozenset(partitions) for name, partitions in plain.items()}


class Application:
    """A topology, and the topics that exist beside it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.topics: dict[str, int] = {}
        self.subtopologies: list[Subtopology] = []
        self.repartition_names = [f"app-{number}-repartition" for number in range(random.choice((0, 1, 2, 5, 20)))]
        sources = [f"in{number}" for number in range(random.choice((1, 2, 5, 15)))]
        for topic in sources:
            if random.random() < 0.97:
                self.topics[topic] = random.choice((1, 2, 2, 2, 3, 4, 6))
        count = random.choice((1, 2, 3, 5, 14))
        for number in range(count):
            self.subtopologies.append(self._subtopology(str(number), sources, number / count))
        if random.random() < 0.5:
            self._create_some_internal_topics()

    def _subtopology(self, name: str, sources: list[str], progress: float) -> Subtopology:
        """Most read repartition topics that earlier ones write, and write some for later ones."""
        random = self.random
        cut = int(len(self.repartition_names) * progress)
        readable = self.repartition_names[:cut] if random.random() < 0.95 else self.repartition_names
        chosen = random.sample(readable, min(len(readable), random.choice((0, 1, 1, 2))))
        read = (
            []
            if chosen and random.random() < 0.5
            else random.sample(sources, min(len(sources), random.choice((1, 1, 2))))
        )
        if random.random() < 0.01:
            read = []
        repartition = [self._topic(topic, has_count=random.random() < 0.2) for topic in chosen]
        unwritten = self.repartition_names[cut:]
        sinks = unwritten if random.random() < 0.6 else random.sample(unwritten, min(len(unwritten), 2))
        return Subtopology(
            subtopology_id=name,
            source_topics=read,
            repartition_source_topics=repartition,
            repartition_sink_topics=sinks,
            state_changelog_topics=[
                self._topic(f"app-{name}-store{number}-changelog", has_count=False)
                for number in range(random.choice((0, 0, 1, 2)))
            ],
            copartition_groups=self._copartition_groups(len(read), len(repartition)),
        )

    def _topic(self, name: str, *, has_count: bool) -> StreamsGroupTopologyValueTopicInfo:
        random = self.random
        configs = [
            TopicConfig(key="cleanup.policy", value="delete"),
            TopicConfig(key="segment.bytes", value="52428800"),
        ]
        return StreamsGroupTopologyValueTopicInfo(
            name=name if random.random() < 0.998 else f"{name}?",
            partitions=random.choice((1, 2, 2, 2, 3, 8, -1)) if has_count else 0,
            replication_factor=random.choice((0, 1, 3)),
            topic_configs=random.sample(configs, random.choice((0, 1, 2))),
        )

    def _copartition_groups(self, source_count: int, repartition_count: int) -> list[CopartitionGroup]:
        random = self.random
        if random.random() < 0.4:
            return []
        beyond = random.random() < 0.01
        return [
            CopartitionGroup(
                source_topics=[index for index in range(source_count + beyond) if random.random() < 0.5],
                repartition_source_topics=[index for index in range(repartition_count) if random.random() < 0.8],
            )
            for _ in range(random.choice((1, 1, 2)))
        ]

    def _create_some_internal_topics(self) -> None:
        share = self.random.choice((0.3, 0.9, 1.0))
        for topic in self.missing_topics():
            if self.random.random() < share:
                self.topics[topic.name] = topic.num_partitions + (self.random.random() < 0.02)

    def missing_topics(self) -> list[CreatableTopic]:
        try:
            return [*configure(self.stored(), self.image()).internal_topics_to_create.values()]
        except KafkaError:
            return []

    def value(self) -> StreamsGroupTopologyValue:
        return StreamsGroupTopologyValue(epoch=3, subtopologies=self.subtopologies)

    def stored(self) -> StoredTopology:
        return StoredTopology(self.value())

    def image(self) -> MetadataImage:
        partition = PartitionImage(replicas=(0,), isr=(0,))
        return MetadataImage(
            topics={
                name: TopicImage(name, Uuid(bytes(16)), (partition,) * count) for name, count in self.topics.items()
            }
        )


def test_topologies_are_configured_as_by_apache_kafka(oracle: Oracle) -> None:
    """Tasks, partition counts, missing internal topics, problems and refusals, with their texts."""
    outcomes = set()
    for seed in TOPOLOGY_SEEDS:
        application = Application(Random(f"topology {seed}"))
        question = {"topology": encode(application.value(), 0).hex(), "topics": application.topics}
        expected = oracle.ask({"configure": question})
        found = _configured(application)
        assert found == expected, f"seed {seed}"
        outcomes.add(str(expected.get("refused", ["problem", *expected.get("problem", [])])[:2]))
    assert len(outcomes) > 8, f"the seeds reach only {outcomes}"


def _configured(application: Application) -> dict[str, object]:
    try:
        configured = configure(application.stored(), application.image())
    except KafkaError as error:
        if error.code == ErrorCode.UNKNOWN_SERVER_ERROR:
            return {"refused": [error.code.name]}
        return {"refused": [error.code.name, error.message]}
    answer: dict[str, object] = {}
    if configured.problem is not None:
        answer["problem"] = [int(configured.problem.status), configured.problem.message]
    if configured.subtopologies is not None:
        answer["subtopologies"] = [
            [
                name,
                each.task_count,
                sorted(each.source_topics),
                _plain(each.repartition_source_topics),
                sorted(each.repartition_sink_topics),
                _plain(each.state_changelog_topics),
            ]
            for name, each in configured.subtopologies.items()
        ]
    answer["missing"] = [
        [topic.name, topic.num_partitions, topic.replication_factor, {each.name: each.value for each in topic.configs}]
        for topic in configured.internal_topics_to_create.values()
    ]
    return answer


def _plain(topics: object) -> dict[str, object]:
    assert isinstance(topics, dict)
    return {name: _plain_topic(topic) for name, topic in topics.items()}


def _plain_topic(topic: ConfiguredInternalTopic) -> list[object]:
    return [topic.partition_count, topic.replication_factor or 0, dict(topic.configs)]
