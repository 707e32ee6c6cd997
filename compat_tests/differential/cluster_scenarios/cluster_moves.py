"""What clients see while the leader of a partition moves: requests that wait there, and those that come too late."""

from __future__ import annotations

from collections.abc import Callable

from compat_tests.differential.cluster_peer import ClusterPeer, Led, elections
from compat_tests.differential.cluster_scenarios.cluster_replicas import await_high_watermark, write
from compat_tests.differential.peer import Pending
from compat_tests.differential.registry import cluster_scenario
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.metadata import by_name
from compat_tests.differential.scenarios.offsets import list_offsets
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.transactional_producer import NEVER_MEANT, now_ms
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest

WAIT_MS = 3_500


def waiting_fetches(cluster: ClusterPeer, topic: str, offset: int, **current: int) -> list[Pending]:
    """Fetches at the end of the first partition, at each broker that has a replica: with and without leader epochs."""
    posted = []
    for version in (12, 18):
        for node_id, epoch in ((1, -1), (1, 0), (2, -1), (2, 0)):
            peer = cluster.at(node_id)
            asked = partition(offset=offset, current_leader_epoch=epoch)
            request = fetch(peer, version, topic, asked, max_wait_ms=WAIT_MS, min_bytes=1)
            posted.append(peer.post(request, version, f"waits, epoch {epoch}"))
    return posted


def too_late(cluster: ClusterPeer, topic: str) -> None:
    """What clients ask that have not heard of the change."""
    for peer in cluster.running:
        for version in (9, 10, 13):
            peer.ask(produce(peer, version, topic, batch(b"late")), version, "too late")
    cluster.await_high_watermarks(topic)
    for peer in cluster.running:
        for version in (12, 15, 18):
            for epoch in (-1, 0, 1):
                asked = partition(current_leader_epoch=epoch)
                peer.ask(fetch(peer, version, topic, asked), version, f"too late, epoch {epoch}")
        for epoch in (-1, 0, 1):
            peer.ask(list_offsets(topic, -1, epoch=epoch), label=f"too late, epoch {epoch}")


def while_it_moves(cluster: ClusterPeer, topic: str, what: str, move: Callable[[], None]) -> None:
    """Play one change of a topic of brokers 1 and 2, which 1 leads."""
    cluster.create_topic(topic, [1, 2])
    write(cluster.at(1), topic, b"a", b"b")
    await_high_watermark(cluster.at(2), topic, 2)
    session = cluster.at(1).connect()
    first = fetch(cluster.at(1), 18, topic, partition(offset=2), session_epoch=0)
    opened = cluster.at(1).ask(first, 18, "session begins", session)
    posted = waiting_fetches(cluster, topic, 2)
    cluster.meanwhile(what)
    move()
    for pending in posted:
        pending.answer()
    going_on = fetch(cluster.at(1), 18, topic, session_id=opened.session_id, session_epoch=1)
    cluster.at(1).ask(going_on, 18, "session goes on", session)
    too_late(cluster, topic)
    for peer in cluster.running:
        peer.ask(by_name(topic), label="in the end")


@cluster_scenario
def the_preferred_leader_is_elected(cluster: ClusterPeer) -> None:
    def move() -> None:
        cluster.at(1).quietly(moves("move-preferred", (0, [2, 1])))
        cluster.at(1).quietly(elections("move-preferred", 0))
        cluster.await_led("move-preferred", Led(2, (1, 2)))

    while_it_moves(cluster, "move-preferred", "the other one is elected", move)


@cluster_scenario
def the_leader_is_moved_away(cluster: ClusterPeer) -> None:
    def move() -> None:
        cluster.at(1).quietly(moves("move-away", (0, [3, 2])))
        cluster.await_led("move-away", Led(3, (2, 3)))

    while_it_moves(cluster, "move-away", "the partition moves away", move)


@cluster_scenario
def a_follower_is_moved_away(cluster: ClusterPeer) -> None:
    def move() -> None:
        cluster.at(1).quietly(moves("move-follower", (0, [1, 3])))
        cluster.await_led("move-follower", Led(1, (1, 3)))

    while_it_moves(cluster, "move-follower", "the follower is replaced", move)


@cluster_scenario
def a_producer_goes_on_at_the_next_leader(cluster: ClusterPeer) -> None:
    """Idempotent: what the old leader knew of its sequences is known to the new one."""
    cluster.create_topic("move-idempotent", [1, 2])
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1_000)
    given = cluster.at(3).until(request, lambda answer: answer.error_code == 0, "a block of producer ids")
    cluster.at(3).note("the producer", cluster.normaliser.plain(given, 5))
    producer_id = given.producer_id

    def send(node_id: int, sequence: int, label: str, *, epoch: int = 0, other: int = 0) -> None:
        peer = cluster.at(node_id)
        records = batch(
            b"one",
            b"two",
            timestamp=now_ms(),
            producer_id=producer_id + other,
            producer_epoch=epoch,
            base_sequence=sequence,
        )
        peer.ask(produce(peer, 13, "move-idempotent", records), 13, f"{label}, sequence {sequence}")

    send(1, 0, "before")
    send(1, 2, "before")
    cluster.at(1).quietly(moves("move-idempotent", (0, [2, 1])))
    cluster.at(1).quietly(elections("move-idempotent", 0))
    cluster.await_led("move-idempotent", Led(2, (1, 2)))
    for sequence in (2, 0, 8, 4, 4, 3):
        send(2, sequence, "after")
    send(2, 6, "of nobody", other=NEVER_MEANT)
    send(2, 6, "older epoch", epoch=-1)
    send(2, 6, "newer epoch", epoch=1)
    send(2, 0, "newer epoch", epoch=1)
    send(2, 2, "older epoch")
    cluster.await_high_watermarks("move-idempotent")
    for peer in cluster.running:
        topics = [TopicRequest(name="move-idempotent", partition_indexes=[0])]
        peer.ask(DescribeProducersRequest(topics=topics), label="in the end")
        peer.ask(fetch(peer, 18, "move-idempotent", partition()), 18, "in the end")


@cluster_scenario
def the_topic_is_deleted(cluster: ClusterPeer) -> None:
    def move() -> None:
        state = DeleteTopicState(name="move-deleted")
        cluster.at(1).quietly(DeleteTopicsRequest(topics=[state], timeout_ms=10_000))
        for peer in cluster.running:
            peer.until(by_name("move-deleted"), lambda answer: answer.topics[0].error_code != 0, "it is deleted")

    while_it_moves(cluster, "move-deleted", "the topic is deleted", move)
