"""A broker that starts registers, leads again what it may lead, and gets new leader epochs."""

from __future__ import annotations

from kafkapy_controller.image import LeaderRecoveryState, MetadataImage, PartitionImage
from kafkapy_controller.registration import (
    decide_change_registration,
    decide_register_controller,
    decide_start_broker,
    decide_stop_broker,
)
from kafkapy_wire.record_formats import metadata as m

from .clusters import apply, cluster, registration, topic, with_topics


def restarted(image: MetadataImage, broker_id: int = 1) -> MetadataImage:
    decision = decide_start_broker(image, registration(broker_id), image.offset + 1)
    assert decision.response == image.offset + 1
    return apply(image, decision.records)


def changed(image: MetadataImage, name: str, **fields: object) -> MetadataImage:
    """One partition's state, put there by records."""
    record = m.PartitionChangeRecord(partition_id=0, topic_id=image.topics[name].topic_id)
    for field, value in fields.items():
        setattr(record, field, value)
    return apply(image, [record])


def partition(image: MetadataImage) -> PartitionImage:
    return image.topics["a"].partitions[0]


def test_a_new_broker_is_unfenced_with_the_offset_as_its_epoch() -> None:
    image = cluster([])
    after = restarted(image)
    broker = after.brokers[1]
    assert (broker.fenced, broker.epoch, broker.endpoints["PLAINTEXT"].host) == (False, image.offset + 1, "host1")


def test_a_restarted_broker_leads_again_in_a_new_epoch() -> None:
    image = with_topics(cluster(), topic("a", 3))
    after = restarted(image)
    assert [p.leader_epoch for p in after.topics["a"].partitions] == [1, 1, 1]
    assert [p.leader for p in after.topics["a"].partitions] == [1, 1, 1]
    assert after.brokers[1].incarnation_id != image.brokers[1].incarnation_id


def test_a_broker_of_the_elr_leads_what_nobody_leads() -> None:
    image = with_topics(cluster(), topic("a"))
    image = changed(image, "a", isr=[], leader=-1, eligible_leader_replicas=[1], last_known_elr=[1])
    after = partition(restarted(image))
    assert (after.leader, after.isr, after.eligible_leader_replicas, after.last_known_elr) == (1, (1,), (), ())
    assert after.leader_recovery_state == LeaderRecoveryState.RECOVERED


def test_the_last_known_leader_leads_and_says_that_records_may_be_lost() -> None:
    image = with_topics(cluster(), topic("a"))
    image = changed(image, "a", isr=[], leader=-1, last_known_elr=[1])
    after = partition(restarted(image))
    assert (after.leader, after.isr) == (1, (1,))
    assert after.leader_recovery_state == LeaderRecoveryState.RECOVERING


def test_what_others_lead_or_may_lead_stays() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [2, 1])]))
    assert partition(restarted(image)) == partition(image)
    behind = changed(image, "a", isr=[], leader=-1, eligible_leader_replicas=[2], last_known_elr=[])
    assert partition(restarted(behind)) == partition(behind)
    not_here = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [2])]))
    not_here = changed(not_here, "a", isr=[], leader=-1, last_known_elr=[2])
    assert partition(restarted(not_here)) == partition(not_here)


def test_a_broker_that_stops_is_fenced_once() -> None:
    image = cluster()
    stopped = apply(image, decide_stop_broker(image, 1).records)
    assert stopped.brokers[1].fenced
    assert decide_stop_broker(stopped, 1).records == []
    assert decide_stop_broker(image, 9).records == []


def test_a_broker_moves_to_another_rack_and_keeps_its_epoch() -> None:
    image = cluster([1, 2])
    before = image.brokers[2]
    moved = apply(image, decide_change_registration(image, 2, lambda broker: broker._replace(rack="b")).records)
    assert moved.brokers[2] == before._replace(rack="b")
    assert moved.brokers[1] == image.brokers[1]
    assert decide_change_registration(moved, 2, lambda broker: broker._replace(rack="b")).records == []
    assert decide_change_registration(moved, 9, lambda broker: broker._replace(rack="b")).records == []


def test_a_controller_registers_with_its_endpoints() -> None:
    image = apply(cluster(), decide_register_controller(cluster(), registration(1)).records)
    assert image.controllers[1].endpoints["PLAINTEXT"].port == 9092
    assert image.controllers[1].features["metadata.version"] == (7, 33)
