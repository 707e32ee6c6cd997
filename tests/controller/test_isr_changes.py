"""AlterPartition: what the leader of a partition may say of its ISR."""

from __future__ import annotations

import pytest

from kafkapy_controller.broker_transitions import Transition, decide_transition
from kafkapy_controller.image import LeaderRecoveryState, MetadataImage, PartitionImage
from kafkapy_controller.isr_changes import decide_alter_partition
from kafkapy_controller.partition_changes import TopicRules
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    AlterPartitionResponsePartitionData,
    BrokerState,
)
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord
from kafkapy_wire.uuid import ZERO_UUID, Uuid

from .clusters import apply, cluster, directory_of, rules, topic, with_topics

RECOVERED, RECOVERING = LeaderRecoveryState.RECOVERED, LeaderRecoveryState.RECOVERING


def started() -> MetadataImage:
    """The topic `a` with one partition, led by broker 1, with brokers 2 and 3 in sync."""
    return with_topics(cluster([1, 2, 3, 4]), topic("a", assignments=[(0, [1, 2, 3])]))


def partition(image: MetadataImage) -> PartitionImage:
    return image.topics["a"].partitions[0]


def changed(image: MetadataImage, **fields: object) -> MetadataImage:
    if isinstance(replicas := fields.get("replicas"), list):
        fields["directories"] = [directory_of(broker_id) for broker_id in replicas]
    record = PartitionChangeRecord(partition_id=0, topic_id=image.topics["a"].topic_id, **fields)  # type: ignore[arg-type]  # any of them
    return apply(image, [record])


def asked(
    image: MetadataImage,
    isr: list[int],
    *,
    index: int = 0,
    leader_epoch: int | None = None,
    partition_epoch: int | None = None,
    recovery: int = RECOVERED,
    broker_epochs: dict[int, int] | None = None,
) -> AlterPartitionRequestPartitionData:
    epochs = {broker.broker_id: broker.epoch for broker in image.brokers.values()} | (broker_epochs or {})
    return AlterPartitionRequestPartitionData(
        partition_index=index,
        leader_epoch=partition(image).leader_epoch if leader_epoch is None else leader_epoch,
        partition_epoch=partition(image).partition_epoch if partition_epoch is None else partition_epoch,
        new_isr_with_epochs=[BrokerState(broker_id=each, broker_epoch=epochs.get(each, -1)) for each in isr],
        leader_recovery_state=recovery,
    )


def decided(
    image: MetadataImage,
    *partitions: AlterPartitionRequestPartitionData,
    broker_id: int = 1,
    topic_id: Uuid | None = None,
    topic_rules: TopicRules | None = None,
    version: int = 3,
) -> tuple[list[AlterPartitionResponsePartitionData], MetadataImage]:
    request = AlterPartitionRequest(
        broker_id=broker_id,
        broker_epoch=image.brokers[broker_id].epoch,
        topics=[
            AlterPartitionRequestTopicData(
                topic_id=image.topics["a"].topic_id if topic_id is None else topic_id, partitions=list(partitions)
            )
        ],
    )
    decision = decide_alter_partition(image, topic_rules or rules(), request, version)
    return decision.response.topics[0].partitions, apply(image, decision.records)


def code(
    image: MetadataImage,
    wanted: AlterPartitionRequestPartitionData,
    *,
    broker_id: int = 1,
    topic_id: Uuid | None = None,
) -> ErrorCode:
    (result,), after = decided(image, wanted, broker_id=broker_id, topic_id=topic_id)
    assert after.topics == image.topics
    return ErrorCode(result.error_code)


def test_the_isr_shrinks_and_grows_in_the_leaders_epoch() -> None:
    image = started()
    (result,), image = decided(image, asked(image, [1, 2]))
    assert (result.error_code, result.leader_id, result.isr) == (ErrorCode.NONE, 1, [1, 2])
    assert (result.leader_epoch, result.partition_epoch, result.leader_recovery_state) == (0, 1, RECOVERED)
    assert (partition(image).isr, partition(image).partition_epoch, partition(image).leader_epoch) == ((1, 2), 1, 0)
    (result,), image = decided(image, asked(image, [1, 2, 3]))
    assert (partition(image).isr, result.partition_epoch) == ((1, 2, 3), 2)


def test_what_is_so_already_needs_no_record() -> None:
    image = started()
    (result,), after = decided(image, asked(image, [1, 2, 3]))
    assert (result.error_code, result.isr, result.partition_epoch) == (ErrorCode.NONE, [1, 2, 3], 0)
    assert after.topics == image.topics


def test_an_isr_below_the_minimum_makes_those_who_leave_eligible() -> None:
    image = started()
    two = rules(min_insync_replicas=2)
    _, image = decided(image, asked(image, [1]), topic_rules=two)
    assert (partition(image).isr, partition(image).eligible_leader_replicas) == ((1,), (2, 3))
    _, image = decided(image, asked(image, [1, 2]), topic_rules=two)
    assert (partition(image).isr, partition(image).eligible_leader_replicas) == ((1, 2), ())


def test_epochs_say_who_is_behind() -> None:
    image = changed(started(), isr=[1, 2], leader=1)
    assert (partition(image).leader_epoch, partition(image).partition_epoch) == (1, 1)
    assert code(image, asked(image, [1], leader_epoch=2)) is ErrorCode.NOT_CONTROLLER
    assert code(image, asked(image, [1], partition_epoch=2)) is ErrorCode.NOT_CONTROLLER
    assert code(image, asked(image, [1], leader_epoch=0)) is ErrorCode.FENCED_LEADER_EPOCH
    assert code(image, asked(image, [1], partition_epoch=0)) is ErrorCode.INVALID_UPDATE_VERSION


