"""SaslAuthenticate (API key 36): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class SaslAuthenticateRequest(
    Message, api_key=36, kind="request", versions="0-2", flexible="2+", listeners="broker controller"
):
    """Versions 0-2; 2+ flexible."""

    auth_bytes: bytes = field("bytes", "0+", default=b"")


class SaslAuthenticateResponse(Message, api_key=36, kind="response", versions="0-2", flexible="2+"):
    """Versions 0-2; 2+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    auth_bytes: bytes = field("bytes", "0+", default=b"")
    session_lifetime_ms: int = field("int64", "1+", default=0, ignorable=True)
