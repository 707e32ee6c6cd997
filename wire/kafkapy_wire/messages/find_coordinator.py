"""FindCoordinator (API key 10): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class FindCoordinatorRequest(Message, api_key=10, kind="request", versions="0-6", flexible="3+", listeners="broker"):
    """Versions 0-6; 3+ flexible."""

    key: str = field("string", "0-3", default="")
    key_type: int = field("int8", "1+", default=0)
    coordinator_keys: list[str] = field(["string"], "4+", factory=list)


class Coordinator(Struct):
    """A struct of FindCoordinatorResponse."""

    key: str = field("string", "4+", default="")
    node_id: int = field("int32", "4+", default=0, entity="brokerId")
    host: str = field("string", "4+", default="")
    port: int = field("int32", "4+", default=0)
    error_code: int = field("int16", "4+", default=0)
    error_message: str | None = field("string", "4+", default="", nullable="4+", ignorable=True)


class FindCoordinatorResponse(Message, api_key=10, kind="response", versions="0-6", flexible="3+"):
    """Versions 0-6; 3+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    error_code: int = field("int16", "0-3", default=0)
    error_message: str | None = field("string", "1-3", default="", nullable="1-3", ignorable=True)
    node_id: int = field("int32", "0-3", default=0, entity="brokerId")
    host: str = field("string", "0-3", default="")
    port: int = field("int32", "0-3", default=0)
    coordinators: list[Coordinator] = field([Coordinator], "4+", factory=list)
