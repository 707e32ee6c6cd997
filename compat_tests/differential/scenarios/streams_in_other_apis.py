"""Streams groups (KIP-1071) in the APIs of other groups: offsets, names, listing, deletion."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.groups import join
from compat_tests.differential.scenarios.streams_groups import (
    beat,
    committing,
    describe,
    joining,
    know,
    note_group,
    subtopology,
    topics_for,
    topology,
)
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from kafkapy_wire.messages.sync_group import SyncGroupRequest


@scenario
def offsets_of_a_streams_group(peer: Peer) -> None:
    group, topic = "streams-offsets", "streams-offsets"
    topics_for(peer, group, (topic, 2), (f"{topic}-other", 1))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of), label="a joins")
    for version in (8, 9):
        for label, request in {
            "a": committing(group, topic, "a", 2),
            "a later epoch": committing(group, topic, "a", 3),
            "an earlier epoch": committing(group, topic, "a", 1),
            "an earlier epoch, another topic": committing(group, f"{topic}-other", "a", 1),
            "nobody": committing(group, topic, "x", 2),
            "an admin": committing(group, topic, "", -1),
        }.items():
            peer.ask(request, version, label)
    peer.ask(joining(group, "b", of), label="b joins")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1]}), label="a is to give up a task")
    for partition in (0, 1):
        peer.ask(committing(group, topic, "a", 2, partition), 9, "a commits what it has, or is to give up")
    peer.ask(beat(group, "a", 2, active={"0": [0]}), label="a has given it up")
    for epoch in (1, 2):
        for partition in (0, 1):
            peer.ask(committing(group, topic, "a", epoch, partition), 9, "a commits with an earlier epoch")

    def fetching(member: str | None, epoch: int) -> OffsetFetchRequest:
        wanted = [OffsetFetchRequestTopics(name=topic, partition_indexes=[0, 1])]
        return OffsetFetchRequest(
            groups=[OffsetFetchRequestGroup(group_id=group, member_id=member, member_epoch=epoch, topics=wanted)]
        )

    for member, epoch in (("a", 3), ("a", 2), ("a", 4), ("x", 3), (None, -1), (None, 3)):
        peer.ask(fetching(member, epoch), 9, f"{member} in {epoch} fetches")

    def deleting(name: str) -> OffsetDeleteRequest:
        partitions = [OffsetDeleteRequestPartition(partition_index=0)]
        return OffsetDeleteRequest(group_id=group, topics=[OffsetDeleteRequestTopic(name=name, partitions=partitions)])

    peer.ask(deleting(topic), label="offsets of a topic that is read")
    peer.ask(deleting(f"{topic}-other"), label="offsets of another topic")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="not empty")
    for member in "ab":
        peer.ask(beat(group, member, -1), label=f"{member} leaves")
    peer.ask(committing(group, topic, "", -1), 9, "an admin, while empty")
    peer.ask(deleting(topic), label="offsets while empty")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="empty")
    peer.ask(describe(group), label="deleted")
    note_group(peer, group)


@scenario
def streams_groups_beside_others(peer: Peer) -> None:
    """One name is one group, whatever its type."""
    topic = "streams-others"
    group = "streams-others"
    topics_for(peer, group, (topic, 1))
    know(peer, f"{group}-classic", topic)
    of = topology(subtopology("0", topic))

    def consumer(name: str) -> ConsumerGroupHeartbeatRequest:
        return ConsumerGroupHeartbeatRequest(
            group_id=name,
            member_id="m",
            member_epoch=0,
            rebalance_timeout_ms=60_000,
            subscribed_topic_names=[topic],
            topic_partitions=[],
        )

    def ask_others(label: str) -> None:
        peer.ask(join(group), label=label)
        peer.ask(join(group, member="m"), label=f"{label}, with an id")
        peer.ask(SyncGroupRequest(group_id=group, generation_id=1, member_id="m"), label=label)
        peer.ask(HeartbeatRequest(group_id=group, generation_id=1, member_id="m"), label=label)
        peer.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id="m")]), label=label)
        peer.ask(DescribeGroupsRequest(groups=[group]), label=label)
        share = ShareGroupHeartbeatRequest(
            group_id=group, member_id="m" * 22, member_epoch=0, subscribed_topic_names=[topic]
        )
        peer.ask(share, label=label)
        peer.ask(consumer(group), label=label)

    peer.ask(joining(group, "a", of), label="a joins")
    for types, states in ((["streams"], []), (["STREAMS"], ["stable"]), (["classic"], []), ([], ["Stable"])):
        listed = peer.quietly(ListGroupsRequest(types_filter=types, states_filter=states))
        found = [one for one in listed.groups if one.group_id == group]
        peer.note(f"listed as {types} {states}", [peer.normaliser.plain(one, 5) for one in found])
    ask_others("a streams group")
    peer.ask(beat(group, "a", -1), label="a leaves")
    peer.ask(committing(group, topic, "", -1), 9, "offsets of an empty group")
    peer.ask(consumer(group), label="a consumer in an empty streams group")
    peer.ask(describe(group), label="what is it now?")
    peer.ask(consumer("streams-others-consumer"), label="a consumer group")
    peer.ask(joining("streams-others-consumer", "a", of), label="a consumer group")
    peer.ask(beat("streams-others-consumer", "a", 1), label="a consumer group, epoch 1")
    peer.ask(beat("streams-others-consumer", "a", -1), label="a consumer group, epoch -1")
    peer.ask(describe("streams-others-consumer"), label="a consumer group")
    name = "streams-others-classic"
    peer.quietly(committing(name, topic, "", -1), 9)
    peer.ask(beat(name, "a", 1), label="an empty classic group, epoch 1")
    peer.ask(joining(name, "a", of), label="an empty classic group")
    peer.ask(describe(name), label="it was classic")
    fetched = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=name, topics=None)])
    peer.ask(fetched, 9, "it has its offsets")
    note_group(peer, name)
    peer.ask(beat(name, "a", -1), label="a leaves")
    peer.ask(join(name), label="it is to be classic again")
    peer.until(describe(name), lambda answer: answer.groups[0].error_code, "it is classic again")
    peer.ask(describe(name), label="it is classic again")
    note_group(peer, name)
