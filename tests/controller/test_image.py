"""Replaying records into images: what a delta changes, what it says it changes, and metadata transactions."""

from __future__ import annotations

import pytest

from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import (
    EMPTY_IMAGE,
    LOST_DIRECTORY,
    ConfigResourceType,
    LeaderRecoveryState,
    MetadataImage,
)
from kafkapy_controller.metadata_records import RECORD_CLASSES, MetadataRecord
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid, random_uuid

from .clusters import apply, cluster, directory_of, topic, with_topics

A, B = Uuid(b"a" * 16), Uuid(b"b" * 16)


def partition(topic_id: Uuid, index: int = 0, leader: int = 1) -> m.PartitionRecord:
    return m.PartitionRecord(
        partition_id=index, topic_id=topic_id, replicas=[1], isr=[1], leader=leader, leader_epoch=0, partition_epoch=0
    )


def delta_of(image: MetadataImage, *records: MetadataRecord) -> MetadataDelta:
    delta = MetadataDelta(image)
    for record in records:
        delta.replay(record)
    return delta


def test_all_27_record_formats_can_be_replayed() -> None:
    assert len(RECORD_CLASSES) == 27


def test_an_image_shares_what_did_not_change() -> None:
    image = with_topics(cluster(), topic("a"))
    later = apply(image, [m.ProducerIdsRecord(next_producer_id=1000)])
    assert later.topics is image.topics
    assert later.brokers is image.brokers
    assert later.next_producer_id == 1000
    assert image.next_producer_id == 0


def test_a_delta_names_what_it_changed() -> None:
    image = with_topics(cluster(), topic("old", 2), topic("kept"))
    old = image.topics["old"]
    delta = delta_of(
        image,
        m.RemoveTopicRecord(topic_id=old.topic_id),
        m.TopicRecord(name="new", topic_id=A),
        partition(A),
        m.TopicRecord(name="passing", topic_id=B),
        m.RemoveTopicRecord(topic_id=B),
        m.PartitionChangeRecord(partition_id=0, topic_id=image.topics["kept"].topic_id, leader=1),
        m.ConfigRecord(resource_type=ConfigResourceType.TOPIC, resource_name="new", name="retention.ms", value="1"),
        m.FeatureLevelRecord(name="group.version", feature_level=0),
    )
    assert delta.created_topics == ["new"]
    assert delta.deleted_topics == [old]
    assert delta.changed_partitions == [("new", 0), ("kept", 0)]
    assert delta.changed_configs == {(ConfigResourceType.TOPIC, "new")}
    assert delta.changed_features == {"group.version"}
    assert set(delta.apply(99, 1).topics) == {"new", "kept"}
    assert "group.version" not in delta.apply(99, 1).features


def test_a_topic_deleted_and_made_again_in_one_delta_is_another_topic() -> None:
    image = with_topics(cluster(), topic("a", 3, configs=[("retention.ms", "1")]))
    delta = delta_of(
        image,
        m.RemoveTopicRecord(topic_id=image.topics["a"].topic_id),
        m.TopicRecord(name="a", topic_id=A),
        partition(A),
    )
    new = delta.apply(50, 1)
    assert delta.created_topics == ["a"]
    assert delta.deleted_topics == [image.topics["a"]]
    assert new.topics["a"].topic_id == A
    assert len(new.topics["a"].partitions) == 1
    assert new.configs == {}
    assert set(new.topics_by_id) == {A}


def test_a_partition_change_keeps_what_it_does_not_mention() -> None:
    image = with_topics(cluster([1, 2, 3]), topic("a", assignments=[(0, [1, 2, 3])]))
    topic_id = image.topics["a"].topic_id
    before = image.topics["a"].partitions[0]

    shrunk = apply(image, [m.PartitionChangeRecord(partition_id=0, topic_id=topic_id, isr=[1, 2])])
    assert shrunk.topics["a"].partitions[0] == before._replace(isr=(1, 2), partition_epoch=1)

    led = apply(shrunk, [m.PartitionChangeRecord(partition_id=0, topic_id=topic_id, leader=2, leader_recovery_state=1)])
    assert led.topics["a"].partitions[0] == before._replace(
        isr=(1, 2),
        leader=2,
        leader_epoch=1,
        partition_epoch=2,
        leader_recovery_state=LeaderRecoveryState.RECOVERING,
    )


