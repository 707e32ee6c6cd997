"""What clients see while brokers do not answer, are killed and stopped, and after they have come back."""

from __future__ import annotations

from dataclasses import replace

from compat_tests.differential.cluster_peer import (
    COORDINATORS_TOPICS,
    EVERYBODY,
    ClusterPeer,
    Led,
    coordinated_by,
    elections,
)
from compat_tests.differential.cluster_scenarios.cluster_coordinators import (
    NOT_COORDINATOR_YET,
    await_groups,
    joining_id,
)
from compat_tests.differential.cluster_scenarios.cluster_replicas import write
from compat_tests.differential.cluster_scenarios.cluster_views import quorum_at
from compat_tests.differential.peer import Peer, Pending
from compat_tests.differential.registry import cluster_scenario
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.group_offsets import commit
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.groups import beat, join, stable
from compat_tests.differential.scenarios.metadata import by_name
from compat_tests.differential.scenarios.offsets import list_offsets
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.scenarios.topics import create, topic
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest, TopicRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kafkapy_wire.messages.produce import ProduceRequest
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest

ONE, TWO = {"min.insync.replicas": "1"}, {"min.insync.replicas": "2"}


def send(
    peer: Peer, name: str, timeout_ms: int, *, index: int = 0, acks: int = -1, version: int = 13
) -> ProduceRequest:
    request = produce(peer, version, name, batch(b"sent"), partition=index, acks=acks)
    request.timeout_ms = timeout_ms
    return request


def appended(leader: Peer, name: str, end_offset: int) -> None:
    """Wait until the records are in the leader's log, committed or not."""
    asked = OffsetForLeaderTopic(topic=name, partitions=[OffsetForLeaderPartition(leader_epoch=0)])
    leader.until(
        OffsetForLeaderEpochRequest(replica_id=-1, topics=[asked]),
        lambda answer: answer.topics[0].partitions[0].end_offset >= end_offset,
        "records are appended",
    )


def delete_records(name: str, offset: int, *, timeout_ms: int) -> DeleteRecordsRequest:
    cut = [DeleteRecordsPartition(partition_index=0, offset=offset)]
    return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=name, partitions=cut)], timeout_ms=timeout_ms)


@cluster_scenario
def the_leader_moves_before_a_follower_has_the_records(cluster: ClusterPeer) -> None:
    cluster.create_topic("paused-moves", [1, 2, 3], config=TWO)
    leader = cluster.at(1)
    write(leader, "paused-moves", b"a")
    cluster.pause(3)
    try:
        unfinished = []
        for count, version in enumerate((9, 10, 13), 2):
            moving = send(leader, "paused-moves", 60_000, version=version)
            unfinished.append(leader.post(moving, version, "its leader moves"))
            appended(leader, "paused-moves", count)
        cluster.meanwhile("the leader moves")
        leader.quietly(moves("paused-moves", (0, [2, 1, 3])))
        leader.quietly(elections("paused-moves", 0))
        for pending in unfinished:
            pending.answer()
        cluster.await_led("paused-moves", Led(2))
    finally:
        cluster.resume(3)
    cluster.await_led("paused-moves", Led(2, (1, 2, 3)))
    cluster.at(2).ask(fetch(cluster.at(2), 18, "paused-moves", partition()), label="all of it")


