"""LeaveGroup (API key 13): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class MemberIdentity(Struct):
    """A struct of LeaveGroupRequest."""

    member_id: str = field("string", "3+", default="")
    group_instance_id: str | None = field("string", "3+", default=None, nullable="3+")
    reason: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)


class LeaveGroupRequest(Message, api_key=13, kind="request", versions="0-5", flexible="4+", listeners="broker"):
    """Versions 0-5; 4+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    member_id: str = field("string", "0-2", default="")
    members: list[MemberIdentity] = field([MemberIdentity], "3+", factory=list)


class MemberResponse(Struct):
    """A struct of LeaveGroupResponse."""

    member_id: str = field("string", "3+", default="")
    group_instance_id: str | None = field("string", "3+", default="", nullable="3+")
    error_code: int = field("int16", "3+", default=0)


class LeaveGroupResponse(Message, api_key=13, kind="response", versions="0-5", flexible="4+"):
    """Versions 0-5; 4+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    members: list[MemberResponse] = field([MemberResponse], "3+", factory=list)
