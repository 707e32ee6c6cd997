"""The classic group protocol: JoinGroup to LeaveGroup, and ListGroups, DescribeGroups, DeleteGroups."""

from __future__ import annotations

from typing import Any

from compat_tests.differential.peer import Connection, Peer, Pending, versions_of
from compat_tests.differential.registry import scenario
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

LATEST_JOIN = versions_of(ApiKey.JOIN_GROUP)[-1]


def subscription(*topics: str) -> bytes:
    """What a consumer says in a protocol's metadata: version 0 of the consumer protocol, with the version before it."""
    return b"\x00\x00" + encode(ConsumerProtocolSubscription(topics=list(topics), user_data=None), 0)


def assignment() -> bytes:
    return b"\x00\x00" + encode(ConsumerProtocolAssignment(assigned_partitions=[], user_data=None), 0)


def join(
    group: str,
    member: str = "",
    *,
    instance: str | None = None,
    session_ms: int = 30_000,
    rebalance_ms: int = 30_000,
    protocol_type: str = "consumer",
    protocols: tuple[str, ...] = ("range",),
    topics: tuple[str, ...] = ("groups-topic",),
    reason: str | None = None,
) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=session_ms,
        rebalance_timeout_ms=rebalance_ms,
        member_id=member,
        group_instance_id=instance,
        protocol_type=protocol_type,
        protocols=[JoinGroupRequestProtocol(name=name, metadata=subscription(*topics)) for name in protocols],
        reason=reason,
    )


def sync(
    group: str,
    generation: int,
    member: str,
    *assigned: str,
    instance: str | None = None,
    protocol_type: str | None = None,
    protocol_name: str | None = None,
) -> SyncGroupRequest:
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member,
        group_instance_id=instance,
        protocol_type=protocol_type,
        protocol_name=protocol_name,
        assignments=[SyncGroupRequestAssignment(member_id=one, assignment=assignment()) for one in assigned],
    )


def beat(group: str, generation: int, member: str, instance: str | None = None) -> HeartbeatRequest:
    return HeartbeatRequest(group_id=group, generation_id=generation, member_id=member, group_instance_id=instance)


def leave(group: str, *members: MemberIdentity) -> LeaveGroupRequest:
    return LeaveGroupRequest(group_id=group, members=list(members))


def joined(peer: Peer, group: str, **fields: Any) -> Any:
    """A first JoinGroup and the one with the id it gives, quietly; the answer of the second."""
    answer = peer.quietly(join(group, **fields))
    if answer.error_code == 79:
        answer = peer.quietly(join(group, answer.member_id, **fields))
    assert answer.error_code == 0, answer
    return answer


def stable(peer: Peer, group: str, **fields: Any) -> tuple[str, int]:
    """A group of one that is stable; its member id and generation."""
    answer = joined(peer, group, **fields)
    synced = peer.quietly(sync(group, answer.generation_id, answer.member_id, answer.member_id), 4)
    assert synced.error_code == 0, synced
    return answer.member_id, answer.generation_id


@scenario
def a_member_joins_in_every_version(peer: Peer) -> None:
    """JoinGroup (twice from version 4 on: KIP-394), SyncGroup, Heartbeat, DescribeGroups, LeaveGroup."""
    for version in versions_of(ApiKey.JOIN_GROUP):
        group = f"group-join-{version}"
        rebalance_ms = 30_000 if version else -1
        first = peer.ask(join(group, rebalance_ms=rebalance_ms), version, "first")
        member = first.member_id
        if first.error_code == 79:
            second = peer.ask(join(group, member, rebalance_ms=rebalance_ms), version, "with its id")
            member = second.member_id
        sync_version = min(version, 5)
        named = {"protocol_type": "consumer", "protocol_name": "range"} if sync_version >= 5 else {}
        peer.ask(beat(group, 1, member), min(version, 4), "before the sync")
        peer.ask(sync(group, 1, member, member, **named), sync_version)
        peer.ask(sync(group, 1, member, **named), sync_version, "again")
        peer.ask(beat(group, 1, member), min(version, 4), "stable")
        peer.ask(DescribeGroupsRequest(groups=[group]), min(version, 6), "stable")
        peer.ask(join(group, member, rebalance_ms=rebalance_ms), version, "again")
        leave_version = min(version, 5)
        if leave_version < 3:
            peer.ask(LeaveGroupRequest(group_id=group, member_id=member), leave_version)
            peer.ask(LeaveGroupRequest(group_id=group, member_id=member), leave_version, "again")
        else:
            peer.ask(leave(group, MemberIdentity(member_id=member)), leave_version)
            peer.ask(leave(group, MemberIdentity(member_id=member)), leave_version, "again")
        peer.ask(DescribeGroupsRequest(groups=[group]), min(version, 6), "empty")