def test_only_the_leader_may_ask_and_only_for_assigned_replicas() -> None:
    image = started()
    assert code(image, asked(image, [1, 2]), broker_id=2) is ErrorCode.INVALID_REQUEST
    assert code(image, asked(image, [2, 3])) is ErrorCode.INVALID_REQUEST
    assert code(image, asked(image, [1, 4])) is ErrorCode.INVALID_REQUEST
    assert code(image, asked(image, [1, 2, 2])) is ErrorCode.INVALID_REQUEST
    assert code(image, asked(image, [])) is ErrorCode.INVALID_REQUEST
    assert code(image, asked(image, list(range(1, 2_000)))) is ErrorCode.INVALID_REQUEST


def test_partitions_that_do_not_exist() -> None:
    image = started()
    for index in (1, -1):
        assert code(image, asked(image, [1], index=index)) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert code(image, asked(image, [1]), topic_id=ZERO_UUID) is ErrorCode.UNKNOWN_TOPIC_ID


@pytest.mark.parametrize("transition", [Transition.FENCING, Transition.CONTROLLED_SHUTDOWN])
def test_a_broker_that_is_fenced_or_stops_cannot_be_in_sync(transition: Transition) -> None:
    image = started()
    image = apply(image, decide_transition(image, rules(), 3, transition).records)
    assert partition(image).isr == (1, 2)
    assert code(image, asked(image, [1, 2, 3])) is ErrorCode.INELIGIBLE_REPLICA


def test_a_follower_that_has_restarted_since_is_not_in_sync() -> None:
    """KIP-903: the leader has seen its former incarnation fetching."""
    image = changed(started(), isr=[1, 2])
    assert code(image, asked(image, [1, 2, 3], broker_epochs={3: 1})) is ErrorCode.INELIGIBLE_REPLICA
    _, after = decided(image, asked(image, [1, 2, 3], broker_epochs={3: -1}))
    assert partition(after).isr == (1, 2, 3)


def test_version_2_has_no_broker_epochs() -> None:
    image = started()
    wanted = asked(image, [])
    wanted.new_isr = [1, 3]
    _, after = decided(image, wanted, version=2)
    assert partition(after).isr == (1, 3)


def test_a_leader_that_recovers_is_alone() -> None:
    image = changed(started(), isr=[1], leader=1, leader_recovery_state=RECOVERING)
    assert code(image, asked(image, [1, 2], recovery=RECOVERING)) is ErrorCode.INVALID_REQUEST
    (result,), after = decided(image, asked(image, [1]))
    assert (result.leader_recovery_state, partition(after).leader_recovery_state) == (RECOVERED, RECOVERED)
    assert code(after, asked(after, [1], recovery=RECOVERING)) is ErrorCode.INVALID_REQUEST
    assert code(after, asked(after, [1], recovery=7)) is ErrorCode.INVALID_REQUEST


def test_the_last_added_replica_in_sync_completes_the_reassignment() -> None:
    image = changed(started(), replicas=[4, 1, 2, 3], adding_replicas=[4], removing_replicas=[3])
    (result,), image = decided(image, asked(image, [1, 2, 3, 4]))
    assert (result.error_code, result.isr) == (ErrorCode.NONE, [1, 2, 4])
    p = partition(image)
    assert (p.replicas, p.isr, p.adding_replicas, p.removing_replicas) == ((4, 1, 2), (1, 2, 4), (), ())
    assert (p.leader, p.leader_epoch) == (1, 1), "followers that were removed must notice"


def test_a_leader_that_is_moved_away_is_told_so() -> None:
    image = changed(started(), replicas=[4, 2, 3, 1], adding_replicas=[4], removing_replicas=[1])
    (result,), image = decided(image, asked(image, [1, 2, 3, 4]))
    assert result.error_code == ErrorCode.NEW_LEADER_ELECTED
    p = partition(image)
    assert (p.replicas, p.leader, p.isr) == ((4, 2, 3), 4, (2, 3, 4))


def test_a_reassignment_to_fewer_replicas_waits_for_all_that_stay() -> None:
    image = changed(started(), replicas=[4, 1, 2, 3], adding_replicas=[4], removing_replicas=[2, 3], isr=[2, 3, 1])
    (result,), image = decided(image, asked(image, [1, 4]))
    assert (result.error_code, partition(image).replicas) == (ErrorCode.NONE, (4, 1))
    image = changed(started(), replicas=[1, 2, 3], removing_replicas=[3], isr=[1, 3])
    _, after = decided(image, asked(image, [1, 3]))
    assert partition(after).replicas == (1, 2, 3), "broker 2 is not in sync"


def test_a_partition_that_is_named_twice_is_decided_on_in_turn() -> None:
    image = started()
    results, after = decided(image, asked(image, [1, 2]), asked(image, [1]))
    assert [result.error_code for result in results] == [ErrorCode.NONE, ErrorCode.INVALID_UPDATE_VERSION]
    assert partition(after).isr == (1, 2)


def test_a_stale_broker_may_not_ask() -> None:
    image = started()
    for broker_id, epoch in ((1, 0), (9, 0)):
        with pytest.raises(KafkaError) as refusal:
            decide_alter_partition(
                image, rules(), AlterPartitionRequest(broker_id=broker_id, broker_epoch=epoch), version=3
            )
        assert refusal.value.code is ErrorCode.STALE_BROKER_EPOCH
