"""DeleteGroups (API key 42): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DeleteGroupsRequest(Message, api_key=42, kind="request", versions="0-3", flexible="2+", listeners="broker"):
    """Versions 0-3; 2+ flexible."""

    groups_names: list[str] = field(["string"], "0+", factory=list, entity="groupId")


class DeletableGroupResult(Struct):
    """A struct of DeleteGroupsResponse."""

    group_id: str = field("string", "0+", default="", entity="groupId", map_key=True)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "3+", default=None, nullable="3+", ignorable=True)


class DeleteGroupsResponse(Message, api_key=42, kind="response", versions="0-3", flexible="2+"):
    """Versions 0-3; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    results: list[DeletableGroupResult] = field([DeletableGroupResult], "0+", factory=list)