@scenario
def bad_joins(peer: Peer) -> None:
    cases = {
        "empty group": join(""),
        "session too short": join("group-bad", session_ms=99),
        "session too long": join("group-bad", session_ms=1_800_001),
        "session negative": join("group-bad", session_ms=-1),
        "session 0": join("group-bad", session_ms=0),
        "unknown member": join("group-bad", "no-such-member"),
        "no protocols": join("group-bad", protocols=()),
        "no protocol type": join("group-bad", protocol_type=""),
    }
    for label, request in cases.items():
        peer.ask_versions(request, label, versions=range(1, 10))
    # Those that get in have a group of their own: a second member would wait for the first.
    for version in range(5, 10):
        peer.ask(join(f"group-bad-{version}", instance=""), version, "empty instance")
    for n, instance in enumerate((".", "..", "a b", "é", "x" * 250)):
        peer.ask(join(f"group-bad-instance-{n}", instance=instance), label=f"instance {instance[:9]!r}")


@scenario
def a_member_of_another_kind(peer: Peer) -> None:
    stable(peer, "group-kind", protocols=("range", "roundrobin"))
    for version in (3, 9):
        peer.ask(join("group-kind", protocol_type="connect"), version, "other protocol type")
        peer.ask(join("group-kind", protocols=("sticky",)), version, "no common protocol")
        peer.ask(join("group-kind", protocol_type=""), version, "no protocol type")


@scenario
def unknown_groups_and_members(peer: Peer) -> None:
    for group in ("group-unknown", ""):
        peer.ask_versions(beat(group, 1, "m"), f"unknown group {group!r}")
        peer.ask_versions(sync(group, 1, "m"), f"unknown group {group!r}", versions=range(5))
        named = sync(group, 1, "m", protocol_type="consumer", protocol_name="range")
        peer.ask_versions(named, f"unknown group {group!r}", versions=(5,))
        peer.ask_versions(LeaveGroupRequest(group_id=group, member_id="m"), f"unknown group {group!r}")
        peer.ask_versions(leave(group, MemberIdentity(member_id="m")), f"unknown group {group!r}")
        peer.ask_versions(leave(group), f"nobody leaves {group!r}", versions=range(3, 6))
    member, generation = stable(peer, "group-known")
    for label, at_generation, who in (
        ("old generation", generation - 1, member),
        ("later generation", generation + 1, member),
        ("negative generation", -1, member),
        ("unknown member", generation, "no-such-member"),
        ("empty member", generation, ""),
    ):
        peer.ask_versions(beat("group-known", at_generation, who), label)
        peer.ask_versions(sync("group-known", at_generation, who), label, versions=range(5))
        named = sync("group-known", at_generation, who, protocol_type="consumer", protocol_name="range")
        peer.ask_versions(named, label, versions=(5,))
    for kind, name in (("connect", "range"), ("consumer", "sticky"), (None, None), ("consumer", None), (None, "range")):
        request = sync("group-known", generation, member, protocol_type=kind, protocol_name=name)
        peer.ask(request, 5, f"protocol {kind} {name}")
    several = leave(
        "group-known",
        MemberIdentity(member_id="no-such-member"),
        MemberIdentity(member_id=member, group_instance_id="not-static"),
        MemberIdentity(group_instance_id="unknown-instance"),
        MemberIdentity(member_id=member, reason="enough"),
    )
    peer.ask(several, 5, "several")


def _wait_for_rebalance(peer: Peer, group: str, generation: int, member: str) -> None:
    peer.until(beat(group, generation, member), lambda answer: answer.error_code == 27, f"{group} rebalances")


