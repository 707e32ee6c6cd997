"""Topologies of streams groups: what is refused, what is bounded, and which partitions a task reads."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.group.assignors.java_order import computed_order
from kafkapy.coordinators.group.assignors.sticky_tasks import (
    SubtopologySpec,
    TaskAssignorError,
    TaskGroupSpec,
    TaskMemberSpec,
    sticky_tasks,
)
from kafkapy.coordinators.group.streams.topology import StoredTopology, StreamsStatus, configure
from kafkapy.coordinators.group.streams.topology.checks import refuse_contradictions, refuse_patterns
from kafkapy.coordinators.group.streams.topology.configure import TASKS_MAX
from kafkapy.coordinators.group.streams.topology.endpoints import task_partitions
from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.record_formats.group_coordinator import (
    CopartitionGroup,
    StreamsGroupTopologyValue,
    StreamsGroupTopologyValueTopicInfo,
    Subtopology,
    TopicConfig,
)
from kafkapy_wire.uuid import Uuid


def image(**partition_counts: int) -> MetadataImage:
    partition = PartitionImage(replicas=(0,), isr=(0,))
    return MetadataImage(
        topics={
            name.replace("_", "-"): TopicImage(name.replace("_", "-"), Uuid(bytes(16)), (partition,) * count)
            for name, count in partition_counts.items()
        }
    )


def topic(name: str, partitions: int = 0, **configs: str) -> StreamsGroupTopologyValueTopicInfo:
    settings = [TopicConfig(key=key.replace("_", "."), value=value) for key, value in configs.items()]
    return StreamsGroupTopologyValueTopicInfo(name=name, partitions=partitions, topic_configs=settings)


def topology(*subtopologies: Subtopology) -> StreamsGroupTopologyValue:
    return StreamsGroupTopologyValue(epoch=1, subtopologies=[*subtopologies])


COUNTING = topology(
    Subtopology(subtopology_id="0", source_topics=["words"], repartition_sink_topics=["by-word"]),
    Subtopology(
        subtopology_id="1",
        repartition_source_topics=[topic("by-word", cleanup_policy="delete")],
        state_changelog_topics=[topic("counts-changelog", cleanup_policy="compact")],
    ),
)


def test_internal_topics_get_as_many_partitions_as_the_topic_behind_them() -> None:
    configured = configure(StoredTopology(COUNTING), image(words=3))
    assert configured.problem is not None
    assert configured.problem.status == StreamsStatus.MISSING_INTERNAL_TOPICS
    missing = configured.internal_topics_to_create
    assert {name: each.num_partitions for name, each in missing.items()} == {"by-word": 3, "counts-changelog": 3}
    assert [(each.name, each.value) for each in missing["by-word"].configs] == [("cleanup.policy", "delete")]


def test_a_topology_is_ready_when_all_its_topics_exist() -> None:
    configured = configure(StoredTopology(COUNTING), image(words=3, by_word=3, counts_changelog=3))
    assert configured.is_ready
    assert configured.subtopologies is not None
    assert [each.task_count for each in configured.subtopologies.values()] == [3, 3]


def test_an_internal_topic_with_other_partitions_is_not_taken() -> None:
    configured = configure(StoredTopology(COUNTING), image(words=3, by_word=3, counts_changelog=2))
    assert configured.subtopologies is None
    assert configured.problem is not None
    assert configured.problem.status == StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS
    assert "counts-changelog" in configured.problem.message


def test_a_topology_without_its_source_topics_waits() -> None:
    configured = configure(StoredTopology(COUNTING), image(other=1))
    assert configured.problem is not None
    assert configured.problem.status == StreamsStatus.MISSING_SOURCE_TOPICS
    assert configured.problem.message == "Source topics words are missing."


def test_joined_topics_need_as_many_partitions_as_one_another() -> None:
    joined = Subtopology(
        subtopology_id="0", source_topics=["left", "right"], copartition_groups=[CopartitionGroup(source_topics=[0, 1])]
    )
    configured = configure(StoredTopology(topology(joined)), image(left=2, right=3))
    assert configured.problem is not None
    assert configured.problem.status == StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS
    assert configured.problem.message.endswith("[{left=2, right=3}]")


@pytest.mark.parametrize("index", [2, -1, 32_767])
def test_a_copartition_group_of_unknown_topics_is_refused(index: int) -> None:
    wrong = Subtopology(
        subtopology_id="0",
        source_topics=["left", "right"],
        copartition_groups=[CopartitionGroup(source_topics=[index])],
    )
    with pytest.raises(KafkaError) as refused:
        configure(StoredTopology(topology(wrong)), image(left=2, right=2))
    assert refused.value.code == ErrorCode.UNKNOWN_SERVER_ERROR


def test_a_topology_of_a_million_tasks_is_refused() -> None:
    """Subtopologies that read one large topic: cheap to write, and each has a task for each of its partitions."""
    many = [Subtopology(subtopology_id=str(number), source_topics=["large"]) for number in range(1_000)]
    with pytest.raises(KafkaError, match=f"1000000 tasks; a group may have {TASKS_MAX}") as refused:
        configure(StoredTopology(topology(*many)), image(large=1_000))
    assert refused.value.code == ErrorCode.STREAMS_INVALID_TOPOLOGY


def test_a_long_chain_of_subtopologies_is_walked_once() -> None:
    """In the worst order: each writes the repartition topic of the one before it. Walked in rounds it takes minutes."""
    count = 5_000
    chain = [
        Subtopology(
            subtopology_id=f"{number}",
            repartition_source_topics=[topic(f"t{number + 1}")],
            repartition_sink_topics=[f"t{number}"],
        )
        for number in range(count)
    ]
    first = Subtopology(subtopology_id="first", source_topics=["in"], repartition_sink_topics=[f"t{count}"])
    configured = configure(StoredTopology(topology(*chain, first)), image(**{"in": 2}))
    assert configured.subtopologies is not None
    assert configured.subtopologies["0"].task_count == 2


def test_source_topics_by_pattern_are_refused() -> None:
    with pytest.raises(KafkaError) as refused:
        refuse_patterns(topology(Subtopology(subtopology_id="0", source_topic_regex=["a.*"])))
    assert refused.value.code == ErrorCode.INVALID_REQUEST
    refuse_patterns(COUNTING)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ([Subtopology(state_changelog_topics=[topic("c", 2)])], ErrorCode.STREAMS_INVALID_TOPOLOGY),
        ([Subtopology(subtopology_id="0"), Subtopology(subtopology_id="0")], ErrorCode.UNKNOWN_SERVER_ERROR),
        ([Subtopology(repartition_source_topics=[topic("r"), topic("r")])], ErrorCode.UNKNOWN_SERVER_ERROR),
        ([Subtopology(state_changelog_topics=[topic("c"), topic("c")])], ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
    ids=["changelog with partitions", "subtopology twice", "repartition topic twice", "changelog twice"],
)
def test_a_topology_that_contradicts_itself_is_refused(wrong: list[Subtopology], code: ErrorCode) -> None:
    with pytest.raises(KafkaError) as refused:
        refuse_contradictions(topology(*wrong))
    assert refused.value.code == code
    refuse_contradictions(COUNTING)


def test_a_task_reads_its_partition_of_each_source_topic_that_has_it() -> None:
    both = topology(Subtopology(subtopology_id="0", source_topics=["long", "short"]))
    topics = image(long=3, short=2)
    subtopologies = configure(StoredTopology(both), topics).subtopologies
    assert subtopologies is not None
    read = dict(task_partitions({"0": frozenset((2, 1))}, subtopologies, topics))
    assert read == {"long": [1, 2], "short": [1]}
    assert dict(task_partitions({"0": frozenset((2,)), "gone": frozenset((1,))}, subtopologies, image())) == {}


def test_tasks_without_a_member_are_not_assigned() -> None:
    with pytest.raises(TaskAssignorError, match="No process available to assign active task 0_0"):
        sticky_tasks(TaskGroupSpec({}, {"0": SubtopologySpec(1, is_stateful=False)}, 0))


def test_a_standby_is_never_in_the_process_of_its_active_task() -> None:
    members = {f"m{number}": TaskMemberSpec(f"p{number // 2}", {}, {}, {}) for number in range(4)}
    assigned = sticky_tasks(TaskGroupSpec(members, {"0": SubtopologySpec(4, is_stateful=True)}, 3))
    for process in ("m0", "m1"), ("m2", "m3"):
        active = frozenset[int]().union(*(assigned[name].active.get("0", frozenset()) for name in process))
        standby = frozenset[int]().union(*(assigned[name].standby.get("0", frozenset()) for name in process))
        assert not active & standby
        assert active | standby == frozenset(range(4))


def test_the_order_of_a_java_map_counts_calls_that_put_nothing() -> None:
    """The eighth call finds its key, and yet lets the map grow. Printed by Java 17."""
    names = [f"process-{name}" for name in ("6d3f2", "e6848", "abc9d", "d12e5", "15a77", "337c9", "f415d")]
    java = [f"process-{name}" for name in ("6d3f2", "d12e5", "f415d", "15a77", "e6848", "337c9", "abc9d")]
    assert computed_order([*names, "process-337c9"]) == java
    assert computed_order(names) != java
