"""PushTelemetry (API key 72): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class PushTelemetryRequest(Message, api_key=72, kind="request", versions="0", flexible="0+", listeners="broker"):
    """Version 0; 0+ flexible."""

    client_instance_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    subscription_id: int = field("int32", "0+", default=0)
    terminating: bool = field("bool", "0+", default=False)
    compression_type: int = field("int8", "0+", default=0)
    metrics: bytes = field("bytes", "0+", default=b"")


class PushTelemetryResponse(Message, api_key=72, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