@cluster_scenario
def a_follower_does_not_answer(cluster: ClusterPeer) -> None:
    """Broker 3 is paused: at first it is in sync for the leader, then it is not."""
    cluster.create_topic("paused-one", [1, 3], config=ONE)
    cluster.create_topic("paused-two", [1, 3], config=TWO)
    leader = cluster.at(1)
    for name in ("paused-one", "paused-two"):
        write(leader, name, b"a")
    cluster.pause(3)
    try:
        posted: list[Pending] = []
        for name in ("paused-one", "paused-two"):
            posted.append(leader.post(send(leader, name, 2_000), 13, f"{name}, has little time"))
            appended(leader, name, 2)
            time_ms = 60_000 if name == "paused-one" else 6_000
            posted.append(leader.post(send(leader, name, time_ms), 13, f"{name}, has time"))
            appended(leader, name, 3)
            posted.append(leader.post(send(leader, name, 60_000, acks=1), 13, f"{name}, acks 1"))
            appended(leader, name, 4)
            fetched = fetch(leader, 18, name, partition(offset=1), max_wait_ms=6_000, min_bytes=1)
            posted.append(leader.post(fetched, 18, f"{name}, has time"))
            cutting = delete_records(name, 1, timeout_ms=2_000)
            posted.append(leader.post(cutting, 2, f"{name}, has little time"))
        for pending in posted:
            pending.answer()
        for name in ("paused-one", "paused-two"):
            cluster.await_led(name, Led(1, (1,)))
            leader.ask(delete_records(name, 1, timeout_ms=20_000), label=f"{name}, the leader is alone")
            leader.ask(by_name(name), label="the leader is alone")
            for acks in (-1, 1):
                leader.ask(send(leader, name, 3_000, acks=acks), label=f"{name}, acks {acks}, the leader is alone")
            leader.ask(fetch(leader, 18, name, partition()), label=f"{name}, the leader is alone")
            leader.ask(list_offsets(name, -1), label=f"{name}, the leader is alone")
    finally:
        cluster.resume(3)
    cluster.await_brokers(1, 2, 3)
    for name in ("paused-one", "paused-two"):
        cluster.await_led(name, Led(1, (1, 3)))
        leader.ask(send(leader, name, 60_000), label=f"{name}, both again")
        leader.ask(fetch(leader, 18, name, partition()), label=f"{name}, both again")


@cluster_scenario
def an_unclean_leader_is_elected(cluster: ClusterPeer) -> None:
    """Broker 2 falls behind, then broker 3, which has the last records, does not answer any more.

    It has the only replicas of a group's and a transactional id's partition, too.
    """
    cluster.create_coordinators_topics()
    producer = TransactionalProducer.ready(cluster.at(3), coordinated_by(3, "deserted"), epoch=1)
    stable(cluster.at(3), coordinated_by(3, "deserted"))
    for name in COORDINATORS_TOPICS:
        cluster.at(1).quietly(moves(name, (2, [3])))
        cluster.await_led(name, Led(1, EVERYBODY), Led(2, EVERYBODY), Led(3, (3,)))
    cluster.create_topic("unclean", [3, 2], config=ONE)
    write(cluster.at(3), "unclean", b"kept")
    cluster.pause(2)
    try:
        cluster.await_led("unclean", Led(3, (3,)))
        # What broker 2 asked for before waits for replica.fetch.wait.max.ms, 500, and must not bring what is lost.
        leader = cluster.at(3)
        leader.quietly(fetch(leader, 18, "unclean", partition(offset=1), max_wait_ms=600, min_bytes=1))
        write(leader, "unclean", b"lost", b"lost, too")
        cluster.pause(3)
        cluster.resume(2)
        cluster.await_brokers(1, 2)
        cluster.await_led("unclean", Led(-1))
        for peer in (cluster.at(1), cluster.at(2)):
            seen_by(peer, "nobody leads", ("unclean",))
            peer.ask(send(peer, "unclean", 3_000), label="nobody leads")
            peer.ask(fetch(peer, 18, "unclean", partition()), label="nobody leads")
            peer.ask(list_offsets("unclean", -1), label="nobody leads")
            peer.ask(elections("unclean", 0), label="nobody leads")
            nobody_coordinates(peer, producer)
        cluster.at(2).ask(elections("unclean", 0, election_type=1), label="unclean")
        cluster.at(2).ask(elections("unclean", 0, election_type=1), label="unclean again")
        cluster.await_led("unclean", Led(2, (2,)))
        for peer in (cluster.at(1), cluster.at(2)):
            seen_by(peer, "2 leads", ("unclean",))
        new = cluster.at(2)
        for epoch in (0, 1, 2):
            asked = partition(offset=3, current_leader_epoch=epoch, last_fetched_epoch=0)
            new.ask(fetch(new, 18, "unclean", asked), label=f"of a consumer that has seen more, epoch {epoch}")
        new.ask(fetch(new, 18, "unclean", partition(offset=3)), label="of an old consumer that has seen more")
        write(new, "unclean", b"new")
    finally:
        cluster.resume(2)
        cluster.resume(3)
    cluster.await_brokers(1, 2, 3)
    cluster.await_led("unclean", Led(2, (2, 3)))
    cluster.await_high_watermarks("unclean")
    for peer in cluster.running:
        peer.ask(fetch(peer, 18, "unclean", partition()), label="in the end")
    for name in COORDINATORS_TOPICS:
        cluster.at(1).quietly(moves(name, (2, [3, 1, 2])))
        cluster.await_led(name, *(Led(None, EVERYBODY) for _ in EVERYBODY))


