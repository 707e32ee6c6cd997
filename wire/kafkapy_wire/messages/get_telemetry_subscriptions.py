"""GetTelemetrySubscriptions (API key 71): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class GetTelemetrySubscriptionsRequest(
    Message, api_key=71, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    client_instance_id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class GetTelemetrySubscriptionsResponse(Message, api_key=71, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    client_instance_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    subscription_id: int = field("int32", "0+", default=0)
    accepted_compression_types: list[int] = field(["int8"], "0+", factory=list)
    push_interval_ms: int = field("int32", "0+", default=0)
    telemetry_max_bytes: int = field("int32", "0+", default=0)
    delta_temporality: bool = field("bool", "0+", default=False)
    requested_metrics: list[str] = field(["string"], "0+", factory=list)
