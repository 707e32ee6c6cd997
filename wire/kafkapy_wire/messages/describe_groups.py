"""DescribeGroups (API key 15): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribeGroupsRequest(Message, api_key=15, kind="request", versions="0-6", flexible="5+", listeners="broker"):
    """Versions 0-6; 5+ flexible."""

    groups: list[str] = field(["string"], "0+", factory=list, entity="groupId")
    include_authorized_operations: bool = field("bool", "3+", default=False)


class DescribedGroupMember(Struct):
    """A struct of DescribeGroupsResponse."""

    member_id: str = field("string", "0+", default="")
    group_instance_id: str | None = field("string", "4+", default=None, nullable="4+", ignorable=True)
    client_id: str = field("string", "0+", default="")
    client_host: str = field("string", "0+", default="")
    member_metadata: bytes = field("bytes", "0+", default=b"")
    member_assignment: bytes = field("bytes", "0+", default=b"")


class DescribedGroup(Struct):
    """A struct of DescribeGroupsResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "6+", default=None, nullable="6+")
    group_id: str = field("string", "0+", default="", entity="groupId")
    group_state: str = field("string", "0+", default="")
    protocol_type: str = field("string", "0+", default="")
    protocol_data: str = field("string", "0+", default="")
    members: list[DescribedGroupMember] = field([DescribedGroupMember], "0+", factory=list)
    authorized_operations: int = field("int32", "3+", default=-2147483648)


class DescribeGroupsResponse(Message, api_key=15, kind="response", versions="0-6", flexible="5+"):
    """Versions 0-6; 5+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    groups: list[DescribedGroup] = field([DescribedGroup], "0+", factory=list)
