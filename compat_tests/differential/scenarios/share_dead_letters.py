"""Dead letter queues of share groups: what is written for records that a group gives up, where, and what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.configs import (
    BROKER,
    DELETE,
    GROUP,
    SET,
    TOPIC,
    describe,
    incremental,
    settled,
)
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.scenarios.share_fetch import ACCEPT, REJECT, RELEASE, acknowledge, begun, fetch
from compat_tests.differential.scenarios.share_state import summary
from compat_tests.differential.share_log import note_stored
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.records import Compression, decode_records, split_batches
from kafkapy_wire.uuid import Uuid

ENABLED = {"errors.deadletterqueue.group.enable": "true"}
TOPIC_NAME, COPIES = "errors.deadletterqueue.topic.name", "errors.deadletterqueue.copy.record.enable"
LIMIT = "share.delivery.count.limit"
LATEST = -1
LAST_VERSION_WITH_TOPIC_NAMES = 12


def change(peer: Peer, kind: int, name: str, key: str, value: str | None) -> None:
    peer.quietly(incremental(kind, name, (key, DELETE if value is None else SET, value)), 1)
    settled(peer, kind, name, key, value)


def queued(peer: Peer, group: str, topic: str, more: Mapping[str, str] | None = None) -> Uuid:
    """A share group that has acquired all of its topic, with this dead letter topic."""
    change(peer, GROUP, group, TOPIC_NAME, topic)
    for name, value in (more or {}).items():
        change(peer, GROUP, group, name, value)
    return begun(peer, group)


def until_complete(peer: Peer, group: str, topic_id: Uuid, count: int) -> None:
    """Wait until so many records are acknowledged or archived."""

    def is_complete(answer: Any) -> bool:
        (found,) = answer.results[0].partitions
        return bool(found.start_offset + found.delivery_complete_count == count)

    peer.until(summary(group, topic_id, 0), is_complete, "the records are archived")


def note_letters(peer: Peer, topic: str, count: int, partition: int = 0) -> None:
    """Write down so many dead letters, and what their batches look like."""
    wanted = ListOffsetsPartition(partition_index=partition, timestamp=LATEST)
    peer.until(
        ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[wanted])]),
        lambda answer: answer.topics[0].partitions[0].offset >= count,
        "the dead letters",
    )
    part = FetchPartition(partition=partition, fetch_offset=0, partition_max_bytes=10_000_000)
    request = FetchRequest(max_wait_ms=0, topics=[FetchTopic(topic=topic, partitions=[part])])
    (answer,) = peer.quietly(request, LAST_VERSION_WITH_TOPIC_NAMES).responses
    letters: list[Any] = []
    kinds = set()
    for header, data in split_batches(answer.partitions[0].records or b""):
        kinds.add((header.attributes, header.producer_id, header.producer_epoch, header.base_sequence))
        for record in decode_records(data):
            about = [f"{key}={value!r}" for key, value in record.headers]
            letters.append([str(record.key), str(record.value), about])
    # Apache Kafka writes them in the order in which its threads come to them.
    letters.sort(key=lambda letter: int(letter[2][2].split("'")[1]))
    peer.note(f"dead letters in {topic}-{partition}", [letters, [list(kind) for kind in sorted(kinds)]])


@scenario
def rejected_records(peer: Peer) -> None:
    group, queue = "share-letters-rejected", "dlq.share-letters-rejected"
    peer.create_topic(queue, 2, ENABLED)
    topic_id = queued(peer, group, queue)
    peer.ask(fetch(group, topic_id, 0, 0), 2, "all")
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 2, [REJECT]), (3, 6, [ACCEPT])]}), 2, "a batch is rejected")
    note_letters(peer, queue, 3)
    until_complete(peer, group, topic_id, 7)
    peer.ask(acknowledge(group, topic_id, 2, {0: [(7, 11, [REJECT, ACCEPT, REJECT, ACCEPT, ACCEPT])]}), 2, "records")
    note_letters(peer, queue, 5)
    until_complete(peer, group, topic_id, 12)
    peer.ask(fetch(group, topic_id, 3, wait_ms=100), 2, "nothing is left")


@scenario
def what_is_stored_of_a_rejected_batch(peer: Peer) -> None:
    group, queue = "share-letters-stored", "dlq.share-letters-stored"
    peer.create_topic(queue, 1, ENABLED)
    topic_id = queued(peer, group, queue)
    peer.ask(fetch(group, topic_id, 0, 0), 2, "all")
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 11, [REJECT])]}), 2, "all is rejected")
    note_letters(peer, queue, 12)
    until_complete(peer, group, topic_id, 12)
    note_stored(peer, group)


@scenario
def records_that_were_delivered_too_often(peer: Peer) -> None:
    """Their keys and values are copied; one of the batches is compressed."""
    group, queue = "share-letters-too-often", "dlq.share-letters-too-often"
    peer.create_topic(queue, 1, ENABLED)
    topic_id = queued(peer, group, queue, {LIMIT: "2", COPIES: "true"})
    compressed = batch(b"a", b"b", None, compression=Compression.GZIP)
    peer.quietly(produce(peer, 9, group, compressed), 9)
    epoch, released = 0, 0
    while released < 30:
        answer = peer.quietly(fetch(group, topic_id, epoch, 0, wait_ms=100), 2)
        found = [
            (each.first_offset, each.last_offset)
            for topic in answer.responses
            for data in topic.partitions
            for each in data.acquired_records
        ]
        released += sum(last - first + 1 for first, last in found)
        acks = {0: [(first, last, [RELEASE]) for first, last in found]}
        peer.quietly(acknowledge(group, topic_id, epoch + 1, acks), 2)
        epoch += 2
    note_letters(peer, queue, 15)
    until_complete(peer, group, topic_id, 15)


@scenario
def topics_that_take_no_dead_letters(peer: Peer) -> None:
    """Nothing is written, and the records are archived."""
    peer.create_topic("dlq.share-letters-not-enabled", 1)
    peer.create_topic("share-letters-no-prefix-queue", 1, ENABLED)
    peer.create_topic("dlq.share-letters-compacted", 1, ENABLED | {"cleanup.policy": "compact"})
    queues = {
        "share-letters-missing": "dlq.share-letters-missing",
        "share-letters-not-enabled": "dlq.share-letters-not-enabled",
        "share-letters-no-prefix": "share-letters-no-prefix-queue",
        "share-letters-compacted": "dlq.share-letters-compacted",
    }
    for group, queue in queues.items():
        topic_id = queued(peer, group, queue)
        peer.ask(fetch(group, topic_id, 0, 0), 2, f"all of {group}")
        peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 11, [REJECT])]}), 2, "all rejected")
        until_complete(peer, group, topic_id, 12)
        if queue != "dlq.share-letters-missing":
            note_letters(peer, queue, 0)


@scenario
def a_topic_that_is_created(peer: Peer) -> None:
    group, queue = "share-letters-created", "dlq.share-letters-created"
    auto = "errors.deadletterqueue.auto.create.topics.enable"
    change(peer, BROKER, "", auto, "true")
    topic_id = queued(peer, group, queue)
    peer.ask(fetch(group, topic_id, 0, 0), 2, "all")
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 1, [REJECT])]}), 2, "rejected")
    peer.await_topic(queue)
    note_letters(peer, queue, 2)
    peer.ask(describe(TOPIC, queue, "message.timestamp.type", "errors.deadletterqueue.group.enable"), 4, "its settings")
    change(peer, BROKER, "", auto, None)
