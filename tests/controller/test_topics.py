"""Decisions about topics. Every code and message here was given by Apache Kafka 4.4.0 when it was asked the same."""

from __future__ import annotations

from random import Random

import pytest

from kafkapy_controller.image import ConfigResourceType, MetadataImage
from kafkapy_controller.topics import decide_create_partitions, decide_create_topics, decide_delete_topics
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicResult
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import ZERO_UUID, Uuid, random_uuid

from .clusters import apply, cluster, create_request, creation, directory_of, topic, with_topics


def create_one(image: MetadataImage, wanted: CreatableTopic) -> CreatableTopicResult:
    decision = decide_create_topics(image, create_request(wanted), creation())
    (result,) = decision.response.topics
    assert bool(decision.records) == (result.error_code == ErrorCode.NONE)
    return result


def test_a_created_topic_is_led_and_described() -> None:
    image = cluster()
    decision = decide_create_topics(
        image, create_request(topic("a", 2, 1, configs=[("retention.ms", "5")])), creation()
    )
    (result,) = decision.response.topics
    assert (result.error_code, result.error_message) == (ErrorCode.NONE, None)
    assert (result.num_partitions, result.replication_factor) == (2, 1)
    assert [(config.name, config.value) for config in result.configs or ()] == [("retention.ms", "5")]
    assert [type(record) for record in decision.records] == [
        m.TopicRecord,
        m.ConfigRecord,
        m.PartitionRecord,
        m.PartitionRecord,
    ]
    image = apply(image, decision.records)
    assert image.topics["a"].topic_id == result.topic_id != ZERO_UUID
    for partition in image.topics["a"].partitions:
        assert (partition.leader, partition.leader_epoch, partition.partition_epoch) == (1, 0, 0)
        assert partition.directories == (directory_of(1),)
    assert image.resource_configs(ConfigResourceType.TOPIC, "a") == {"retention.ms": "5"}


def test_minus_one_is_the_default() -> None:
    defaults = creation(default_partition_count=4, default_replication_factor=2)
    decision = decide_create_topics(cluster([1, 2]), create_request(topic("a", -1, -1)), defaults)
    (result,) = decision.response.topics
    assert (result.num_partitions, result.replication_factor) == (4, 2)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "the empty string is not allowed"),
        (".", "'.' is not allowed"),
        ("..", "'..' is not allowed"),
        ("a" * 250, f"the length of '{'a' * 250}' is longer than the max allowed length 249"),
        ("sp ace", "'sp ace' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
        ("ü", "'ü' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
    ],
)
def test_invalid_names(name: str, reason: str) -> None:
    result = create_one(cluster(), topic(name, 0, 0))
    assert result.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert result.error_message == f"Topic name is invalid: {reason}"


def test_names_that_metrics_could_not_tell_apart_collide() -> None:
    image = with_topics(cluster(), topic("q.w"))
    result = create_one(image, topic("q_w"))
    assert result.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert result.error_message == "Topic 'q_w' collides with existing topic: q.w"
    assert create_one(image, topic("q-w")).error_code == ErrorCode.NONE


def test_names_of_one_request_do_not_collide() -> None:
    decision = decide_create_topics(cluster(), create_request(topic("a.b"), topic("a_b")), creation())
    assert [result.error_code for result in decision.response.topics] == [ErrorCode.NONE, ErrorCode.NONE]


def test_a_name_that_exists_is_told_before_one_that_collides() -> None:
    decision = decide_create_topics(cluster(), create_request(topic("a.b"), topic("a_b")), creation())
    image = apply(cluster(), decision.records)
    assert create_one(image, topic("a.b")).error_code == ErrorCode.TOPIC_ALREADY_EXISTS