def nobody_coordinates(peer: Peer, producer: TransactionalProducer) -> None:
    group, label = coordinated_by(3, "deserted"), "nobody coordinates"
    for version in (0, 3, 6):
        find = FindCoordinatorRequest(key=group) if version < 4 else FindCoordinatorRequest(coordinator_keys=[group])
        peer.ask(find, version, label)
    peer.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=[producer.name]), label=f"{label}, transactions")
    peer.ask(beat(group, 1, "nobody"), label=label)
    peer.ask(join(group), label=label)
    peer.ask(fetch_offsets(peer, 9, group, None), 9, label)
    asked = replace(producer, peer=peer)
    peer.ask(asked.initialise(), label=label)
    peer.ask(asked.end(committed=True), label=label)


def seen(cluster: ClusterPeer, label: str, names: tuple[str, ...]) -> None:
    """What every broker that runs tells of the topics and of the others."""
    for peer in cluster.running:
        seen_by(peer, label, names)


def seen_by(peer: Peer, label: str, names: tuple[str, ...]) -> None:
    for version in (4, 7, 13):
        peer.ask(by_name(*names), version, label)
    peer.ask(DescribeTopicPartitionsRequest(topics=[TopicRequest(name=name) for name in names]), label=label)
    for fenced in (False, True):
        peer.ask(DescribeClusterRequest(include_fenced_brokers=fenced), label=f"{label}, fenced {fenced}")


