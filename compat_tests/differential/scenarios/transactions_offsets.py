"""AddOffsetsToTxn and TxnOffsetCommit, and what OffsetFetch and others see of offsets that are not settled yet."""

from __future__ import annotations

from compat_tests.differential.coordinator_log import note_stored_offsets
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.group_offsets import commit
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.groups import joined, leave, stable
from compat_tests.differential.transaction_log import note_stored
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.leave_group import MemberIdentity
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest
from kafkapy_wire.messages.txn_offset_commit import TxnOffsetCommitRequest

WITH_MEMBERS = range(3, 7)  # the versions of TxnOffsetCommit that carry member id and generation (KIP-447)


@scenario
def adding_a_group(peer: Peer) -> None:
    for version in range(5):
        producer = TransactionalProducer.ready(peer, f"offsets-add-{version}")
        for group in (f"offsets-add-group-{version}", f"offsets-add-group-{version}", "other", "other-2", ""):
            peer.ask(producer.add_offsets(group), version, f"{group!r}")
        producer.described()
        note_stored(peer, producer.name)


@scenario
def wrong_producers(peer: Peer) -> None:
    peer.create_topic("offsets-wrong")
    producer = TransactionalProducer.ready(peer, "offsets-wrong", epoch=1)
    offsets = {"offsets-wrong": {0: 5}}
    for state in ("empty", "open"):
        for label, wrong in producer.wrongs().items():
            peer.ask_each(
                AddOffsetsToTxnRequest, lambda _, wrong=wrong: wrong.add_offsets("offsets-group"), f"{state} {label}"
            )
            peer.ask_each(
                TxnOffsetCommitRequest,
                lambda _, wrong=wrong: wrong.commit_offsets("offsets-group", offsets),
                f"{state} {label}",
            )
        producer.described(state)
        peer.quietly(producer.add_offsets("offsets-group"), 3)
    peer.ask(fetch_offsets(peer, 10, "offsets-group", None, require_stable=True))


@scenario
def every_version_commits(peer: Peer) -> None:
    """Up to version 4 the group has to be in the transaction, from 5 on the request adds it (KIP-890)."""
    peer.create_topic("offsets-versions", 2)
    for version in range(7):
        group = f"offsets-versions-{version}"
        producer = TransactionalProducer.ready(peer, group)
        offsets = {"offsets-versions": {0: 10 + version, 1: 20}}
        peer.ask(producer.commit_offsets(group, offsets, metadata=f"v{version}"), version, "group not added")
        producer.described("group not added")
        if version < 5:
            peer.ask(producer.add_offsets(group), min(version, 3))
        for metadata in (f"v{version}", None):
            peer.ask(producer.commit_offsets(group, offsets, metadata=metadata), version, f"metadata {metadata}")
        producer.described("open")
        for require_stable in (False, True):
            peer.ask(fetch_offsets(peer, 10, group, offsets_asked(offsets), require_stable=require_stable), 10, "open")
        producer.ended(committed=version % 2 == 0, version=min(version, 5))
        peer.ask(fetch_offsets(peer, 10, group, offsets_asked(offsets), require_stable=True), 10, "ended")
        note_stored_offsets(peer, group)


def offsets_asked(offsets: dict[str, dict[int, int]]) -> dict[str, list[int]]:
    return {topic: list(partitions) for topic, partitions in offsets.items()}


