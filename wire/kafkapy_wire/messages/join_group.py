"""JoinGroup (API key 11): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class JoinGroupRequestProtocol(Struct):
    """A struct of JoinGroupRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    metadata: bytes = field("bytes", "0+", default=b"")


class JoinGroupRequest(Message, api_key=11, kind="request", versions="0-9", flexible="6+", listeners="broker"):
    """Versions 0-9; 6+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    session_timeout_ms: int = field("int32", "0+", default=0)
    rebalance_timeout_ms: int = field("int32", "1+", default=-1, ignorable=True)
    member_id: str = field("string", "0+", default="")
    group_instance_id: str | None = field("string", "5+", default=None, nullable="5+")
    protocol_type: str = field("string", "0+", default="")
    protocols: list[JoinGroupRequestProtocol] = field([JoinGroupRequestProtocol], "0+", factory=list)
    reason: str | None = field("string", "8+", default=None, nullable="8+", ignorable=True)


class JoinGroupResponseMember(Struct):
    """A struct of JoinGroupResponse."""

    member_id: str = field("string", "0+", default="")
    group_instance_id: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)
    metadata: bytes = field("bytes", "0+", default=b"")


class JoinGroupResponse(Message, api_key=11, kind="response", versions="0-9", flexible="6+"):
    """Versions 0-9; 6+ flexible."""

    throttle_time_ms: int = field("int32", "2+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    generation_id: int = field("int32", "0+", default=-1)
    protocol_type: str | None = field("string", "7+", default=None, nullable="7+", ignorable=True)
    protocol_name: str | None = field("string", "0+", default="", nullable="7+")
    leader: str = field("string", "0+", default="")
    skip_assignment: bool = field("bool", "9+", default=False)
    member_id: str = field("string", "0+", default="")
    members: list[JoinGroupResponseMember] = field([JoinGroupResponseMember], "0+", factory=list)