ERRORS = [
    (topic("a", 0, 0), ErrorCode.TOPIC_ALREADY_EXISTS, "Topic 'a' already exists."),
    (
        topic("z", 0, 1),
        ErrorCode.INVALID_PARTITIONS,
        "Number of partitions was set to an invalid non-positive value.",
    ),
    (
        topic("z", -2, 1),
        ErrorCode.INVALID_PARTITIONS,
        "Number of partitions was set to an invalid non-positive value.",
    ),
    (
        topic("z", 0, 0),
        ErrorCode.INVALID_REPLICATION_FACTOR,
        "Replication factor must be larger than 0, or -1 to use the default value.",
    ),
    (
        topic("z", 1, 2),
        ErrorCode.INVALID_REPLICATION_FACTOR,
        (
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because "
            "only 1 broker(s) are registered or some brokers have all their log directories cordoned."
        ),
    ),
    (
        topic("__cluster_metadata"),
        ErrorCode.INVALID_REQUEST,
        "Creation of internal topic __cluster_metadata is prohibited.",
    ),
    (
        topic("z", 1, -1, assignments=[(0, [1])]),
        ErrorCode.INVALID_REQUEST,
        "A manual partition assignment was specified, but numPartitions was not set to -1.",
    ),
    (
        topic("z", 1, 1, assignments=[(0, [1])]),
        ErrorCode.INVALID_REQUEST,
        "A manual partition assignment was specified, but replication factor was not set to -1.",
    ),
    (
        topic("z", assignments=[(0, [7])]),
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "The manual partition assignment includes broker 7, but no such broker is registered.",
    ),
    (
        topic("z", assignments=[(0, [1, 1])]),
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "The manual partition assignment includes the broker 1 more than once.",
    ),
    (
        topic("z", assignments=[(0, [])]),
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "The manual partition assignment includes an empty replica list.",
    ),
    (
        topic("z", assignments=[(0, [1]), (0, [1])]),
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "Found multiple manual partition assignments for partition 0",
    ),
    (
        topic("z", assignments=[(0, [1]), (2, [1])]),
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "partitions should be a consecutive 0-based integer sequence",
    ),
    (
        topic("z", assignments=[(-1, [1])]),
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "partitions should be a consecutive 0-based integer sequence",
    ),
    (
        topic("z", 0, 1, configs=[("no.such", "1"), ("retention.ms", "x")]),
        ErrorCode.INVALID_CONFIG,
        "Unknown topic config name: no.such",
    ),
    (
        topic("z", configs=[("no.such", None)]),
        ErrorCode.INVALID_CONFIG,
        "Null value not supported for topic configs: no.such",
    ),
]


@pytest.mark.parametrize(("wanted", "code", "message"), ERRORS)
def test_what_cannot_be_created(wanted: CreatableTopic, code: ErrorCode, message: str) -> None:
    result = create_one(with_topics(cluster(), topic("a")), wanted)
    assert (ErrorCode(result.error_code), result.error_message) == (code, message)
    assert (result.num_partitions, result.replication_factor, result.topic_id) == (-1, -1, ZERO_UUID)


def test_manual_assignments_must_have_equally_many_replicas() -> None:
    result = create_one(cluster([1, 2]), topic("z", assignments=[(0, [1]), (1, [2, 1])]))
    assert result.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert result.error_message == (
        "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with "
        "previous partitions, which have 1 replica(s)."
    )


def test_a_manual_assignment_is_kept_and_led_by_its_first_live_broker() -> None:
    image = with_topics(cluster([1, 2, 3], fenced=[2]), topic("m", assignments=[(1, [3, 1]), (0, [2, 3])]))
    first, second = image.topics["m"].partitions
    assert (first.replicas, first.isr, first.leader) == ((2, 3), (3,), 3)
    assert (second.replicas, second.isr, second.leader) == ((3, 1), (3, 1), 3)


def test_nothing_can_be_assigned_to_fenced_brokers_only() -> None:
    image = cluster([1, 2], fenced=[2])
    result = create_one(image, topic("z", assignments=[(0, [2])]))
    assert result.error_message == (
        "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown."
    )
    result = create_one(cluster([1], fenced=[1]), topic("z", 1, 1))
    assert result.error_code == ErrorCode.INVALID_REPLICATION_FACTOR
    assert result.error_message == (
        "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log "
        "directories cordoned."
    )


