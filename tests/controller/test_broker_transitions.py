"""What becomes of partitions when brokers are fenced, unfenced, stop, or lose a log directory."""

from __future__ import annotations

import pytest

from kafkapy_controller.broker_transitions import (
    Transition,
    check_broker_epoch,
    decide_transition,
    directory_records,
    failed_directories,
    leads_partitions,
    partition_records,
    partitions_in_directories,
    partitions_of,
)
from kafkapy_controller.features import ELR_FEATURE
from kafkapy_controller.image import NO_LEADER, LeaderRecoveryState, MetadataImage, PartitionImage
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_controller.partition_changes import TopicRules
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import (
    BrokerRegistrationChangeRecord,
    PartitionChangeRecord,
)
from kafkapy_wire.uuid import Uuid

from .clusters import apply, cluster, directory_of, rules, topic, with_topics

OTHER_DIRECTORY = Uuid(bytes(12) + (9_999).to_bytes(4, "big"))


def led(replicas: list[int] | None = None, *, elr: bool = True, metadata_version: int | None = None) -> MetadataImage:
    """Three brokers, and the topic `a` with one partition."""
    image = cluster([1, 2, 3])
    if not elr:
        image = image._replace(features={name: level for name, level in image.features.items() if name != ELR_FEATURE})
    if metadata_version is not None:
        image = image._replace(features={**image.features, METADATA_VERSION: metadata_version})
    return with_topics(image, topic("a", assignments=[(0, replicas or [1, 2, 3])]))


def after(
    image: MetadataImage, transition: Transition, broker_id: int, topic_rules: TopicRules | None = None
) -> MetadataImage:
    return apply(image, decide_transition(image, topic_rules or rules(), broker_id, transition).records)


def fenced(image: MetadataImage, *broker_ids: int, topic_rules: TopicRules | None = None) -> MetadataImage:
    for broker_id in broker_ids:
        image = after(image, Transition.FENCING, broker_id, topic_rules)
    return image


def partition(image: MetadataImage) -> PartitionImage:
    return image.topics["a"].partitions[0]


def test_a_fenced_broker_is_out_of_sync_and_leads_nothing() -> None:
    image = fenced(led(), 1)
    assert image.brokers[1].fenced
    p = partition(image)
    assert (p.leader, p.isr, p.leader_epoch, p.partition_epoch) == (2, (2, 3), 1, 1)
    assert p.eligible_leader_replicas == p.last_known_elr == ()


def test_the_leader_epoch_stays_when_a_follower_is_fenced() -> None:
    assert (partition(fenced(led(), 3)).leader_epoch, partition(fenced(led(), 3)).isr) == (0, (1, 2))


def test_before_3_6_the_leader_epoch_rises_when_the_isr_shrinks() -> None:
    image = led(elr=False, metadata_version=11)
    assert partition(fenced(image, 3)).leader_epoch == 1
    assert partition(fenced(led(elr=False, metadata_version=12), 3)).leader_epoch == 0


def test_who_leaves_below_the_minimum_stays_eligible() -> None:
    """KIP-966: what the smaller ISR has taken since was not committed, so that they miss nothing."""
    image = fenced(led(), 1, topic_rules=rules(min_insync_replicas=2))
    assert partition(image).eligible_leader_replicas == ()
    image = fenced(image, 2, topic_rules=rules(min_insync_replicas=2))
    p = partition(image)
    assert (p.leader, p.isr, p.eligible_leader_replicas, p.last_known_elr) == (3, (3,), (2,), ())
    image = fenced(image, 3, topic_rules=rules(min_insync_replicas=2))
    p = partition(image)
    assert (p.leader, p.isr, p.eligible_leader_replicas, p.last_known_elr) == (NO_LEADER, (), (2, 3), (3,))
    image = after(image, Transition.UNFENCING, 2, rules(min_insync_replicas=2))
    p = partition(image)
    assert (p.leader, p.isr, p.eligible_leader_replicas, p.last_known_elr) == (2, (2,), (3,), ())
    assert p.leader_recovery_state == LeaderRecoveryState.RECOVERED


