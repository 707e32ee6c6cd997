"""Heartbeat (API key 12): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class HeartbeatRequest(Message, api_key=12, kind="request", versions="0-4", flexible="4+", listeners="broker"):
    """Versions 0-4; 4+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    generation_id: int = field("int32", "0+", default=0)
    member_id: str = field("string", "0+", default="")
    group_instance_id: str | None = field("string", "3+", default=None, nullable="3+")


class HeartbeatResponse(Message, api_key=12, kind="response", versions="0-4", flexible="4+"):
    """Versions 0-4; 4+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
