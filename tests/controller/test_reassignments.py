"""Replicas are moved: what can be done at once is, what waits is listed, and what waits can be cancelled."""

from __future__ import annotations

import pytest

from kafkapy_controller.decision import Decision, at_once
from kafkapy_controller.image import MetadataImage, PartitionImage
from kafkapy_controller.metadata_records import MetadataRecord, encode_metadata_record
from kafkapy_controller.reassignments import decide_alter_reassignments, reassignments_under_way
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.list_partition_reassignments import ListPartitionReassignmentsTopics
from kafkapy_wire.record_formats.metadata import (
    BrokerRegistrationChangeRecord,
    FeatureLevelRecord,
    PartitionChangeRecord,
)

from .clusters import apply, cluster, directory_of, rules, topic, with_topics


def move(
    image: MetadataImage,
    replicas: list[int] | None,
    *,
    name: str = "a",
    index: int = 0,
    same_factor: bool = False,
    unclean: bool = False,
) -> Decision[AlterPartitionReassignmentsResponse]:
    wanted = ReassignableTopic(name=name, partitions=[ReassignablePartition(partition_index=index, replicas=replicas)])
    request = AlterPartitionReassignmentsRequest(topics=[wanted], allow_replication_factor_change=not same_factor)
    return decide_alter_reassignments(image, rules(unclean=unclean), request)


def error_of(decision: Decision[AlterPartitionReassignmentsResponse]) -> ErrorCode:
    ((result,),) = [each.partitions for each in decision.response.responses]
    return ErrorCode(result.error_code)


def moved(image: MetadataImage, replicas: list[int] | None, *, unclean: bool = False) -> MetadataImage:
    decision = move(image, replicas, unclean=unclean)
    assert error_of(decision) is ErrorCode.NONE, decision.response
    return apply(image, decision.records)


def partition(image: MetadataImage) -> PartitionImage:
    return image.topics["a"].partitions[0]


def on(*replicas: int, brokers: tuple[int, ...] = (1, 2, 3), fenced: tuple[int, ...] = ()) -> MetadataImage:
    """The topic `a` on those brokers; the fenced ones are so from then on, and in the ISR no more."""
    image = with_topics(cluster(brokers), topic("a", assignments=[(0, list(replicas))]))
    image = apply(image, [record for each in fenced for record in _fenced(image, each)])
    isr = [broker_id for broker_id in replicas if broker_id not in fenced]
    return with_isr(image, isr) if isr != list(replicas) else image


def _fenced(image: MetadataImage, broker_id: int) -> list[MetadataRecord]:
    epoch = image.brokers[broker_id].epoch
    return [BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=epoch, fenced=1)]


def with_isr(image: MetadataImage, isr: list[int]) -> MetadataImage:
    record = PartitionChangeRecord(partition_id=0, topic_id=image.topics["a"].topic_id, isr=isr)
    if partition(image).leader not in isr:
        record.leader = isr[0]
    return apply(image, [record])


def test_to_where_they_are_changes_nothing() -> None:
    image = on(1, 2)
    decision = move(image, [1, 2])
    assert (error_of(decision), decision.records) == (ErrorCode.NONE, [])


def test_another_order_makes_another_preferred_leader_without_an_election() -> None:
    after = partition(moved(on(1, 2), [2, 1]))
    assert (after.replicas, after.leader, after.leader_epoch, after.adding_replicas) == ((2, 1), 1, 0, ())
    assert after.directories == (directory_of(2), directory_of(1))


def test_replicas_that_only_go_are_gone_at_once() -> None:
    before = partition(on(1, 2, 3))
    after = partition(moved(on(1, 2, 3), [1]))
    assert (after.replicas, after.isr, after.leader) == ((1,), (1,), 1)
    assert (after.adding_replicas, after.removing_replicas, after.directories) == ((), (), (directory_of(1),))
    assert after.leader_epoch == before.leader_epoch + 1, "what goes must hear that it is over"


def test_a_leader_that_goes_has_a_successor() -> None:
    after = partition(moved(on(1, 2), [2]))
    assert (after.replicas, after.isr, after.leader, after.leader_epoch) == ((2,), (2,), 2, 1)


def test_a_new_replica_is_waited_for() -> None:
    image = moved(on(1), [2, 3])
    during = partition(image)
    assert (during.replicas, during.isr, during.leader) == ((2, 3, 1), (1,), 1)
    assert (during.adding_replicas, during.removing_replicas) == ((2, 3), (1,))
    listed = at_once(reassignments_under_way(image, None)).topics
    ((found,),) = [each.partitions for each in listed]
    assert (found.replicas, found.adding_replicas, found.removing_replicas) == ([2, 3, 1], [2, 3], [1])


def test_a_reassignment_is_cancelled() -> None:
    after = partition(moved(moved(on(1), [2, 3]), None))
    assert (after.replicas, after.isr, after.leader) == ((1,), (1,), 1)
    assert (after.adding_replicas, after.removing_replicas, after.directories) == ((), (), (directory_of(1),))
    assert error_of(move(on(1), None)) is ErrorCode.NO_REASSIGNMENT_IN_PROGRESS


def test_it_is_completed_when_all_that_it_adds_are_in_sync() -> None:
    image = with_isr(moved(on(1), [2]), [1, 2])
    after = partition(moved(image, [2]))
    assert (after.replicas, after.isr, after.leader, after.removing_replicas) == ((2,), (2,), 2, ())


def test_cancelled_when_only_the_new_ones_are_in_sync_takes_an_unclean_election() -> None:
    image = with_isr(moved(on(1), [2]), [2])
    assert error_of(move(image, None)) is ErrorCode.INVALID_REPLICA_ASSIGNMENT
    after = partition(moved(image, None, unclean=True))
    assert (after.replicas, after.isr, after.leader) == ((1,), (1,), 1)


def test_what_goes_while_nobody_else_is_in_sync_stays_until_then() -> None:
    image = moved(on(1, 2, fenced=(2,)), [2])
    during = partition(image)
    assert (during.replicas, during.isr, during.leader, during.removing_replicas) == ((2, 1), (1,), 1, (1,))


@pytest.mark.parametrize(
    ("replicas", "same_factor", "code"),
    [
        ([9], False, ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ([1, 1], False, ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ([], False, ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ([1, 2], True, ErrorCode.INVALID_REPLICATION_FACTOR),
        ([2], True, ErrorCode.NONE),
    ],
)
def test_assignments_that_cannot_be(replicas: list[int], same_factor: bool, code: ErrorCode) -> None:
    decision = move(on(1), replicas, same_factor=same_factor)
    assert error_of(decision) is code
    assert bool(decision.records) is (code is ErrorCode.NONE)


def test_topics_and_partitions_that_do_not_exist() -> None:
    for name, index in (("b", 0), ("a", 1), ("a", -1)):
        assert error_of(move(on(1), [1], name=name, index=index)) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    asked = [ListPartitionReassignmentsTopics(name="b", partition_indexes=[0])]
    asked += [ListPartitionReassignmentsTopics(name="a", partition_indexes=[-1, 0, 1])]
    assert at_once(reassignments_under_way(on(1), asked)).topics == []


def test_a_low_metadata_version_has_no_directories() -> None:
    image = apply(on(1, 2), [FeatureLevelRecord(name="metadata.version", feature_level=7)])
    (record,) = move(image, [2]).records
    encode_metadata_record(record, 7)  # raises for what that version cannot carry