def test_the_minimum_is_at_most_the_number_of_replicas() -> None:
    image = fenced(led([1, 2]), 1, topic_rules=rules(min_insync_replicas=5))
    assert partition(image).eligible_leader_replicas == (1,)


def test_without_eligible_leader_replicas_the_last_one_stays_in_sync() -> None:
    image = fenced(led(elr=False), 1, 2, 3)
    p = partition(image)
    assert (p.leader, p.isr, p.eligible_leader_replicas, p.last_known_elr) == (NO_LEADER, (3,), (), ())
    assert partition(after(image, Transition.UNFENCING, 1)).leader == NO_LEADER
    p = partition(after(image, Transition.UNFENCING, 3))
    assert (p.leader, p.isr) == (3, (3,))


def test_a_topic_that_allows_it_is_led_by_whom_is_there() -> None:
    image = fenced(led(elr=False), 1, 2)
    image = apply(
        image, [PartitionChangeRecord(partition_id=0, topic_id=image.topics["a"].topic_id, isr=[2], leader=NO_LEADER)]
    )
    assert partition(after(image, Transition.UNFENCING, 1)).leader == NO_LEADER
    p = partition(after(image, Transition.UNFENCING, 1, rules(unclean=True)))
    assert (p.leader, p.isr, p.leader_recovery_state) == (1, (1,), LeaderRecoveryState.RECOVERING)


def test_an_unclean_shutdown_costs_the_eligibility() -> None:
    image = fenced(led(), 1, 2, 3)
    assert partition(image).eligible_leader_replicas == (3,)
    image = after(image, Transition.UNCLEAN_SHUTDOWN, 3)
    p = partition(image)
    assert (p.leader, p.isr, p.eligible_leader_replicas, p.last_known_elr) == (NO_LEADER, (), (), (3,))
    image = after(image, Transition.UNFENCING, 1)
    assert partition(image).leader == NO_LEADER, "it was not the last leader"
    image = after(image, Transition.UNFENCING, 3)
    p = partition(image)
    assert (p.leader, p.isr, p.last_known_elr) == (3, (3,), ())
    assert p.leader_recovery_state == LeaderRecoveryState.RECOVERING


def test_a_clean_shutdown_keeps_the_eligibility() -> None:
    image = fenced(led(), 1, 2)
    p = partition(after(image, Transition.CLEAN_SHUTDOWN, 3))
    assert (p.leader, p.isr, p.eligible_leader_replicas, p.last_known_elr) == (NO_LEADER, (), (3,), (3,))


def test_a_follower_that_was_killed_leaves_the_isr() -> None:
    p = partition(after(led(), Transition.UNCLEAN_SHUTDOWN, 2))
    assert (p.leader, p.isr, p.eligible_leader_replicas) == (1, (1, 3), ())
    p = partition(after(led(), Transition.UNCLEAN_SHUTDOWN, 2, rules(min_insync_replicas=3)))
    assert (p.leader, p.isr, p.eligible_leader_replicas) == (1, (1, 3), ())


def test_a_controlled_shutdown_moves_leaders_away_and_is_known_to_all() -> None:
    image = led()
    decision = decide_transition(image, rules(), 1, Transition.CONTROLLED_SHUTDOWN)
    assert isinstance(decision.records[0], BrokerRegistrationChangeRecord)
    image = apply(image, decision.records)
    assert image.brokers[1].in_controlled_shutdown
    assert not image.brokers[1].fenced
    assert (partition(image).leader, partition(image).isr) == (2, (2, 3))
    assert not leads_partitions(image, 1)
    assert leads_partitions(image, 2)
    again = decide_transition(image, rules(), 1, Transition.CONTROLLED_SHUTDOWN)
    assert again.records == []


