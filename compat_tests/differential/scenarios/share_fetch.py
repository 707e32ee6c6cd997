"""ShareFetch and ShareAcknowledge: who gets which records, what becomes of them, and what is stored of it.

The state of the groups is initialized by hand, as a group coordinator does for the first member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from compat_tests.differential.peer import Connection, Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.scenarios.share_state import initialize, ready
from compat_tests.differential.share_log import note_stored
from kafkapy_wire.messages import share_acknowledge, share_fetch
from kafkapy_wire.uuid import Uuid

ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4
ALICE, BOB = "alice-0000", "bob-0000"
Acks = Mapping[int, Iterable[tuple[int, int, list[int]]]]


def fetch(
    group: str | None,
    topic_id: Uuid,
    epoch: int,
    *partitions: int,
    member: str | None = ALICE,
    acks: Acks | None = None,
    forget: Iterable[int] = (),
    max_records: int = 500,
    batch_size: int = 500,
    wait_ms: int = 500,
    min_bytes: int = 1,
    max_bytes: int = 1 << 20,
    mode: int = 0,
    renews: bool = False,
) -> share_fetch.ShareFetchRequest:
    acks = acks or {}
    wanted = [
        share_fetch.FetchPartition(
            partition_index=index,
            acknowledgement_batches=[
                share_fetch.AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=types)
                for first, last, types in acks.get(index, ())
            ],
        )
        for index in sorted({*partitions, *acks})
    ]
    forgotten = [share_fetch.ForgottenTopic(topic_id=topic_id, partitions=list(forget))] if forget else []
    return share_fetch.ShareFetchRequest(
        group_id=group,
        member_id=member,
        share_session_epoch=epoch,
        max_wait_ms=wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        max_records=max_records,
        batch_size=batch_size,
        share_acquire_mode=mode,
        is_renew_ack=renews,
        topics=[share_fetch.FetchTopic(topic_id=topic_id, partitions=wanted)] if wanted else [],
        forgotten_topics_data=forgotten,
    )


def acknowledge(
    group: str | None, topic_id: Uuid, epoch: int, acks: Acks, *, member: str | None = ALICE, renews: bool = False
) -> share_acknowledge.ShareAcknowledgeRequest:
    wanted = [
        share_acknowledge.AcknowledgePartition(
            partition_index=index,
            acknowledgement_batches=[
                share_acknowledge.AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=types)
                for first, last, types in batches
            ],
        )
        for index, batches in acks.items()
    ]
    return share_acknowledge.ShareAcknowledgeRequest(
        group_id=group,
        member_id=member,
        share_session_epoch=epoch,
        is_renew_ack=renews,
        topics=[share_acknowledge.AcknowledgeTopic(topic_id=topic_id, partitions=wanted)] if wanted else [],
    )


def begun(peer: Peer, name: str, partitions: int = 1, *, start: int = 0, records: Iterable[int] = (3, 4, 5)) -> Uuid:
    """A topic with batches of so many records in partition 0, and a share group of the same name that begins there."""
    topic_id = ready(peer, name, name, partitions)
    peer.quietly(initialize(name, topic_id, *[(index, 0, start) for index in range(partitions)]), 0)
    until_read(peer, name, topic_id, *range(partitions))
    for count in records:
        fill(peer, name, count)
    return topic_id


def fill(peer: Peer, topic: str, count: int, index: int = 0) -> None:
    peer.quietly(produce(peer, 9, topic, batch(*[b"value"] * count), partition=index), 9)


def until_read(peer: Peer, group: str, topic_id: Uuid, *partitions: int, member: str = ALICE) -> None:
    """Wait until the leader has read the state: it does in the background."""
    peer.quietly(fetch(group, topic_id, 0, *partitions, member=member, wait_ms=400), 2)
    peer.quietly(fetch(group, topic_id, -1, member=member), 2)


@scenario
def a_session(peer: Peer) -> None:
    """Records are acquired, accepted, released, rejected, and delivered again; each version."""
    for version in (1, 2):
        group = f"share-session-{version}"
        topic_id = begun(peer, group)
        peer.ask(fetch(group, topic_id, 0, 0), version, "first")
        acks = {0: [(0, 2, [ACCEPT]), (3, 6, [RELEASE]), (7, 11, [REJECT, ACCEPT, RELEASE, ACCEPT, RELEASE])]}
        peer.ask(fetch(group, topic_id, 1, acks=acks, wait_ms=100), version, "accepted, released, rejected")
        peer.ask(fetch(group, topic_id, 2, wait_ms=100), version, "what was released")
        peer.ask(fetch(group, topic_id, 3, wait_ms=100), version, "again, nothing")
        peer.ask(acknowledge(group, topic_id, 4, {0: [(3, 6, [ACCEPT]), (9, 9, [ACCEPT])]}), version)
        peer.ask(fetch(group, topic_id, -1, acks={0: [(11, 11, [RELEASE])]}), version, "last")
        peer.ask(fetch(group, topic_id, 5), version, "after the last")
        note_stored(peer, group)


@scenario
def wrong_sessions(peer: Peer) -> None:
    group = "share-wrong-sessions"
    topic_id = begun(peer, group)
    acks: Acks = {0: [(0, 2, [ACCEPT])]}
    peer.ask(fetch(group, topic_id, 1, 0), 2, "no session")
    peer.ask(fetch(group, topic_id, -1, 0), 2, "no session to end")
    peer.ask(fetch(group, topic_id, 0, 0, acks=acks), 2, "acknowledges at once")
    peer.ask(acknowledge(group, topic_id, 0, acks), 2, "epoch 0")
    peer.ask(acknowledge(group, topic_id, 1, acks), 2, "no session")
    peer.ask(acknowledge(group, topic_id, -1, acks), 2, "no session to end")
    peer.ask(fetch(None, topic_id, 0, 0), 2, "no group")
    peer.ask(acknowledge(None, topic_id, 0, acks), 2, "no group")
    for member in (None, "", "m" * 36, "m" * 37):
        label = f"member of {None if member is None else len(member)}"
        peer.ask(fetch(group, topic_id, 0, 0, member=member, wait_ms=0, max_records=0), 2, label)
        peer.ask(acknowledge(group, topic_id, 7, {}, member=member), 2, label)
    peer.ask(fetch(group, topic_id, 0, 0, max_records=0), 2, "no record")
    peer.ask(fetch(group, topic_id, 0, 0), 2, "a session")
    for epoch in (0, 2, 5, -2):
        peer.ask(acknowledge(group, topic_id, epoch, acks), 2, f"epoch {epoch} of 1")
    peer.ask(fetch(group, topic_id, 2, 0), 2, "epoch 2 of 1")
    peer.ask(fetch(group, topic_id, 1, 0, wait_ms=50, renews=True), 2, "renews with sizes")
    peer.ask(
        fetch(
            group,
            topic_id,
            1,
            acks={0: [(0, 2, [RENEW])]},
            wait_ms=0,
            max_records=0,
            min_bytes=0,
            max_bytes=0,
            renews=True,
        ),
        2,
        "renews",
    )
    peer.ask(fetch(group, topic_id, 2, 0, wait_ms=50, mode=7), 2, "an unknown mode")


@scenario
def wrong_acknowledgements(peer: Peer) -> None:
    group = "share-wrong-acks"
    topic_id = begun(peer, group, records=(4, 4))
    peer.ask(fetch(group, topic_id, 0, 0, max_records=4), 2)
    epoch = 1
    cases: dict[str, list[tuple[int, int, list[int]]]] = {
        "backwards": [(2, 1, [ACCEPT])],
        "out of order": [(2, 2, [ACCEPT]), (0, 1, [ACCEPT])],
        "overlapping": [(0, 1, [ACCEPT]), (1, 2, [ACCEPT])],
        "no type": [(0, 1, [])],
        "too few types": [(0, 2, [ACCEPT, ACCEPT])],
        "unknown type": [(0, 1, [5])],
        "negative type": [(0, 1, [-1])],
        "renew without the flag": [(0, 1, [RENEW])],
        "above what is acquired": [(3, 5, [ACCEPT])],
        "far above": [(100, 105, [ACCEPT])],
        "not acquired": [(4, 7, [ACCEPT])],
        "nothing": [],
    }
    for version in (1, 2):
        for label, batches in cases.items():
            peer.ask(acknowledge(group, topic_id, epoch, {0: batches}), version, label)
            epoch += 1
    for index in (-1, 1, 7):
        peer.ask(acknowledge(group, topic_id, epoch, {index: [(0, 0, [ACCEPT])]}), 2, f"partition {index}")
        epoch += 1
    unknown = Uuid(b"?" * 16)
    peer.ask(acknowledge(group, unknown, epoch, {0: [(0, 0, [ACCEPT])]}), 2, "unknown topic")
    epoch += 1
    peer.ask(acknowledge(group, topic_id, epoch, {0: [(1, 1, [ACCEPT])]}), 2, "one of a batch")
    peer.ask(acknowledge(group, topic_id, epoch + 1, {0: [(0, 3, [ACCEPT])]}), 2, "one of them again")
    peer.ask(acknowledge(group, topic_id, epoch + 2, {0: [(0, 0, [ACCEPT]), (2, 3, [RELEASE])]}), 2, "the others")
    peer.ask(acknowledge(group, topic_id, epoch + 3, {0: [(0, 0, [ACCEPT])]}), 2, "what is done")
    peer.ask(acknowledge(group, topic_id, epoch + 4, {0: [(2, 3, [ACCEPT])]}), 2, "what was released")
    peer.ask(fetch(group, topic_id, epoch + 5, acks={0: [(2, 3, [ACCEPT])]}, wait_ms=50), 2, "with a fetch")
    peer.ask(acknowledge(group, topic_id, epoch + 6, {0: [(2, 3, [0])]}), 2, "a gap")
    note_stored(peer, group)


@scenario
def two_members(peer: Peer) -> None:
    """Records of one member are not another's; what is left when a session ends is."""
    group = "share-two-members"
    topic_id = begun(peer, group, records=(3, 3, 3))
    peer.ask(fetch(group, topic_id, 0, 0, max_records=4), 2, "alice")
    peer.ask(fetch(group, topic_id, 0, 0, member=BOB, max_records=4), 2, "bob")
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 1, [ACCEPT])]}, member=BOB), 2, "bob of alice's")
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 1, [ACCEPT])]}), 2, "alice of hers")
    peer.ask(acknowledge(group, topic_id, 2, {0: [(2, 8, [ACCEPT])]}), 2, "alice of both")
    peer.ask(fetch(group, topic_id, -1), 2, "alice leaves")
    peer.ask(fetch(group, topic_id, 2, member=BOB), 2, "bob gets them")
    peer.ask(acknowledge(group, topic_id, 3, {0: [(2, 8, [ACCEPT])]}, member=BOB), 2, "bob accepts all")
    note_stored(peer, group)