@scenario
def bad_offsets(peer: Peer) -> None:
    peer.create_topic("offsets-bad", 2)
    producer = TransactionalProducer.ready(peer, "offsets-bad")
    peer.ask(producer.add_offsets("offsets-bad-group"), 3)
    cases: dict[str, dict[str, dict[int, int]]] = {
        "unknown topic": {"offsets-not": {0: 1}},
        "unknown partition": {"offsets-bad": {7: 1, -1: 1}},
        "invalid topic": {"offsets bad": {0: 1}},
        "empty topic": {"": {0: 1}},
        "some known": {"offsets-bad": {0: 1, 7: 1}, "offsets-not": {0: 1}},
        "negative offsets": {"offsets-bad": {0: -1, 1: -2}},
        "largest offset": {"offsets-bad": {0: 2**63 - 1}},
        "internal topic": {"__consumer_offsets": {0: 1}},
        "no partitions": {"offsets-bad": {}},
        "no partitions of one": {"offsets-bad": {}, "offsets-not": {}, "__consumer_offsets": {1: 1}},
        "no topics": {},
    }
    for label, offsets in cases.items():
        peer.ask_each(
            TxnOffsetCommitRequest,
            lambda _, offsets=offsets: producer.commit_offsets("offsets-bad-group", offsets),
            label,
        )
    for size in (4_096, 4_097):
        peer.ask_each(
            TxnOffsetCommitRequest,
            lambda _, size=size: producer.commit_offsets(
                "offsets-bad-group", {"offsets-bad": {0: 1}}, metadata="m" * size
            ),
            f"{size} characters of metadata",
        )
    peer.ask_each(TxnOffsetCommitRequest, lambda _: producer.commit_offsets("", {"offsets-bad": {0: 1}}), "empty group")
    producer.described()
    producer.ended(committed=True, version=4)
    peer.ask(fetch_offsets(peer, 9, "offsets-bad-group", None, require_stable=True), 9)


@scenario
def a_topic_twice(peer: Peer) -> None:
    """Each topic is answered once, known or not."""
    peer.create_topic("offsets-twice", 2)
    producer = TransactionalProducer.ready(peer, "offsets-twice")
    peer.quietly(producer.add_offsets("offsets-twice-group"), 3)
    for label, names in {
        "unknown": ["offsets-not", "offsets-not"],
        "known": ["offsets-twice", "offsets-twice"],
        "both": ["offsets-not", "offsets-twice", "offsets-not", "offsets-twice"],
    }.items():

        def request(names: list[str] = names) -> TxnOffsetCommitRequest:
            parts = [
                producer.commit_offsets("offsets-twice-group", {name: {index: 1, 7: 1}})
                for index, name in enumerate(names)
            ]
            parts[0].topics = [topic for part in parts for topic in part.topics]
            return parts[0]

        peer.ask_each(TxnOffsetCommitRequest, lambda _, request=request: request(), label)


@scenario
def members_and_generations(peer: Peer) -> None:
    """A consumer that was thrown out of its group cannot commit in a transaction either (KIP-447)."""
    peer.create_topic("offsets-members")
    member, generation = stable(peer, "offsets-members-group")
    producer = TransactionalProducer.ready(peer, "offsets-members")
    for group in ("offsets-members-group", "offsets-members-nobody"):
        peer.quietly(producer.add_offsets(group), 3)

    def ask(label: str, group: str, generation: int, member: str, instance: str | None = None) -> None:
        peer.ask_each(
            TxnOffsetCommitRequest,
            lambda _: producer.commit_offsets(
                group, {"offsets-members": {0: 5}}, member=member, generation=generation, instance=instance
            ),
            label,
            WITH_MEMBERS,
        )

    group = "offsets-members-group"
    ask("member", group, generation, member)
    ask("old generation", group, generation - 1, member)
    ask("later generation", group, generation + 1, member)
    ask("unknown member", group, generation, "no-such-member")
    ask("no generation", group, -1, member)
    ask("no member", group, generation, "")
    ask("neither", group, -1, "")
    ask("unknown instance", group, generation, member, "no-such-instance")
    peer.ask_each(
        TxnOffsetCommitRequest,
        lambda _: producer.commit_offsets(group, {"offsets-members": {0: 6}}),
        "neither",
        range(3),
    )
    peer.quietly(leave(group, MemberIdentity(member_id=member)))
    ask("after it left", group, generation, member)
    ask("nobody is left", group, -1, "")
    ask("unknown group, generation", "offsets-members-nobody", 1, "m")
    ask("unknown group, member", "offsets-members-nobody", -1, "m")
    ask("unknown group, neither", "offsets-members-nobody", -1, "")
    answer = joined(peer, "offsets-members-completing")
    ask("completing the rebalance", "offsets-members-completing", answer.generation_id, answer.member_id)


