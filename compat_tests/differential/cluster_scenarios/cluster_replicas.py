"""Leader, follower and a broker without a replica are asked for records, with every leader epoch; follower reads."""

from __future__ import annotations

from collections.abc import Iterator

from compat_tests.differential.cluster_peer import ClusterPeer, Led, coordinated_by, elections
from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import cluster_scenario
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.offsets import list_offsets
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.fetch import FetchRequest, ReplicaState
from kafkapy_wire.messages.list_offsets import ListOffsetsRequest
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kafkapy_wire.messages.produce import ProduceRequest

LEADER, FOLLOWER, STRANGER = 2, 1, 3
EPOCHS = {"no epoch": -1, "older": 0, "current": 1, "newer": 2}


def prepared(cluster: ClusterPeer, topic: str, **config: str) -> Iterator[tuple[str, Peer]]:
    """A topic of broker 2 with broker 1 as follower, in leader epoch 1, with two records of each epoch."""
    cluster.create_topic(topic, [1, 2], config={key.replace("_", "."): value for key, value in config.items()})
    write(cluster.at(1), topic, b"a", b"b")
    cluster.at(1).quietly(moves(topic, (0, [2, 1])))
    cluster.at(1).quietly(elections(topic, 0))
    cluster.await_led(topic, Led(LEADER, (1, 2)))
    write(cluster.at(LEADER), topic, b"c", b"d")
    await_high_watermark(cluster.at(FOLLOWER), topic, 4)
    return iter(
        {"leader": cluster.at(LEADER), "follower": cluster.at(FOLLOWER), "stranger": cluster.at(STRANGER)}.items()
    )


def write(peer: Peer, topic: str, *values: bytes, index: int = 0) -> None:
    answer = peer.quietly(produce(peer, 13, topic, batch(*values), partition=index), 13)
    assert answer.responses[0].partition_responses[0].error_code == 0, answer


def await_high_watermark(follower: Peer, topic: str, offset: int) -> None:
    """Apache Kafka's leader tells a follower only when records come, or when its fetch has waited long enough."""
    request = fetch(follower, 18, topic, partition(offset=offset))
    follower.until(
        request,
        lambda answer: answer.responses[0].partitions[0].high_watermark == offset,
        f"high watermark {offset} of {topic}",
    )


@cluster_scenario
def records_are_produced(cluster: ClusterPeer) -> None:
    for role, peer in prepared(cluster, "roles-produce"):
        for acks in (-1, 1):
            peer.ask_each(
                ProduceRequest,
                lambda version, peer=peer, acks=acks: produce(peer, version, "roles-produce", batch(b"e"), acks=acks),
                f"{role}, acks {acks}",
            )
        peer.ask(produce(peer, 13, "roles-produce", batch(b"e"), partition=1), label=f"{role}, no such partition")
        peer.ask(produce(peer, 13, "roles-nothing", batch(b"e")), label=f"{role}, no such topic")
        damaged = produce(peer, 13, "roles-produce", batch(b"e")[:-1] + b"x")
        peer.ask(damaged, label=f"{role}, damaged")


@cluster_scenario
def records_are_fetched(cluster: ClusterPeer) -> None:
    for role, peer in prepared(cluster, "roles-fetch"):
        for label, epoch in EPOCHS.items():
            versions = versions_of(ApiKey.FETCH) if epoch in (-1, 1) else (9, 12, 15, 18)
            peer.ask_each(
                FetchRequest,
                lambda version, peer=peer, epoch=epoch: fetch(
                    peer, version, "roles-fetch", partition(current_leader_epoch=epoch)
                ),
                f"{role}, {label}",
                versions,
            )
            for offset in (4, 5, -1):
                request = fetch(peer, 18, "roles-fetch", partition(offset=offset, current_leader_epoch=epoch))
                peer.ask(request, label=f"{role}, {label}, offset {offset}")
            for fetched in (0, 1, 2):
                asked = partition(offset=4, current_leader_epoch=epoch, last_fetched_epoch=fetched)
                peer.ask(fetch(peer, 18, "roles-fetch", asked), label=f"{role}, {label}, last fetched {fetched}")


@cluster_scenario
def replicas_fetch(cluster: ClusterPeer) -> None:
    """Requests of followers that are one, or none, or nobody."""
    for role, peer in prepared(cluster, "roles-replica"):
        for replica_id in (STRANGER, 9, -2, -3):
            for label, epoch in EPOCHS.items():
                for version in (11, 14, 15, 18):
                    request = fetch(peer, version, "roles-replica", partition(offset=4, current_leader_epoch=epoch))
                    if version < 15:
                        request.replica_id = replica_id
                    else:
                        request.replica_state = ReplicaState(replica_id=replica_id, replica_epoch=-1)
                    peer.ask(request, version, f"{role} by {replica_id}, {label}")


@cluster_scenario
def offsets_are_listed(cluster: ClusterPeer) -> None:
    for role, peer in prepared(cluster, "roles-offsets"):
        for label, epoch in EPOCHS.items():
            for timestamp in (-1, -2, -3, -4, 0):
                request = list_offsets("roles-offsets", timestamp, epoch=epoch)
                if epoch in (-1, 1) and timestamp == -1:
                    peer.ask_versions(request, f"{role}, {label}, {timestamp}")
                else:
                    peer.ask(request, label=f"{role}, {label}, {timestamp}")
            for replica_id in (-2, -3, 0, STRANGER):
                request = list_offsets("roles-offsets", -1, epoch=epoch, replica_id=replica_id)
                peer.ask(request, label=f"{role}, {label}, replica {replica_id}")
        peer.ask_each(
            ListOffsetsRequest,
            lambda version: list_offsets("roles-offsets", -1, partition=1),
            f"{role}, no such partition",
        )


