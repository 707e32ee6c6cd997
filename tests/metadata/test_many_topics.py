"""Requests about many topics are decided in batches: what the answer says, what others see meanwhile, and failures."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from kafkapy import turns
from kafkapy.metadata import in_batches, many_topics
from kafkapy_controller import topics as decisions
from kafkapy_controller.metadata_batches import read_batches
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.apis.topic_lab import Lab, lab, topic

LOG = "__cluster_metadata-0/00000000000000000000.log"
NONE, EXISTS = ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS
POLICY_VIOLATION, INVALID_REQUEST = ErrorCode.POLICY_VIOLATION, ErrorCode.INVALID_REQUEST


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Ten records a batch, and everybody's turn after each."""
    for module in (in_batches, many_topics):
        monkeypatch.setattr(module, "RECORDS_PER_BATCH", 10)
    monkeypatch.setattr(many_topics, "RECORDS_AT_ONCE_MAX", 40)
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    with lab(tmp_path) as opened:
        yield opened


def create(node: Lab, *topics: CreatableTopic, validate_only: bool = False) -> dict[str, ErrorCode]:
    request = CreateTopicsRequest(topics=list(topics), validate_only=validate_only)
    response = node.run(node.controller.create_topics(request))
    codes = {result.name: ErrorCode(result.error_code) for result in response.topics}
    assert len(codes) == len(response.topics), "one result a name"
    return codes


def numbered(count: int, partitions: int = 1) -> list[CreatableTopic]:
    return [topic(f"t{number}", partitions) for number in range(count)]


def test_many_topics_are_made_in_batches_that_others_have_turns_between(node: Lab, tmp_path: Path) -> None:
    seen: list[int] = []

    async def with_others() -> None:
        async with trio.open_nursery() as nursery:

            async def others() -> None:
                while True:
                    seen.append(len(node.image.topics))
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(others)
            response = await node.controller.create_topics(CreateTopicsRequest(topics=numbered(50)))
            assert {result.error_code for result in response.topics} == {NONE}
            assert all(result.configs for result in response.topics)
            nursery.cancel_scope.cancel()

    before = len(list(read_batches((tmp_path / LOG).read_bytes())))
    node.run(with_others())
    assert len(node.image.topics) == 50
    batches = list(read_batches((tmp_path / LOG).read_bytes()))[before:]
    assert [len(batch.records) for batch in batches] == [10] * 10
    assert seen == sorted(seen)
    assert len(set(seen)) >= 5, "who comes first in a round is chance, but nobody waits for more than one batch"


def test_a_name_twice_is_refused_wherever_it_stands(node: Lab) -> None:
    codes = create(node, topic("twice"), *numbered(30), topic("twice"), topic("__cluster_metadata"))
    assert {name for name, code in codes.items() if code} == {"twice", "__cluster_metadata"}
    assert codes["twice"] == codes["__cluster_metadata"] == INVALID_REQUEST
    assert "twice" not in node.image.topics


def test_topics_of_one_request_do_not_collide_but_those_of_others_do(node: Lab) -> None:
    create(node, topic("other.one"))
    codes = create(node, topic("a.b"), *numbered(30), topic("a_b"), topic("other_one"), topic("other.one"))
    assert (codes["a.b"], codes["a_b"]) == (NONE, NONE)
    assert (codes["other_one"], codes["other.one"]) == (ErrorCode.INVALID_TOPIC_EXCEPTION, EXISTS)


def test_what_others_decide_in_between_counts(node: Lab) -> None:
    async def both() -> tuple[dict[str, int], dict[str, int]]:
        codes: list[dict[str, int]] = [{}, {}]

        async def ask(place: int, names: list[str]) -> None:
            request = CreateTopicsRequest(topics=[topic(name) for name in names])
            response = await node.controller.create_topics(request)
            codes[place] = {result.name: result.error_code for result in response.topics}

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, 0, [f"t{number}" for number in range(60)])
            nursery.start_soon(ask, 1, [f"t{number}" for number in reversed(range(60))])
        return codes[0], codes[1]

    one, two = node.run(both())
    assert all({one[name], two[name]} == {NONE, EXISTS} for name in one)
    assert set(one.values()) == {NONE, EXISTS}, "they met in the middle"
    assert len(node.image.topics) == 60


def test_validating_makes_nothing(node: Lab) -> None:
    offset = node.image.offset
    assert set(create(node, *numbered(40), validate_only=True).values()) == {NONE}
    assert node.image.offset == offset


def test_too_many_partitions_are_refused_as_a_whole(node: Lab) -> None:
    assert set(create(node, *numbered(11, partitions=1_000)).values()) == {POLICY_VIOLATION}
    assert not node.image.topics


def test_too_many_records_are_refused_as_a_whole_but_only_those_that_would_be_made_count(
    node: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (many_topics, decisions):
        monkeypatch.setattr(module, "RECORDS_PER_DECISION_MAX", 100)
    topics = numbered(40)
    for each in topics:
        each.configs = [CreatableTopicConfig(name="retention.ms", value="1")]  # three records each
    assert set(create(node, *topics).values()) == {POLICY_VIOLATION}
    assert not node.image.topics
    create(node, *numbered(10))
    codes = create(node, *topics)
    assert list(codes.values()).count(EXISTS) == 10
    assert list(codes.values()).count(NONE) == 30


def test_a_disk_that_fills_up_refuses_the_rest(node: Lab, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / LOG).stat().st_size + 3_000, limits[1]))
    try:
        codes = create(node, *numbered(60))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    made = {name for name, code in codes.items() if code == NONE}
    refused = {name for name, code in codes.items() if code == ErrorCode.KAFKA_STORAGE_ERROR}
    assert made == node.image.topics.keys()
    assert made
    assert refused == {f"t{number}" for number in range(60)} - made


