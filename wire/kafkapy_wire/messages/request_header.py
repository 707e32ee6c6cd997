"""RequestHeader: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class RequestHeader(Message, kind="header", versions="1-2", flexible="2+"):
    """Versions 1-2; 2+ flexible."""

    request_api_key: int = field("int16", "0+", default=0)
    request_api_version: int = field("int16", "0+", default=0)
    correlation_id: int = field("int32", "0+", default=0)
    client_id: str | None = field("string", "1+", default="", nullable="1+", flexible="none")
