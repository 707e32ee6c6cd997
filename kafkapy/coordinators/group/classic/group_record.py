"""The record of a classic group with its members, and of one that has just lost its last member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.framing import framed
from kafkapy.coordinators.group.classic.records import GROUP_METADATA_VALUE_VERSION, group_key
from kafkapy.coordinators.group.classic.state import FIRST_GENERATION, GENERATION_MAX
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy_wire.record_formats.group_coordinator import GroupMetadataValue, MemberMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.classic.group import ClassicGroup
    from kafkapy.coordinators.group.classic.member import ClassicMember


def group_metadata(
    group: ClassicGroup, assignments: Mapping[str, bytes], replacing: tuple[ClassicMember, ClassicMember] | None = None
) -> CoordinatorRecord:
    """The record of the group, its members with these assignments. Of each member only the selected protocol is stored.

    With `replacing`, as if the second member had replaced the first.
    """
    members = list(group.members.values())
    leader = group.leader
    if replacing is not None:
        old, new = replacing
        members.remove(old)
        members.append(new)
        leader = new.member_id if leader == old.member_id else leader
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=group.protocol_name,
        leader=leader,
        current_state_timestamp=-1 if group.state_timestamp_ms is None else group.state_timestamp_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.session_timeout_ms,
                subscription=member.metadata(group.protocol_name),
                assignment=assignments.get(member.member_id, b""),
            )
            for member in members
        ],
    )
    return CoordinatorRecord(group_key(group.group_id), framed(GROUP_METADATA_VALUE_VERSION, value))


def empty_generation(group: ClassicGroup, now_ms: int) -> CoordinatorRecord:
    """The record of the group after its last member has left: the next generation, without members."""
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id + 1 if group.generation_id < GENERATION_MAX else FIRST_GENERATION,
        protocol=None,
        leader=None,
        current_state_timestamp=now_ms,
    )
    return CoordinatorRecord(group_key(group.group_id), framed(GROUP_METADATA_VALUE_VERSION, value))
