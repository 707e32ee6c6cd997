"""OffsetCommit, OffsetFetch, OffsetDelete."""

from __future__ import annotations

from compat_tests.differential.coordinator_log import note_stored_offsets
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.groups import joined, leave, stable
from compat_tests.differential.scenarios.produce import UNKNOWN_ID
from kafkapy_wire.messages.leave_group import MemberIdentity
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from kafkapy_wire.uuid import ZERO_UUID, Uuid


def topic_id(peer: Peer, topic: str) -> Uuid:
    return Uuid(peer.topic_ids.get(topic, UNKNOWN_ID))


def commit(
    peer: Peer,
    version: int,
    group: str,
    topic: str,
    offset: int,
    *,
    partition: int = 0,
    generation: int = -1,
    member: str = "",
    instance: str | None = None,
    metadata: str | None = "",
    epoch: int = -1,
) -> OffsetCommitRequest:
    """One offset; from version 10 on the topic is named by its id."""
    committed = OffsetCommitRequestPartition(
        partition_index=partition, committed_offset=offset, committed_metadata=metadata
    )
    if version >= 6:
        committed.committed_leader_epoch = epoch
    return OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member,
        group_instance_id=instance,
        topics=[
            OffsetCommitRequestTopic(
                name="" if version >= 10 else topic,
                topic_id=topic_id(peer, topic) if version >= 10 else ZERO_UUID,
                partitions=[committed],
            )
        ],
    )


def fetch(
    peer: Peer,
    version: int,
    group: str,
    topics: dict[str, list[int]] | None,
    *,
    require_stable: bool = False,
    member: str | None = None,
    member_epoch: int = -1,
) -> OffsetFetchRequest:
    """Offsets of one group; `topics` None asks for all."""
    if version < 8:
        asked = None
        if topics is not None:
            asked = [OffsetFetchRequestTopic(name=name, partition_indexes=found) for name, found in topics.items()]
        return OffsetFetchRequest(group_id=group, topics=asked, require_stable=require_stable)
    one = OffsetFetchRequestGroup(group_id=group, member_id=member, member_epoch=member_epoch, topics=None)
    if topics is not None:
        one.topics = [
            OffsetFetchRequestTopics(
                name="" if version >= 10 else name,
                topic_id=topic_id(peer, name) if version >= 10 else ZERO_UUID,
                partition_indexes=partitions,
            )
            for name, partitions in topics.items()
        ]
    return OffsetFetchRequest(groups=[one], require_stable=require_stable)


@scenario
def offsets_are_committed_and_fetched(peer: Peer) -> None:
    peer.create_topic("commit-versions", 3)
    peer.ask_each(
        OffsetCommitRequest,
        lambda version: commit(peer, version, "commit-group", "commit-versions", version * 10, metadata=f"v{version}"),
    )
    peer.ask_each(
        OffsetCommitRequest,
        lambda version: commit(
            peer, version, "commit-group", "commit-versions", 7, partition=1, metadata=None, epoch=0
        ),
        "null metadata",
    )
    note_stored_offsets(peer, "commit-group")
    for stable_only in (False, True):
        peer.ask_each(
            OffsetFetchRequest,
            lambda version, stable_only=stable_only: fetch(
                peer, version, "commit-group", {"commit-versions": [0, 1, 2]}, require_stable=stable_only
            ),
            f"stable {stable_only}",
        )
    peer.ask_each(OffsetFetchRequest, lambda version: fetch(peer, version, "commit-group", None), "all", range(2, 11))
    peer.ask_each(OffsetFetchRequest, lambda version: fetch(peer, version, "commit-group", {}), "no topics")
    peer.ask_each(
        OffsetFetchRequest,
        lambda version: fetch(peer, version, "commit-group", {"commit-versions": []}),
        "no partitions",
    )


@scenario
def a_topic_twice(peer: Peer) -> None:
    """Each topic is answered once, known or not."""
    peer.create_topic("commit-twice", 2)
    for label, names in {
        "unknown": ["commit-not", "commit-not"],
        "known": ["commit-twice", "commit-twice"],
        "both": ["commit-not", "commit-twice", "commit-not", "commit-twice"],
    }.items():

        def request(version: int, names: list[str] = names) -> OffsetCommitRequest:
            parts = [
                commit(peer, version, "commit-twice-group", name, 1, partition=index)
                for index, name in enumerate(names)
            ]
            parts[0].topics = [topic for part in parts for topic in part.topics]
            return parts[0]

        peer.ask_each(OffsetCommitRequest, request, label)


@scenario
def bad_commits(peer: Peer) -> None:
    peer.create_topic("commit-bad")
    for topic, partition in (
        ("commit-unknown", 0),
        ("commit unknown", 0),
        ("commit-bad", 9),
        ("commit-bad", -1),
        ("", 0),
    ):
        peer.ask_each(
            OffsetCommitRequest,
            lambda version, topic=topic, partition=partition: commit(
                peer, version, "commit-bad-group", topic, 1, partition=partition
            ),
            f"{topic!r} {partition}",
        )
    for offset in (-1, -2, 2**63 - 1):
        peer.ask_each(
            OffsetCommitRequest,
            lambda version, offset=offset: commit(peer, version, "commit-bad-group", "commit-bad", offset),
            f"offset {offset}",
        )
    for size in (4_096, 4_097):
        peer.ask_each(
            OffsetCommitRequest,
            lambda version, size=size: commit(peer, version, "commit-bad-group", "commit-bad", 1, metadata="m" * size),
            f"{size} characters of metadata",
        )
    peer.ask_each(OffsetCommitRequest, lambda version: commit(peer, version, "", "commit-bad", 1), "empty group")
    peer.ask_versions(OffsetCommitRequest(group_id="commit-bad-group", topics=[]), "no topics")
    peer.ask_each(
        OffsetFetchRequest, lambda version: fetch(peer, version, "commit-bad-group", {"commit-bad": [0]}), "at last"
    )


