"""The answer to JoinGroup, made from a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.coordinators.group.classic.group import ClassicGroup
    from kafkapy.coordinators.group.classic.member import ClassicMember
    from kafkapy_wire.messages.join_group import JoinGroupResponse


def join_response(
    group: ClassicGroup, member: ClassicMember, *, with_members: bool, skip_assignment: bool = False
) -> JoinGroupResponse:
    """The JoinGroup answer of `member` for the current generation; that of the leader has all members."""
    from kafkapy_wire.messages.join_group import JoinGroupResponse, JoinGroupResponseMember

    members = [
        JoinGroupResponseMember(
            member_id=each.member_id,
            group_instance_id=each.group_instance_id,
            metadata=each.metadata(group.protocol_name),
        )
        for each in (group.members.values() if with_members else ())
    ]
    return JoinGroupResponse(
        generation_id=group.generation_id,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader=group.leader or "",
        skip_assignment=skip_assignment,
        member_id=member.member_id,
        members=members,
    )
