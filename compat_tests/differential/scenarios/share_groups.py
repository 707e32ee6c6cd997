"""Share groups (KIP-932): members, who reads what, start offsets, and what is stored of a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from compat_tests.differential.coordinator_log import OFFSETS_TOPIC, VERSION_BYTES, stored_records
from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Plain
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.groups import join
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.scenarios.share_state import ready
from compat_tests.differential.share_log import note_stored
from kafkapy_wire.codec import decode
from kafkapy_wire.messages import (
    alter_share_group_offsets,
    delete_share_group_offsets,
    describe_share_group_offsets,
)
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_delete import OffsetDeleteRequest
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from kafkapy_wire.messages.share_group_describe import ShareGroupDescribeRequest
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from kafkapy_wire.record_formats import group_coordinator as formats
from kafkapy_wire.uuid import Uuid

VERSION = 1
MEMBERS = {name: f"{name * 20}AA" for name in "abcdefgh"}
RECORDS: Mapping[int, tuple[Any, Any]] = {
    10: (formats.ShareGroupMemberMetadataKey, formats.ShareGroupMemberMetadataValue),
    11: (formats.ShareGroupMetadataKey, formats.ShareGroupMetadataValue),
    12: (formats.ShareGroupTargetAssignmentMetadataKey, formats.ShareGroupTargetAssignmentMetadataValue),
    13: (formats.ShareGroupTargetAssignmentMemberKey, formats.ShareGroupTargetAssignmentMemberValue),
    14: (formats.ShareGroupCurrentMemberAssignmentKey, formats.ShareGroupCurrentMemberAssignmentValue),
    15: (formats.ShareGroupStatePartitionMetadataKey, formats.ShareGroupStatePartitionMetadataValue),
}


def heartbeat(group: str, member: str, epoch: int, *topics: str, **fields: Any) -> ShareGroupHeartbeatRequest:
    """`member` is a letter that stands for an id, or the id."""
    fields.setdefault("subscribed_topic_names", [*topics] if topics else None)
    return ShareGroupHeartbeatRequest(
        group_id=group, member_id=MEMBERS.get(member, member), member_epoch=epoch, **fields
    )


def describe(*groups: str, authorized: bool = False) -> ShareGroupDescribeRequest:
    return ShareGroupDescribeRequest(group_ids=[*groups], include_authorized_operations=authorized)


def offsets_of(group: str, topics: Mapping[str, list[int]] | None = None) -> Any:
    wanted = None
    if topics is not None:
        wanted = [
            describe_share_group_offsets.DescribeShareGroupOffsetsRequestTopic(topic_name=name, partitions=indexes)
            for name, indexes in topics.items()
        ]
    asked = describe_share_group_offsets.DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=wanted)
    return describe_share_group_offsets.DescribeShareGroupOffsetsRequest(groups=[asked])


def altered(group: str, topics: Mapping[str, Mapping[int, int]]) -> Any:
    module = alter_share_group_offsets
    return module.AlterShareGroupOffsetsRequest(
        group_id=group,
        topics=[
            module.AlterShareGroupOffsetsRequestTopic(
                topic_name=name,
                partitions=[
                    module.AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=offset)
                    for index, offset in offsets.items()
                ],
            )
            for name, offsets in topics.items()
        ],
    )


def deleted(group: str, *topics: str) -> Any:
    module = delete_share_group_offsets
    return module.DeleteShareGroupOffsetsRequest(
        group_id=group, topics=[module.DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in topics]
    )


def until_initialized(peer: Peer, group: str, count: int) -> None:
    """Wait until the share coordinator has initialized so many partitions, and the group coordinator knows."""
    peer.until(
        offsets_of(group),
        lambda answer: sum(len(topic.partitions) for topic in answer.groups[0].topics) == count,
        f"{count} partitions to be initialized",
    )


def until_beaten(peer: Peer, group: str, epoch: int, what: str) -> None:
    """Wait until a heartbeat gives the member the next epoch, for topics have changed."""
    peer.until(heartbeat(group, "a", epoch), lambda answer: answer.member_epoch > epoch or answer.error_code, what)


def note_group(peer: Peer, group: str) -> None:
    """Write down every record that is stored of the group."""
    peer.note(f"stored of group {group}", list(_records(peer, group)))


def _records(peer: Peer, group: str) -> Iterator[Plain]:
    for _, record in stored_records(peer, OFFSETS_TOPIC):
        assert record.key is not None
        kind = int.from_bytes(record.key[:VERSION_BYTES])
        if kind not in RECORDS:
            continue
        key_type, value_type = RECORDS[kind]
        key = decode(key_type, record.key[VERSION_BYTES:], 0)
        if key.group_id != group:
            continue
        value: Plain = None
        if record.value is not None:
            stored = decode(value_type, record.value[VERSION_BYTES:], int.from_bytes(record.value[:VERSION_BYTES]))
            if kind == 11:
                stored.metadata_hash = bool(stored.metadata_hash)  # of another function here
            if kind == 12:
                stored.assignment_timestamp = bool(stored.assignment_timestamp)
            value = peer.normaliser.plain(stored, 0)
        yield {"kind": kind, "key": peer.normaliser.plain(key, 0), "value": value}


@scenario
def share_heartbeats_that_are_invalid(peer: Peer) -> None:
    """Each lacks something, or several things: the first check decides."""
    peer.create_topic("share-invalid")
    cases: dict[str, dict[str, Any]] = {
        "nothing": {},
        "no subscription": {"subscribed_topic_names": None},
        "empty subscription": {"subscribed_topic_names": []},
        "empty group": {"group_id": ""},
        "blank group": {"group_id": "  "},
        "empty member": {"member_id": ""},
        "blank member": {"member_id": " "},
        "long member": {"member_id": "m" * 37},
        "empty rack": {"rack_id": ""},
        "epoch -2": {"member_epoch": -2},
        "epoch 1 of no group": {"member_epoch": 1},
        "epoch -1 of no group": {"member_epoch": -1},
        "unknown topic": {"subscribed_topic_names": ["share-invalid-none"]},
    }
    for number, (label, fields) in enumerate(cases.items()):
        request = heartbeat(f"share-invalid-{number}", "a", 0, "share-invalid")
        for name, value in fields.items():
            setattr(request, name, value)
        peer.ask(request, VERSION, label)
        request.group_id = "" if number % 2 else request.group_id
        request.rack_id = " "
        peer.ask(request, VERSION, f"{label}, blank rack")
    peer.ask(describe(""), label="empty group")
    peer.ask(describe("share-invalid-none"), label="no such group")


@scenario
def a_share_group_from_the_first_member_to_the_last(peer: Peer) -> None:
    group, topic = "share-life", "share-life"
    ready(peer, group, topic)  # who gets which of several partitions depends on the topic's id
    peer.ask(heartbeat(group, "a", 0, topic), label="a joins")
    until_initialized(peer, group, 1)
    peer.ask(describe(group), label="one member")
    peer.ask(heartbeat(group, "a", 2), label="a is told what to read")
    peer.ask(heartbeat(group, "a", 3), label="a goes on")
    peer.ask(heartbeat(group, "a", 2), label="a has not got the answer")
    peer.ask(heartbeat(group, "a", 1), label="an old epoch")
    peer.ask(heartbeat(group, "a", 4), label="a later epoch")
    peer.ask(heartbeat(group, "b", 3), label="b is no member")
    peer.ask(heartbeat(group, "b", 0, topic, rack_id="r"), label="b joins")
    peer.ask(heartbeat(group, "a", 3), label="a shares")
    peer.ask(heartbeat(group, "a", 3, topic), label="a says what it reads")
    peer.ask(describe(group, authorized=True), label="two members")
    for member in "cdefg":
        peer.ask(heartbeat(group, member, 0, topic), label=f"{member} joins")
    peer.ask(describe(group, "share-life-none", group), label="more members than partitions")
    peer.ask(heartbeat(group, "b", 0, topic), label="b joins again")
    peer.ask(heartbeat(group, "c", -1), label="c leaves")
    peer.ask(heartbeat(group, "c", -1), label="c leaves again")
    peer.ask(heartbeat(group, "d", 8, topic, "share-life-2"), label="d reads another topic, too")
    peer.ask(describe(group), label="mixed")
    for member in "abdefg":
        peer.ask(heartbeat(group, member, -1), label=f"{member} leaves")
    peer.ask(describe(group), label="empty")
    peer.ask(heartbeat(group, "a", 0, topic), label="a is back")
    note_group(peer, group)
    note_stored(peer, group)


@scenario
def topics_of_share_groups_that_change(peer: Peer) -> None:
    group, first, second = "share-topics", "share-topics-1", "share-topics-2"
    ready(peer, group, first, 2)
    peer.ask(heartbeat(group, "a", 0, first, second), label="a joins")
    until_initialized(peer, group, 2)
    peer.ask(heartbeat(group, "a", 2), label="a reads the first topic")
    peer.ask(
        CreatePartitionsRequest(
            topics=[CreatePartitionsTopic(name=first, count=4, assignments=None)], timeout_ms=10_000
        )
    )
    until_beaten(peer, group, 3, "two more partitions")
    until_initialized(peer, group, 4)
    peer.ask(heartbeat(group, "a", 4), label="a reads more")
    ready(peer, group, second, 3)
    until_beaten(peer, group, 5, "the second topic")
    until_initialized(peer, group, 7)
    peer.ask(heartbeat(group, "a", 6), label="a reads both")
    peer.ask(heartbeat(group, "a", 7, first), label="a reads one")
    peer.ask(offsets_of(group), label="initialized")
    note_group(peer, group)


@scenario
def start_offsets_of_share_groups(peer: Peer) -> None:
    group, topic = "share-offsets", "share-offsets"
    ready(peer, group, topic, 3)
    peer.quietly(produce(peer, 9, topic, batch(*[b"value"] * 5)), 9)
    none: Mapping[str, list[int]] = {}
    for version in (0, 1):
        peer.ask(offsets_of(group), version, "no group")
        peer.ask(offsets_of(group, none), version, "no topics")
        peer.ask(offsets_of("", {topic: [0]}), version, "empty group")
        peer.ask(offsets_of(group, {topic: [0], "share-offsets-none": [0, 1]}), version, "unknown topic")
    peer.ask(deleted(group, topic), label="no group")
    peer.ask(deleted("", topic), label="empty group")
    peer.ask(altered("", {topic: {0: 1}}), label="empty group")
    peer.ask(altered(group, {}), label="nothing")
    peer.ask(describe(group), label="nothing altered")
    peer.ask(altered(group, {topic: {0: 2, 1: 0, 7: 0}, "share-offsets-none": {0: 1}}), label="altered")
    until_initialized(peer, group, 2)
    peer.ask(describe(group), label="a group")
    for version in (0, 1):
        peer.ask(offsets_of(group), version, "altered")
    peer.ask(offsets_of(group, {topic: [1, 2]}), label="one has no state")
    peer.ask(altered(group, {topic: {0: 4, 2: -1}}), label="altered again")
    until_initialized(peer, group, 3)
    peer.ask(offsets_of(group), label="altered again")
    peer.ask(heartbeat(group, "a", 0, topic), label="a joins")
    peer.ask(altered(group, {topic: {0: 4}}), label="not empty")
    peer.ask(deleted(group, topic), label="not empty")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="not empty")
    peer.ask(heartbeat(group, "a", -1), label="a leaves")
    peer.ask(deleted(group, topic, "share-offsets-none", "share-offsets"), label="deleted")
    peer.ask(deleted(group, topic), label="deleted already")
    peer.ask(offsets_of(group), label="deleted")
    peer.ask(altered(group, {topic: {0: 1}}), label="again")
    until_initialized(peer, group, 1)
    peer.ask(DeleteGroupsRequest(groups_names=[group, "share-offsets-none"]), label="the group is deleted")
    peer.ask(describe(group), label="deleted")
    peer.ask(offsets_of(group, {topic: [0]}), label="deleted")
    note_group(peer, group)
    note_stored(peer, group)


@scenario
def a_topic_of_a_share_group_is_deleted(peer: Peer) -> None:
    group, first, second = "share-deleted", "share-deleted-1", "share-deleted-2"
    ready(peer, group, first, 2)
    ready(peer, group, second, 1)
    peer.ask(heartbeat(group, "a", 0, first, second), label="a joins")
    until_initialized(peer, group, 3)
    peer.ask(heartbeat(group, "a", 2), label="a reads both")
    peer.ask(DeleteTopicsRequest(topics=[DeleteTopicState(name=first)], timeout_ms=10_000))
    until_initialized(peer, group, 1)
    until_beaten(peer, group, 3, "the topic to be gone")
    peer.ask(describe(group), label="one topic is left")
    note_group(peer, group)


@scenario
def what_other_apis_say_of_a_share_group(peer: Peer) -> None:
    group, topic = "share-others", "share-others"
    ready(peer, group, topic)
    peer.ask(heartbeat(group, "a", 0, topic), label="a joins")
    until_initialized(peer, group, 1)
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    commit = OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=-1,
        topics=[OffsetCommitRequestTopic(name=topic, topic_id=Uuid(bytes(16)), partitions=[partition])],
    )
    consumer = ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id=MEMBERS["b"],
        rebalance_timeout_ms=1_000,
        subscribed_topic_names=[topic],
        topic_partitions=[],
    )
    for label in ("one member", "empty"):
        peer.ask(commit, 9, label=label)
        peer.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)]), 9, label=label)
        peer.ask(OffsetDeleteRequest(group_id=group, topics=[]), label=label)
        peer.ask(DescribeGroupsRequest(groups=[group]), label=label)
        peer.ask(ListGroupsRequest(types_filter=["share"], states_filter=["stable"]), label=label)
        peer.ask(join(group), 4, label=label)
        peer.ask(consumer, label=label)
        if label == "one member":
            peer.ask(heartbeat(group, "a", -1), label="a leaves")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="deleted")
    peer.ask(consumer, label="a consumer group now")
    peer.ask(heartbeat(group, "a", 0, topic), label="not a share group")
    peer.ask(describe(group), label="not a share group")
    peer.ask(altered(group, {topic: {0: 1}}), label="not a share group")
    peer.ask(deleted(group, topic), label="not a share group")
    peer.ask(offsets_of(group), label="not a share group")
