"""Fetch: what is answered at once, what waits, and all that ends a wait. Asked in parallel: they take their time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compat_tests.differential.peer import Peer, Pending
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import fetch, filled, partition
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.uuid import ZERO_UUID, Uuid

WAIT_MS = 2_000
"""For fetches that may have to wait until it is over."""
LONG_WAIT_MS = 6_000
"""For fetches whose wait something ends."""
PLENTY = 50_000_000
VERSIONS = (4, 12, 18)  # before sessions, the last one by names, the newest
UNKNOWN_ID = Uuid(b"no topic has it!")
SEGMENT_BYTES = 1 << 20  # the smallest that a topic may have


def waits(peer: Peer, version: int, topic: str, *partitions: FetchPartition, **asked: Any) -> FetchRequest:
    """As `fetch`, with a wait and more room than anything here needs unless it is said."""
    return fetch(peer, version, topic, *partitions, **{"max_wait_ms": WAIT_MS, "max_bytes": PLENTY, **asked})


def of_topics(
    peer: Peer,
    version: int,
    *topics: tuple[str | Uuid, tuple[FetchPartition, ...]],
    wait_ms: int = WAIT_MS,
    min_bytes: int = 1,
    session_id: int = 0,
    session_epoch: int = -1,
) -> FetchRequest:
    """Of topics by their names, from version 13 on by the ids that the names had last, or by an id."""
    asked = []
    for topic, partitions in topics:
        if version < 13:
            assert isinstance(topic, str)
            asked.append(FetchTopic(topic=topic, topic_id=ZERO_UUID, partitions=list(partitions)))
        else:
            topic_id = Uuid(peer.topic_ids.get(topic, UNKNOWN_ID)) if isinstance(topic, str) else topic
            asked.append(FetchTopic(topic="", topic_id=topic_id, partitions=list(partitions)))
    return FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=min_bytes,
        max_bytes=PLENTY,
        session_id=session_id,
        session_epoch=session_epoch,
        topics=asked,
    )


def answered(waiting: Iterable[Pending]) -> None:
    for pending in list(waiting):
        pending.answer()


def add(peer: Peer, topic: str, *values: bytes, index: int = 0) -> None:
    peer.quietly(produce(peer, 13, topic, batch(*values), partition=index), 13)


def delete_records(peer: Peer, topic: str, offset: int) -> None:
    cut = DeleteRecordsTopic(name=topic, partitions=[DeleteRecordsPartition(partition_index=0, offset=offset)])
    answer = peer.quietly(DeleteRecordsRequest(topics=[cut], timeout_ms=5_000))
    assert answer.topics[0].partitions[0].error_code == 0, answer


def delete_topic(peer: Peer, topic: str) -> None:
    answer = peer.quietly(DeleteTopicsRequest(topics=[DeleteTopicState(name=topic)], timeout_ms=10_000))
    assert answer.responses[0].error_code == 0, answer
    named = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
    peer.until(named, lambda answer: answer.topics[0].error_code == 3, f"{topic} is gone")


@scenario
def enough_bytes(peer: Peer) -> None:
    """`min_bytes` counts what is there, up to `partition_max_bytes` of each partition, whatever is sent of it."""
    topic = "wait-enough"
    peer.create_topic(topic, 3)
    records = batch(b"x" * 400, b"y" * 100)
    size = len(records)
    for index, count in ((0, 3), (1, 1)):
        for _ in range(count):
            peer.quietly(produce(peer, 13, topic, records, partition=index), 13)
    first, end, empty = partition(0), partition(0, 6), partition(2)
    cases: dict[str, tuple[tuple[FetchPartition, ...], int, int]] = {
        "nothing there": ((empty,), 1, PLENTY),
        "no bytes are asked for": ((empty,), 0, PLENTY),
        "at the end": ((end,), 1, PLENTY),
        "all there is": ((first,), 3 * size, PLENTY),
        "a byte more than there is": ((first,), 3 * size + 1, PLENTY),
        "from within a batch": ((partition(0, 3),), 2 * size, PLENTY),
        "from within a batch, a byte more": ((partition(0, 3),), 2 * size + 1, PLENTY),
        "of two partitions": ((first, partition(1)), 4 * size, PLENTY),
        "of two partitions, a byte more": ((first, partition(1)), 4 * size + 1, PLENTY),
        "as many as the partition's limit, in the middle of a batch": (
            (partition(0, 0, size + 100),),
            size + 100,
            PLENTY,
        ),
        "a byte more than the partition's limit": ((partition(0, 0, size + 100),), size + 101, PLENTY),
        "more than the request's limit": ((first,), 3 * size + 1, size + 100),
        "beyond the request's limit in another partition": ((partition(1), first), size + 100, size + 100),
        "a first batch above the partition's limit": ((partition(0, 0, 10),), size, PLENTY),
        "a first batch above the partition's limit, a byte more": ((partition(0, 0, 10),), size + 1, PLENTY),
        "a first batch above the partition's limit, and another": (
            (partition(0, 0, 10), partition(1)),
            2 * size,
            PLENTY,
        ),
        "limits of 0": ((partition(0, 0, 0), partition(1, 0, 0)), 1, 0),
        "a second batch that does not fit": ((partition(1), partition(0, 0, size - 1)), 2 * size - 1, PLENTY),
        "a second batch that does not fit, a byte more": ((partition(1), partition(0, 0, size - 1)), 2 * size, PLENTY),
    }
    waiting = []
    for label, (partitions, min_bytes, max_bytes) in cases.items():
        for version, isolation_level in ((4, 0), (4, 1), (18, 0), (18, 1)):
            asked = waits(
                peer,
                version,
                topic,
                *partitions,
                min_bytes=min_bytes,
                max_bytes=max_bytes,
                isolation_level=isolation_level,
            )
            waiting.append(peer.post(asked, version, f"{label}, isolation {isolation_level}"))
    answered(waiting)


@scenario
def records_that_come(peer: Peer) -> None:
    """Too few, enough, and more than a partition's limit lets count: an answer would not be cut, but it waits."""
    topic = "wait-come"
    peer.create_topic(topic, 4)
    size = len(batch(b"x" * 500))
    waiting = []
    for version in VERSIONS:
        for label, partitions, min_bytes in (
            ("any", (partition(0),), 1),
            ("any, of two", (partition(1), partition(0)), 1),
            ("any, but no byte counts", (partition(0, 0, 0),), 1),
            ("all that come", (partition(0), partition(1)), 2 * size),
            ("a byte more", (partition(0), partition(1)), 2 * size + 1),
            ("a batch above the limit", (partition(0, 0, size - 1),), size),
            ("limits that let enough count", (partition(0, 0, size - 1), partition(1, 0, 1)), size),
            ("of another partition", (partition(2),), 1),
        ):
            asked = waits(peer, version, topic, *partitions, min_bytes=min_bytes, max_wait_ms=WAIT_MS + 1_200)
            waiting.append(peer.post(asked, version, label))
    for index in (0, 1):
        peer.meanwhile(f"records come to partition {index}")
        add(peer, topic, b"x" * 500, index=index)
    answered(waiting)


