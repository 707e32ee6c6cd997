"""ListOffsets with every special timestamp in logs that are compacted, transactional, cut or empty again."""

from __future__ import annotations

from typing import Any

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import filled
from compat_tests.differential.scenarios.fetch_waiting import SEGMENT_BYTES, delete_records, delete_topic
from compat_tests.differential.scenarios.offsets import SPECIAL_TIMESTAMPS, list_offsets
from compat_tests.differential.scenarios.produce import BASE_MS, batch, produce
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

MAX_TIMESTAMP = -3
TIMESTAMPS = {**SPECIAL_TIMESTAMPS, "the first": 0, "the least": -(2**63), "unknown": -7, "the greatest": 2**63 - 1}


def ask_all(peer: Peer, topic: str, what: str, *timestamps: int) -> None:
    asked = {**TIMESTAMPS, **{f"at {timestamp - BASE_MS:+}": timestamp for timestamp in timestamps}}
    for label, timestamp in asked.items():
        for isolation_level in (0, 1):
            request = list_offsets(topic, timestamp, isolation_level=isolation_level)
            peer.ask_versions(request, f"{what}, {label}, isolation {isolation_level}", (1, 2, 4, 7, 8, 9, 10, 11))


@scenario
def a_log_that_is_empty_again(peer: Peer) -> None:
    filled(peer, "special-cut")
    ask_all(peer, "special-cut", "filled", BASE_MS + 2_000)
    delete_records(peer, "special-cut", 10)
    ask_all(peer, "special-cut", "empty again", BASE_MS + 2_000)
    peer.quietly(produce(peer, 13, "special-cut", batch(b"again", timestamp=BASE_MS - 7)), 13)
    ask_all(peer, "special-cut", "older records again", BASE_MS - 7, BASE_MS - 6)


@scenario
def a_log_whose_last_segment_is_not_the_latest(peer: Peer) -> None:
    """The greatest timestamp is in an older segment, and is repeated in a later one."""
    peer.create_topic("special-segments", config={"segment.bytes": str(SEGMENT_BYTES)})
    for delta in (50, 90, 10, 90, 20):
        filling = batch(b"s" * (SEGMENT_BYTES * 2 // 3), timestamp=BASE_MS + delta)
        peer.quietly(produce(peer, 13, "special-segments", filling), 13)
    ask_all(peer, "special-segments", "five segments", BASE_MS + 50, BASE_MS + 51, BASE_MS + 90, BASE_MS + 91)
    delete_records(peer, "special-segments", 2)
    ask_all(peer, "special-segments", "three left", BASE_MS + 50, BASE_MS + 90)
    delete_records(peer, "special-segments", 4)
    ask_all(peer, "special-segments", "one left", BASE_MS + 10, BASE_MS + 50)


@scenario
def a_compacted_log(peer: Peer) -> None:
    """The record with the greatest timestamp has gone, as a later one had its key."""
    topic = "special-compacted"
    rules = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.0",
        "segment.bytes": str(SEGMENT_BYTES),
        "max.compaction.lag.ms": "1",
    }
    peer.create_topic(topic, config=rules)
    for delta in (50, 90, 10):
        filling = batch(b"s" * (SEGMENT_BYTES * 2 // 3), timestamp=BASE_MS + delta)
        peer.quietly(produce(peer, 13, topic, filling), 13)
    peer.quietly(produce(peer, 13, topic, batch(b"s" * (SEGMENT_BYTES * 2 // 3), timestamp=BASE_MS, key=b"other")), 13)

    def cleaned(answer: Any) -> bool:
        (found,) = answer.topics[0].partitions
        return bool(found.offset == 2)

    peer.until(list_offsets(topic, MAX_TIMESTAMP), cleaned, "the log is cleaned")
    ask_all(peer, topic, "compacted", BASE_MS, BASE_MS + 10, BASE_MS + 20, BASE_MS + 90)


@scenario
def a_log_with_transactions(peer: Peer) -> None:
    topic = "special-transactions"
    peer.create_topic(topic)
    ask_all(peer, topic, "empty")
    producer = TransactionalProducer.ready(peer, topic).opened(topic)
    ask_all(peer, topic, "open, nothing before")
    peer.quietly(produce(peer, 13, topic, batch(b"behind", timestamp=BASE_MS)), 13)
    ask_all(peer, topic, "open, one behind", BASE_MS, BASE_MS + 1)
    producer = producer.ended(committed=False)
    ask_all(peer, topic, "aborted", BASE_MS, BASE_MS + 1)
    producer = producer.opened(topic)
    ask_all(peer, topic, "open again", BASE_MS, BASE_MS + 1)
    producer.ended(committed=True)
    ask_all(peer, topic, "committed", BASE_MS)
    delete_records(peer, topic, -1)
    ask_all(peer, topic, "cut")


@scenario
def a_deleted_topic(peer: Peer) -> None:
    filled(peer, "special-deleted", batches=1)
    delete_topic(peer, "special-deleted")
    ask_all(peer, "special-deleted", "deleted")


@scenario
def many_partitions_and_topics(peer: Peer) -> None:
    filled(peer, "special-many", 2, batches=1)

    def topic(name: str, *asked: tuple[int, int]) -> ListOffsetsTopic:
        return ListOffsetsTopic(
            name=name,
            partitions=[ListOffsetsPartition(partition_index=index, timestamp=timestamp) for index, timestamp in asked],
        )

    for label, topics in {
        "out of order": [topic("special-no", (0, -1)), topic("special-many", (1, -1), (0, -2), (7, -3))],
        "a topic twice": [topic("special-many", (0, -1)), topic("special-many", (1, -1))],
        "a topic and a partition twice": [topic("special-many", (0, -1)), topic("special-many", (0, -2))],
        "a partition twice": [topic("special-many", (0, -1), (0, -1), (1, -1))],
        "a partition thrice, another thing asked": [topic("special-many", (0, -1), (0, -2), (0, -3))],
        "an unknown partition twice": [topic("special-many", (7, -1), (7, -2), (0, -1))],
        "an unknown topic twice": [topic("special-no", (0, -1)), topic("special-no", (0, -1))],
        "an invalid topic": [topic("", (0, -1)), topic("a b", (0, -1))],
        "no partitions": [topic("special-many"), topic("special-no")],
    }.items():
        for timeout_ms in (0, -(2**31)):
            request = ListOffsetsRequest(replica_id=-1, topics=topics, timeout_ms=timeout_ms)
            peer.ask_versions(request, f"{label}, in {timeout_ms} ms", (1, 6, 10, 11))
