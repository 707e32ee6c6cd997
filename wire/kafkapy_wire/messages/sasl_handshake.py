"""SaslHandshake (API key 17): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class SaslHandshakeRequest(
    Message, api_key=17, kind="request", versions="0-1", flexible="none", listeners="broker controller"
):
    """Versions 0-1; none flexible."""

    mechanism: str = field("string", "0+", default="")


class SaslHandshakeResponse(Message, api_key=17, kind="response", versions="0-1", flexible="none"):
    """Versions 0-1; none flexible."""

    error_code: int = field("int16", "0+", default=0)
    mechanisms: list[str] = field(["string"], "0+", factory=list)