@scenario
def older_segments(peer: Peer) -> None:
    """An offset in an older segment than the end does not wait; nor does one when the next record begins a segment."""
    topics = [f"wait-segments-{number}" for number in range(4)]
    piece = b"s" * (SEGMENT_BYTES * 2 // 3)
    for topic in topics:
        peer.create_topic(topic, config={"segment.bytes": str(SEGMENT_BYTES)})
        for _ in range(2):
            add(peer, topic, piece)
    waiting = []
    for version in VERSIONS:
        for offset in (0, 1, 2):
            asked = waits(peer, version, topics[0], partition(0, offset, PLENTY), min_bytes=PLENTY)
            waiting.append(peer.post(asked, version, f"from {offset}"))
        for offset in (1, 2):
            asked = waits(peer, version, topics[1], partition(0, offset, 1), min_bytes=2_000, max_wait_ms=LONG_WAIT_MS)
            waiting.append(peer.post(asked, version, f"rolled, from {offset}"))
        asked = waits(peer, version, topics[2], partition(0, 2, PLENTY), min_bytes=2_000)
        waiting.append(peer.post(asked, version, "not rolled"))
        one = waits(peer, version, topics[3], partition(0, 2, 100), min_bytes=1, max_wait_ms=LONG_WAIT_MS)
        waiting.append(peer.post(one, version, "rolled, any byte"))
    peer.meanwhile("a record comes")
    for topic in (topics[1], topics[3]):
        add(peer, topic, piece)
    add(peer, topics[2], b"in the same segment")
    answered(waiting)


@scenario
def what_does_not_exist(peer: Peer) -> None:
    """Beside others it waits with them; alone, or with what is wrong in another way, it does not."""
    filled(peer, "wait-known", 2, batches=1)
    known, wrong = ("wait-known", (partition(0, 2),)), ("wait-known", (partition(0, 2), partition(1, 99)))
    epoch = ("wait-known", (partition(0, 2), partition(1, 2, current_leader_epoch=7)))
    indexes = ("wait-known", (partition(0, 2), partition(7), partition(-1)))
    unknown = ("wait-unknown", (partition(0),))
    waiting = []
    for version in VERSIONS:
        for label, topics in (
            ("a topic", (known, unknown)),
            ("a topic first", (unknown, known)),
            ("partitions", (indexes,)),
            ("all", (unknown, ("wait-known", (partition(9),)))),
            ("and an offset out of range", (unknown, wrong)),
            ("and an epoch", (unknown, epoch)),
        ):
            if version < 9 and topics[-1] is epoch:
                continue
            waiting.append(peer.post(of_topics(peer, version, *topics), version, label))
    answered(waiting)


@scenario
def a_topic_is_created(peer: Peer) -> None:
    """A fetch is told in the end what was so when it came."""
    filled(peer, "wait-there", batches=1)
    there, created = ("wait-there", (partition(0, 2),)), ("wait-created", (partition(0),))
    waiting = [peer.post(of_topics(peer, version, there, created), version, "beside another") for version in (4, 12)]
    peer.meanwhile("the topic is created")
    filled(peer, "wait-created", batches=1)
    answered(waiting)


@scenario
def a_topic_vanishes(peer: Peer) -> None:
    """The wait ends at once, with another error and another null than for what never was there."""
    for name in ("wait-stays", "wait-goes"):
        filled(peer, name, 2, batches=1)
    stays, goes = ("wait-stays", (partition(0, 2),)), ("wait-goes", (partition(1, 2), partition(0, 2)))
    waiting, sessions = [], {}
    for version in VERSIONS:
        for label, topics in (("alone", (goes,)), ("beside another", (stays, goes))):
            if version >= 7:
                opened = peer.ask(of_topics(peer, version, *topics, session_epoch=0, min_bytes=0), version, "opens")
                sessions[version, label] = opened.session_id
    for version in VERSIONS:
        for label, topics in (("alone", (goes,)), ("beside another", (stays, goes))):
            asked = of_topics(peer, version, *topics, wait_ms=LONG_WAIT_MS)
            waiting.append(peer.post(asked, version, label))
            if version >= 7:
                session_id = sessions[version, label]
                asked = of_topics(peer, version, wait_ms=LONG_WAIT_MS, session_id=session_id, session_epoch=1)
                waiting.append(peer.post(asked, version, f"{label}, in a session"))
    peer.meanwhile("the topic is deleted")
    delete_topic(peer, "wait-goes")
    answered(waiting)


@scenario
def sessions_of_topic_ids(peer: Peer) -> None:
    """An id keeps the name that it had when its partition came in."""
    for name in ("wait-session", "wait-deleted"):
        filled(peer, name, 2, batches=1)
    session, deleted = ("wait-session", (partition(0, 2),)), ("wait-deleted", (partition(0, 2), partition(5)))
    unknown = (UNKNOWN_ID, (partition(0),))
    old_id = Uuid(peer.topic_ids["wait-deleted"])
    opened = {
        label: peer.ask(of_topics(peer, 18, *topics, session_epoch=0, min_bytes=0), 18, f"{label} opens").session_id
        for label, topics in {"alone": (deleted,), "beside another": (session, deleted, unknown)}.items()
    }

    def all_again(epoch: int, what: str) -> None:
        waiting = [
            peer.post(of_topics(peer, 18, session_id=session_id, session_epoch=epoch), 18, f"{label} {what}")
            for label, session_id in opened.items()
        ]
        for label, topics in {"alone": (), "beside another": (session,)}.items():
            asked = of_topics(peer, 18, *topics, (old_id, (partition(0, 2), partition(5))))
            waiting.append(peer.post(asked, 18, f"no session, {label} {what}"))
        answered(waiting)

    all_again(1, "as it was")
    delete_topic(peer, "wait-deleted")
    all_again(2, "after the deletion")
    filled(peer, "wait-deleted", 2, batches=1)
    all_again(3, "after it was made anew")


@scenario
def committed_records(peer: Peer) -> None:
    """A read_committed fetch counts up to the last stable offset; behind it there is nothing to wait for."""
    topic = "wait-committed"
    peer.create_topic(topic)
    for _ in range(2):
        add(peer, topic, b"x" * 300)
    producer = TransactionalProducer.ready(peer, topic).opened(topic)
    add(peer, topic, b"behind the transaction")
    size = len(batch(b"x" * 300))
    waiting = []
    for version in VERSIONS:
        for isolation_level in (0, 1):
            for offset, min_bytes in ((0, 2 * size), (0, 2 * size + 1), (1, size + 1), (2, 1), (3, 1), (4, 1), (5, 1)):
                asked = waits(
                    peer, version, topic, partition(0, offset), min_bytes=min_bytes, isolation_level=isolation_level
                )
                label = f"from {offset}, {min_bytes} bytes, isolation {isolation_level}"
                waiting.append(peer.post(asked, version, label))
    peer.meanwhile("records come behind the transaction")
    add(peer, topic, b"y" * 300)
    answered(waiting)
    waiting = []
    for version in VERSIONS:
        for offset, min_bytes in ((0, 2 * size + 1), (1, PLENTY), (2, 1), (2, PLENTY)):
            wait_ms = WAIT_MS if min_bytes == PLENTY else LONG_WAIT_MS
            asked = waits(
                peer,
                version,
                topic,
                partition(0, offset, PLENTY),
                min_bytes=min_bytes,
                isolation_level=1,
                max_wait_ms=wait_ms,
            )
            waiting.append(peer.post(asked, version, f"from {offset}, {min_bytes} bytes, until it ends"))
    peer.meanwhile("the transaction ends")
    producer.ended(committed=False)
    answered(waiting)


@scenario
def records_are_deleted(peer: Peer) -> None:
    """That the log start offset moves ends no wait; it is told when the wait ends."""
    for topic in ("wait-cut", "wait-cut-and-filled"):
        filled(peer, topic)
    waiting = []
    for topic, wait_ms in (("wait-cut", WAIT_MS), ("wait-cut-and-filled", LONG_WAIT_MS)):
        for version in VERSIONS:
            for offset in (0, 4, 6, 10):
                asked = waits(peer, version, topic, partition(0, offset), min_bytes=5_000, max_wait_ms=wait_ms)
                waiting.append(peer.post(asked, version, f"{topic} from {offset}"))
            asked = waits(peer, version, topic, partition(0, 10), max_wait_ms=wait_ms, min_bytes=1)
            waiting.append(peer.post(asked, version, f"{topic} at the end"))
    peer.meanwhile("records are deleted")
    for topic in ("wait-cut", "wait-cut-and-filled"):
        delete_records(peer, topic, 5)
    peer.meanwhile("a record comes")
    add(peer, "wait-cut-and-filled", b"z" * 6_000)
    answered(waiting)


@scenario
def sessions_that_go_on(peer: Peer) -> None:
    """What others do with the session of a fetch that waits ends no wait."""
    filled(peer, "wait-gone-on", 2, batches=1)
    both, changed = ("wait-gone-on", (partition(0, 2), partition(1, 2))), ("wait-gone-on", (partition(0, 0),))
    others: dict[str, tuple[tuple[tuple[str, tuple[FetchPartition, ...]], ...], int]] = {
        "closed": ((both,), -1),
        "gone on": ((), 2),
        "changed": ((changed,), 2),
    }
    sessions, waiting = {}, []
    for version in (7, 12, 18):
        for label in (*others, "left alone"):
            opened = peer.ask(of_topics(peer, version, both, session_epoch=0, min_bytes=0), version, "opens")
            sessions[version, label] = opened.session_id
    for (version, label), session_id in sessions.items():
        asked = of_topics(peer, version, session_id=session_id, session_epoch=1)
        waiting.append(peer.post(asked, version, f"a session that is {label}"))
    peer.meanwhile("others use the sessions")
    for (version, label), session_id in sessions.items():
        if label in others:
            topics, epoch = others[label]
            asked = of_topics(peer, version, *topics, session_id=session_id, session_epoch=epoch, min_bytes=0)
            peer.ask(asked, version, f"the session is {label}")
    answered(waiting)
