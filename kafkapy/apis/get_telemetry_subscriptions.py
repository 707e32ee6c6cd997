"""GetTelemetrySubscriptions (API key 71), version 0: which metrics the client shall push, and how often (KIP-714).

A client that has no id yet gets one. The subscription id changes with what is asked for; a PushTelemetry names it.
Announced only where metric.reporters names kafkapy.ClientTelemetryReceiver, and answered in any case. In Apache Kafka a
metrics reporter that takes clients' metrics does the same.

Errors  THROTTLING_QUOTA_EXCEEDED  the client was here less than a push interval ago
Differs: patterns of subscriptions are matched by RE2; one that only Java understands is refused where it is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.telemetry.client_metrics import AskingClient
from kafkapy_wire.compression import Compression
from kafkapy_wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError

ACCEPTED: Final = (Compression.ZSTD, Compression.LZ4, Compression.GZIP, Compression.SNAPPY)
"""The best first, as clients take the first that they have."""


def handle(request: GetTelemetrySubscriptionsRequest, context: RequestContext) -> GetTelemetrySubscriptionsResponse:
    broker = context.broker
    instance = broker.client_metrics.get(request.client_instance_id, asking_client(context), broker.clock.now_ms())
    return GetTelemetrySubscriptionsResponse(
        client_instance_id=instance.client_instance_id,
        subscription_id=instance.subscription_id,
        accepted_compression_types=list(ACCEPTED),
        push_interval_ms=instance.asked.push_interval_ms,
        telemetry_max_bytes=broker.settings.now.quotas.telemetry_max_bytes,
        delta_temporality=True,
        requested_metrics=list(instance.asked.metrics),
    )


def asking_client(context: RequestContext) -> AskingClient:
    """Who has sent the request."""
    client = context.client
    return AskingClient(
        connection=client.number,
        client_id=context.client_id,
        software_name=client.software_name,
        software_version=client.software_version,
        address=client.peer_host,
        port=client.peer_port,
        when_closed=client.when_closed,
    )


def error_response(_: GetTelemetrySubscriptionsRequest, error: KafkaError) -> GetTelemetrySubscriptionsResponse:
    return GetTelemetrySubscriptionsResponse(error_code=error.code)