def test_a_name_twice_fails_alone_and_is_answered_once_and_last() -> None:
    request = create_request(topic("x1"), topic("d"), topic("bad name"), topic("d"), topic("x2"))
    decision = decide_create_topics(cluster(), request, creation())
    assert [(result.name, ErrorCode(result.error_code)) for result in decision.response.topics] == [
        ("x1", ErrorCode.NONE),
        ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("x2", ErrorCode.NONE),
        ("d", ErrorCode.INVALID_REQUEST),
    ]
    assert decision.response.topics[-1].error_message == "Duplicate topic name."


def test_validate_only_answers_all_and_writes_nothing() -> None:
    request = create_request(topic("a", 2, 1), topic("b", 0), validate_only=True)
    decision = decide_create_topics(cluster(), request, creation())
    assert decision.records == []
    first, second = decision.response.topics
    assert (first.error_code, first.num_partitions) == (ErrorCode.NONE, 2)
    assert second.error_code == ErrorCode.INVALID_PARTITIONS


def test_the_last_value_of_a_setting_counts() -> None:
    wanted = topic("a", configs=[("retention.ms", "1"), ("retention.ms", "2")])
    assert with_topics(cluster(), wanted).configs[ConfigResourceType.TOPIC, "a"] == {"retention.ms": "2"}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([10_001], "Excessively large number of partitions per request."),
        ([6_000, 6_000], "Excessively large number of partitions per request."),
        ([9_999], "Unable to perform excessively large batch operation."),
    ],
)
def test_excessive_requests_are_refused_as_a_whole(counts: list[int], message: str) -> None:
    topics = [topic(f"t{i}", count, 1) for i, count in enumerate(counts)]
    decision = decide_create_topics(cluster(), create_request(*topics, topic("small")), creation())
    assert decision.records == []
    assert {(result.error_code, result.error_message) for result in decision.response.topics} == {
        (ErrorCode.POLICY_VIOLATION, message)
    }
    assert len(decision.response.topics) == len(counts) + 1


def test_9999_partitions_fit_into_one_request() -> None:
    assert create_one(cluster(), topic("big", 9_999, 1)).error_code == ErrorCode.NONE


# DeleteTopics


def delete(image: MetadataImage, *wanted: tuple[str | None, Uuid], names: tuple[str, ...] = ()) -> DeleteTopicsRequest:
    return DeleteTopicsRequest(
        topics=[DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in wanted], topic_names=list(names)
    )


def test_topics_go_by_name_and_by_id_with_their_settings() -> None:
    image = with_topics(cluster(), topic("a", configs=[("retention.ms", "1")]), topic("b"), topic("c"), topic("kept"))
    request = delete(image, ("a", ZERO_UUID), (None, image.topics["b"].topic_id), names=("c",))
    decision = decide_delete_topics(image, request)
    assert {(r.name, r.topic_id, r.error_code, r.error_message) for r in decision.response.responses} == {
        (name, image.topics[name].topic_id, ErrorCode.NONE, None) for name in ("a", "b", "c")
    }
    after = apply(image, decision.records)
    assert set(after.topics) == {"kept"}
    assert after.configs == {}


