"""Any sequence of decisions keeps the image whole, and replaying the log again gives the same image."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kafkapy_controller.configs import config_records
from kafkapy_controller.image import ConfigResourceType, MetadataImage, TopicImage
from kafkapy_controller.metadata_batches import build_metadata_batch, read_batches
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.producer_ids import decide_allocate_producer_ids
from kafkapy_controller.registration import decide_start_broker, decide_stop_broker
from kafkapy_controller.topic_names import metric_name
from kafkapy_controller.topics import decide_create_partitions, decide_create_topics, decide_delete_topics
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest

from .clusters import apply, cluster, create_request, creation, registration, replayed, topic

NAMES = st.sampled_from(["a", "b", "c.d", "c_d", "bad name"])
STEPS = st.one_of(
    st.tuples(st.just("create"), st.lists(st.tuples(NAMES, st.integers(-1, 3), st.integers(-1, 3)), max_size=3)),
    st.tuples(st.just("delete"), st.lists(NAMES, max_size=2)),
    st.tuples(st.just("grow"), st.tuples(NAMES, st.integers(0, 6))),
    st.tuples(st.just("configure"), st.tuples(NAMES, st.sampled_from([None, "1", "2"]))),
    st.tuples(st.just("producer ids"), st.none()),
    st.tuples(st.just("restart"), st.integers(1, 3)),
    st.tuples(st.just("stop"), st.integers(1, 3)),
)


def decide(image: MetadataImage, step: tuple[str, object], random: Random) -> list[MetadataRecord]:
    match step:
        case "create", list(wanted):
            request = create_request(*(topic(name, count, replication) for name, count, replication in wanted))
            decision = decide_create_topics(image, request, creation())
            assert len(decision.response.topics) == len({name for name, _, _ in wanted})
            made = sum(result.error_code == ErrorCode.NONE for result in decision.response.topics)
            assert bool(decision.records) == bool(made)
            return decision.records
        case "delete", list(names):
            return decide_delete_topics(image, DeleteTopicsRequest(topic_names=names)).records
        case "grow", (str(name), int(count)):
            more = CreatePartitionsRequest(topics=[CreatePartitionsTopic(name=name, count=count, assignments=None)])
            return decide_create_partitions(image, more, random).records
        case "configure", (str(name), value) if name in image.topics:
            assert value is None or isinstance(value, str)
            return config_records(image, (int(ConfigResourceType.TOPIC), name), {"retention.ms": value})
        case "producer ids", _:
            return decide_allocate_producer_ids(image, 1, 0).records
        case "restart", int(broker_id):
            return decide_start_broker(image, registration(broker_id), image.offset + 1).records
        case "stop", int(broker_id):
            return decide_stop_broker(image, broker_id).records
    return []


def check_whole(image: MetadataImage) -> None:
    assert {topic.topic_id: topic for topic in image.topics.values()} == image.topics_by_id
    alike: dict[str, set[str]] = {}
    for name, found in image.topics.items():
        if (metric := metric_name(name)) is not None:
            alike.setdefault(metric, set()).add(name)
        assert found.name == name
        assert found.partitions
        for partition in found.partitions:
            assert set(partition.replicas) <= image.brokers.keys()
            assert set(partition.isr) <= set(partition.replicas)
            assert partition.leader in partition.isr
            assert len(partition.directories) == len(partition.replicas)
    assert {metric: set(names) for metric, names in image.names_by_metric_name.items()} == alike
    topics_with_configs = {name for kind, name in image.configs if kind == ConfigResourceType.TOPIC}
    assert topics_with_configs <= image.topics.keys()
    assert all(image.configs.values())
    assert len({broker.epoch for broker in image.brokers.values()}) == len(image.brokers)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25), st.integers())
def test_any_decisions_keep_the_image_whole_and_replay_to_it(steps: list[tuple[str, object]], seed: int) -> None:
    random = Random(seed)
    start = image = cluster([1, 2, 3])
    log = b""
    for step in steps:
        records = decide(image, step, random)
        if not records:
            continue
        log += build_metadata_batch(records, 30, base_offset=image.offset + 1, epoch=1, now_ms=0)
        following = apply(image, records)
        for topic_id in image.topics_by_id.keys() & following.topics_by_id.keys():
            _check_epochs_do_not_fall(image.topics_by_id[topic_id], following.topics_by_id[topic_id])
        image = following
        check_whole(image)

    again = [record for written in read_batches(log) for record in written.records]
    assert replayed(start, again, image.offset) == image
    # The slow obvious way: an image after every single record.
    one_by_one = start
    for record in again:
        one_by_one = apply(one_by_one, [record])
    assert one_by_one == image


def _check_epochs_do_not_fall(before: TopicImage, after: TopicImage) -> None:
    assert len(after.partitions) >= len(before.partitions)
    for old, new in zip(before.partitions, after.partitions, strict=False):
        assert new.leader_epoch >= old.leader_epoch
        assert old == new or new.partition_epoch > old.partition_epoch