def test_a_broker_that_stops_is_not_elected() -> None:
    image = after(led(), Transition.CONTROLLED_SHUTDOWN, 2)
    assert partition(fenced(image, 1)).leader == 3


def test_a_transition_may_come_in_pieces() -> None:
    image = with_topics(cluster([1, 2]), topic("wide", 6, 2))
    whole = after(image, Transition.FENCING, 1)
    keys = partitions_of(image, 1, Transition.FENCING)
    assert len(keys) == 6
    in_pieces = image
    for start in (0, 2):
        in_pieces = apply(
            in_pieces, partition_records(in_pieces, rules(), 1, Transition.FENCING, keys[start : start + 2])
        )
        assert not in_pieces.brokers[1].fenced
    rest = partitions_of(in_pieces, 1, Transition.FENCING)
    assert rest == keys[4:]
    in_pieces = apply(in_pieces, decide_transition(in_pieces, rules(), 1, Transition.FENCING, rest).records)
    assert in_pieces._replace(offset=0) == whole._replace(offset=0)


def test_partitions_that_were_deleted_meanwhile_are_passed_over() -> None:
    image = led()
    keys = [*partitions_of(image, 1, Transition.FENCING), (image.topics["a"].topic_id, 7), (OTHER_DIRECTORY, 0)]
    assert len(partition_records(image, rules(), 1, Transition.FENCING, keys)) == 1


def test_an_unfenced_broker_leads_what_it_alone_could_lead() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1])]), topic("b", assignments=[(0, [2])]))
    image = fenced(image, 1, 2)
    image = after(image, Transition.UNFENCING, 1)
    assert (image.topics["a"].partitions[0].leader, image.topics["b"].partitions[0].leader) == (1, NO_LEADER)


def test_other_epochs_are_stale() -> None:
    image = led()
    assert check_broker_epoch(image, 1, image.brokers[1].epoch) is image.brokers[1]
    for broker_id, epoch in ((1, image.brokers[1].epoch + 1), (9, 1)):
        with pytest.raises(KafkaError) as refusal:
            check_broker_epoch(image, broker_id, epoch)
        assert refusal.value.code is ErrorCode.STALE_BROKER_EPOCH


# Log directories


def test_partitions_in_a_directory_that_has_failed_move_to_others() -> None:
    image = led()
    broker = image.brokers[1]._replace(log_dirs=(directory_of(1), OTHER_DIRECTORY))
    image = image._replace(brokers={**image.brokers, 1: broker})
    failed = failed_directories(image, broker, [directory_of(1), directory_of(2)])
    assert failed == [directory_of(1)]
    keys = partitions_in_directories(image, failed)
    assert len(keys) == 1
    records = partition_records(image, rules(), 1, Transition.FENCING, keys)
    image = apply(image, [*records, *directory_records(image, broker, failed, None)])
    assert image.brokers[1].log_dirs == (OTHER_DIRECTORY,)
    assert not image.brokers[1].fenced
    assert (partition(image).leader, partition(image).isr) == (2, (2, 3))
    # A replica in a directory that is gone cannot be elected.
    assert partition(fenced(image, 2, 3)).leader == NO_LEADER


def test_cordoned_directories_are_written_when_they_change() -> None:
    image = led()
    broker = image.brokers[1]
    (record,) = directory_records(image, broker, [], [directory_of(1)])
    assert isinstance(record, BrokerRegistrationChangeRecord)
    image = apply(image, [record])
    assert not image.brokers[1].has_room
    assert directory_records(image, image.brokers[1], [], [directory_of(1)]) == []
    assert directory_records(image, image.brokers[1], [], None) == []
    older = image._replace(features={**image.features, METADATA_VERSION: 29})
    assert directory_records(older, image.brokers[1], [], []) == []
    assert failed_directories(image._replace(features={METADATA_VERSION: 16}), broker, [directory_of(1)]) == []