@cluster_scenario
def one_broker_is_killed_and_another_stopped(cluster: ClusterPeer) -> None:
    cluster.create_coordinators_topics()
    names = ("killed-three", "killed-pair", "killed-alone")
    cluster.create_topic(names[0], [3, 1, 2], [1, 2, 3], [2, 3, 1])
    cluster.create_topic(names[1], [3, 1], [2, 3], [1, 2])
    cluster.create_topic(names[2], [3], [2], [1], config=ONE)
    cluster.create_topic("killed-moved", [1])
    for name in names:
        for index, node_id in ((0, 3), (1, 1 if name == names[0] else 2), (2, 2 if name == names[0] else 1)):
            write(cluster.at(node_id), name, b"a", b"b", index=index)

    kept = coordinated_by(1, "kept")
    member, _ = stable(cluster.at(1), kept, session_ms=300_000)
    cluster.at(1).normaliser.name_text(member, "<the member>")
    producer = TransactionalProducer.ready(cluster.at(1), coordinated_by(1, "kept"), epoch=1, timeout_ms=900_000)
    producer.opened(names[0], 1)

    # Killed: nobody is told. Clients find their connections closed, then a new leader.
    old, group = cluster.at(3), coordinated_by(3, "killed")
    with_members = coordinated_by(3, "goes-on")
    survivor, generation = stable(old, with_members, session_ms=300_000)
    old.normaliser.name_text(survivor, "<the survivor>")
    orphan = TransactionalProducer.ready(old, coordinated_by(3, "orphan"), epoch=1, timeout_ms=900_000)
    cluster.at(1).quietly(orphan.produce(13, names[0], partition=1), 13)
    stable(old, group)
    posted = [
        old.post(fetch(old, 18, names[0], partition(0, 2), max_wait_ms=30_000, min_bytes=1), 18, "waits"),
        old.post(join(group, joining_id(old, group)), 9, "waits for a member"),
    ]
    cluster.meanwhile("broker 3 is killed")
    cluster.kill(3)
    for pending in posted:
        pending.answer()
    cluster.await_brokers(1, 2)
    cluster.await_led(names[0], Led(1, (1, 2)), Led(1, (1, 2)), Led(2, (1, 2)))
    cluster.await_led(names[1], Led(1, (1,)), Led(2, (2,)), Led(1, (1, 2)))
    cluster.await_led(names[2], Led(-1), Led(2, (2,)), Led(1, (1,)))
    for name in names:
        cluster.await_high_watermarks(name)
    seen(cluster, "3 is dead", names)
    new = cluster.at(1)
    await_groups(new, with_members)
    new.ask(beat(with_members, generation, survivor), label="3 is dead")
    new.ask(commit(new, 10, with_members, names[0], 5, member=survivor, generation=generation), 10, "3 is dead")
    new.ask(DescribeGroupsRequest(groups=[with_members, group]), label="3 is dead")
    orphan = replace(orphan, peer=new)
    new.until(
        DescribeTransactionsRequest(transactional_ids=[orphan.name]),
        lambda answer: answer.transaction_states[0].error_code not in NOT_COORDINATOR_YET,
        "the transaction is loaded",
    )
    orphan.described("3 is dead")
    new.ask(orphan.produce(13, names[0], partition=1, sequence=1), 13, "in a transaction, 3 is dead")
    ended = new.ask(orphan.end(committed=True), 5, "3 is dead")
    orphan.await_complete()
    orphan.described("committed, 3 is dead")
    orphan.after(ended).described("next, 3 is dead")
    quorum_at(cluster.at(1), "3 is dead", 0)
    cluster.at(2).ask(FindCoordinatorRequest(key_type=0, coordinator_keys=[group]), label="3 is dead")
    for peer in cluster.running:
        for name in names:
            for index in range(3):
                peer.ask(send(peer, name, 3_000, index=index), label=f"3 is dead, {name} {index}")
    for name in names:
        cluster.await_high_watermarks(name)
    for peer in cluster.running:
        for name in names:
            for index in range(3):
                peer.ask(fetch(peer, 18, name, partition(index)), label=f"3 is dead, {name} {index}")
                peer.ask(list_offsets(name, -1, partition=index), label=f"3 is dead, {name} {index}")
    administration_without(cluster, 3, names)

    # Stopped: it gives its leaderships away, answers what waits, and is gone.
    group = coordinated_by(2, "stopped")
    old = cluster.at(2)
    stable(old, group)
    posted = [
        old.post(fetch(old, 18, names[0], partition(2, 5), max_wait_ms=30_000, min_bytes=1), 18, "waits, led there"),
        old.post(fetch(old, 12, names[2], partition(1, 9), max_wait_ms=30_000, min_bytes=1), 12, "waits, alone there"),
        old.post(join(group, joining_id(old, group)), 9, "waits for a member"),
    ]
    cluster.meanwhile("broker 2 stops")
    cluster.stop(2)
    for pending in posted:
        pending.answer()
    cluster.await_brokers(1)
    cluster.await_led(names[0], Led(1, (1,)), Led(1, (1,)), Led(1, (1,)))
    cluster.await_led(names[1], Led(1, (1,)), Led(-1), Led(1, (1,)))
    seen(cluster, "1 is left", names)
    peer = cluster.at(1)
    for name in names:
        for index in range(3):
            for acks in (-1, 1):
                peer.ask(send(peer, name, 3_000, index=index, acks=acks), label=f"1 is left, {name} {index}, {acks}")
            peer.ask(fetch(peer, 18, name, partition(index)), label=f"1 is left, {name} {index}")
    administration_without(cluster, 2, names)
    coordinators_that_cannot_write(peer, member, producer)
    peer.ask(UnregisterBrokerRequest(broker_id=3), label="3 is dead")
    peer.until(
        DescribeClusterRequest(include_fenced_brokers=True), lambda answer: len(answer.brokers) == 2, "3 is forgotten"
    )
    seen(cluster, "3 is forgotten", names)

    cluster.start(2, 3)
    cluster.await_led(names[0], Led(1, (1, 2, 3)), Led(1, (1, 2, 3)), Led(1, (1, 2, 3)))
    cluster.await_led(names[1], Led(1, (1, 3)), Led(2, (2, 3)), Led(1, (1, 2)))
    cluster.await_led(names[2], Led(3, (3,)), Led(2, (2,)), Led(1, (1,)))
    seen(cluster, "all are back", names)
    cluster.at(3).ask(elections(names[0], 0, 1, 2), label="all are back")
    cluster.await_led(names[0], Led(3), Led(1), Led(2))
    for peer in cluster.running:
        for index in range(3):
            peer.ask(send(peer, names[0], 30_000, index=index), label=f"all are back, {index}")