@scenario
def static_members(peer: Peer) -> None:
    peer.create_topic("offsets-static")
    group = "offsets-static-group"
    first = joined(peer, group, instance="instance-1")
    second = joined(peer, group, instance="instance-1")
    producer = TransactionalProducer.ready(peer, "offsets-static")
    for label, one, instance in (
        ("fenced", first, "instance-1"),
        ("the new one", second, "instance-1"),
        ("the new one without instance", second, None),
        ("the old one without instance", first, None),
        ("unknown instance", second, "instance-2"),
    ):
        peer.ask_each(
            TxnOffsetCommitRequest,
            lambda _, one=one, instance=instance: producer.commit_offsets(
                group,
                {"offsets-static": {0: 5}},
                member=one.member_id,
                generation=second.generation_id,
                instance=instance,
            ),
            label,
            WITH_MEMBERS,
        )


@scenario
def offsets_that_are_not_settled(peer: Peer) -> None:
    """OffsetFetch with require_stable says UNSTABLE_OFFSET_COMMIT of what an open transaction has committed."""
    topic, group = "offsets-open", "offsets-open-group"
    peer.create_topic(topic, 3)
    peer.quietly(commit(peer, 10, group, topic, 3))
    producer = TransactionalProducer.ready(peer, "offsets-open")
    other = TransactionalProducer.ready(peer, "offsets-open-other")
    peer.ask(producer.commit_offsets(group, {topic: {0: 7, 1: 8}}))

    def look(label: str) -> None:
        for require_stable in (False, True):
            peer.ask_each(
                OffsetFetchRequest,
                lambda version, stable=require_stable: fetch_offsets(
                    peer, version, group, {topic: [0, 1, 2]}, require_stable=stable
                ),
                f"{label}, stable {require_stable}",
                (7, 8, 9, 10) if require_stable else (1, 7, 10),
            )
            request = fetch_offsets(peer, 10, group, None, require_stable=require_stable)
            peer.ask(request, 10, f"{label}, all, stable {require_stable}")

    look("open")
    peer.ask(commit(peer, 10, group, topic, 20), label="outside of the transaction")
    look("committed outside")
    peer.ask(other.commit_offsets(group, {topic: {0: 30, 2: 31}}), label="in another transaction")
    look("two open")
    other = other.ended(committed=True)
    look("the later one committed")
    producer = producer.ended(committed=True)
    look("both committed")
    peer.ask(producer.commit_offsets(group, {topic: {0: 40}}), label="again")
    producer.ended(committed=False)
    look("aborted")


@scenario
def groups_and_offsets_that_go_meanwhile(peer: Peer) -> None:
    topic, group = "offsets-going", "offsets-going-group"
    peer.create_topic(topic, 2)
    producer = TransactionalProducer.ready(peer, "offsets-going")
    peer.ask(producer.commit_offsets(group, {topic: {0: 7, 1: 8}}))
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="open, nothing settled")
    deleted = OffsetDeleteRequestTopic(name=topic, partitions=[OffsetDeleteRequestPartition(partition_index=0)])
    peer.ask(OffsetDeleteRequest(group_id=group, topics=[deleted]), label="open")
    for require_stable in (False, True):
        peer.ask(fetch_offsets(peer, 10, group, None, require_stable=require_stable), label="open")
    producer = producer.ended(committed=True)
    peer.ask(fetch_offsets(peer, 10, group, None, require_stable=True), label="committed")
    peer.ask(producer.commit_offsets(group, {topic: {0: 9}}), label="again")
    peer.ask(OffsetDeleteRequest(group_id=group, topics=[deleted]), label="settled and open")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="settled and open")
    producer.ended(committed=True)
    peer.ask(fetch_offsets(peer, 10, group, None, require_stable=True), label="at last")
