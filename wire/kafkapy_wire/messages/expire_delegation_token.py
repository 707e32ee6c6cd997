"""ExpireDelegationToken (API key 40): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class ExpireDelegationTokenRequest(
    Message, api_key=40, kind="request", versions="1-2", flexible="2+", listeners="broker controller"
):
    """Versions 1-2; 2+ flexible."""

    hmac: bytes = field("bytes", "0+", default=b"")
    expiry_time_period_ms: int = field("int64", "0+", default=0)


class ExpireDelegationTokenResponse(Message, api_key=40, kind="response", versions="1-2", flexible="2+"):
    """Versions 1-2; 2+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    expiry_timestamp_ms: int = field("int64", "0+", default=0)
    throttle_time_ms: int = field("int32", "0+", default=0)
