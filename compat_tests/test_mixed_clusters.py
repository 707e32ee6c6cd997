"""Apache Kafka 4.4.0 and kafkapy in one cluster: controllers of both kinds in one quorum, replicas of both kinds.

What goes wrong between them shows as a missing record, a wait without end, or an error in one of their logs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, java_tools
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.mixed_cluster import MixedCluster
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_raft_voter import AddRaftVoterRequest, Listener
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kafkapy_wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest, TopicRequest
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponsePartition
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kafkapy_wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

confluent_kafka = pytest.importorskip("confluent_kafka")

pytestmark = pytest.mark.usefixtures("java")

PRODUCER_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
TOPIC_RESOURCE, SET = 2, 0
DOWNGRADE, UPGRADE = 2, 1


@contextmanager
def checked(cluster: MixedCluster) -> Iterator[MixedCluster]:
    """The started cluster, in whose logs there must be no errors at the end."""
    with cluster:
        yield cluster
        assert cluster.complaints() == []


# What clients and administrators do


def create(
    cluster: MixedCluster, node_id: int, topic: str, replicas: Sequence[Sequence[int]], **configs: str
) -> list[MetadataResponsePartition]:
    """By a request to this broker; `replicas` of each partition."""
    assignments = [
        CreatableReplicaAssignment(partition_index=index, broker_ids=list(brokers))
        for index, brokers in enumerate(replicas)
    ]
    wanted = CreatableTopic(
        name=topic,
        num_partitions=-1,
        replication_factor=-1,
        assignments=assignments,
        configs=[CreatableTopicConfig(name=n.replace("_", "."), value=v) for n, v in configs.items()],
    )
    answer = cluster.ask(cluster.port(node_id), CreateTopicsRequest(topics=[wanted], timeout_ms=20_000))
    assert answer.topics[0].error_code == ErrorCode.NONE, answer
    return eventually(lambda: partitions(cluster, node_id, topic), "the topic is known")


def partitions(cluster: MixedCluster, node_id: int, topic: str) -> list[MetadataResponsePartition]:
    """As this broker knows them; none if it does not know the topic yet."""
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
    found = cluster.ask(cluster.port(node_id), asked).topics[0]
    return sorted(found.partitions, key=lambda partition: partition.partition_index)


def until_in_sync(cluster: MixedCluster, node_id: int, topic: str) -> None:
    """Every replica, as this broker knows it."""

    def all_are() -> bool:
        return all(len(each.isr_nodes) == len(each.replica_nodes) for each in partitions(cluster, node_id, topic))

    eventually(all_are, f"all replicas of {topic} are in sync")


def until_replicas(cluster: MixedCluster, node_id: int, topic: str, replicas: Sequence[int]) -> None:
    """The first partition has these replicas, all in sync, as this broker knows it."""
    eventually(
        lambda: sorted(partitions(cluster, node_id, topic)[0].isr_nodes) == sorted(replicas), "the replicas have moved"
    )


def eligible_leaders(cluster: MixedCluster, node_id: int, topic: str) -> list[int]:
    """Of the first partition, beside those in sync (KIP-966)."""
    request = DescribeTopicPartitionsRequest(topics=[TopicRequest(name=topic)])
    found = cluster.ask(cluster.port(node_id), request).topics[0].partitions[0]
    return sorted(found.eligible_leader_replicas or [])


def end_of_epoch(cluster: MixedCluster, node_id: int, topic: str, epoch: int) -> tuple[int, int]:
    """Leader epoch and end offset of the first partition, by its leader (OffsetForLeaderEpoch)."""
    wanted = OffsetForLeaderPartition(partition=0, leader_epoch=epoch)
    request = OffsetForLeaderEpochRequest(
        replica_id=-1, topics=[OffsetForLeaderTopic(topic=topic, partitions=[wanted])]
    )
    found = cluster.ask(cluster.port(node_id), request).topics[0].partitions[0]
    assert found.error_code == ErrorCode.NONE, found
    return found.leader_epoch, found.end_offset


def leaders(cluster: MixedCluster, node_id: int, topic: str) -> list[int]:
    return [each.leader_id for each in partitions(cluster, node_id, topic)]


def at(cluster: MixedCluster, *node_ids: int) -> str:
    return ",".join(f"127.0.0.1:{cluster.port(node_id)}" for node_id in node_ids)


def produce(servers: str, topic: str, values: Mapping[int, Sequence[str]], acks: str = "all") -> None:
    """Produce to the partitions, and see that each record is acknowledged."""
    settings = {"bootstrap.servers": servers, "acks": acks, "linger.ms": 1, "message.timeout.ms": 30_000}
    producer = confluent_kafka.Producer({**settings, "enable.idempotence": acks == "all"})
    failures: list[Any] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            failures.append(error)

    for partition, texts in values.items():
        for text in texts:
            producer.produce(topic, text.encode(), partition=partition, on_delivery=delivered)
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert failures == []


def consume(servers: str, topic: str, count: int) -> dict[int, list[str]]:
    """All committed records of `count` partitions, from the beginning to their ends."""
    values: dict[int, list[str]] = {index: [] for index in range(count)}
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "nobody's",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    with closing(consumer):
        consumer.assign([confluent_kafka.TopicPartition(topic, index, 0) for index in values])
        unread = set(values)

        def at_the_end() -> bool:
            for message in consumer.consume(500, 0.05):
                if message.error() is None:
                    values[message.partition()].append(message.value().decode())
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise AssertionError(message.error())
            return not unread

        eventually(at_the_end, "the end of every partition", pause_seconds=0)
    return values


# A quorum of two kafkapy controllers and one of Apache Kafka

OURS = {100: "controller", 101: "controller", 1: "broker", 3: "broker"}
THEIRS = {102: "controller", 2: "broker"}
BROKERS = (1, 2, 3)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedCluster]:
    """Controllers 100 and 101 and brokers 1 and 3 are kafkapy's, controller 102 and broker 2 are Apache Kafka's."""
    with checked(MixedCluster(tmp_path_factory.mktemp("mixed"), kafkapy=OURS, apache=THEIRS)) as cluster:
        yield cluster


def administer(cluster: MixedCluster, name: str) -> None:
    """Requests by way of each broker, most of which forwards them to the active controller, and their records."""
    for broker_id in BROKERS:
        other = broker_id % 3 + 1
        topic = f"{name}-{broker_id}"
        create(cluster, broker_id, topic, [[broker_id, other], [other, broker_id]], retention_ms="100000")
        change = AlterableConfig(name="cleanup.policy", config_operation=SET, value="compact")
        resource = AlterConfigsResource(resource_type=TOPIC_RESOURCE, resource_name=topic, configs=[change])
        altered = cluster.ask(cluster.port(broker_id), IncrementalAlterConfigsRequest(resources=[resource]))
        assert [each.error_code for each in altered.responses] == [ErrorCode.NONE], altered
        move = ReassignablePartition(partition_index=0, replicas=[other % 3 + 1, other])
        moved = cluster.ask(
            cluster.port(broker_id),
            AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name=topic, partitions=[move])]),
        )
        assert moved.error_code == ErrorCode.NONE
        until_replicas(cluster, 2, topic, [other % 3 + 1, other])
    for way, level in ((DOWNGRADE, 0), (UPGRADE, 1)):
        update = FeatureUpdateKey(feature="group.version", max_version_level=level, upgrade_type=way)
        updated = cluster.ask(cluster.port(1), UpdateFeaturesRequest(timeout_ms=10_000, feature_updates=[update]))
        assert updated.error_code == ErrorCode.NONE, updated


def test_controllers_of_both_kinds_lead_in_turn_and_write_one_log(mixed: MixedCluster) -> None:
    """What the active one of either kind writes is replayed by all the others."""
    led: set[int] = set()
    for turn in range(12):
        leader = eventually(lambda: max(mixed.leader(), 0), "a leader")
        if leader not in led:
            led.add(leader)
            administer(mixed, f"turn-{turn}")
        if led == {100, 101, 102}:
            break
        mixed.stop(leader)
        assert mixed.next_leader(leader) != leader
        mixed.start(leader)
    assert led == {100, 101, 102}

    def same_ends() -> bool:
        described = mixed.describe_quorum(mixed.leader())
        assert described is not None
        everybody = [*described.current_voters, *described.observers]
        return len(everybody) == len(mixed.places) and len({each.log_end_offset for each in everybody}) == 1

    eventually(same_ends, "all nodes have the whole log")
    logs = [mixed.metadata(node_id) for node_id in (100, 101, 102, *BROKERS)]
    shortest = min(map(len, logs))
    assert shortest > 60
    assert [log[:shortest] for log in logs] == [logs[0][:shortest]] * len(logs)


def test_records_come_whole_from_leaders_and_followers_of_both_kinds(mixed: MixedCluster) -> None:
    """acks=all at replication factor 3; each broker stops in order, and hands what it leads over to another kind."""
    create(mixed, 1, "records", [[1, 2, 3], [2, 3, 1], [3, 1, 2]], min_insync_replicas="2")
    expected: dict[int, list[str]] = {index: [] for index in range(3)}

    def more(name: str) -> None:
        values = {index: [f"{name}-{number}" for number in range(50)] for index in expected}
        produce(mixed.bootstrap, "records", values)
        for index, texts in values.items():
            expected[index] += texts

    more("all")
    for broker_id in BROKERS:
        mixed.stop(broker_id)
        others = [each for each in BROKERS if each != broker_id]
        assert broker_id not in leaders(mixed, others[0], "records")
        assert all(broker_id not in each.isr_nodes for each in partitions(mixed, others[0], "records"))
        more(f"without-{broker_id}")
        mixed.start(broker_id)
        until_in_sync(mixed, broker_id, "records")
    more("again")
    assert consume(mixed.bootstrap, "records", 3) == expected
    # Below min.insync.replicas those that leave the ISR stay eligible leaders, whoever decides and whoever is asked.
    mixed.stop(1)
    mixed.stop(2)
    assert eligible_leaders(mixed, 3, "records") == [2]
    mixed.start(1, 2)
    until_in_sync(mixed, 2, "records")
    eventually(lambda: eligible_leaders(mixed, 1, "records") == eligible_leaders(mixed, 2, "records") == [], "in sync")


def test_groups_and_transactions_span_brokers_of_both_kinds(mixed: MixedCluster) -> None:
    """Coordinators of one kind write markers to, and are asked for verification by, leaders of the other."""
    create(mixed, 2, "exactly-once", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    names = [f"id-{number}" for number in range(6)]
    performance = [
        (
            *(PRODUCER_PERFORMANCE, "--bootstrap-server", mixed.bootstrap, "--topic", "exactly-once"),
            *("--num-records", "60", "--throughput", "300", "--record-size", "10"),
            *("--transactional-id", name, "--transaction-duration-ms", "50"),
        )
        for name in names[:3]
    ]
    *written, listed = java_tools(*performance, (TRANSACTIONS, "--bootstrap-server", mixed.bootstrap, "list"))
    assert [code for code, _ in written] == [0] * 3, written
    for name in names[3:]:  # a client that asks the coordinator itself, so that leaders verify
        producer = confluent_kafka.Producer({"bootstrap.servers": mixed.bootstrap, "transactional.id": name})
        producer.init_transactions(PATIENCE_SECONDS)
        for value, end in (("committed", producer.commit_transaction), ("aborted", producer.abort_transaction)):
            producer.begin_transaction()
            for index in range(3):
                producer.produce("exactly-once", f"{value} {name}".encode(), partition=index)
            producer.flush(PATIENCE_SECONDS)
            end(PATIENCE_SECONDS)
    coordinators = {line.split()[1] for line in listed[1].splitlines() if line.startswith("id-")}
    assert coordinators <= {"1", "2", "3"}
    values = consume(mixed.bootstrap, "exactly-once", 3)
    for texts in values.values():
        assert [text for text in texts if text.startswith("committed")] == [f"committed {n}" for n in names[3:]]
        assert not any(text.startswith("aborted") for text in texts)
    assert sum(len(texts) for texts in values.values()) == 3 * 60 + 3 * 3
    for number in range(6):
        group = f"group-{number}"
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": mixed.bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
        )
        with closing(consumer):
            consumer.subscribe(["exactly-once"])
            read: list[Any] = []

            def has_read(consumer: Any = consumer, read: list[Any] = read) -> bool:
                read += [message for message in consumer.consume(500, 0.2) if message.error() is None]
                return len(read) == 189

            eventually(has_read, "the group has read everything", pause_seconds=0)
            committed = consumer.commit(asynchronous=False)
            assert len(committed) == 3
    # The coordinators of `__consumer_offsets` and `__transaction_state` are led by brokers of both kinds.
    for topic in ("__consumer_offsets", "__transaction_state"):
        assert {1, 2} <= {replica for each in partitions(mixed, 1, topic) for replica in each.replica_nodes}


# Logs that differ


@pytest.mark.parametrize(("first", "release"), [(1, None), (2, "3.9")])
def test_records_that_only_a_dead_leader_had_are_truncated_when_it_comes_back(
    tmp_path: Path, first: int, release: str | None
) -> None:
    """Broker 1 is kafkapy's, broker 2 Apache Kafka's: each is once the one whose log diverges. At two levels of
    metadata.version.
    """
    other = 3 - first
    ours, theirs = {100: "controller", 1: "broker"}, {2: "broker"}
    settings = {"replica.lag.time.max.ms": "60000"}
    with checked(MixedCluster(tmp_path, kafkapy=ours, apache=theirs, settings=settings, release=release)) as cluster:
        create(cluster, other, "t", [[first, other]])
        produce(at(cluster, first), "t", {0: [f"both-{number}" for number in range(20)]})
        cluster.pause(other)
        for batch in range(3):
            produce(at(cluster, first), "t", {0: [f"lost-{batch}-{number}" for number in range(5)]}, acks="1")
        cluster.kill(first)
        cluster.go_on(other)
        eventually(lambda: leaders(cluster, other, "t") == [other], "the other broker leads")
        produce(at(cluster, other), "t", {0: ["new-1", "new-2"]})
        kept = consume(at(cluster, other), "t", 1)
        assert kept[0][:20] == [f"both-{number}" for number in range(20)]
        assert kept[0][-2:] == ["new-1", "new-2"]
        assert len(kept[0]) < 20 + 15 + 2
        cluster.start(first)
        until_in_sync(cluster, other, "t")
        epochs = [end_of_epoch(cluster, other, "t", epoch) for epoch in (0, 1)]
        cluster.stop(other)
        assert leaders(cluster, first, "t") == [first]
        assert [end_of_epoch(cluster, first, "t", epoch) for epoch in (0, 1)] == epochs
        assert consume(at(cluster, first), "t", 1) == kept


# Snapshots


def test_snapshots_of_the_metadata_are_fetched_from_either_kind(tmp_path: Path) -> None:
    """A controller that was away gets the snapshot of a leader of the other kind, in both directions."""
    ours, theirs = {100: "controller", 101: "controller", 1: "broker"}, {102: "controller"}
    settings = {"metadata.log.max.record.bytes.between.snapshots": "2000", "metadata.max.retention.ms": "0"}
    with checked(MixedCluster(tmp_path, kafkapy=ours, apache=theirs, settings=settings)) as cluster:
        made = 0

        def log_begins(node_id: int) -> int:
            names = [path.name for path in (cluster.data_dir(node_id) / "__cluster_metadata-0").glob("*.checkpoint")]
            return min(int(name.partition("-")[0]) for name in names) if names else 0

        def make_topics() -> None:
            nonlocal made
            for _ in range(12):
                made += 1
                create(cluster, 1, f"topic-{made}", [[1]] * 2, retention_ms="100000")

        def catches_up(node_id: int) -> None:
            eventually(lambda: log_begins(node_id) > 0, f"node {node_id} has installed a snapshot")
            leader = cluster.leader()
            described = cluster.describe_quorum(leader)
            assert described is not None
            end_offset = described.high_watermark

            def has_all() -> bool:
                now = cluster.describe_quorum(leader)
                assert now is not None
                return all(each.log_end_offset >= end_offset for each in now.current_voters)

            eventually(has_all, f"node {node_id} has caught up")

        cluster.stop(102)
        eventually(lambda: cluster.leader() >= 0, "a leader of kafkapy")
        make_topics()
        eventually(lambda: log_begins(100) and log_begins(101), "the logs begin after a snapshot")
        cluster.start(102)
        catches_up(102)
        while (leader := eventually(lambda: max(cluster.leader(), 0), "a leader")) != 102:
            cluster.stop(leader)
            cluster.next_leader(leader)
            cluster.start(leader)
        cluster.stop(100)
        shutil.rmtree(cluster.data_dir(100))
        cluster.format(100)
        make_topics()
        assert cluster.leader() == 102
        cluster.start(100)
        catches_up(100)
        make_topics()


# Voters in the log


def test_voters_of_either_kind_are_added_and_removed_by_leaders_of_either_kind(tmp_path: Path) -> None:
    """kraft.version 1: it begins with a controller of Apache Kafka alone, and ends without it."""
    ours, theirs = {101: "controller", 1: "broker"}, {100: "controller", 102: "controller"}
    cluster = MixedCluster(tmp_path, kafkapy=ours, apache=theirs, first_voters=[100])

    def voters() -> list[int]:
        described = cluster.describe_quorum(eventually(lambda: max(cluster.leader(), 0), "a leader"))
        return [] if described is None else sorted(each.replica_id for each in described.current_voters)

    def add(node_id: int) -> ErrorCode:
        listener = Listener(name="CONTROLLER", host="127.0.0.1", port=cluster.controller_port(node_id))
        request = AddRaftVoterRequest(
            cluster_id=CLUSTER_ID,
            timeout_ms=10_000,
            voter_id=node_id,
            voter_directory_id=cluster.directory_id(node_id),
            listeners=[listener],
        )
        return ErrorCode(cluster.ask(cluster.controller_port(cluster.leader()), request).error_code)

    def remove(node_id: int) -> ErrorCode:
        request = RemoveRaftVoterRequest(
            cluster_id=CLUSTER_ID, voter_id=node_id, voter_directory_id=cluster.directory_id(node_id)
        )
        return ErrorCode(cluster.ask(cluster.controller_port(cluster.leader()), request).error_code)

    def until_taken(change: Any, node_id: int, already: ErrorCode) -> None:
        """A leader refuses for as long as it has committed nothing in its epoch, or the node lags behind."""

        def is_taken() -> bool:
            code = change(node_id)
            assert code in (ErrorCode.NONE, already, ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_LEADER_OR_FOLLOWER), (
                code
            )
            return code in (ErrorCode.NONE, already)

        eventually(is_taken, "the change is taken")

    with cluster:
        assert voters() == [100]
        until_taken(add, 101, ErrorCode.DUPLICATE_VOTER)
        until_taken(add, 102, ErrorCode.DUPLICATE_VOTER)
        assert voters() == [100, 101, 102]
        create(cluster, 1, "before", [[1]])
        until_taken(remove, 100, ErrorCode.VOTER_NOT_FOUND)
        cluster.next_leader(100)
        assert voters() == [101, 102]
        while (leader := eventually(lambda: max(cluster.leader(), 0), "a leader")) != 101:
            until_taken(add, 100, ErrorCode.DUPLICATE_VOTER)
            cluster.stop(leader)
            cluster.next_leader(leader)
            cluster.start(leader)
        until_taken(add, 100, ErrorCode.DUPLICATE_VOTER)  # by a leader of kafkapy
        until_taken(remove, 102, ErrorCode.VOTER_NOT_FOUND)
        assert voters() == [100, 101]
        create(cluster, 1, "after", [[1]])
        produce(at(cluster, 1), "after", {0: ["first"]})
        assert consume(at(cluster, 1), "after", 1) == {0: ["first"]}
        assert cluster.complaints() == []


@pytest.mark.parametrize("leader_kind", ["kafkapy", "apache"])
def test_a_leader_of_either_kind_moves_voters_of_both_kinds_into_the_log(tmp_path: Path, leader_kind: str) -> None:
    """kraft.version 0 to 1: each voter has told the leader its directory."""
    ours, theirs = {101: "controller", 1: "broker"}, {100: "controller"}
    cluster = MixedCluster(tmp_path, kafkapy={**ours, 102: "controller"}, apache=theirs)
    wanted = {101, 102} if leader_kind == "kafkapy" else {100}
    asked = UpdateFeaturesRequest(
        timeout_ms=10_000,
        feature_updates=[FeatureUpdateKey(feature="kraft.version", max_version_level=1, upgrade_type=UPGRADE)],
    )
    with cluster:
        while (leader := eventually(lambda: max(cluster.leader(), 0), "a leader")) not in wanted:
            cluster.stop(leader)
            cluster.next_leader(leader)
            cluster.start(leader)
        eventually(
            lambda: cluster.ask(cluster.controller_port(leader), asked).error_code == ErrorCode.NONE, "it is upgraded"
        )
        described = cluster.describe_quorum(leader)
        assert described is not None
        directories = {each.replica_id: each.replica_directory_id for each in described.current_voters}
        assert directories == {node_id: cluster.directory_id(node_id) for node_id in (100, 101, 102)}
        assert {each.replica_id for each in described.observers} == {1}
        request = RemoveRaftVoterRequest(
            cluster_id=CLUSTER_ID, voter_id=102, voter_directory_id=cluster.directory_id(102)
        )
        assert cluster.ask(cluster.controller_port(leader), request).error_code == ErrorCode.NONE
        create(cluster, 1, "after", [[1]])
