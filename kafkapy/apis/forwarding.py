"""A broker forwards the requests that only the active controller can answer, each in an Envelope (KIP-590)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from kafkapy.long_messages import decoded, encoded
from kafkapy.security.principal import serialized
from kafkapy_wire.api_keys import request_header_version, response_class, response_header_version
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage, error_code
from kafkapy_wire.messages.envelope import EnvelopeRequest, EnvelopeResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.message import Message

TIMEOUT_MS: Final = 30_000
"""How long a request may look for the active controller, as in Apache Kafka (request.timeout.ms of brokers). One that
says how long it may take has no longer."""


async def forward(key: ApiKey, request: Message, context: RequestContext) -> Message:
    """The active controller's answer. Raises KafkaError: REQUEST_TIMED_OUT, and what the controller says of it all."""
    version = context.api_version
    header = RequestHeader(
        request_api_key=key,
        request_api_version=version,
        correlation_id=context.correlation_id,
        client_id=context.client_id,
    )
    envelope = EnvelopeRequest(
        request_data=encode(header, request_header_version(key, version)) + await encoded(request, version),
        request_principal=serialized(context.client.principal),
        client_host_address=_packed(context.client.peer_host),
    )
    timeout_ms = min(TIMEOUT_MS, max(getattr(request, "timeout_ms", TIMEOUT_MS), 0))
    answer = await context.broker.to_controller.ask(envelope, timeout_ms=timeout_ms)
    assert isinstance(answer, EnvelopeResponse)
    if answer.error_code:
        raise KafkaError(error_code(answer.error_code))
    data = memoryview(answer.response_data or b"")
    try:
        _, position = decode_from(ResponseHeader, data, 0, response_header_version(key, version))
        # It is about what is there, which may be more than was asked for; its bytes are bounded.
        return await decoded(response_class(key), data, position, version, elements_max=len(data))
    except MalformedMessage as error:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"the controller's answer cannot be read: {error}") from error


def _packed(host: str) -> bytes:
    """An address as 4 or 16 bytes."""
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return socket.inet_pton(socket.AF_INET, host)
