"""The timers of the members of one shard's groups of one type: each fences a member when it ends."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from kafkapy.coordinators.deadline import deciding_deadline
from kafkapy.coordinators.group.typed_groups import GroupOfMembers
from kafkapy.coordinators.runtime import NOTHING, Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.typed_groups import TypedGroups


class GroupWithSessions(GroupOfMembers, Protocol):
    """A group that keeps the timers of its members' sessions: member id -> until when it must send a heartbeat."""

    sessions: dict[str, Deadline]


class RevokingMember(Protocol):
    """A member that may be asked to give up what it owns before it gets something else."""

    @property
    def epoch(self) -> int: ...

    @property
    def rebalance_timeout_ms(self) -> int: ...

    @property
    def must_revoke(self) -> bool:
        """It was asked, and has not yet given it up."""


class GroupWithRevocations(GroupWithSessions, Protocol):
    """Member id -> until when it must have given up what it is asked for."""

    revocations: dict[str, Deadline]

    @property
    def members(self) -> Mapping[str, RevokingMember]: ...


S = TypeVar("S", bound=GroupWithSessions)
R = TypeVar("R", bound=GroupWithRevocations)


class Sessions(Generic[S]):
    """Each heartbeat of a member begins its session anew."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[S]) -> None:
        self._parts = parts
        self._groups = groups

    def expect_heartbeat(self, group_id: str, member_id: str) -> None:
        """Begin the member's session anew, if it is still there."""
        group = self._find(group_id, member_id)
        if group is None:
            return
        session = group.sessions.get(member_id)
        if session is None:
            session = group.sessions[member_id] = self._fencing(group_id, member_id, "is fenced: its session has ended")
        session.set(self._session_ms(group, member_id))

    def begin_anew(self) -> None:
        """The shard is in charge from now on: every member has its whole session again."""
        for group in self._groups:
            for member_id in group.members:
                self.expect_heartbeat(group.group_id, member_id)

    @abstractmethod
    def _session_ms(self, group: S, member_id: str) -> int: ...

    @abstractmethod
    def _fence(self, group: S, member_id: str, reason: str) -> Decision[None]:
        """The member, which is there, is removed."""

    def _find(self, group_id: str, member_id: str) -> S | None:
        """The group, if the member is in it."""
        group = self._groups.get(group_id)
        return group if group is not None and member_id in group.members else None

    def _fencing(self, group_id: str, member_id: str, reason: str) -> Deadline:
        return self._deadline(partial(self._fence_if_there, group_id, member_id, reason))

    def _fence_if_there(self, group_id: str, member_id: str, reason: str) -> Decision[None]:
        group = self._find(group_id, member_id)
        return NOTHING if group is None else self._fence(group, member_id, reason)

    def _deadline(self, expire: Callable[[], Decision[None]]) -> Deadline:
        return deciding_deadline(self._parts.clock, self._parts.execute, expire)


class SessionsAndRevocations(Sessions[R], Generic[R]):
    """A member that must give up what it owns has its rebalance timeout for it, from when it was told what."""

    def watch_revocation(self, group: R, member_id: str) -> None:
        """The member's state has changed."""
        cancel(group.revocations, member_id)
        member = group.members.get(member_id)
        if member is None or not member.must_revoke:
            return
        expire = partial(self._expire_revocation, group.group_id, member_id, member.epoch)
        deadline = group.revocations[member_id] = self._deadline(expire)
        deadline.set(max(member.rebalance_timeout_ms, 0))

    def begin_anew(self) -> None:
        super().begin_anew()
        for group in self._groups:
            for member_id in group.members:
                self.watch_revocation(group, member_id)

    def _expire_revocation(self, group_id: str, member_id: str, epoch: int) -> Decision[None]:
        group = self._find(group_id, member_id)
        if group is None or group.members[member_id].epoch != epoch:
            return NOTHING
        timeout_ms = group.members[member_id].rebalance_timeout_ms
        return self._fence(group, member_id, f"is fenced: it has not left epoch {epoch} within {timeout_ms} ms")


def cancel(deadlines: dict[str, Deadline], member_id: str) -> None:
    """That of the member, if it has one."""
    deadline = deadlines.pop(member_id, None)
    if deadline is not None:
        deadline.cancel()
