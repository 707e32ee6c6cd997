"""Settings, producer ids and the first records of a cluster."""

from __future__ import annotations

import pytest

from kafkapy_controller.bootstrap import decide_bootstrap, feature_records
from kafkapy_controller.configs import config_records, eligible_leader_records
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResourceType
from kafkapy_controller.producer_ids import ProducerIdBlock, decide_allocate_producer_ids
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats import metadata as m

from .clusters import apply, cluster, topic, with_topics

TOPIC, BROKER = ConfigResourceType.TOPIC, ConfigResourceType.BROKER


def test_only_what_differs_becomes_a_record() -> None:
    image = with_topics(cluster(), topic("a", configs=[("retention.ms", "1")]))
    records = config_records(image, (TOPIC, "a"), {"retention.ms": "1", "segment.ms": "9"})
    assert records == [m.ConfigRecord(resource_type=TOPIC, resource_name="a", name="segment.ms", value="9")]
    assert config_records(image, (BROKER, ""), {"log.cleaner.threads": None}) == []
    gone = config_records(image, (TOPIC, "a"), {"retention.ms": None})
    assert apply(image, gone).configs == {}


def test_another_minimum_of_in_sync_replicas_clears_the_eligible_leaders() -> None:
    for resource, cleared in (((int(TOPIC), "a"), "a"), ((int(BROKER), ""), "")):
        records = config_records(cluster(), resource, {"min.insync.replicas": "2"})
        assert records[1:] == [m.ClearElrRecord(topic_name=cleared)]
    assert len(config_records(cluster(), (BROKER, "1"), {"min.insync.replicas": "2"})) == 1
    without_the_feature = config_records(EMPTY_IMAGE, (TOPIC, "a"), {"min.insync.replicas": "2"})
    assert len(without_the_feature) == 1


def test_eligible_leaders_need_one_minimum_for_all_nodes() -> None:
    """KIP-966: when the feature is switched on."""
    image = cluster()
    assert eligible_leader_records(image, 2) == [
        m.ConfigRecord(resource_type=BROKER, resource_name="", name="min.insync.replicas", value="2")
    ]
    configs = {
        (int(BROKER), ""): {"min.insync.replicas": "3"},
        (int(BROKER), "1"): {"min.insync.replicas": "1"},
        (int(BROKER), "2"): {"log.cleaner.threads": "1"},
        (int(TOPIC), "1"): {"min.insync.replicas": "1"},
    }
    assert eligible_leader_records(image._replace(configs=configs), 2) == [
        m.ConfigRecord(resource_type=BROKER, resource_name="1", name="min.insync.replicas", value=None)
    ]


def test_producer_ids_come_in_blocks_that_do_not_overlap() -> None:
    image = cluster()
    epoch = image.brokers[1].epoch
    first = decide_allocate_producer_ids(image, 1, epoch)
    second = decide_allocate_producer_ids(apply(image, first.records), 1, epoch)
    assert (first.response, second.response) == (ProducerIdBlock(0, 1000), ProducerIdBlock(1000, 1000))


def test_producer_ids_are_for_registered_brokers_and_come_to_an_end() -> None:
    image = cluster()
    epoch = image.brokers[1].epoch
    for broker_id, broker_epoch in ((1, epoch - 1), (2, epoch)):
        with pytest.raises(KafkaError) as refusal:
            decide_allocate_producer_ids(image, broker_id, broker_epoch)
        assert refusal.value.code is ErrorCode.STALE_BROKER_EPOCH
    with pytest.raises(KafkaError) as refusal:
        decide_allocate_producer_ids(image._replace(next_producer_id=2**63 - 1_000), 1, epoch)
    assert refusal.value.code is ErrorCode.UNKNOWN_SERVER_ERROR


def test_a_cluster_begins_with_the_features_of_its_release_in_one_transaction() -> None:
    decision = decide_bootstrap(feature_records(), min_insync_replicas=1)
    assert isinstance(decision.records[0], m.BeginTransactionRecord)
    assert isinstance(decision.records[-1], m.EndTransactionRecord)
    image = apply(EMPTY_IMAGE, decision.records)
    assert image.features == {
        "metadata.version": 33,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 2,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert image.configs == {(BROKER, ""): {"min.insync.replicas": "1"}}
    assert apply(EMPTY_IMAGE, decision.records[:-1]).features == {}
