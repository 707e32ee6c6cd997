"""The timers of one shard's streams groups: those of members fence them, that of a group makes its first assignment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.deadline import deciding_deadline
from kafkapy.coordinators.group.streams.group import StreamsGroup
from kafkapy.coordinators.group.streams.leaving import fence
from kafkapy.coordinators.group.streams.member import MemberState
from kafkapy.coordinators.runtime import NOTHING, Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.membership import Membership


class Timers:
    """Sessions, how long a member has to give up tasks, and how long the first members of a group are waited for."""

    def __init__(self, parts: ShardParts, membership: Membership) -> None:
        self._parts = parts
        self._membership = membership

    def expect_heartbeat(self, group_id: str, member_id: str) -> None:
        """Begin the member's session anew, if it is still there."""
        found = self._find(group_id, member_id)
        if found is None:
            return
        group, _ = found
        session = group.sessions.get(member_id)
        if session is None:
            expire = partial(self._fence, group_id, member_id, "is fenced: its session has ended")
            session = group.sessions[member_id] = self._deadline(expire)
        session.set(self._membership.settings_of(group_id).session_timeout_ms)

    def watch_revocation(self, group: StreamsGroup, member_id: str) -> None:
        """A member that must give up tasks has its rebalance timeout for it, from when it was told what."""
        deadline = group.revocations.pop(member_id, None)
        if deadline is not None:
            deadline.cancel()
        member = group.members.get(member_id)
        if member is None or member.state is not MemberState.UNREVOKED_TASKS:
            return
        expire = partial(self._expire_revocation, group.group_id, member_id, member.epoch)
        deadline = group.revocations[member_id] = self._deadline(expire)
        deadline.set(max(member.rebalance_timeout_ms, 0))

    def wait_for_members(self, group_id: str, delay_ms: int) -> None:
        """The first members of the group have come: make the first assignment later, when others may have come."""
        group = self._group(group_id)
        if group is not None and group.first_assignment is None:
            group.first_assignment = self._deadline(partial(self._assign_first, group_id))
            group.first_assignment.set(delay_ms)

    def _assign_first(self, group_id: str) -> Decision[None]:
        group = self._group(group_id)
        if group is None:
            return NOTHING
        decision = self._membership.assign_first(group)
        return decision._replace(apply=group.stop_waiting)

    def _group(self, group_id: str) -> StreamsGroup | None:
        group = self._parts.directory.get(group_id)
        return group if isinstance(group, StreamsGroup) else None

    def _find(self, group_id: str, member_id: str) -> tuple[StreamsGroup, StreamsMember] | None:
        group = self._group(group_id)
        return None if group is None or member_id not in group.members else (group, group.members[member_id])

    def _expire_revocation(self, group_id: str, member_id: str, epoch: int) -> Decision[None]:
        found = self._find(group_id, member_id)
        if found is None or found[1].epoch != epoch:
            return NOTHING
        timeout_ms = found[1].rebalance_timeout_ms
        return self._fence(group_id, member_id, f"is fenced: it has not left epoch {epoch} within {timeout_ms} ms")

    def _fence(self, group_id: str, member_id: str, reason: str) -> Decision[None]:
        found = self._find(group_id, member_id)
        return NOTHING if found is None else Decision(fence(*found, reason), None)

    def _deadline(self, expire: Callable[[], Decision[None]]) -> Deadline:
        return deciding_deadline(self._parts.clock, self._parts.execute, expire)