@cluster_scenario
def ends_of_epochs(cluster: ClusterPeer) -> None:
    def of_epoch(epoch: int, current: int, index: int = 0, replica_id: int = -1) -> OffsetForLeaderEpochRequest:
        asked = OffsetForLeaderPartition(partition=index, current_leader_epoch=current, leader_epoch=epoch)
        topics = [OffsetForLeaderTopic(topic="roles-epochs", partitions=[asked])]
        return OffsetForLeaderEpochRequest(replica_id=replica_id, topics=topics)

    for role, peer in prepared(cluster, "roles-epochs"):
        for label, current in EPOCHS.items():
            for epoch in (-1, 0, 1, 2):
                peer.ask_versions(of_epoch(epoch, current), f"{role}, {label}, end of {epoch}")
            for replica_id in (-2, -3, 1, STRANGER):
                request = of_epoch(0, current, replica_id=replica_id)
                peer.ask(request, label=f"{role}, {label}, replica {replica_id}")
        peer.ask(of_epoch(0, -1, index=1), label=f"{role}, no such partition")


@cluster_scenario
def producers_are_described(cluster: ClusterPeer) -> None:
    for role, peer in prepared(cluster, "roles-producers"):
        for index in (0, 1):
            topics = [TopicRequest(name="roles-producers", partition_indexes=[index])]
            peer.ask(DescribeProducersRequest(topics=topics), label=f"{role}, partition {index}")
        topics = [TopicRequest(name="roles-nobody", partition_indexes=[0])]
        peer.ask(DescribeProducersRequest(topics=topics), label=f"{role}, no such topic")


@cluster_scenario
def transactions_are_read_from_followers(cluster: ClusterPeer) -> None:
    """One committed, one aborted, one open: what is stable, and what was aborted, at every replica."""
    cluster.create_coordinators_topics()
    cluster.create_topic("roles-stable", [1, 2])
    leader = cluster.at(1)
    producer = TransactionalProducer.ready(leader, coordinated_by(1, "stable"), epoch=1)
    for committed in (True, False):
        producer = producer.opened("roles-stable", 0).ended(committed=committed)
    producer.opened("roles-stable", 0)
    write(leader, "roles-stable", b"plain")
    cluster.await_high_watermarks("roles-stable")
    for role, peer in (("leader", leader), ("follower", cluster.at(2)), ("stranger", cluster.at(3))):
        for isolation_level in (0, 1):
            for version in (4, 11, 18):
                for offset in (0, 2, 4, 6):
                    request = fetch(
                        peer, version, "roles-stable", partition(offset=offset), isolation_level=isolation_level
                    )
                    peer.ask(request, version, f"{role}, isolation {isolation_level}, offset {offset}")
            latest = list_offsets("roles-stable", -1, isolation_level=isolation_level)
            peer.ask(latest, label=f"{role}, isolation {isolation_level}")
        topics = [TopicRequest(name="roles-stable", partition_indexes=[0])]
        peer.ask(DescribeProducersRequest(topics=topics), label=role)
    producer.ended(committed=True)


@cluster_scenario
def records_are_deleted(cluster: ClusterPeer) -> None:
    def delete(*wanted: tuple[int, int], topic: str = "roles-delete") -> DeleteRecordsRequest:
        partitions = [DeleteRecordsPartition(partition_index=index, offset=offset) for index, offset in wanted]
        return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=partitions)], timeout_ms=5_000)

    for role, peer in prepared(cluster, "roles-delete"):
        for offset in (9, 0, 1, 1, -2, -1):
            peer.ask_versions(delete((0, offset)), f"{role} to {offset}", versions=(0, 2))
        peer.ask(delete((0, 1), (1, 0)), label=f"{role}, no such partition")
        peer.ask(delete((0, 0), topic="roles-nothing"), label=f"{role}, no such topic")
    for role, peer in prepared(cluster, "roles-deleted"):  # where it begins is told to the follower
        peer.ask(list_offsets("roles-deleted", -2), label=f"{role}, begin")


@cluster_scenario
def followers_are_read(cluster: ClusterPeer) -> None:
    """Racks are those of brokers: a, b and c."""
    cluster.create_topic("roles-racks", [1, 2])
    write(cluster.at(1), "roles-racks", b"a", b"b")
    await_high_watermark(cluster.at(2), "roles-racks", 2)
    for number, peer in enumerate(cluster.running, 1):
        for rack in ("a", "b", "c", "", "elsewhere"):
            for version in (11, 13, 18):
                for offset in (0, 2, 3, -1):
                    request = fetch(peer, version, "roles-racks", partition(offset=offset))
                    request.rack_id = rack
                    peer.ask(request, version, f"rack {rack} at {number}, offset {offset}")
        isolated = fetch(peer, 18, "roles-racks", partition(), isolation_level=1)
        isolated.rack_id = "b"
        peer.ask(isolated, label="committed only")
    posted = []
    for peer, rack in ((cluster.at(1), ""), (cluster.at(1), "b"), (cluster.at(2), "b"), (cluster.at(3), "c")):
        request = fetch(peer, 18, "roles-racks", partition(offset=2), max_wait_ms=15_000, min_bytes=1)
        request.rack_id = rack
        posted.append(peer.post(request, 18, f"waits, rack {rack!r}"))
    cluster.meanwhile("records come")
    write(cluster.at(1), "roles-racks", b"c")
    for pending in posted:
        pending.answer()