@scenario
def a_second_member_joins_and_leaves(peer: Peer) -> None:
    group = "group-two"
    one, generation = stable(peer, group)
    second: Connection = peer.connect()
    offered = peer.ask(join(group, protocols=("range", "roundrobin")), LATEST_JOIN, "the second", second)
    two = offered.member_id
    waiting = peer.post(join(group, two, protocols=("range", "roundrobin")), LATEST_JOIN, "the second", second)
    _wait_for_rebalance(peer, group, generation, one)
    peer.ask(beat(group, generation, one), label="rebalancing")
    peer.ask(beat(group, generation, two), label="rebalancing, the second")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="preparing")
    peer.ask(ListGroupsRequest(states_filter=["PreparingRebalance"]), label="preparing")
    peer.ask(sync(group, generation, one, protocol_type="consumer", protocol_name="range"), label="too early")
    peer.ask(join(group, one), label="the first again")
    waiting.answer()
    generation += 1
    named = {"protocol_type": "consumer", "protocol_name": "range"}
    peer.ask(DescribeGroupsRequest(groups=[group]), label="completing")
    peer.ask(beat(group, generation, two), label="completing")
    following = peer.post(sync(group, generation, two, **named), 5, "the follower", second)
    peer.ask(sync(group, generation, one, one, two, **named), label="the leader")
    following.answer()
    peer.ask(beat(group, generation, one), label="stable")
    peer.ask(DescribeGroupsRequest(groups=[group], include_authorized_operations=True), label="stable")
    peer.ask(DeleteGroupsRequest(groups_names=[group]), label="not empty")
    peer.ask(leave(group, MemberIdentity(member_id=one)), label="the leader leaves")
    peer.ask(beat(group, generation, two), label="after the leader left")
    peer.ask(join(group, two, protocols=("range", "roundrobin")), label="alone", connection=second)
    peer.ask(DescribeGroupsRequest(groups=[group]), label="alone")
    peer.ask(leave(group, MemberIdentity(member_id=two)), label="the last leaves")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="empty")


@scenario
def a_leader_does_not_assign(peer: Peer) -> None:
    """A member that the leader's SyncGroup leaves out gets an empty assignment."""
    answer = joined(peer, "group-empty-handed")
    request = sync("group-empty-handed", answer.generation_id, answer.member_id)
    request.protocol_type, request.protocol_name = "consumer", "range"
    peer.ask(request)
    request.assignments = [SyncGroupRequestAssignment(member_id="someone else", assignment=b"x")]
    peer.ask(request, label="stable")
    peer.ask(DescribeGroupsRequest(groups=["group-empty-handed"]))


@scenario
def a_session_runs_out(peer: Peer) -> None:
    member, generation = stable(peer, "group-expires", session_ms=100)
    gone = DescribeGroupsRequest(groups=["group-expires"])
    peer.until(gone, lambda answer: answer.groups[0].group_state == "Empty", "the member is gone")
    peer.ask(gone)
    peer.ask(beat("group-expires", generation, member))
    peer.ask(join("group-expires", member), label="with its old id")


@scenario
def static_members(peer: Peer) -> None:
    """A static member that joins anew gets a new id and fences the one before it (KIP-345)."""
    group = "group-static"
    named = {"protocol_type": "consumer", "protocol_name": "range"}
    first = peer.ask(join(group, instance="instance-1"), label="first")
    one, generation = first.member_id, first.generation_id
    peer.ask(sync(group, generation, one, one, instance="instance-1", **named))
    for version in (3, 4):
        peer.ask(beat(group, generation, one, "instance-1"), version)
    peer.ask(DescribeGroupsRequest(groups=[group]), label="stable")
    peer.ask_versions(DescribeGroupsRequest(groups=[group]), "stable")
    again = peer.ask(join(group, instance="instance-1"), label="again")
    two = again.member_id
    peer.ask(beat(group, generation, one, "instance-1"), label="fenced")
    peer.ask(sync(group, generation, one, instance="instance-1", **named), label="fenced")
    peer.ask(join(group, one, instance="instance-1"), label="fenced")
    peer.ask(beat(group, again.generation_id, two, "instance-1"), label="the new one")
    peer.ask(sync(group, again.generation_id, two, instance="instance-1", **named), label="the new one")
    peer.ask(beat(group, again.generation_id, two, "instance-2"), label="unknown instance")
    peer.ask(beat(group, again.generation_id, two), label="without its instance")
    changed = peer.ask(join(group, two, instance="instance-1", topics=("a", "b")), label="other subscription")
    peer.ask(sync(group, changed.generation_id, two, two, instance="instance-1", **named), label="other subscription")
    peer.ask(leave(group, MemberIdentity(member_id=one, group_instance_id="instance-1")), 3, "fenced leaves")
    peer.ask(leave(group, MemberIdentity(group_instance_id="instance-2")), 4, "unknown instance leaves")
    peer.ask(leave(group, MemberIdentity(group_instance_id="instance-1", reason="done")), 5, "leaves by instance")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="empty")


