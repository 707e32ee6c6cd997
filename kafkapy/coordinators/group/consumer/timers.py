"""The timers of the members of one shard's consumer groups: each fences a member when it ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.deadline import Deadline, deciding_deadline
from kafkapy.coordinators.group.consumer.group import ConsumerGroup
from kafkapy.coordinators.group.consumer.group_settings import group_setting
from kafkapy.coordinators.group.consumer.member import ConsumerMember, MemberState
from kafkapy.coordinators.runtime import NOTHING, Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.coordinators.group.consumer.membership import Membership
    from kafkapy.coordinators.group.group import ShardParts


class Timers:
    """Sessions; and how long a member has to give up partitions, to join again, or to ask for its assignment."""

    def __init__(self, parts: ShardParts, membership: Membership) -> None:
        self._parts = parts
        self._membership = membership

    def expect_heartbeat(self, group_id: str, member_id: str) -> None:
        """Begin the member's session anew, if it is still there."""
        found = self._find(group_id, member_id)
        if found is None:
            return
        group, member = found
        session = group.sessions.get(member_id)
        if session is None:
            session = group.sessions[member_id] = self._fencing(group_id, member_id, "is fenced: its session has ended")
        session.set(self._session_ms(group_id, member))

    def watch_revocation(self, group: ConsumerGroup, member_id: str) -> None:
        """A member that must give up partitions has its rebalance timeout for it, from when it was told what."""
        _cancel(group.revocations, member_id)
        member = group.members.get(member_id)
        if member is None or member.uses_classic_protocol or member.state is not MemberState.UNREVOKED_PARTITIONS:
            return
        expire = partial(self._expire_revocation, group.group_id, member_id, member.epoch)
        deadline = group.revocations[member_id] = self._deadline(expire)
        deadline.set(max(member.rebalance_timeout_ms, 0))

    def expect_join(self, group: ConsumerGroup, member: ConsumerMember) -> None:
        """A classic member was told to join again: it has its rebalance timeout for it, from the first time."""
        if member.member_id not in group.joins:
            reason = "is fenced: it has not joined within its rebalance timeout"
            deadline = group.joins[member.member_id] = self._fencing(group.group_id, member.member_id, reason)
            deadline.set(max(member.rebalance_timeout_ms, 0))

    def joined(self, group_id: str, member_id: str, rebalance_timeout_ms: int) -> None:
        """A classic member has joined: it has so long to ask for its assignment."""
        found = self._find(group_id, member_id)
        if found is None:
            return
        group, _ = found
        _cancel(group.joins, member_id)
        self.expect_heartbeat(group_id, member_id)
        _cancel(group.syncs, member_id)
        reason = "is fenced: it has not asked for its assignment within its rebalance timeout"
        deadline = group.syncs[member_id] = self._fencing(group_id, member_id, reason)
        deadline.set(max(rebalance_timeout_ms, 0))

    def synced(self, group_id: str, member_id: str) -> None:
        """A classic member has asked for its assignment."""
        found = self._find(group_id, member_id)
        if found is not None:
            _cancel(found[0].syncs, member_id)
            self.expect_heartbeat(group_id, member_id)

    def _find(self, group_id: str, member_id: str) -> tuple[ConsumerGroup, ConsumerMember] | None:
        group = self._parts.directory.get(group_id)
        if isinstance(group, ConsumerGroup) and member_id in group.members:
            return group, group.members[member_id]
        return None

    def _session_ms(self, group_id: str, member: ConsumerMember) -> int:
        if member.classic is not None:
            return member.classic.session_timeout_ms
        settings, image = self._parts.settings.now.groups, self._parts.metadata.image
        return group_setting(group_id, "session.timeout.ms", settings, image)

    def _expire_revocation(self, group_id: str, member_id: str, epoch: int) -> Decision[None]:
        found = self._find(group_id, member_id)
        if found is None or found[1].epoch != epoch:
            return NOTHING
        timeout_ms = found[1].rebalance_timeout_ms
        return self._fence(group_id, member_id, f"is fenced: it has not left epoch {epoch} within {timeout_ms} ms")

    def _fence(self, group_id: str, member_id: str, reason: str) -> Decision[None]:
        found = self._find(group_id, member_id)
        return NOTHING if found is None else self._membership.fence(found[0], [found[1]], reason)

    def _fencing(self, group_id: str, member_id: str, reason: str) -> Deadline:
        return self._deadline(partial(self._fence, group_id, member_id, reason))

    def _deadline(self, expire: Callable[[], Decision[None]]) -> Deadline:
        return deciding_deadline(self._parts.clock, self._parts.execute, expire)


def _cancel(deadlines: dict[str, Deadline], member_id: str) -> None:
    deadline = deadlines.pop(member_id, None)
    if deadline is not None:
        deadline.cancel()