@scenario
def commits_of_members(peer: Peer) -> None:
    peer.create_topic("commit-members")
    member, generation = stable(peer, "commit-members-group")

    def ask(label: str, generation: int, member: str, instance: str | None = None) -> None:
        peer.ask_each(
            OffsetCommitRequest,
            lambda version: commit(
                peer,
                version,
                "commit-members-group",
                "commit-members",
                5,
                generation=generation,
                member=member,
                instance=instance,
            ),
            label,
        )

    ask("member", generation, member)
    ask("old generation", generation - 1, member)
    ask("later generation", generation + 1, member)
    ask("unknown member", generation, "no-such-member")
    ask("no member", -1, "")
    ask("no generation", -1, member)
    ask("no member id", generation, "")
    ask("unknown instance", generation, member, "no-such-instance")
    peer.quietly(leave("commit-members-group", MemberIdentity(member_id=member)))
    ask("after it left", generation, member)
    ask("group empty", -1, "")
    ask("unknown group, generation", 1, "m")
    answer = joined(peer, "commit-completing")
    request = commit(
        peer,
        10,
        "commit-completing",
        "commit-members",
        5,
        generation=answer.generation_id,
        member=answer.member_id,
    )
    peer.ask(request, label="completing the rebalance")
    peer.ask_each(
        OffsetCommitRequest,
        lambda version: commit(peer, version, "commit-never", "commit-members", 5, generation=1, member="m"),
        "unknown group",
    )


@scenario
def static_commits(peer: Peer) -> None:
    peer.create_topic("commit-static")
    first = joined(peer, "commit-static-group", instance="instance-1")
    second = joined(peer, "commit-static-group", instance="instance-1")
    for label, answer in (("fenced", first), ("the new one", second)):
        peer.ask_each(
            OffsetCommitRequest,
            lambda version, answer=answer: commit(
                peer,
                version,
                "commit-static-group",
                "commit-static",
                5,
                generation=second.generation_id,
                member=answer.member_id,
                instance="instance-1",
            ),
            label,
        )


@scenario
def offsets_that_are_not_there(peer: Peer) -> None:
    peer.create_topic("fetch-offsets-known", 2)
    for group in ("fetch-offsets-unknown", ""):
        for topics in ({"fetch-offsets-known": [0, 9]}, {"fetch-offsets-not": [0]}, {"fetch offsets": [0]}):
            peer.ask_each(
                OffsetFetchRequest,
                lambda version, group=group, topics=topics: fetch(peer, version, group, topics),
                f"group {group!r} {topics}",
            )
        peer.ask_each(
            OffsetFetchRequest,
            lambda version, group=group: fetch(peer, version, group, None),
            f"all {group!r}",
            range(2, 11),
        )
    for version in (8, 9, 10):
        groups = [fetch(peer, version, name, None).groups[0] for name in ("x", "y", "x", "")]
        peer.ask(OffsetFetchRequest(groups=groups), version, "several groups")
    peer.ask_versions(OffsetFetchRequest(groups=[]), "no groups", versions=range(8, 11))


@scenario
def fetches_of_members(peer: Peer) -> None:
    peer.create_topic("fetch-members")
    member, generation = stable(peer, "fetch-members-group")
    for label, who, epoch in (
        ("member", member, generation),
        ("old epoch", member, generation - 1),
        ("unknown member", "no-such-member", generation),
        ("no epoch", member, -1),
        ("empty member", "", -1),
    ):
        for version in (9, 10):
            request = fetch(
                peer, version, "fetch-members-group", {"fetch-members": [0]}, member=who, member_epoch=epoch
            )
            peer.ask(request, version, label)


@scenario
def offsets_are_deleted(peer: Peer) -> None:
    peer.create_topic("offset-delete", 3)
    peer.create_topic("groups-topic")

    def delete(group: str, *partitions: int, topic: str = "offset-delete") -> OffsetDeleteRequest:
        found = [OffsetDeleteRequestPartition(partition_index=index) for index in partitions]
        return OffsetDeleteRequest(group_id=group, topics=[OffsetDeleteRequestTopic(name=topic, partitions=found)])

    peer.quietly(commit(peer, 10, "offset-delete-group", "offset-delete", 5))
    peer.ask(delete("offset-delete-group", 0, 1, 9), label="committed, not committed, no such partition")
    peer.ask(fetch(peer, 10, "offset-delete-group", None), label="after")
    peer.ask(delete("offset-delete-group", 0), label="group without offsets")
    peer.ask(delete("offset-delete-unknown", 0), label="unknown group")
    peer.ask(delete("", 0), label="empty group")
    peer.ask(delete("offset-delete-group", 0, topic="offset-delete-not"), label="unknown topic")
    peer.ask(OffsetDeleteRequest(group_id="offset-delete-group", topics=[]), label="no topics")
    member, generation = stable(peer, "offset-delete-members")
    for topic in ("offset-delete", "groups-topic"):
        request = commit(peer, 10, "offset-delete-members", topic, 5, generation=generation, member=member)
        peer.quietly(request)
        peer.ask(delete("offset-delete-members", 0, topic=topic), label=f"group in use, {topic}")
    peer.ask(fetch(peer, 10, "offset-delete-members", None), label="at last")
