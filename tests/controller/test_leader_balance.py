"""Elections that nobody asks for, and when they are due."""

from __future__ import annotations

from kafkapy_controller.broker_transitions import Transition, decide_transition
from kafkapy_controller.chores import Chore, ControllerChores
from kafkapy_controller.image import NO_LEADER, LeaderRecoveryState, MetadataImage
from kafkapy_controller.leader_balance import decide_elections, partitions_led_by_another, partitions_to_recover
from kafkapy_controller.partition_changes import Election
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord

from .clusters import apply, cluster, rules, topic, with_topics

PREFERRED, LEADERLESS = Chore.ELECT_PREFERRED, Chore.ELECT_FOR_LEADERLESS


def fenced(image: MetadataImage, broker_id: int) -> MetadataImage:
    return apply(image, decide_transition(image, rules(), broker_id, Transition.FENCING).records)


def state(image: MetadataImage, index: int, *, leader: int, isr: list[int]) -> MetadataImage:
    topic_id = image.topics["a"].topic_id
    return apply(image, [PartitionChangeRecord(partition_id=index, topic_id=topic_id, leader=leader, isr=isr)])


def leaders(image: MetadataImage) -> list[int]:
    return [partition.leader for partition in image.topics["a"].partitions]


def test_preferred_replicas_lead_again_when_they_are_in_sync() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1, 2]), (1, [1, 2]), (2, [1, 2]), (3, [2, 1])]))
    image = state(image, 0, leader=2, isr=[1, 2])
    image = state(image, 1, leader=2, isr=[2])
    keys = partitions_led_by_another(image)
    assert [index for _, index in keys] == [0]
    decision = decide_elections(image, rules(), keys, Election.PREFERRED)
    assert decision.response == len(decision.records) == 1
    assert leaders(apply(image, decision.records)) == [1, 2, 1, 2]
    assert partitions_led_by_another(fenced(image, 1)) == []


def test_leaders_are_elected_for_partitions_that_have_none() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1, 2]), (1, [2, 1]), (2, [2, 1])]))
    image = fenced(state(image, 1, leader=NO_LEADER, isr=[2]), 2)
    image = state(image, 0, leader=NO_LEADER, isr=[1])  # a controller has failed before it could elect
    assert leaders(image) == [NO_LEADER, NO_LEADER, 1]
    keys = partitions_to_recover(image, rules())
    assert [index for _, index in keys] == [0]
    assert leaders(apply(image, decide_elections(image, rules(), keys, None).records)) == [1, NO_LEADER, 1]

    unclean = rules(unclean=True)
    keys = partitions_to_recover(image, unclean)
    assert [index for _, index in keys] == [0, 1]
    after = apply(image, decide_elections(image, unclean, keys, None).records)
    assert leaders(after) == [1, 1, 1]
    assert after.topics["a"].partitions[0].leader_recovery_state == LeaderRecoveryState.RECOVERED
    assert after.topics["a"].partitions[1].leader_recovery_state == LeaderRecoveryState.RECOVERING


def test_partitions_that_were_deleted_meanwhile_are_passed_over() -> None:
    image = with_topics(cluster([1]), topic("a"))
    keys = [(image.topics["a"].topic_id, 5)]
    assert decide_elections(image._replace(topics={}, topics_by_id={}), rules(), keys, None).records == []
    assert decide_elections(image, rules(), keys, None).records == []


def test_missing_leaders_are_due_at_once_and_everything_again_by_its_interval() -> None:
    chores = ControllerChores()
    assert chores.deadline_ms is None
    chores.activate({PREFERRED: 300, LEADERLESS: 200}, 1_000)
    assert chores.deadline_ms == 1_000
    assert chores.take_due(1_000) == [LEADERLESS]
    assert chores.deadline_ms == 1_200
    assert chores.take_due(1_199) == []
    assert set(chores.take_due(1_300)) == {PREFERRED, LEADERLESS}
    chores.deactivate()
    assert (chores.deadline_ms, chores.take_due(9_999)) == (None, [])


def test_no_preferred_elections_without_their_interval() -> None:
    chores = ControllerChores()
    chores.activate({LEADERLESS: 200}, 0)
    assert chores.take_due(10_000) == [LEADERLESS]
