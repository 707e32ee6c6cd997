"""Fetch: offsets, sizes, waiting, epochs, sessions, topic ids."""

from __future__ import annotations

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import UNKNOWN_ID, batch, produce
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState
from kafkapy_wire.uuid import ZERO_UUID, Uuid


def partition(
    index: int = 0,
    offset: int = 0,
    max_bytes: int = 1_000_000,
    *,
    current_leader_epoch: int = -1,
    last_fetched_epoch: int = -1,
) -> FetchPartition:
    return FetchPartition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=max_bytes,
        current_leader_epoch=current_leader_epoch,
        last_fetched_epoch=last_fetched_epoch,
    )


def fetch(
    peer: Peer,
    version: int,
    topic: str,
    *partitions: FetchPartition,
    max_wait_ms: int = 0,
    min_bytes: int = 0,
    max_bytes: int = 10_000_000,
    session_id: int = 0,
    session_epoch: int = -1,
    isolation_level: int = 0,
) -> FetchRequest:
    """A request for partitions of one topic; from version 13 on the topic is named by its id."""
    topics = []
    if partitions:
        topic_id = Uuid(peer.topic_ids.get(topic, UNKNOWN_ID)) if version >= 13 else ZERO_UUID
        topics = [FetchTopic(topic="" if version >= 13 else topic, topic_id=topic_id, partitions=list(partitions))]
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        session_id=session_id,
        session_epoch=session_epoch,
        isolation_level=isolation_level,
        topics=topics,
    )


def filled(peer: Peer, topic: str, partitions: int = 1, *, batches: int = 5, size: int = 50) -> None:
    """A topic whose partitions hold `batches` batches of two records each."""
    peer.create_topic(topic, partitions)
    for index in range(partitions):
        for n in range(batches):
            records = batch(b"%d-" % n + b"x" * size, b"second", timestamp=1_700_000_000_000 + 1_000 * n)
            peer.quietly(produce(peer, 13, topic, records, partition=index), 13)


@scenario
def every_version(peer: Peer) -> None:
    filled(peer, "fetch-versions", 2)
    for isolation_level in (0, 1):
        peer.ask_each(
            FetchRequest,
            lambda version, level=isolation_level: fetch(
                peer, version, "fetch-versions", partition(0), partition(1, 4), isolation_level=level
            ),
            f"isolation {isolation_level}",
        )


@scenario
def offsets(peer: Peer) -> None:
    filled(peer, "fetch-offsets")
    for offset in (0, 1, 5, 9, 10, 11, 1_000, -1, -2):
        peer.ask_each(
            FetchRequest,
            lambda version, offset=offset: fetch(peer, version, "fetch-offsets", partition(0, offset)),
            f"from {offset}",
        )


@scenario
def offsets_below_the_start(peer: Peer) -> None:
    filled(peer, "fetch-start")
    cut = DeleteRecordsTopic(name="fetch-start", partitions=[DeleteRecordsPartition(partition_index=0, offset=5)])
    peer.quietly(DeleteRecordsRequest(topics=[cut], timeout_ms=5_000))
    for offset in (0, 4, 5, 10):
        peer.ask_each(
            FetchRequest,
            lambda version, offset=offset: fetch(peer, version, "fetch-start", partition(0, offset)),
            f"from {offset}",
        )


@scenario
def unknown_topics_and_partitions(peer: Peer) -> None:
    filled(peer, "fetch-known", batches=1)
    for topic in ("fetch-unknown", "fetch not", ""):
        peer.ask_each(
            FetchRequest, lambda version, topic=topic: fetch(peer, version, topic, partition()), f"topic {topic!r}"
        )
    for index in (1, -1):
        peer.ask_each(
            FetchRequest,
            lambda version, index=index: fetch(peer, version, "fetch-known", partition(index)),
            f"partition {index}",
        )
    zero = FetchRequest(max_wait_ms=0, topics=[FetchTopic(topic_id=ZERO_UUID, partitions=[partition()])])
    peer.ask_versions(zero, "zero id", versions=range(13, 19))
    peer.ask_each(FetchRequest, lambda version: fetch(peer, version, "fetch-known"), "no topics")


@scenario
def sizes(peer: Peer) -> None:
    """The first batch comes whole, however little is asked for (KIP-74); after it only whole batches that fit."""
    filled(peer, "fetch-sizes", 2, batches=6, size=500)
    for partition_max_bytes in (0, 1, 600, 1_300, 5_000):
        for max_bytes in (0, 1, 700, 2_000, 10_000_000):
            for version, isolation_level in ((4, 0), (11, 0), (12, 0), (18, 0), (4, 1), (18, 1)):
                request = fetch(
                    peer,
                    version,
                    "fetch-sizes",
                    partition(0, 2, partition_max_bytes),
                    partition(1, 3, partition_max_bytes),
                    max_bytes=max_bytes,
                    isolation_level=isolation_level,
                )
                label = f"partition {partition_max_bytes} request {max_bytes} isolation {isolation_level}"
                peer.ask(request, version, label)


@scenario
def negative_sizes(peer: Peer) -> None:
    filled(peer, "fetch-negative", batches=1)
    peer.ask(fetch(peer, 18, "fetch-negative", partition(max_bytes=-1)), label="partition")
    peer.ask(fetch(peer, 18, "fetch-negative", partition(), max_bytes=-1), label="request")


