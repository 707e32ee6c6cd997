"""Leaders that a client asks for, and those of partitions whose broker is unregistered."""

from __future__ import annotations

import pytest

from kafkapy_controller.elections import decide_elect_leaders
from kafkapy_controller.features import ELR_FEATURE
from kafkapy_controller.image import NO_LEADER, LeaderRecoveryState, MetadataImage, PartitionImage
from kafkapy_controller.unregistration import decide_unregister_broker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.record_formats.metadata import BrokerRegistrationChangeRecord, PartitionChangeRecord

from .clusters import apply, cluster, rules, topic, with_topics

PREFERRED, UNCLEAN = 0, 1


def led_by(leader: int, *, isr: list[int], replicas: list[int], fenced: tuple[int, ...] = ()) -> MetadataImage:
    """The topic `a` with one partition in that state, and `b` with two that are led as they should be."""
    image = with_topics(cluster([1, 2, 3]), topic("a", assignments=[(0, replicas)]), topic("b", 2, 1))
    change = PartitionChangeRecord(partition_id=0, topic_id=image.topics["a"].topic_id, isr=isr, leader=leader)
    image = apply(image, [change])
    return apply(
        image,
        [
            BrokerRegistrationChangeRecord(broker_id=each, broker_epoch=image.brokers[each].epoch, fenced=1)
            for each in fenced
        ],
    )


def elected(image: MetadataImage, election_type: int) -> tuple[ErrorCode, PartitionImage]:
    asked = [TopicPartitions(topic="a", partitions=[0])]
    request = ElectLeadersRequest(election_type=election_type, topic_partitions=asked)
    decision = decide_elect_leaders(image, rules(), request)
    (result,) = [result for topic in decision.response.replica_election_results for result in topic.partition_result]
    return ErrorCode(result.error_code), apply(image, decision.records).topics["a"].partitions[0]


def test_the_preferred_replica_leads_if_it_is_in_sync() -> None:
    code, after = elected(led_by(2, isr=[1, 2], replicas=[1, 2]), PREFERRED)
    assert (code, after.leader, after.leader_epoch, after.isr) == (ErrorCode.NONE, 1, 2, (1, 2))


def test_a_preferred_replica_that_is_behind_or_away_does_not_lead() -> None:
    for image in (
        led_by(2, isr=[2], replicas=[1, 2]),
        led_by(2, isr=[1, 2], replicas=[1, 2], fenced=(1,)),
    ):
        code, after = elected(image, PREFERRED)
        assert (code, after) == (ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, image.topics["a"].partitions[0])


def test_what_is_led_as_wanted_needs_no_election() -> None:
    image = led_by(1, isr=[1, 2], replicas=[1, 2])
    assert elected(image, PREFERRED)[0] is ErrorCode.ELECTION_NOT_NEEDED
    assert elected(led_by(2, isr=[2], replicas=[1, 2]), UNCLEAN)[0] is ErrorCode.ELECTION_NOT_NEEDED


def test_an_unclean_election_takes_who_is_there_and_says_so() -> None:
    image = led_by(NO_LEADER, isr=[2], replicas=[2, 1], fenced=(2,))
    assert elected(image, PREFERRED)[0] is ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    code, after = elected(image, UNCLEAN)
    assert (code, after.leader, after.isr) == (ErrorCode.NONE, 1, (1,))
    assert after.leader_recovery_state == LeaderRecoveryState.RECOVERING
    nobody = led_by(NO_LEADER, isr=[2], replicas=[2, 1], fenced=(1, 2))
    assert elected(nobody, UNCLEAN)[0] is ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE


def test_a_clean_leader_goes_before_an_unclean_one() -> None:
    image = led_by(NO_LEADER, isr=[2, 3], replicas=[1, 2, 3], fenced=(2,))
    code, after = elected(image, UNCLEAN)
    assert (code, after.leader, after.isr) == (ErrorCode.NONE, 3, (2, 3))
    assert after.leader_recovery_state == LeaderRecoveryState.RECOVERED


def test_unknown_partitions_and_types() -> None:
    image = led_by(1, isr=[1], replicas=[1])
    asked = [TopicPartitions(topic="a", partitions=[1, -1]), TopicPartitions(topic="c", partitions=[0])]
    response = decide_elect_leaders(image, rules(), ElectLeadersRequest(topic_partitions=asked)).response
    codes = {result.error_code for each in response.replica_election_results for result in each.partition_result}
    assert codes == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
    with pytest.raises(KafkaError) as refusal:
        decide_elect_leaders(image, rules(), ElectLeadersRequest(election_type=2, topic_partitions=asked))
    assert refusal.value.code is ErrorCode.INVALID_REQUEST


# A broker that will not come back


def unregistered(image: MetadataImage, broker_id: int) -> MetadataImage:
    return apply(image, decide_unregister_broker(image, rules(), broker_id).records)


def test_an_unregistered_broker_is_in_no_isr_and_leads_nothing() -> None:
    after = unregistered(led_by(2, isr=[1, 2], replicas=[2, 1]), 2)
    partition = after.topics["a"].partitions[0]
    assert 2 not in after.brokers
    assert (partition.leader, partition.isr, partition.replicas) == (1, (1,), (2, 1))


def test_the_last_one_in_sync_becomes_eligible_without_leading() -> None:
    """KIP-966: it is the only one with everything that was committed, if it ever comes back."""
    after = unregistered(led_by(2, isr=[2], replicas=[2, 1]), 2)
    partition = after.topics["a"].partitions[0]
    assert (partition.leader, partition.isr) == (NO_LEADER, ())
    assert (partition.eligible_leader_replicas, partition.last_known_elr) == ((2,), (2,))


def test_without_eligible_leader_replicas_the_last_one_in_sync_stays_there() -> None:
    image = led_by(2, isr=[2], replicas=[2, 1])
    image = image._replace(features={name: level for name, level in image.features.items() if name != ELR_FEATURE})
    partition = unregistered(image, 2).topics["a"].partitions[0]
    assert (partition.leader, partition.isr) == (NO_LEADER, (2,))
    assert (partition.eligible_leader_replicas, partition.last_known_elr) == ((), ())


def test_a_broker_that_is_not_registered() -> None:
    with pytest.raises(KafkaError) as refusal:
        decide_unregister_broker(cluster(), rules(), 9)
    assert refusal.value.code is ErrorCode.BROKER_ID_NOT_REGISTERED
