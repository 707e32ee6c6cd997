"""SyncGroup (API key 14): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class SyncGroupRequestAssignment(Struct):
    """A struct of SyncGroupRequest."""

    member_id: str = field("string", "0+", default="")
    assignment: bytes = field("bytes", "0+", default=b"")


class SyncGroupRequest(Message, api_key=14, kind="request", versions="0-5", flexible="4+", listeners="broker"):
    """Versions 0-5; 4+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    generation_id: int = field("int32", "0+", default=0)
    member_id: str = field("string", "0+", default="")
    group_instance_id: str | None = field("string", "3+", default=None, nullable="3+")
    protocol_type: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)
    protocol_name: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)
    assignments: list[SyncGroupRequestAssignment] = field([SyncGroupRequestAssignment], "0+", factory=list)


class SyncGroupResponse(Message, api_key=14, kind="response", versions="0-5", flexible="4+"):
    """Versions 0-5; 4+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    protocol_type: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)
    protocol_name: str | None = field("string", "5+", default=None, nullable="5+", ignorable=True)
    assignment: bytes = field("bytes", "0+", default=b"")
