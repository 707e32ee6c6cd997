"""The timers of the members of one shard's consumer groups: each fences a member when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.consumer.group import ConsumerGroup
from kafkapy.coordinators.group.consumer.group_settings import group_setting
from kafkapy.coordinators.group.member_timers import SessionsAndRevocations, cancel

if TYPE_CHECKING:
    from kafkapy.coordinators.group.consumer.member import ConsumerMember
    from kafkapy.coordinators.group.consumer.membership import Membership
    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.typed_groups import TypedGroups
    from kafkapy.coordinators.runtime import Decision


class Timers(SessionsAndRevocations[ConsumerGroup]):
    """Of members that speak the classic protocol, too: how long they have to join again, or to ask for their
    assignments.
    """

    def __init__(self, parts: ShardParts, groups: TypedGroups[ConsumerGroup], membership: Membership) -> None:
        super().__init__(parts, groups)
        self._membership = membership

    def expect_join(self, group: ConsumerGroup, member: ConsumerMember) -> None:
        """A classic member was told to join again: it has its rebalance timeout for it, from the first time."""
        if member.member_id not in group.joins:
            reason = "is fenced: it has not joined within its rebalance timeout"
            deadline = group.joins[member.member_id] = self._fencing(group.group_id, member.member_id, reason)
            deadline.set(max(member.rebalance_timeout_ms, 0))

    def joined(self, group_id: str, member_id: str, rebalance_timeout_ms: int) -> None:
        """A classic member has joined: it has so long to ask for its assignment."""
        group = self._find(group_id, member_id)
        if group is None:
            return
        cancel(group.joins, member_id)
        self.expect_heartbeat(group_id, member_id)
        cancel(group.syncs, member_id)
        reason = "is fenced: it has not asked for its assignment within its rebalance timeout"
        deadline = group.syncs[member_id] = self._fencing(group_id, member_id, reason)
        deadline.set(max(rebalance_timeout_ms, 0))

    def synced(self, group_id: str, member_id: str) -> None:
        """A classic member has asked for its assignment."""
        group = self._find(group_id, member_id)
        if group is not None:
            cancel(group.syncs, member_id)
            self.expect_heartbeat(group_id, member_id)

    def _session_ms(self, group: ConsumerGroup, member_id: str) -> int:
        classic = group.members[member_id].classic
        if classic is not None:
            return classic.session_timeout_ms
        settings, image = self._parts.settings.now.groups, self._parts.metadata.image
        return group_setting(group.group_id, "session.timeout.ms", settings, image)

    def _fence(self, group: ConsumerGroup, member_id: str, reason: str) -> Decision[None]:
        return self._membership.fence(group, [group.members[member_id]], reason)