@scenario
def closed_connections(peer: Peer) -> None:
    group = "share-closed"
    topic_id = begun(peer, group, records=(3, 3))
    other = peer.connect()
    _ask_on(peer, other, fetch(group, topic_id, 0, 0, member=BOB), "bob")
    other.close()
    for epoch in range(50):  # until the broker has noticed
        answer = peer.quietly(fetch(group, topic_id, epoch, 0, wait_ms=100), 2)
        found = [each for topic in answer.responses for data in topic.partitions for each in data.acquired_records]
        if found:
            break
    peer.note("alice gets what he had", [[each.first_offset, each.last_offset, each.delivery_count] for each in found])


def _ask_on(peer: Peer, connection: Connection, request: Any, label: str) -> None:
    peer.record_answer(peer.post(request, 2, label, connection))


@scenario
def sizes(peer: Peer) -> None:
    """How many records a fetch gets, and how they are cut."""
    for mode in (0, 1):
        group = f"share-sizes-{mode}"
        topic_id = begun(peer, group, records=(10, 10, 1, 1, 1, 10, 30))
        cases = ((1, 500), (5, 500), (15, 500), (3, 1), (20, 5), (500, 500))
        for epoch, (max_records, batch_size) in enumerate(cases):
            label = f"mode {mode}, {max_records} records in batches of {batch_size}"
            peer.ask(
                fetch(
                    group, topic_id, epoch, 0, max_records=max_records, batch_size=batch_size, mode=mode, wait_ms=200
                ),
                2,
                label,
            )
        peer.ask(fetch(group, topic_id, -1), 2, "all back")
        peer.ask(fetch(group, topic_id, 0, 0, max_records=25, mode=mode, wait_ms=200), 2, f"mode {mode}, again")
        peer.ask(fetch(group, topic_id, 1, 0, max_records=500, mode=mode, wait_ms=200), 2, f"mode {mode}, the rest")