def test_many_topics_are_deleted_in_batches(node: Lab) -> None:
    create(node, *numbered(60), topic("twice"))
    twice = node.image.topics["twice"].topic_id
    wanted = [
        DeleteTopicState(name="twice"),
        *[DeleteTopicState(name=f"t{number}") for number in range(59)],
        DeleteTopicState(name=None, topic_id=node.image.topics["t59"].topic_id),
        DeleteTopicState(name="missing"),
        DeleteTopicState(name=None, topic_id=twice),
    ]
    response = node.run(node.controller.delete_topics(DeleteTopicsRequest(topics=wanted, timeout_ms=10_000)))
    failed = {result.name: result.error_code for result in response.responses if result.error_code}
    assert failed == {"missing": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "twice": INVALID_REQUEST}
    assert set(node.image.topics) == {"twice"}


def test_old_clients_delete_by_name(node: Lab) -> None:
    create(node, *numbered(60))
    names = [f"t{number}" for number in range(60)]
    response = node.run(node.controller.delete_topics(DeleteTopicsRequest(topic_names=names, timeout_ms=10_000)))
    assert {result.name for result in response.responses if not result.error_code} == set(names)
    assert not node.image.topics


def test_many_topics_grow_in_batches_and_share_the_room(node: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_topics, "RECORDS_PER_DECISION_MAX", 50)
    create(node, *numbered(20))
    wanted = [CreatePartitionsTopic(name=f"t{number}", count=5, assignments=None) for number in range(20)]
    wanted.append(CreatePartitionsTopic(name="t0", count=6, assignments=None))
    response = node.run(node.controller.create_partitions(CreatePartitionsRequest(topics=wanted, timeout_ms=10_000)))
    codes = {result.name: result.error_code for result in response.results}
    assert codes.pop("t0") == INVALID_REQUEST
    assert list(codes.values()).count(NONE) == 12, "four new partitions each"
    assert list(codes.values()).count(POLICY_VIOLATION) == 7
    assert sum(len(found.partitions) for found in node.image.topics.values()) == 20 + 48


# One topic with many partitions cannot be cut


def big(name: str = "big") -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=[topic(name, 100)])


def test_a_large_topic_is_prepared_in_turns_and_appended_at_once(node: Lab, tmp_path: Path) -> None:
    turns_of_others = 0
    before = len(list(read_batches((tmp_path / LOG).read_bytes())))

    async def with_others() -> None:
        async with trio.open_nursery() as nursery:

            async def others() -> None:
                nonlocal turns_of_others
                while True:
                    turns_of_others += 1
                    assert len(node.image.topics.get("big", ((),) * 3)[2]) in (0, 100)
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(others)
            response = await node.controller.create_topics(big())
            assert (response.topics[0].error_code, response.topics[0].num_partitions) == (NONE, 100)
            nursery.cancel_scope.cancel()

    node.run(with_others())
    assert turns_of_others > 50
    (batch,) = list(read_batches((tmp_path / LOG).read_bytes()))[before:]
    assert len(batch.records) == 101
    assert len(node.image.topics["big"].partitions) == 100
    wanted = [CreatePartitionsTopic(name="big", count=200, assignments=None)]
    node.run(node.controller.create_partitions(CreatePartitionsRequest(topics=wanted, timeout_ms=10_000)))
    assert len(node.image.topics["big"].partitions) == 200


def test_a_large_decision_that_is_overtaken_is_made_anew(node: Lab) -> None:
    made: list[str] = []

    async def with_others() -> tuple[int, int]:
        async with trio.open_nursery() as nursery:

            async def others() -> None:
                while True:
                    made.append(f"t{len(made)}")
                    await node.controller.create_topics(CreateTopicsRequest(topics=[topic(made[-1])]))
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(others)
            first, second = await node.controller.create_topics(big()), await node.controller.create_topics(big())
            nursery.cancel_scope.cancel()
            return first.topics[0].error_code, second.topics[0].error_code

    assert node.run(with_others()) == (NONE, EXISTS)
    assert made
    assert node.image.topics.keys() >= {"big", *made[:-1]}


def test_of_two_large_topics_of_one_name_one_is_made(node: Lab) -> None:
    async def both() -> list[int]:
        codes: list[int] = []

        async def ask() -> None:
            response = await node.controller.create_topics(big())
            codes.append(response.topics[0].error_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        return codes

    assert sorted(node.run(both())) == [NONE, EXISTS]


def test_a_large_topic_that_the_disk_refuses_is_not_there(node: Lab, tmp_path: Path) -> None:
    before = node.image
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / LOG).stat().st_size + 1_000, limits[1]))
    try:
        response = node.run(node.controller.create_topics(big()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert response.topics[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert node.image is before
    assert create(node, topic("big", 100)) == {"big": NONE}
