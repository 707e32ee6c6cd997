"""Envelope (API key 58): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class EnvelopeRequest(Message, api_key=58, kind="request", versions="0", flexible="0+", listeners="controller"):
    """Version 0; 0+ flexible."""

    request_data: bytes = field("bytes", "0+", default=b"")
    request_principal: bytes | None = field("bytes", "0+", default=b"", nullable="0+")
    client_host_address: bytes = field("bytes", "0+", default=b"")


class EnvelopeResponse(Message, api_key=58, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    response_data: bytes | None = field("bytes", "0+", default=None, nullable="0+")
    error_code: int = field("int16", "0+", default=0)