def test_what_cannot_be_deleted() -> None:
    image = with_topics(cluster(), topic("a"), topic("b"), topic("c"), topic("d"))
    ids = {name: found.topic_id for name, found in image.topics.items()}
    unknown = random_uuid()
    request = delete(
        image,
        ("nope", ZERO_UUID),
        (None, unknown),
        (None, ZERO_UUID),
        ("a", ids["a"]),
        ("b", ZERO_UUID),
        ("b", ZERO_UUID),
        (None, ids["c"]),
        (None, ids["c"]),
        ("d", ZERO_UUID),
        (None, ids["d"]),
    )
    decision = decide_delete_topics(image, request)
    assert decision.records == []
    answers = {(r.name, r.topic_id): (ErrorCode(r.error_code), r.error_message) for r in decision.response.responses}
    assert len(answers) == len(decision.response.responses)
    assert answers == {
        ("nope", ZERO_UUID): (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            "This server does not host this topic-partition.",
        ),
        (None, unknown): (ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID."),
        (None, ZERO_UUID): (ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified."),
        ("a", ids["a"]): (ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id."),
        ("b", ZERO_UUID): (ErrorCode.INVALID_REQUEST, "Duplicate topic name."),
        (None, ids["c"]): (ErrorCode.INVALID_REQUEST, "Duplicate topic id."),
        ("d", ids["d"]): (
            ErrorCode.INVALID_REQUEST,
            "The provided topic name maps to an ID that was already supplied.",
        ),
    }


# CreatePartitions


def more(*wanted: tuple[str, int, list[list[int]] | None], validate_only: bool = False) -> CreatePartitionsRequest:
    return CreatePartitionsRequest(
        topics=[
            CreatePartitionsTopic(
                name=name,
                count=count,
                assignments=None
                if assignments is None
                else [CreatePartitionsAssignment(broker_ids=ids) for ids in assignments],
            )
            for name, count, assignments in wanted
        ],
        validate_only=validate_only,
    )


def test_a_topic_gets_more_partitions() -> None:
    image = with_topics(cluster([1, 2]), topic("a", 2, 2), topic("b", 1, 2))
    decision = decide_create_partitions(image, more(("a", 5, None), ("b", 2, [[2, 1]])), Random(1))
    assert [(r.name, r.error_code, r.error_message) for r in decision.response.results] == [
        ("a", ErrorCode.NONE, None),
        ("b", ErrorCode.NONE, None),
    ]
    after = apply(image, decision.records)
    assert after.topics["a"].partitions[:2] == image.topics["a"].partitions
    assert [sorted(partition.replicas) for partition in after.topics["a"].partitions] == [[1, 2]] * 5
    assert after.topics["b"].partitions[1].replicas == (2, 1)
    assert decide_create_partitions(image, more(("a", 5, None), validate_only=True), Random(1)).records == []


@pytest.mark.parametrize(
    ("count", "assignments", "code", "message"),
    [
        (2, None, ErrorCode.INVALID_PARTITIONS, "Topic already has 2 partition(s)."),
        (
            -1,
            None,
            ErrorCode.INVALID_PARTITIONS,
            "The topic a currently has 2 partition(s); -1 would not be an increase.",
        ),
        (
            4,
            [[1]],
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (
            3,
            [],
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.",
        ),
        (
            3,
            [[9]],
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            3,
            [[]],
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            2_147_483_647,
            None,
            ErrorCode.POLICY_VIOLATION,
            "Unable to perform excessively large batch operation.",
        ),
    ],
)
def test_partitions_that_cannot_be_made(
    count: int, assignments: list[list[int]] | None, code: ErrorCode, message: str
) -> None:
    image = with_topics(cluster(), topic("a", 2))
    decision = decide_create_partitions(image, more(("a", count, assignments)), Random(1))
    (result,) = decision.response.results
    assert (ErrorCode(result.error_code), result.error_message) == (code, message)
    assert decision.records == []


def test_unknown_and_repeated_topics_get_no_partitions() -> None:
    image = with_topics(cluster(), topic("a"), topic("b"))
    request = more(("b", 3, None), ("nope", 3, None), ("a", 3, None), ("a", 4, None))
    decision = decide_create_partitions(image, request, Random(1))
    assert [(r.name, ErrorCode(r.error_code), r.error_message) for r in decision.response.results] == [
        ("a", ErrorCode.INVALID_REQUEST, "Duplicate topic name."),
        ("b", ErrorCode.NONE, None),
        ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, None),
    ]
    assert len(decision.records) == 2