@scenario
def too_often(peer: Peer) -> None:
    """What was delivered group.share.delivery.count.limit times is archived; before, it is given in smaller pieces."""
    group = "share-too-often"
    topic_id = begun(peer, group, records=(8, 8))
    epoch = 0
    for step in range(60):
        answer = peer.quietly(fetch(group, topic_id, epoch, 0, wait_ms=60), 2)
        found = [
            (each.first_offset, each.last_offset, each.delivery_count)
            for topic in answer.responses
            for data in topic.partitions
            for each in data.acquired_records
        ]
        peer.note(f"step {step}", [list(each) for each in found])
        if not found:
            break
        released = {0: [(first, last, [RELEASE]) for first, last, _ in found]}
        peer.quietly(acknowledge(group, topic_id, epoch + 1, released), 2)
        epoch += 2
    note_stored(peer, group)


@scenario
def forgotten_and_unknown(peer: Peer) -> None:
    group = "share-forgotten"
    topic_id = begun(peer, group, 2, records=())
    peer.ask(fetch(group, topic_id, 0, 0, wait_ms=50), 2, "nothing to read")
    peer.ask(fetch(group, topic_id, 1, 1, 5, wait_ms=50), 2, "another, and an unknown one")
    peer.ask(fetch(group, topic_id, 2, wait_ms=50), 2, "the unknown one again")
    peer.ask(fetch(group, topic_id, 3, forget=[5], wait_ms=50), 2, "forgotten")
    fill(peer, group, 2, 1)
    peer.ask(fetch(group, topic_id, 4, wait_ms=500), 2, "records of the second")
    peer.ask(fetch(group, Uuid(b"?" * 16), 5, 0, wait_ms=50), 2, "an unknown topic")
    peer.ask(fetch(group, topic_id, 6, wait_ms=50), 2, "again")
    peer.ask(fetch("share-never", topic_id, 0, 0, wait_ms=200), 2, "never initialized")


