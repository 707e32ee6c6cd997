"""Any sequence of decisions keeps the image whole, and replaying the log again gives the same image."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kafkapy_controller.broker_transitions import Transition, decide_transition
from kafkapy_controller.configs import config_records
from kafkapy_controller.image import NO_LEADER, ConfigResourceType, MetadataImage, TopicImage
from kafkapy_controller.isr_changes import decide_alter_partition
from kafkapy_controller.leader_balance import decide_elections
from kafkapy_controller.metadata_batches import build_metadata_batch, read_batches
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.partition_changes import Election, TopicRules, all_partitions
from kafkapy_controller.producer_ids import decide_allocate_producer_ids
from kafkapy_controller.reassignments import decide_alter_reassignments
from kafkapy_controller.registration import decide_start_broker, decide_stop_broker
from kafkapy_controller.registration_requests import decide_register_broker
from kafkapy_controller.topic_names import metric_name
from kafkapy_controller.topics import decide_create_partitions, decide_create_topics, decide_delete_topics
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    BrokerState,
)
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest

from .clusters import apply, cluster, create_request, creation, registration, replayed, rules, topic

SHUTDOWNS = (Transition.CLEAN_SHUTDOWN, Transition.UNCLEAN_SHUTDOWN)
NAMES = st.sampled_from(["a", "b", "c.d", "c_d", "bad name"])
STEPS = st.one_of(
    st.tuples(st.just("create"), st.lists(st.tuples(NAMES, st.integers(-1, 3), st.integers(-1, 3)), max_size=3)),
    st.tuples(st.just("delete"), st.lists(NAMES, max_size=2)),
    st.tuples(st.just("grow"), st.tuples(NAMES, st.integers(0, 6))),
    st.tuples(st.just("configure"), st.tuples(NAMES, st.sampled_from([None, "1", "2"]))),
    st.tuples(st.just("producer ids"), st.none()),
    st.tuples(st.just("restart"), st.integers(1, 3)),
    st.tuples(st.just("stop"), st.integers(1, 3)),
    st.tuples(st.just("transition"), st.tuples(st.sampled_from(Transition), st.integers(1, 3))),
    st.tuples(st.just("register"), st.tuples(st.integers(1, 3), st.booleans())),
    st.tuples(st.just("in sync"), st.tuples(NAMES, st.integers(0, 2), st.sets(st.integers(1, 3), min_size=1))),
    st.tuples(st.just("move"), st.tuples(NAMES, st.integers(0, 2), st.none() | st.permutations([1, 2, 3]))),
    st.tuples(st.just("elect"), st.sampled_from([None, *Election])),
)
RULES = st.builds(lambda least, unclean: rules(least, unclean=unclean), st.integers(1, 3), st.booleans())


def decide(
    image: MetadataImage, step: tuple[str, object], random: Random, topic_rules: TopicRules
) -> list[MetadataRecord]:
    match step:
        case "transition", (Transition() as transition, int(broker_id)):
            if broker_id not in image.brokers or transition is Transition.UNREGISTERING:
                return []  # unregistered brokers keep their replicas, which other steps take for registered ones
            if transition in SHUTDOWNS and image.brokers[broker_id].is_active:
                return []
            return decide_transition(image, topic_rules, broker_id, transition).records
        case "register", (int(broker_id), bool(is_clean)):
            shutdown = Transition.CLEAN_SHUTDOWN if is_clean else Transition.UNCLEAN_SHUTDOWN
            asked = registration(broker_id)
            return decide_register_broker(image, topic_rules, asked, shutdown, image.offset + 1).records
        case "in sync", (str(name), int(index), set(isr)):
            return in_sync(image, topic_rules, name, index, isr)
        case "move", (str(name), int(index), replicas):
            assert replicas is None or isinstance(replicas, list)
            partition = ReassignablePartition(partition_index=index, replicas=replicas and replicas[: index + 1])
            request = AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name=name, partitions=[partition])])
            return decide_alter_reassignments(image, topic_rules, request).records
        case "elect", election:
            assert election is None or isinstance(election, Election)
            keys = [(topic.topic_id, index) for topic, index, _ in all_partitions(image)]
            return decide_elections(image, topic_rules, keys, election).records
        case "create", list(wanted):
            creating = create_request(*(topic(name, count, replication) for name, count, replication in wanted))
            decision = decide_create_topics(image, creating, creation())
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
            return decide_allocate_producer_ids(image, 1, image.brokers[1].epoch).records
        case "restart", int(broker_id) if all(b.fenced for b in image.brokers.values() if b.broker_id != broker_id):
            return decide_start_broker(image, registration(broker_id), image.offset + 1).records
        case "stop", int(broker_id):
            return decide_stop_broker(image, broker_id).records
    return []


def in_sync(
    image: MetadataImage, topic_rules: TopicRules, name: str, index: int, isr: set[int]
) -> list[MetadataRecord]:
    """What the leader of the partition asks for, if it has one."""
    topic = image.topics.get(name)
    if topic is None or index >= len(topic.partitions) or topic.partitions[index].leader == NO_LEADER:
        return []
    partition = topic.partitions[index]
    request = AlterPartitionRequest(
        broker_id=partition.leader,
        broker_epoch=image.brokers[partition.leader].epoch,
        topics=[
            AlterPartitionRequestTopicData(
                topic_id=topic.topic_id,
                partitions=[
                    AlterPartitionRequestPartitionData(
                        partition_index=index,
                        leader_epoch=partition.leader_epoch,
                        partition_epoch=partition.partition_epoch,
                        new_isr_with_epochs=[BrokerState(broker_id=each) for each in sorted(isr)],
                    )
                ],
            )
        ],
    )
    return decide_alter_partition(image, topic_rules, request, version=3).records


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
            assert len(set(partition.isr)) == len(partition.isr)
            assert set(partition.isr) <= set(partition.replicas)
            assert len(partition.directories) == len(partition.replicas)
            assert partition.leader == NO_LEADER or partition.leader in partition.isr
            eligible = set(partition.eligible_leader_replicas)
            assert eligible <= set(partition.replicas) - set(partition.isr)
            # Somebody has what was committed, or at least led last.
            assert partition.isr or eligible or partition.last_known_elr
    assert {metric: set(names) for metric, names in image.names_by_metric_name.items()} == alike
    topics_with_configs = {name for kind, name in image.configs if kind == ConfigResourceType.TOPIC}
    assert topics_with_configs <= image.topics.keys()
    assert all(image.configs.values())
    assert len({broker.epoch for broker in image.brokers.values()}) == len(image.brokers)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25), RULES, st.integers())
def test_any_decisions_keep_the_image_whole_and_replay_to_it(
    steps: list[tuple[str, object]], topic_rules: TopicRules, seed: int
) -> None:
    random = Random(seed)
    start = image = cluster([1, 2, 3])
    log = b""
    for step in steps:
        records = decide(image, step, random, topic_rules)
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
