"""The sessions of the members of one shard's share groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.member_timers import Sessions
from kafkapy.coordinators.group.share.group import ShareGroup
from kafkapy.coordinators.runtime import Decision

if TYPE_CHECKING:
    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.group.share.membership import Membership
    from kafkapy.coordinators.group.typed_groups import TypedGroups


class Timers(Sessions[ShareGroup]):
    """A member whose session has ended is fenced."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[ShareGroup], membership: Membership) -> None:
        super().__init__(parts, groups)
        self._membership = membership

    def _session_ms(self, group: ShareGroup, member_id: str) -> int:  # noqa: ARG002 - the same for all of a group
        return self._membership.settings_of(group.group_id).share_session_timeout_ms

    def _fence(self, group: ShareGroup, member_id: str, reason: str) -> Decision[None]:
        return Decision(self._membership.fence(group, group.members[member_id], reason), None)
