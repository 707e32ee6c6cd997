"""Settings, producer ids and the first records of a cluster."""

from __future__ import annotations

from kafkapy_controller.bootstrap import BOOTSTRAP_FEATURES, decide_bootstrap, feature_records
from kafkapy_controller.configs import decide_alter_configs
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResource, ConfigResourceType
from kafkapy_controller.producer_ids import ProducerIdBlock, decide_allocate_producer_ids
from kafkapy_wire.record_formats import metadata as m

from .clusters import apply, cluster, topic, with_topics

TOPIC, BROKER = ConfigResourceType.TOPIC, ConfigResourceType.BROKER


def test_only_what_differs_becomes_a_record() -> None:
    image = with_topics(cluster(), topic("a", configs=[("retention.ms", "1")]))
    changes: dict[ConfigResource, dict[str, str | None]] = {
        (int(TOPIC), "a"): {"retention.ms": "1", "segment.ms": "9"},
        (int(BROKER), ""): {"log.cleaner.threads": None},
    }
    decision = decide_alter_configs(image, changes)
    assert decision.records == [m.ConfigRecord(resource_type=TOPIC, resource_name="a", name="segment.ms", value="9")]
    gone = decide_alter_configs(image, {(int(TOPIC), "a"): {"retention.ms": None}})
    assert apply(image, gone.records).configs == {}


def test_another_minimum_of_in_sync_replicas_clears_the_eligible_leaders() -> None:
    for resource, cleared in (((int(TOPIC), "a"), "a"), ((int(BROKER), ""), "")):
        decision = decide_alter_configs(cluster(), {resource: {"min.insync.replicas": "2"}})
        assert decision.records[1:] == [m.ClearElrRecord(topic_name=cleared)]
    of_one_broker = decide_alter_configs(cluster(), {(int(BROKER), "1"): {"min.insync.replicas": "2"}})
    assert len(of_one_broker.records) == 1
    without_the_feature = decide_alter_configs(EMPTY_IMAGE, {(int(TOPIC), "a"): {"min.insync.replicas": "2"}})
    assert len(without_the_feature.records) == 1


def test_producer_ids_come_in_blocks_that_do_not_overlap() -> None:
    image = cluster()
    first = decide_allocate_producer_ids(image, 1, 7)
    second = decide_allocate_producer_ids(apply(image, first.records), 1, 7)
    assert (first.response, second.response) == (ProducerIdBlock(0, 1000), ProducerIdBlock(1000, 1000))


def test_a_cluster_begins_with_the_features_of_its_release_in_one_transaction() -> None:
    decision = decide_bootstrap(feature_records(), min_insync_replicas=1)
    assert isinstance(decision.records[0], m.BeginTransactionRecord)
    assert isinstance(decision.records[-1], m.EndTransactionRecord)
    image = apply(EMPTY_IMAGE, decision.records)
    assert image.features == BOOTSTRAP_FEATURES
    assert image.configs == {(BROKER, ""): {"min.insync.replicas": "1"}}
    assert apply(EMPTY_IMAGE, decision.records[:-1]).features == {}