def test_an_election_of_the_same_leader_is_an_election() -> None:
    image = with_topics(cluster(), topic("a"))
    record = m.PartitionChangeRecord(partition_id=0, topic_id=image.topics["a"].topic_id, leader=1)
    assert apply(image, [record]).topics["a"].partitions[0].leader_epoch == 1


@pytest.mark.parametrize(("named", "cleared"), [("a", {"a"}), ("", {"a", "b"})])
def test_clearing_eligible_leader_replicas(named: str, cleared: set[str]) -> None:
    image = with_topics(cluster(), topic("a"), topic("b"), topic("untouched"))
    for name in ("a", "b"):
        change = m.PartitionChangeRecord(
            partition_id=0, topic_id=image.topics[name].topic_id, eligible_leader_replicas=[1], last_known_elr=[1]
        )
        image = apply(image, [change])
    image = apply(image, [m.ClearElrRecord(topic_name=named)])
    assert {n for n in "ab" if not image.topics[n].partitions[0].eligible_leader_replicas} == cleared
    assert image.topics["untouched"].partitions[0].partition_epoch == 0


def test_setting_a_config_to_null_removes_it() -> None:
    resource = (int(ConfigResourceType.BROKER), "1")
    record = m.ConfigRecord(resource_type=4, resource_name="1", name="x", value="1")
    image = apply(EMPTY_IMAGE, [record])
    assert image.resource_configs(*resource) == {"x": "1"}
    image = apply(image, [m.ConfigRecord(resource_type=4, resource_name="1", name="x", value=None)])
    assert image.configs == {}


def test_fencing_by_every_record_that_can() -> None:
    image = cluster()
    epoch = image.brokers[1].epoch
    image = apply(image, [m.FenceBrokerRecord(id=1, epoch=epoch)])
    assert image.brokers[1].fenced
    image = apply(image, [m.UnfenceBrokerRecord(id=1, epoch=epoch)])
    assert not image.brokers[1].fenced
    image = apply(image, [m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=epoch, in_controlled_shutdown=1)])
    assert image.brokers[1].in_controlled_shutdown
    assert not image.brokers[1].fenced
    image = apply(image, [m.UnregisterBrokerRecord(broker_id=1, broker_epoch=epoch)])
    assert image.brokers == {}


def test_a_replica_is_online_on_a_live_broker_and_a_directory_it_has() -> None:
    image = cluster([1, 2], fenced=[2])
    assert image.is_online(1)
    assert image.is_online(1, directory_of(1))
    assert not image.is_online(1, directory_of(9))
    assert not image.is_online(1, LOST_DIRECTORY)
    assert not image.is_online(2)
    assert not image.is_online(3)


def test_records_of_a_metadata_transaction_count_when_it_ends() -> None:
    begun = apply(cluster(), [m.BeginTransactionRecord(name="t"), m.TopicRecord(name="a", topic_id=A)])
    assert begun.topics == {}
    more = apply(begun, [partition(A)])
    assert more.topics == {}
    ended = apply(more, [m.EndTransactionRecord(), m.TopicRecord(name="b", topic_id=B), partition(B)])
    assert set(ended.topics) == {"a", "b"}
    assert ended.open_transaction is None


def test_records_of_an_aborted_metadata_transaction_never_count() -> None:
    image = cluster()
    records: list[MetadataRecord] = [
        m.BeginTransactionRecord(name="t"),
        m.TopicRecord(name="a", topic_id=A),
        m.AbortTransactionRecord(),
    ]
    aborted = apply(image, records)
    assert aborted._replace(offset=image.offset) == image


def test_tokens_and_migration_state_are_kept() -> None:
    image = apply(EMPTY_IMAGE, [m.DelegationTokenRecord(token_id="t"), m.ZkMigrationStateRecord(zk_migration_state=2)])
    assert list(image.delegation_tokens) == ["t"]
    assert image.zk_migration_state == 2
    assert apply(image, [m.RemoveDelegationTokenRecord(token_id="t"), m.NoOpRecord()]).delegation_tokens == {}


def test_a_record_of_an_unknown_topic_is_an_error() -> None:
    with pytest.raises(KeyError):
        apply(EMPTY_IMAGE, [m.RemoveTopicRecord(topic_id=random_uuid())])