@scenario
def deleted_records(peer: Peer) -> None:
    from kafkapy_wire.messages.delete_records import (
        DeleteRecordsPartition,
        DeleteRecordsRequest,
        DeleteRecordsTopic,
    )

    group = "share-deleted-records"
    topic_id = begun(peer, group, records=(4, 4, 4))
    peer.ask(fetch(group, topic_id, 0, 0, max_records=4), 2)
    partition = DeleteRecordsPartition(partition_index=0, offset=6)
    topic = DeleteRecordsTopic(name=group, partitions=[partition])
    peer.quietly(DeleteRecordsRequest(topics=[topic], timeout_ms=5000), 2)
    peer.ask(fetch(group, topic_id, 1, wait_ms=100), 2, "behind what was deleted")
    peer.ask(fetch(group, topic_id, 2, wait_ms=100), 2, "then")
    peer.ask(acknowledge(group, topic_id, 3, {0: [(0, 3, [RELEASE])]}), 2, "what was deleted")
    peer.ask(fetch(group, topic_id, 4, wait_ms=100), 2, "again")
    note_stored(peer, group)


@scenario
def altered_meanwhile(peer: Peer) -> None:
    """The state begins anew while a member has records: its leader cannot write it any more."""
    group = "share-altered"
    topic_id = begun(peer, group, records=(4, 4))
    peer.ask(fetch(group, topic_id, 0, 0, max_records=4), 2)
    peer.ask(initialize(group, topic_id, (0, 1, 0)), 0)
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 3, [ACCEPT])]}), 2, "in the state of before")
    peer.ask(acknowledge(group, topic_id, 2, {0: [(0, 3, [ACCEPT])]}), 2, "again")
    peer.ask(fetch(group, topic_id, 3, wait_ms=2000), 2, "anew")


@scenario
def released_while_another_waits(peer: Peer) -> None:
    group = "share-released-meanwhile"
    topic_id = begun(peer, group)
    peer.ask(fetch(group, topic_id, 0, 0), 2, "alice has all")
    other = peer.connect("bob")
    waiting = peer.post(fetch(group, topic_id, 0, 0, member=BOB, wait_ms=2500), 2, "bob waits", other)
    peer.meanwhile("alice releases all")
    peer.ask(acknowledge(group, topic_id, 1, {0: [(0, 11, [RELEASE])]}), 2, "released")
    peer.record_answer(waiting)
