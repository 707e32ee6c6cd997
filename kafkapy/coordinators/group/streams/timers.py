"""The timers of one shard's streams groups: those of members fence them, that of a group makes its first assignment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.member_timers import SessionsAndRevocations
from kafkapy.coordinators.group.streams.group import StreamsGroup
from kafkapy.coordinators.group.streams.leaving import fence
from kafkapy.coordinators.runtime import NOTHING, Decision

if TYPE_CHECKING:
    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.streams.membership import Membership
    from kafkapy.coordinators.group.typed_groups import TypedGroups


class Timers(SessionsAndRevocations[StreamsGroup]):
    """And how long the first members of a group are waited for."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[StreamsGroup], membership: Membership) -> None:
        super().__init__(parts, groups)
        self._membership = membership

    def wait_for_members(self, group_id: str, delay_ms: int) -> None:
        """The first members of the group have come: make the first assignment later, when others may have come."""
        group = self._groups.get(group_id)
        if group is not None and group.first_assignment is None:
            group.first_assignment = self._deadline(partial(self._assign_first, group_id))
            group.first_assignment.set(delay_ms)

    def _assign_first(self, group_id: str) -> Decision[None]:
        group = self._groups.get(group_id)
        if group is None:
            return NOTHING
        decision = self._membership.assign_first(group)
        return decision._replace(apply=group.stop_waiting)

    def _session_ms(self, group: StreamsGroup, member_id: str) -> int:  # noqa: ARG002 - the same for all of a group
        return self._membership.settings_of(group.group_id).session_timeout_ms

    def _fence(self, group: StreamsGroup, member_id: str, reason: str) -> Decision[None]:
        return Decision(fence(group, group.members[member_id], reason), None)
