"""UnregisterController (API key 94): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class UnregisterControllerRequest(
    Message, api_key=94, kind="request", versions="0", flexible="0+", listeners="broker controller"
):
    """Version 0; 0+ flexible."""

    controller_id: int = field("int32", "0+", default=0)


class UnregisterControllerResponse(Message, api_key=94, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
