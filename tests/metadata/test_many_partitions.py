"""ElectLeaders and AlterPartitionReassignments of many partitions: in pieces, answered as if it were one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.metadata.many_partitions import PARTITIONS_PER_PIECE, pieces
from kafkapy_controller.decision import Decision
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord, RegisterBrokerRecord
from tests.apis.topic_lab import Lab, lab, topic

WIDE = 2 * PARTITIONS_PER_PIECE + 50


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Lab]:
    """With `wide` and `other`, all of whose replicas are on this broker and on another that is gone and led them."""
    with lab(tmp_path) as opened:
        opened.create(topic("wide", WIDE), topic("other", 2))
        gone = RegisterBrokerRecord(broker_id=2, broker_epoch=1_000, fenced=True)
        led = [
            PartitionChangeRecord(
                topic_id=found.topic_id, partition_id=index, replicas=[1, 2], isr=[1, 2], leader=2, directories=[]
            )
            for found in opened.image.topics.values()
            for index in range(len(found.partitions))
        ]
        opened.run(opened.controller.commit(Decision([gone, *led], None)).wait())
        yield opened


def leaders(node: Lab, name: str) -> set[int]:
    return {partition.leader for partition in node.image.topics[name].partitions}


def test_every_leader_is_elected_and_those_that_need_none_are_left_out(node: Lab) -> None:
    every = ElectLeadersRequest(topic_partitions=None)
    first = node.run(node.controller.elect_leaders(every)).replica_election_results
    assert {each.topic: len(each.partition_result) for each in first} == {"wide": WIDE, "other": 2}
    assert leaders(node, "wide") == leaders(node, "other") == {1}
    again = node.run(node.controller.elect_leaders(every)).replica_election_results
    assert {each.topic: each.partition_result for each in again} == {"wide": [], "other": []}


def test_results_stand_where_they_were_asked_for(node: Lab) -> None:
    asked = [
        TopicPartitions(topic="other", partitions=[1, 0]),
        TopicPartitions(topic="nothing", partitions=[]),
        TopicPartitions(topic="wide", partitions=list(range(WIDE + 1))),
        TopicPartitions(topic="other", partitions=[1]),
    ]
    response = node.run(node.controller.elect_leaders(ElectLeadersRequest(topic_partitions=asked)))
    results = [
        (each.topic, [r.partition_id for r in each.partition_result]) for each in response.replica_election_results
    ]
    assert results == [(each.topic, each.partitions) for each in asked]
    codes = [[result.error_code for result in each.partition_result] for each in response.replica_election_results]
    assert codes[0] == [ErrorCode.NONE, ErrorCode.NONE]
    assert codes[2] == [ErrorCode.NONE] * WIDE + [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert codes[3] == [ErrorCode.ELECTION_NOT_NEEDED], "decided on what came before"


def test_an_unknown_election_changes_nothing(node: Lab) -> None:
    with pytest.raises(KafkaError) as refusal:
        node.run(node.controller.elect_leaders(ElectLeadersRequest(election_type=9, topic_partitions=None)))
    assert refusal.value.code is ErrorCode.INVALID_REQUEST
    assert leaders(node, "wide") == {2}


def test_many_replicas_are_taken_away(node: Lab) -> None:
    topics = [
        ReassignableTopic(
            name=name, partitions=[ReassignablePartition(partition_index=index, replicas=[1]) for index in range(count)]
        )
        for name, count in (("wide", WIDE), ("nothing", 0), ("other", 3))
    ]
    request = AlterPartitionReassignmentsRequest(topics=topics)
    response = node.run(node.controller.alter_partition_reassignments(request))
    assert [(each.name, len(each.partitions)) for each in response.responses] == [
        ("wide", WIDE),
        ("nothing", 0),
        ("other", 3),
    ]
    codes = [result.error_code for each in response.responses for result in each.partitions]
    assert codes == [ErrorCode.NONE] * (WIDE + 2) + [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert {partition.replicas for partition in node.image.topics["wide"].partitions} == {(1,)}
    assert leaders(node, "wide") == {1}


def test_a_disk_that_refuses_is_every_partitions_answer(node: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "full")

    monkeypatch.setattr(node.metadata_log, "append", refuse)
    asked = [TopicPartitions(topic="other", partitions=[0, 1])]
    response = node.run(node.controller.elect_leaders(ElectLeadersRequest(topic_partitions=asked)))
    found = response.replica_election_results[0].partition_result
    assert [(result.error_code, result.error_message) for result in found] == [
        (ErrorCode.KAFKA_STORAGE_ERROR, "full")
    ] * 2


@pytest.mark.parametrize("sizes", [[], [0], [1], [0, 0, 3], [199, 1, 1], [200], [201, 0, 600], [0] * 450])
def test_pieces_are_all_there_and_none_is_too_large(sizes: list[int]) -> None:
    entries = [range(size) for size in sizes]
    cut = list(pieces(entries))
    assert all(sum(max(len(some), 1) for _, some in piece) <= PARTITIONS_PER_PIECE for piece in cut)
    together: dict[int, list[int]] = {}
    for piece in cut:
        for place, some in piece:
            together.setdefault(place, []).extend(some)
    assert together == {place: list(partitions) for place, partitions in enumerate(entries)}