def coordinators_that_cannot_write(peer: Peer, member: str, producer: TransactionalProducer) -> None:
    """Their topics have fewer replicas in sync than min.insync.replicas."""
    group, label = coordinated_by(1, "kept"), "1 is left"
    peer.ask(fetch_offsets(peer, 10, group, {"killed-three": [0]}), label=label)
    peer.ask(beat(group, 1, member), label=label)
    peer.ask(DescribeGroupsRequest(groups=[group]), label=label)
    keys = [coordinated_by(node_id, "any") for node_id in EVERYBODY]
    peer.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=keys), label=label)
    # Here Apache Kafka waits, and from now on with all that may change a group: its records are in the log.
    peer.ask(commit(peer, 10, group, "killed-three", 1, member=member, generation=1), 10, label)
    peer.ask(join(coordinated_by(1, "fresh")), label=f"{label}, new group")

    new = TransactionalProducer(peer, coordinated_by(1, "new"), -1, -1)
    peer.ask(new.initialise(), label=f"{label}, new id")
    peer.ask(producer.add(3, {"killed-three": [2]}), 3, label)
    peer.ask(producer.produce(13, "killed-three", partition=1, sequence=1), 13, f"{label}, in a transaction")
    peer.ask(producer.add_offsets(group), label=label)
    peer.ask(producer.commit_offsets(group, {"killed-three": {0: 3}}), label=label)
    peer.ask(producer.end(committed=True), 4, label)
    producer.described(label)
    peer.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1_000), label=f"{label}, no id")


def administration_without(cluster: ClusterPeer, dead: int, names: tuple[str, ...]) -> None:
    peer, label = cluster.at(1), f"{dead} is dead"
    peer.ask(create(topic("dead", -1, -1, assignments={0: [dead]}), validate_only=True), label=f"on it alone, {label}")
    peer.ask(
        create(topic("dead", -1, -1, assignments={0: [1, dead]}), validate_only=True), label=f"on it, too, {label}"
    )
    peer.ask(create(topic("dead", 1, 3), validate_only=True), label=f"three replicas, {label}")
    peer.ask(create(topic("dead", 1, -1), validate_only=True), label=f"default replicas, {label}")
    peer.ask(moves("killed-moved", (0, [dead, 1])), label=f"moved to it, {label}")
    peer.ask(moves("killed-moved", (0, None)), label=f"cancelled, {label}")
    peer.ask(moves("killed-moved", (0, [dead])), label=f"moved to it alone, {label}")
    peer.ask(moves("killed-moved", (0, None)), label=f"cancelled again, {label}")
    for election_type in (0, 1):
        for name in (names[0], names[2]):
            request = elections(name, 0, 1, 2, election_type=election_type)
            peer.ask(request, label=f"{name}, type {election_type}, {label}")