@scenario
def a_static_member_changes_under_a_rebalance(peer: Peer) -> None:
    group = "group-static-two"
    one, generation = stable(peer, group, instance="instance-1")
    second = peer.connect()
    waiting: Pending = peer.post(join(group, instance="instance-2"), LATEST_JOIN, "the second", second)
    _wait_for_rebalance(peer, group, generation, one)
    peer.ask(join(group, one, instance="instance-1"), label="the first")
    waiting.answer()
    peer.ask(DescribeGroupsRequest(groups=[group]), label="completing")
    anew = peer.post(join(group, instance="instance-2"), LATEST_JOIN, "the second anew")
    _wait_for_rebalance(peer, group, generation + 1, one)
    peer.ask(join(group, one, instance="instance-1"), label="the first, again")
    anew.answer()


@scenario
def a_rebalance_does_not_wait_for_ever(peer: Peer) -> None:
    """Who does not rejoin within the rebalance timeout is out."""
    group = "group-slow"
    one, generation = stable(peer, group, rebalance_ms=300)
    second = peer.connect()
    offered = peer.ask(join(group, rebalance_ms=300), LATEST_JOIN, "the second", second)
    peer.ask(join(group, offered.member_id, rebalance_ms=300), LATEST_JOIN, "the second, alone", second)
    peer.ask(beat(group, generation, one), label="the first is out")
    peer.ask(DescribeGroupsRequest(groups=[group]))


@scenario
def protocols_are_voted_for(peer: Peer) -> None:
    """The group's protocol is the one that most members put first among those all of them know."""
    group = "group-vote"
    first = peer.quietly(join(group, protocols=("a", "b", "c")))
    one = peer.quietly(join(group, first.member_id, protocols=("a", "b", "c")))
    second = peer.connect()
    offered = peer.ask(join(group, protocols=("c", "b")), LATEST_JOIN, "the second", second)
    waiting = peer.post(join(group, offered.member_id, protocols=("c", "b")), LATEST_JOIN, "the second", second)
    _wait_for_rebalance(peer, group, one.generation_id, first.member_id)
    peer.ask(join(group, first.member_id, protocols=("a", "b", "c")), label="the first")
    waiting.answer()


@scenario
def groups_are_listed(peer: Peer) -> None:
    stable(peer, "list-stable")
    joined(peer, "list-completing", protocol_type="other")
    member, _ = stable(peer, "list-empty")
    peer.quietly(leave("list-empty", MemberIdentity(member_id=member)))
    for version in versions_of(ApiKey.LIST_GROUPS):
        states: tuple[list[str], ...] = ([],)
        if version >= 4:
            states = ([], ["Stable"], ["stable"], ["Empty", "CompletingRebalance"], ["Dead"], ["NoSuchState"], [""])
        for filtered in states:
            listed(peer, ListGroupsRequest(states_filter=filtered), version, f"states {filtered}")
    for types in (["classic"], ["Classic"], ["consumer"], ["share"], ["classic", "consumer"], ["nonsense"], [""]):
        listed(peer, ListGroupsRequest(types_filter=types), 5, f"types {types}")


def listed(peer: Peer, request: ListGroupsRequest, version: int, label: str) -> None:
    """Other scenarios' groups are left out."""
    answer = peer.quietly(request, version)
    answer.groups = [group for group in answer.groups if group.group_id.startswith("list-")]
    peer.note(f"ListGroups v{version} {label}", peer.normaliser.plain(answer, version))


@scenario
def groups_are_described(peer: Peer) -> None:
    stable(peer, "describe-stable")
    for operations in (False, True):
        peer.ask_versions(
            DescribeGroupsRequest(
                groups=["describe-stable", "describe-unknown", "", "describe-stable"],
                include_authorized_operations=operations,
            ),
            f"operations {operations}",
        )
    peer.ask_versions(DescribeGroupsRequest(groups=[]), "none")


@scenario
def groups_are_deleted(peer: Peer) -> None:
    stable(peer, "delete-stable")
    for version in versions_of(ApiKey.DELETE_GROUPS):
        member, _ = stable(peer, f"delete-empty-{version}")
        peer.quietly(leave(f"delete-empty-{version}", MemberIdentity(member_id=member)))
        names = ["delete-stable", f"delete-empty-{version}", "delete-unknown", "", "delete-stable"]
        peer.ask(DeleteGroupsRequest(groups_names=names), version)
        peer.ask(DescribeGroupsRequest(groups=[f"delete-empty-{version}"]), label=f"deleted by v{version}")
    peer.ask_versions(DeleteGroupsRequest(groups_names=[]), "none")