@scenario
def waiting(peer: Peer) -> None:
    """At the end of the log: at once, after the wait, or when records come."""
    filled(peer, "fetch-wait", batches=1)
    for version in (4, 11, 12, 18):
        peer.ask(fetch(peer, version, "fetch-wait", partition(0, 2), max_wait_ms=50, min_bytes=1), version, "in vain")
        at_once = fetch(peer, version, "fetch-wait", partition(0, 2), max_wait_ms=10_000, min_bytes=0)
        peer.ask(at_once, version, "0 bytes")
        wrong = fetch(peer, version, "fetch-wait", partition(0, 99), max_wait_ms=10_000, min_bytes=1)
        peer.ask(wrong, version, "an error does not wait")
    pending = peer.post(fetch(peer, 18, "fetch-wait", partition(0, 2), max_wait_ms=10_000, min_bytes=1), 18, "woken")
    peer.quietly(produce(peer, 13, "fetch-wait", batch(b"awaited")), 13)
    pending.answer()
    more = fetch(peer, 18, "fetch-wait", partition(0, 3), max_wait_ms=200, min_bytes=1_000_000)
    pending = peer.post(more, 18, "not enough")
    peer.quietly(produce(peer, 13, "fetch-wait", batch(b"more")), 13)
    pending.answer()


@scenario
def leader_epochs(peer: Peer) -> None:
    filled(peer, "fetch-epochs", batches=2)
    for epoch in (-1, 0, 1, 7, -2):
        peer.ask_each(
            FetchRequest,
            lambda version, epoch=epoch: fetch(peer, version, "fetch-epochs", partition(current_leader_epoch=epoch)),
            f"current leader epoch {epoch}",
        )
        last_fetched = partition(0, 2, last_fetched_epoch=epoch)
        peer.ask_each(
            FetchRequest,
            lambda version, asked=last_fetched: fetch(peer, version, "fetch-epochs", asked),
            f"last fetched epoch {epoch}",
        )


@scenario
def sessions(peer: Peer) -> None:
    """Incremental fetches name only what changed, and answer only what is new (KIP-227)."""
    filled(peer, "fetch-session", 3, batches=1)
    for version in versions_of(ApiKey.FETCH):
        if version < 7:
            continue
        whole = fetch(peer, version, "fetch-session", *map(partition, range(3)), session_epoch=0)
        opened = peer.ask(whole, version, "opens")
        session = opened.session_id

        def step(
            label: str, epoch: int, *partitions: FetchPartition, version: int = version, session: int = session
        ) -> None:
            request = fetch(peer, version, "fetch-session", *partitions, session_id=session, session_epoch=epoch)
            peer.ask(request, version, label)

        step("all again", 1)
        step("one moves on", 2, partition(1, 2))
        step("the others move on", 3, partition(0, 2), partition(2, 2))
        step("nothing new", 4)
        peer.quietly(produce(peer, 13, "fetch-session", batch(b"new"), partition=1), 13)
        step("one is new", 5)
        step("an error", 6, partition(2, 99))
        step("the error is told again", 7)
        step("unknown partition", 8, partition(9))
        forget = fetch(peer, version, "fetch-session", session_id=session, session_epoch=9)
        topic_id = Uuid(peer.topic_ids["fetch-session"]) if version >= 13 else ZERO_UUID
        name = "" if version >= 13 else "fetch-session"
        forget.forgotten_topics_data = [ForgottenTopic(topic=name, topic_id=topic_id, partitions=[1, 2, 9])]
        peer.ask(forget, version, "forgets")
        step("wrong epoch", 77)
        step("closes", -1)
        step("closed", 10)
        unknown = fetch(peer, version, "fetch-session", session_id=123_456_789, session_epoch=3)
        peer.ask(unknown, version, "unknown session")
        negative = fetch(peer, version, "fetch-session", session_id=0, session_epoch=5)
        peer.ask(negative, version, "no session, epoch 5")


@scenario
def replicas_are_refused(peer: Peer) -> None:
    filled(peer, "fetch-replica", batches=1)
    for replica_id in (1, 7, -2, -3):
        for version in (4, 11, 12, 14):
            request = fetch(peer, version, "fetch-replica", partition())
            request.replica_id = replica_id
            peer.ask(request, version, f"replica {replica_id}")
    # Whether it has a replica is asked before all that would have it truncate, or begin anew.
    for offset, current, last in ((99, -1, -1), (99, 0, 0), (-1, 0, -1), (1, 0, 7), (1, -1, 7), (1, 7, 0), (1, -1, 0)):
        for version in (12, 17):
            asked = partition(0, offset, current_leader_epoch=current, last_fetched_epoch=last)
            request = fetch(peer, version, "fetch-replica", asked)
            if version < 15:
                request.replica_id = 7
            else:
                request.replica_state = ReplicaState(replica_id=7)
            peer.ask(request, version, f"from {offset}, leader epoch {current}, last epoch {last}")


@scenario
def clusters_and_racks(peer: Peer) -> None:
    filled(peer, "fetch-rack", batches=1)
    for version in (12, 18):
        request = fetch(peer, version, "fetch-rack", partition())
        request.rack_id = "some-rack"
        peer.ask(request, version, "rack")
        request.cluster_id = "not-this-cluster"
        peer.ask(request, version, "other cluster")


@scenario
def partitions_twice(peer: Peer) -> None:
    filled(peer, "fetch-twice", batches=2)
    for version in (4, 12, 18):
        peer.ask(fetch(peer, version, "fetch-twice", partition(0, 0), partition(0, 2)), version)
