"""DeleteGroups while members join, wait, sync and leave; version 3 says why a group is not deleted."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch_waiting import answered
from compat_tests.differential.scenarios.group_offsets import commit
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.groups import beat, join, joined, leave, stable, sync
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.leave_group import MemberIdentity

ALL = range(4)


def delete(peer: Peer, label: str, *groups: str) -> None:
    peer.ask_versions(DeleteGroupsRequest(groups_names=list(groups)), label, ALL)


@scenario
def while_members_join(peer: Peer) -> None:
    group = "gone-joining"
    first = peer.ask(join(group), label="gets an id")
    delete(peer, "an id was given, nobody has joined", group)
    peer.ask(join(group, first.member_id), label="with an id of a group that was deleted")
    again = peer.ask(join(group), label="gets another id")
    peer.ask(join(group, again.member_id), label="joins")
    delete(peer, "joined, not synced", group)
    peer.ask(sync(group, 1, again.member_id, again.member_id), 4)
    delete(peer, "stable", group)
    second = peer.ask(join(group), label="a second one gets an id")
    waiting = [peer.post(join(group, second.member_id), 9, "the second one waits")]
    peer.meanwhile("the group is to be deleted")
    delete(peer, "preparing a rebalance", group)
    peer.meanwhile("the first one leaves")
    peer.ask(leave(group, MemberIdentity(member_id=again.member_id)), label="the first one leaves")
    answered(waiting)
    delete(peer, "the second one is left", group)
    peer.ask(beat(group, 2, second.member_id), label="before its sync")
    peer.ask(leave(group, MemberIdentity(member_id=second.member_id)), label="the second one leaves")
    delete(peer, "empty", group)
    delete(peer, "deleted", group)
    peer.ask(beat(group, 2, second.member_id), label="deleted")
    peer.ask(DescribeGroupsRequest(groups=[group]), label="deleted")
    peer.ask(join(group, second.member_id), label="deleted, an old id")


@scenario
def while_a_follower_waits_for_its_assignment(peer: Peer) -> None:
    group = "gone-syncing"
    leader = joined(peer, group, rebalance_ms=3_000)
    known = peer.quietly(join(group, rebalance_ms=3_000)).member_id
    waiting = [peer.post(join(group, known, rebalance_ms=3_000), 9, "the second one")]
    peer.meanwhile("the first one comes again")
    peer.ask(join(group, leader.member_id, rebalance_ms=3_000), label="the first one")
    answered(waiting)
    waiting = [peer.post(sync(group, 2, known), 5, "waits for the leader")]
    peer.meanwhile("the group is to be deleted")
    delete(peer, "a follower waits", group)
    peer.meanwhile("the leader leaves")
    peer.ask(leave(group, MemberIdentity(member_id=leader.member_id)), label="the leader leaves")
    answered(waiting)
    delete(peer, "one is left", group)


@scenario
def several_at_once(peer: Peer) -> None:
    peer.create_topic("gone-topic")
    for version in ALL:
        names = [f"gone-{kind}-{version}" for kind in ("stable", "empty", "offsets", "pending", "never", "simple")]
        stable(peer, names[0])
        member, _ = stable(peer, names[1])
        peer.quietly(leave(names[1], MemberIdentity(member_id=member)))
        member, generation = stable(peer, names[2])
        peer.quietly(commit(peer, 9, names[2], "gone-topic", 3, generation=generation, member=member))
        peer.quietly(leave(names[2], MemberIdentity(member_id=member)))
        peer.quietly(join(names[3]))
        peer.quietly(commit(peer, 9, names[5], "gone-topic", 3))
        peer.ask(DeleteGroupsRequest(groups_names=[*names, *reversed(names), ""]), version, "all, twice")
        peer.ask(DescribeGroupsRequest(groups=names), 6, f"after v{version}")
        for name in names:
            peer.ask(fetch_offsets(peer, 9, name, None), 9, f"{name} after v{version}")
