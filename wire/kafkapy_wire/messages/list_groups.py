"""ListGroups (API key 16): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ListGroupsRequest(Message, api_key=16, kind="request", versions="0-5", flexible="3+", listeners="broker"):
    """Versions 0-5; 3+ flexible."""

    states_filter: list[str] = field(["string"], "4+", factory=list)
    types_filter: list[str] = field(["string"], "5+", factory=list)


class ListedGroup(Struct):
    """A struct of ListGroupsResponse."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    protocol_type: str = field("string", "0+", default="")
    group_state: str = field("string", "4+", default="", ignorable=True)
    group_type: str = field("string", "5+", default="", ignorable=True)


class ListGroupsResponse(Message, api_key=16, kind="response", versions="0-5", flexible="3+"):
    """Versions 0-5; 3+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    groups: list[ListedGroup] = field([ListedGroup], "0+", factory=list)
