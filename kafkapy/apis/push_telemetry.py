"""PushTelemetry (API key 72), version 0: a client pushes its metrics, as OTLP's MetricsData (KIP-714).

What was pushed is decompressed, but not looked into: the receiver keeps the newest, for the test kit and the control
API (`client_metrics`).

Errors  INVALID_REQUEST               a reserved client instance id, or a push after the last one of a client
        THROTTLING_QUOTA_EXCEEDED     less than a push interval after the last push
        UNKNOWN_SUBSCRIPTION_ID       the client shall ask GetTelemetrySubscriptions again
        UNSUPPORTED_COMPRESSION_TYPE  a codec that does not exist
        TELEMETRY_TOO_LARGE           more than telemetry.max.bytes, compressed
        INVALID_RECORD                more than telemetry.max.bytes when decompressed, or bytes that the codec cannot
                                      read
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.apis.get_telemetry_subscriptions import asking_client
from kafkapy.partitions.looking import look_beside
from kafkapy_wire.compression import Compression, decompress
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.telemetry.client_metrics import AskingClient
    from kafkapy.telemetry.instances import ClientInstance
    from kafkapy_wire.errors import KafkaError


def handle(
    request: PushTelemetryRequest, context: RequestContext
) -> PushTelemetryResponse | Coroutine[object, object, PushTelemetryResponse]:
    broker, client = context.broker, asking_client(context)
    instance = broker.client_metrics.check_push(
        request.client_instance_id,
        client,
        broker.clock.now_ms(),
        subscription_id=request.subscription_id,
        compression=request.compression_type,
        size=len(request.metrics),
        is_terminating=request.terminating,
    )
    compression, data = Compression(request.compression_type), bytes(request.metrics)
    if not data or compression is Compression.NONE:
        broker.client_metrics.keep(instance, client, data, broker.clock.now_ms())
        return PushTelemetryResponse()
    return _decompress_and_keep(data, compression, instance, client, context)


async def _decompress_and_keep(
    data: bytes, compression: Compression, instance: ClientInstance, client: AskingClient, context: RequestContext
) -> PushTelemetryResponse:
    broker = context.broker
    max_bytes = broker.settings.now.quotas.telemetry_max_bytes
    try:  # by a worker thread: a small bomb is a megabyte, which takes some milliseconds
        plain = await look_beside(partial(decompress, data, compression, max_bytes))
    except MalformedMessage:
        raise broker.client_metrics.refuse_push(instance) from None
    broker.client_metrics.keep(instance, client, plain, broker.clock.now_ms())
    return PushTelemetryResponse()


def error_response(_: PushTelemetryRequest, error: KafkaError) -> PushTelemetryResponse:
    return PushTelemetryResponse(error_code=error.code)
