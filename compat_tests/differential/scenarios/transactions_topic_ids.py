"""TxnOffsetCommit from version 6 on names topics by ids: those of topics that are deleted, made anew, or never were."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch_waiting import delete_topic
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.produce import UNKNOWN_ID
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.txn_offset_commit import TxnOffsetCommitRequest
from kafkapy_wire.uuid import ZERO_UUID, Uuid


def committing(
    producer: TransactionalProducer, group: str, *topics: tuple[str, bytes, tuple[int, ...]]
) -> TxnOffsetCommitRequest:
    """Offset 5 of partitions of topics by name and id."""
    parts = []
    for name, topic_id, partitions in topics:
        part = producer.commit_offsets(group, {name: dict.fromkeys(partitions, 5)})
        part.topics[0].topic_id = Uuid(topic_id)
        parts.append(part)
    request = parts[0]
    request.topics = [topic for part in parts for topic in part.topics]
    return request


@scenario
def ids_of_deleted_topics(peer: Peer) -> None:
    for name in ("ids-stays", "ids-goes", "ids-anew"):
        peer.create_topic(name, 2)
    stays, goes, old = (peer.topic_ids[name] for name in ("ids-stays", "ids-goes", "ids-anew"))
    group = "ids-group"
    producer = TransactionalProducer.ready(peer, "ids")
    before = committing(producer, group, ("", stays, (0,)), ("", goes, (0, 1)), ("", old, (0,)))
    peer.ask(before, 6, "all are there")
    for name in ("ids-goes", "ids-anew"):
        delete_topic(peer, name)
    new = peer.create_topic("ids-anew", 1)
    cases: dict[str, list[tuple[str, bytes, tuple[int, ...]]]] = {
        "deleted": [("", goes, (0,))],
        "deleted, and one that stays": [("", goes, (0, 1)), ("", stays, (0, 1, 7))],
        "old id": [("", old, (0, 1))],
        "new id": [("", new, (0, 1))],
        "both ids": [("", old, (0,)), ("", new, (0,))],
        "never was": [("", UNKNOWN_ID, (0, -1))],
        "no id": [("", ZERO_UUID, (0,))],
        "no id, and one that stays": [("", ZERO_UUID, (0,)), ("", stays, (0,))],
        "an id twice": [("", stays, (0,)), ("", stays, (0,))],
        "a deleted one twice": [("", goes, (0,)), ("", goes, (0,))],
        "no partitions": [("", goes, ()), ("", stays, ()), ("", UNKNOWN_ID, ())],
    }
    for label, topics in cases.items():
        peer.ask(committing(producer, group, *topics), 6, label)
        other = producer.wrong(epochs=1)
        peer.ask(committing(other, group, *topics), 6, f"{label}, another epoch")
    producer.described("open")
    for require_stable in (False, True):
        peer.ask(fetch_offsets(peer, 9, group, None, require_stable=require_stable), 9, "open")
        peer.ask(fetch_offsets(peer, 10, group, None, require_stable=require_stable), 10, "open")
    producer = producer.ended(committed=True)
    peer.ask(fetch_offsets(peer, 9, group, None, require_stable=True), 9, "ended")
    for name in ("ids-stays", "ids-goes", "ids-anew"):
        peer.ask(fetch_offsets(peer, 10, group, {name: [0, 1]}, require_stable=True), 10, f"ended, {name}")


@scenario
def a_topic_is_deleted_before_its_offsets_are_settled(peer: Peer) -> None:
    peer.create_topic("ids-unsettled")
    old = peer.topic_ids["ids-unsettled"]
    for committed in (True, False):
        group = f"ids-unsettled-{committed}"
        producer = TransactionalProducer.ready(peer, group)
        peer.ask(committing(producer, group, ("", peer.topic_ids["ids-unsettled"], (0,))), 6, f"{committed}")
        delete_topic(peer, "ids-unsettled")
        peer.create_topic("ids-unsettled")
        for version in (9, 10):
            for require_stable in (False, True):
                asked = fetch_offsets(peer, version, group, {"ids-unsettled": [0]}, require_stable=require_stable)
                peer.ask(asked, version, f"open, {committed}, stable {require_stable}")
        producer.ended(committed=committed)
        for version in (9, 10):
            asked = fetch_offsets(peer, version, group, {"ids-unsettled": [0]}, require_stable=True)
            peer.ask(asked, version, f"ended, {committed}")
            peer.ask(fetch_offsets(peer, version, group, None, require_stable=True), version, f"all, {committed}")
    peer.note("another id", old != peer.topic_ids["ids-unsettled"])
