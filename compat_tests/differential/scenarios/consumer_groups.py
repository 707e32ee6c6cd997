"""Consumer groups (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe, and what other APIs say of such a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.groups import beat, join, leave, sync
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
)
from kafkapy_wire.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from kafkapy_wire.messages.consumer_protocol_assignment import TopicPartition as AssignedPartition
from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription, TopicPartition
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest
from kafkapy_wire.messages.leave_group import MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
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
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkapy_wire.uuid import Uuid

VERSIONS = versions_of(ApiKey.CONSUMER_GROUP_HEARTBEAT)
MEMBERS = {name: f"{name * 20}AA" for name in "abcdefgh"}
"""Member ids are made by clients (KIP-1082): 22 characters."""

Owned = Mapping[bytes, Sequence[int]]


def heartbeat(
    group: str, member: str, epoch: int, *, owned: Owned | None = None, **fields: Any
) -> ConsumerGroupHeartbeatRequest:
    """`member` is a letter that stands for an id, or the id."""
    partitions = None
    if owned is not None:
        partitions = [
            ConsumerGroupHeartbeatRequestTopicPartitions(topic_id=Uuid(topic_id), partitions=[*indexes])
            for topic_id, indexes in owned.items()
        ]
    return ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id=MEMBERS.get(member, member),
        member_epoch=epoch,
        topic_partitions=partitions,
        **fields,
    )


def joining(group: str, member: str, *topics: str, **fields: Any) -> ConsumerGroupHeartbeatRequest:
    given = {"rebalance_timeout_ms": 30_000, "subscribed_topic_names": [*topics], **fields}
    return heartbeat(group, member, 0, owned={}, **given)


def describe(*groups: str, authorized: bool = False) -> ConsumerGroupDescribeRequest:
    return ConsumerGroupDescribeRequest(group_ids=[*groups], include_authorized_operations=authorized)


def committing(
    group: str, member: str, epoch: int, topic: str, topic_id: bytes, *partitions: int, instance: str | None = None
) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id=group,
        member_id=MEMBERS.get(member, member),
        generation_id_or_member_epoch=epoch,
        group_instance_id=instance,
        topics=[
            OffsetCommitRequestTopic(
                name=topic,
                topic_id=Uuid(topic_id),
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=index, committed_offset=index + 1, committed_metadata="m"
                    )
                    for index in partitions
                ],
            )
        ],
    )


def fetching(
    group: str, member: str | None, epoch: int, topic: str, topic_id: bytes, *partitions: int
) -> OffsetFetchRequest:
    asked = OffsetFetchRequestGroup(
        group_id=group,
        member_id=None if member is None else MEMBERS.get(member, member),
        member_epoch=epoch,
        topics=[OffsetFetchRequestTopics(name=topic, topic_id=Uuid(topic_id), partition_indexes=[*partitions])],
    )
    return OffsetFetchRequest(groups=[asked])


def topic_for(peer: Peer, group: str, topic: str, partitions: int = 1) -> bytes:
    """A new topic that the group's coordinator knows; its id. Apache Kafka's learns of it a little later."""
    topic_id = peer.create_topic(topic, partitions)
    knows = joining(group, "a", topic)
    peer.until(knows, lambda answer: bool(answer.assignment.topic_partitions), f"{group} knows {topic}")
    peer.quietly(heartbeat(group, "a", -1))
    peer.quietly(DeleteGroupsRequest(groups_names=[group]))
    return topic_id


@scenario
def consumer_heartbeats_that_are_invalid(peer: Peer) -> None:
    """Each lacks something, or several things: the first check decides."""
    topic_for(peer, "consumer-invalid", "consumer-invalid")
    topic_id = b"\1" * 16
    cases: dict[str, dict[str, Any]] = {
        "nothing": {},
        "no rebalance timeout": {"rebalance_timeout_ms": -1},
        "no partitions": {"topic_partitions": None},
        "some partitions": {
            "topic_partitions": [ConsumerGroupHeartbeatRequestTopicPartitions(topic_id=Uuid(topic_id), partitions=[0])]
        },
        "no subscription": {"subscribed_topic_names": None},
        "empty group": {"group_id": ""},
        "blank group": {"group_id": "  "},
        "empty member": {"member_id": ""},
        "blank member": {"member_id": " "},
        "empty instance": {"instance_id": ""},
        "empty rack": {"rack_id": ""},
        "unknown assignor": {"server_assignor": "no-such"},
        "empty assignor": {"server_assignor": ""},
        "epoch -3": {"member_epoch": -3},
        "epoch -2 without instance": {"member_epoch": -2},
        "epoch 1 of no group": {"member_epoch": 1},
        "epoch -1 of no group": {"member_epoch": -1},
        "epoch -2 of no group": {"member_epoch": -2, "instance_id": "i"},
    }
    for version in VERSIONS:
        for number, (label, fields) in enumerate(cases.items()):
            if version == 0 and label == "empty member":
                continue  # the coordinator makes one
            request = joining(f"consumer-invalid-{version}-{number}", "a", "consumer-invalid")
            for name, value in fields.items():
                setattr(request, name, value)
            peer.ask(request, version, label)
            request.group_id = "" if number % 2 else request.group_id
            request.rack_id = " "
            peer.ask(request, version, f"{label}, blank rack")
    peer.ask(describe(""), label="empty group")
    peer.ask_versions(describe("consumer-invalid-none"), "no such group")


@scenario
def a_consumer_group_from_the_first_member_to_the_last(peer: Peer) -> None:
    group = "consumer-life"
    topic_id = topic_for(peer, group, "consumer-life", 4)
    peer.ask(joining(group, "a", "consumer-life"), label="a joins")
    peer.ask(describe(group), label="one member")
    peer.ask(heartbeat(group, "a", 2), label="a goes on")
    peer.ask(joining(group, "b", "consumer-life", rack_id="r", server_assignor="uniform"), label="b joins")
    peer.ask(describe(group, authorized=True), label="b waits for what a owns")
    peer.ask(heartbeat(group, "a", 2, owned={topic_id: range(4)}), label="a must give up two")
    peer.ask(describe(group), label="a is to give up two")
    peer.ask(heartbeat(group, "b", 3), label="b still waits")
    peer.ask(heartbeat(group, "a", 2), label="a says nothing of what it owns")
    peer.ask(heartbeat(group, "a", 2, owned={topic_id: (0, 1)}), label="a has given them up")
    peer.ask(heartbeat(group, "b", 3), label="b gets them")
    peer.ask(describe(group), 0, label="stable")
    peer.ask(describe(group, "consumer-life-none", group), label="several")
    peer.ask(heartbeat(group, "b", 3, owned={topic_id: (2, 3)}, subscribed_topic_names=["x"]), label="b reads another")
    peer.ask(heartbeat(group, "a", 3, owned={topic_id: (0, 1)}), label="a gets what b had")
    peer.ask(heartbeat(group, "b", 3, owned={}), label="b has nothing")
    peer.ask(heartbeat(group, "a", 4, owned={topic_id: (0, 1)}), label="a again")
    peer.ask(describe(group), label="b owns nothing")
    peer.ask(heartbeat(group, "a", -1), label="a leaves")
    peer.ask(heartbeat(group, "a", -1), label="a leaves again")
    peer.ask(describe(group), label="one is left")
    peer.ask(heartbeat(group, "b", -1), label="b leaves")
    peer.ask(describe(group), label="empty")
    peer.ask(joining(group, "a", "consumer-life"), label="a is back")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="not empty")
    peer.ask(heartbeat(group, "a", -1), label="a leaves once more")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="empty")
    peer.ask(describe(group), label="deleted")


@scenario
def epochs_of_consumer_members(peer: Peer) -> None:
    group = "consumer-epochs"
    topic_id = topic_for(peer, group, "consumer-epochs", 2)
    peer.quietly(joining(group, "a", "consumer-epochs"))
    for epoch in (1, 3, 100):
        peer.ask(heartbeat(group, "a", epoch), label=f"epoch {epoch}")
    peer.ask(heartbeat(group, "b", 1), label="unknown member")
    peer.ask(heartbeat(group, "b", -1), label="unknown member leaves")
    peer.ask(joining(group, "a", "consumer-epochs"), label="the same member joins again")
    peer.quietly(joining(group, "b", "consumer-epochs"))
    peer.quietly(heartbeat(group, "a", 2, owned={topic_id: (0,)}))
    peer.ask(heartbeat(group, "a", 2), label="the previous epoch, owning unknown")
    peer.ask(heartbeat(group, "a", 2, owned={topic_id: (0, 1)}), label="the previous epoch, owning more")
    peer.ask(heartbeat(group, "a", 2, owned={topic_id: (0,)}), label="the previous epoch, owning the same")
    peer.ask(heartbeat(group, "a", 2, owned={}), label="the previous epoch, owning nothing")
    peer.ask(heartbeat(group, "a", 1, owned={}), label="an earlier epoch")
    full = {"rebalance_timeout_ms": 30_000, "subscribed_topic_names": ["consumer-epochs"]}
    peer.ask(heartbeat(group, "a", 3, owned={topic_id: (0,)}, **full), label="a full request")
    peer.ask(heartbeat(group, "a", 3, rebalance_timeout_ms=1), label="another rebalance timeout")
    peer.ask(describe(group), label="at the end")


@scenario
def static_consumer_members(peer: Peer) -> None:
    group = "consumer-static"
    topic_id = topic_for(peer, group, "consumer-static", 3)
    peer.ask(joining(group, "a", "consumer-static", instance_id="i1"), label="joins")
    peer.ask(joining(group, "b", "consumer-static", instance_id="i1"), label="the instance id is taken")
    peer.ask(heartbeat(group, "b", 2, instance_id="i1"), label="fenced")
    peer.ask(heartbeat(group, "b", 2, instance_id="i2"), label="unknown instance id")
    peer.ask(heartbeat(group, "a", 2), label="without its instance id")
    peer.ask(heartbeat(group, "b", -2, instance_id="i1"), label="another leaves for a while")
    peer.ask(heartbeat(group, "a", -2, instance_id="i2"), label="unknown instance leaves")
    peer.ask(heartbeat(group, "a", -2, instance_id="i1"), label="leaves for a while")
    peer.ask(describe(group), label="away")
    peer.ask(heartbeat(group, "a", 2, instance_id="i1"), label="goes on while away")
    peer.ask(committing(group, "a", 2, "consumer-static", topic_id, 0), label="commits while away")
    peer.ask(joining(group, "c", "consumer-static", instance_id="i1"), label="is back under another id")
    peer.ask(describe(group), label="back")
    peer.ask(heartbeat(group, "a", -1, instance_id="i1"), label="its former id leaves")
    peer.ask(heartbeat(group, "c", -2, instance_id="i1"), label="leaves again")
    peer.ask(
        joining(group, "d", "consumer-static", "other", instance_id="i1"), label="is back with another subscription"
    )
    peer.ask(describe(group), label="back again")
    peer.ask(heartbeat(group, "d", -1, instance_id="i1"), label="leaves for good")
    peer.ask(describe(group), label="gone")


@scenario
def offsets_of_consumer_groups(peer: Peer) -> None:
    group, topic = "consumer-offsets", "consumer-offsets"
    topic_id = topic_for(peer, group, topic, 3)
    for version in (8, 9, 10):
        peer.ask(committing(group, "a", 1, topic, topic_id, 0), version, "no such group")
        peer.ask(fetching(group, "a", 1, topic, topic_id, 0), version, "no such group")
    peer.quietly(joining(group, "a", topic))
    commits = {
        "its epoch": ("a", 2),
        "later epoch": ("a", 3),
        "earlier epoch": ("a", 1),
        "epoch 0": ("a", 0),
        "epoch -1": ("a", -1),
        "unknown member": ("b", 2),
        "no member": ("", -1),
    }
    for version in (2, 8, 9, 10):
        for label, (member, epoch) in commits.items():
            peer.ask(committing(group, member, epoch, topic, topic_id, 0, 2), version, label)
    for version in (8, 9, 10):
        for label, (member, epoch) in commits.items():
            peer.ask(fetching(group, member, epoch, topic, topic_id, 0, 1), version, label)
        peer.ask(fetching(group, None, -1, topic, topic_id, 0), version, "nobody")
        peer.ask(fetching(group, None, 5, topic, topic_id, 0), version, "nobody, epoch 5")
    peer.quietly(joining(group, "b", topic))
    peer.quietly(heartbeat(group, "a", 2, owned={topic_id: (0, 1)}))
    for label, partitions in {"kept": (0,), "lost": (2,), "both": (0, 2)}.items():
        peer.ask(committing(group, "a", 2, topic, topic_id, *partitions), label=f"the previous epoch, {label}")
        peer.ask(committing(group, "a", 1, topic, topic_id, *partitions), label=f"before it was assigned, {label}")
    peer.ask(heartbeat(group, "b", 3), label="b gets what a has given up")
    peer.ask(committing(group, "b", 2, topic, topic_id, 2), label="older than the assignment")
    delete = OffsetDeleteRequest(
        group_id=group,
        topics=[
            OffsetDeleteRequestTopic(name=name, partitions=[OffsetDeleteRequestPartition(partition_index=0)])
            for name in (topic, "consumer-offsets-other")
        ],
    )
    peer.ask(delete, label="while it is read")
    for member in "ab":
        peer.quietly(heartbeat(group, member, -1))
    peer.ask(committing(group, "", -1, topic, topic_id, 1), label="an admin client, empty group")
    peer.ask(committing(group, "a", 3, topic, topic_id, 1), label="a member that has left")
    peer.ask(fetching(group, "a", 3, topic, topic_id, 1), label="a member that has left")
    peer.ask(delete, label="while nobody reads it")
    peer.ask(fetching(group, None, -1, topic, topic_id, 0, 1, 2), label="at the end")


@scenario
def consumer_groups_in_other_apis(peer: Peer) -> None:
    group = "consumer-others"
    topic_for(peer, group, "consumer-others")
    peer.quietly(joining(group, "a", "consumer-others"))
    peer.quietly(joining(f"{group}-2", "a", "consumer-others"))
    peer.quietly(heartbeat(f"{group}-2", "a", -1))
    for version in range(4, 6):
        for label, states, types in (
            ("all", (), ()),
            ("stable", ("Stable",), ()),
            ("empty", ("empty",), ()),
            ("assigning", ("Assigning", "Reconciling"), ()),
            ("consumer", (), ("Consumer",)),
            ("classic", (), ("classic",)),
        ):
            if version < 5 and types:
                continue
            request = ListGroupsRequest(states_filter=[*states], types_filter=[*types])
            listed = [one for one in peer.quietly(request, version).groups if one.group_id.startswith(group)]
            plain = sorted(f"{one.group_id} {one.protocol_type} {one.group_state} {one.group_type}" for one in listed)
            peer.note(f"ListGroups v{version} {label}", [*plain])
    peer.ask_versions(DescribeGroupsRequest(groups=[group]), "a consumer group")
    peer.ask(beat(group, 2, MEMBERS["a"]), label="a consumer member")
    peer.ask(beat(group, 2, "unknown"), label="unknown member")
    named = {"protocol_type": "consumer", "protocol_name": "range"}
    peer.ask(sync(group, 2, MEMBERS["a"], **named), label="a consumer member")
    peer.ask(leave(group, MemberIdentity(member_id=MEMBERS["a"])), label="a consumer member")
    peer.ask(leave(group, MemberIdentity(member_id="unknown"), MemberIdentity(group_instance_id="i")), label="unknown")
    peer.ask(join(group, "unknown"), label="unknown member")
    peer.ask(join(group, protocol_type="connect"), label="another protocol type")
    peer.ask(describe(group), label="still there")


@scenario
def names_of_empty_groups_change_hands(peer: Peer) -> None:
    group = "consumer-names"
    topic_for(peer, group, "consumer-names-2")
    topic_id = topic_for(peer, group, "consumer-names")
    peer.quietly(committing(group, "", -1, "consumer-names", topic_id, 0), 9)
    peer.ask(heartbeat(group, "a", 1), label="of a group that has only offsets")
    peer.ask(describe(group), label="only offsets")
    peer.ask(joining(group, "a", "consumer-names"), label="the first member")
    peer.ask(describe(group), label="a consumer group now")
    peer.ask(fetching(group, None, -1, "consumer-names", topic_id, 0), label="its offsets")
    peer.quietly(heartbeat(group, "a", -1))
    answer = peer.ask(join(group, topics=("consumer-names",)), label="a classic member")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="after MEMBER_ID_REQUIRED")
    peer.ask(join(group, answer.member_id, topics=("consumer-names",)), label="a classic member, with its id")
    peer.ask(describe(group), label="no consumer group any more")
    # With a topic of its own: which of two members gets one partition depends on the classic one's id, which is random.
    asked = joining(group, "b", "consumer-names-2", instance_id="i")
    peer.ask(asked, 0, label="a consumer member joins a classic group")
    peer.ask(heartbeat(group, "b", 1), label="a consumer member that is unknown")


@scenario
def topics_of_consumer_groups_change(peer: Peer) -> None:
    group = "consumer-topics"
    first = topic_for(peer, group, "consumer-topics-1", 2)
    peer.ask(joining(group, "a", "consumer-topics-1", "consumer-topics-2"), label="one topic is missing")
    peer.create_topic("consumer-topics-2", 1)
    peer.until(
        heartbeat(group, "a", 2, owned={first: range(2)}), lambda answer: answer.member_epoch == 3, "it is there"
    )
    peer.ask(describe(group), label="it is there")
    partitions = [CreatePartitionsTopic(name="consumer-topics-1", count=3, assignments=None)]
    peer.quietly(CreatePartitionsRequest(topics=partitions, timeout_ms=10_000))
    peer.await_topic("consumer-topics-1", 3)
    peer.until(heartbeat(group, "a", 3, owned={}), lambda answer: answer.member_epoch == 4, "more partitions")
    peer.ask(describe(group), label="more partitions")
    topics = [DeleteTopicState(name="consumer-topics-2")]
    peer.quietly(DeleteTopicsRequest(topics=topics, timeout_ms=10_000))
    goes_on = heartbeat(group, "a", 4, owned={first: range(3)})
    peer.until(goes_on, lambda answer: answer.member_epoch == 5, "the broker knows that the topic is deleted")
    peer.ask(describe(group), label="at the end")


@scenario
def assignors_of_consumer_groups(peer: Peer) -> None:
    """With one topic: between topics, who gets the odd partition depends on their ids."""
    group, topic = "consumer-assignors", "consumer-assignors"
    topic_id = topic_for(peer, group, topic, 7)
    peer.ask(joining(group, "a", topic, server_assignor="range"), label="range")
    peer.ask(joining(group, "b", topic, server_assignor="uniform"), label="one of each")
    peer.ask(describe(group), label="one of each")
    peer.ask(joining(group, "c", topic, server_assignor="uniform"), label="two of uniform")
    peer.ask(describe(group), label="two of uniform")
    peer.ask(heartbeat(group, "a", 2, owned={topic_id: range(7)}, server_assignor="uniform"), label="all of uniform")
    peer.ask(describe(group), label="all of uniform")
    for member in "abc":
        peer.quietly(heartbeat(group, member, -1))
    for number, member in enumerate("defgh"):
        topics = (topic,) if number % 2 else (topic, "consumer-assignors-none")
        peer.ask(joining(group, member, *topics), label=f"{member} joins")
    peer.ask(describe(group), label="different subscriptions")


@scenario
def patterns_of_consumer_groups(peer: Peer) -> None:
    group = "consumer-patterns"
    first = topic_for(peer, group, "consumer-patterns-1", 2)
    for number, pattern in enumerate(("(", "[a", "a**", "a{1001}", "(?=a)", "\\1", "a{2,1}", "*", "(?P<n", "\\pX")):
        refused = joining(f"{group}-{number}", "a", subscribed_topic_names=None, subscribed_topic_regex=pattern)
        peer.ask(refused, label=f"pattern {pattern}")
    pattern = "consumer-patterns-[0-9]"
    peer.ask(
        joining(group, "a", subscribed_topic_names=None, subscribed_topic_regex=pattern, rebalance_timeout_ms=7),
        label="joins by a pattern",
    )

    def is_resolved(answer: Any) -> bool:
        return bool(answer.assignment is not None and answer.assignment.topic_partitions)

    again = heartbeat(group, "a", 1, owned={}, subscribed_topic_regex=pattern, rebalance_timeout_ms=7)
    peer.until(again, is_resolved, "the pattern is resolved")
    peer.ask(describe(group), label="resolved")
    peer.ask(joining(group, "b", subscribed_topic_names=None, subscribed_topic_regex=pattern), label="the same pattern")
    peer.ask(heartbeat(group, "a", 2, owned={first: (0,)}), label="gives one up")
    peer.ask(heartbeat(group, "b", 3, owned={}), label="gets it")
    peer.ask(heartbeat(group, "b", 3, owned={first: (1,)}, subscribed_topic_regex="nothing"), label="another pattern")
    peer.ask(heartbeat(group, "b", 3, owned={}, subscribed_topic_regex=""), label="no pattern")
    peer.ask(
        heartbeat(group, "a", 3, owned={first: (0,)}, subscribed_topic_names=["consumer-patterns-1"]), label="both"
    )
    peer.ask(heartbeat(group, "a", 4, owned={first: (0,)}, subscribed_topic_regex=""), label="no pattern any more")
    peer.ask(heartbeat(group, "a", 5, subscribed_topic_regex="("), label="a bad pattern later")
    peer.ask(describe(group), label="at the end")


def rejoining(group: str, member: str, topic: str, *owned: int, **fields: Any) -> JoinGroupRequest:
    """A JoinGroup of a consumer that owns partitions already, as cooperative ones do."""
    request = join(group, member, topics=(topic,), **fields)
    topics = [TopicPartition(topic=topic, partitions=[*owned])] if owned else []
    subscribed = ConsumerProtocolSubscription(topics=[topic], user_data=None, owned_partitions=topics)
    for protocol in request.protocols:
        protocol.metadata = b"\x00\x01" + encode(subscribed, 1)
    return request


def given(topic: str, *partitions: int) -> bytes:
    assigned = [AssignedPartition(topic=topic, partitions=[*partitions])]
    return b"\x00\x01" + encode(ConsumerProtocolAssignment(assigned_partitions=assigned, user_data=None), 1)


def classic_member(peer: Peer, group: str, topic: str, *partitions: int) -> tuple[str, int]:
    """A classic group of one that owns these partitions; its member id and generation."""
    member = peer.quietly(rejoining(group, "", topic)).member_id
    answer = peer.quietly(rejoining(group, member, topic))
    request = sync(group, answer.generation_id, member, member)
    request.assignments[0].assignment = given(topic, *partitions)
    assert peer.quietly(request, 4).error_code == 0
    peer.normaliser.name_text(member, "<classic member>")
    return member, answer.generation_id


NAMED = {"protocol_type": "consumer", "protocol_name": "range"}


@scenario
def a_classic_group_becomes_a_consumer_group_and_back(peer: Peer) -> None:
    group, topic = "consumer-upgrade", "consumer-upgrade"
    topic_id = topic_for(peer, group, topic, 4)
    member, generation = classic_member(peer, group, topic, 0, 1, 2, 3)
    peer.ask(heartbeat(group, "a", 1), label="no first heartbeat")
    peer.ask(joining(group, "a", topic), label="a consumer member joins")
    peer.ask(describe(group), label="both kinds of members")
    peer.ask(beat(group, generation, member), label="the classic member must join again")
    peer.ask(beat(group, generation + 1, member), label="a wrong generation")
    peer.ask(sync(group, generation, member, **NAMED), label="it cannot sync")
    peer.ask(join(group, "", protocols=("other",)), label="a protocol that the other does not have")
    peer.ask(join(group, "", protocol_type="connect"), label="another protocol type")
    again = peer.ask(rejoining(group, member, topic, 0, 1, 2, 3), label="it joins, owning all")
    peer.ask(sync(group, again.generation_id, member, **NAMED), label="what it may keep")
    peer.ask(describe(group), label="it must give up two")
    peer.ask(beat(group, again.generation_id, member), label="it must join again, without them")
    again = peer.ask(rejoining(group, member, topic, 0, 1), label="it joins, owning two")
    wrong = {"protocol_type": "consumer", "protocol_name": "x"}
    peer.ask(sync(group, again.generation_id, member, **wrong), label="another protocol")
    peer.ask(sync(group, again.generation_id, member, **NAMED), label="its assignment")
    peer.ask(beat(group, again.generation_id, member), label="stable")
    peer.ask(committing(group, member, again.generation_id, topic, topic_id, 0), label="it commits")
    peer.ask(committing(group, member, again.generation_id + 1, topic, topic_id, 0), label="a later generation")
    peer.ask(committing(group, member, 0, topic, topic_id, 0), label="an earlier generation")
    peer.ask(heartbeat(group, "a", 2), label="the consumer member gets two")
    peer.ask(describe(group), label="stable")
    peer.ask(heartbeat(group, "a", -1), label="the last consumer member leaves")
    peer.ask(describe(group), label="no consumer group any more")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="a classic group that rebalances")
    peer.ask(rejoining(group, member, topic, 0, 1), label="the classic member joins")
    peer.ask(leave(group, MemberIdentity(member_id=member)), label="it leaves")
    peer.ask(fetching(group, None, -1, topic, topic_id, 0), label="the offsets are still there")


@scenario
def static_members_migrate(peer: Peer) -> None:
    group, topic = "consumer-migrates", "consumer-migrates"
    topic_for(peer, group, topic, 2)
    peer.quietly(joining(group, "a", topic, instance_id="i"))
    peer.ask(join(group, "unknown", instance="i", topics=(topic,)), label="another member id")
    answer = peer.quietly(join(group, "", instance="i", topics=(topic,)))
    peer.note("it is classic now", answer.generation_id)
    peer.normaliser.name_text(answer.member_id, "<classic member>")
    peer.ask(describe(group), label="no consumer group any more")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="a classic group")
    synced = sync(group, answer.generation_id, answer.member_id, instance="i", **NAMED)
    peer.ask(synced, label="its assignment")
    peer.ask(joining(group, "b", topic, instance_id="i"), label="it speaks the new protocol again")
    peer.ask(describe(group), label="a consumer group again")
    peer.ask(beat(group, answer.generation_id, answer.member_id, "i"), label="the classic one is fenced")


@scenario
def classic_members_of_consumer_groups(peer: Peer) -> None:
    group, topic = "consumer-mixed", "consumer-mixed"
    topic_for(peer, group, topic, 4)
    peer.quietly(joining(group, "a", topic))
    for version in (3, 9):
        peer.ask(join(group, "", protocols=()), version, label="no protocols")
    first = peer.quietly(rejoining(group, "", topic), 3)
    peer.note("a classic member, v3", [first.generation_id, first.protocol_name, first.leader, len(first.members)])
    peer.normaliser.name_text(first.member_id, "<classic member>")
    peer.ask(sync(group, first.generation_id, first.member_id, **NAMED), label="nothing yet")
    peer.ask(sync(group, first.generation_id, MEMBERS["a"], **NAMED), label="a consumer member syncs")
    peer.ask(beat(group, first.generation_id, first.member_id), label="it waits")
    peer.ask(describe(group), label="both")
    several = leave(group, MemberIdentity(member_id=first.member_id), MemberIdentity(group_instance_id="i"))
    peer.ask(several, label="it leaves, and one that is unknown")
    peer.ask(describe(group), label="one is left")
