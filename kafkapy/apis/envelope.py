"""Envelope (API key 58), version 0: a broker forwards a client's request to the active controller (KIP-590).

Errors  INVALID_REQUEST            what is inside is no request that a broker forwards, or the client's address is none
        UNSUPPORTED_VERSION        the request inside is in a version that is not served
        PRINCIPAL_DESERIALIZATION_FAILURE  the client's principal cannot be read
        NOT_CONTROLLER             this node is not the active controller: ask the one that is
Other errors are in the answer inside.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kafkapy.apis import CONTROLLER_API_MODULES, FORWARDABLE
from kafkapy.apis.served import Api, answer_of
from kafkapy.context import Client, ForwardedContext
from kafkapy.long_messages import decoded, encoded
from kafkapy.peers.channel import says_not_controller
from kafkapy.security.principal import deserialized
from kafkapy_wire.api_keys import ApiKey, request_class, request_header_version, response_header_version
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.messages.envelope import EnvelopeRequest, EnvelopeResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.message import Message

IPV4_BYTES, IPV6_BYTES = 4, 16


async def handle(request: EnvelopeRequest, context: NodeContext) -> EnvelopeResponse:
    if not context.node.controller.is_active:
        raise KafkaError(ErrorCode.NOT_CONTROLLER)
    outer = context.client
    address = _address(request.client_host_address)
    client = Client(outer.listener_name, address, 0, outer.local_host, outer.security_protocol)
    try:
        client.principal = deserialized(request.request_principal)
    except MalformedMessage as error:
        raise KafkaError(ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE) from error
    inside = ForwardedContext(context.node, client)
    try:
        header, body = await _decode(memoryview(request.request_data))
    except MalformedMessage as error:
        raise KafkaError(ErrorCode.INVALID_REQUEST) from error
    api = Api(ApiKey(header.request_api_key), CONTROLLER_API_MODULES[ApiKey(header.request_api_key)])
    if context.node.authorizer is not None:
        from kafkapy.apis.authorizing import authorize

        authorize(api, at_controller=True)
    inside.api_version, inside.correlation_id = header.request_api_version, header.correlation_id
    inside.client_id = header.client_id
    answer = await answer_of(api, body, inside)
    if not context.node.controller.is_active and says_not_controller(answer):
        raise KafkaError(ErrorCode.NOT_CONTROLLER)
    answer_header = encode(
        ResponseHeader(correlation_id=header.correlation_id), response_header_version(api.key, inside.api_version)
    )
    return EnvelopeResponse(response_data=answer_header + await encoded(answer, inside.api_version))


async def _decode(data: memoryview) -> tuple[RequestHeader, Message]:
    """The request inside. Raises MalformedMessage; KafkaError: INVALID_REQUEST, UNSUPPORTED_VERSION."""
    first, _ = decode_from(RequestHeader, data, 0, 1)
    key, version = first.request_api_key, first.request_api_version
    if key not in FORWARDABLE or key not in CONTROLLER_API_MODULES:
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    api_key = ApiKey(key)
    if version not in Api(api_key, CONTROLLER_API_MODULES[api_key]).versions:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    header, position = decode_from(RequestHeader, data, 0, request_header_version(key, version))
    return header, await decoded(request_class(api_key), data, position, version)


def _address(packed: bytes) -> str:
    """The client's address as text. Raises KafkaError INVALID_REQUEST."""
    if len(packed) == IPV4_BYTES:
        return socket.inet_ntop(socket.AF_INET, packed)
    if len(packed) == IPV6_BYTES:
        return socket.inet_ntop(socket.AF_INET6, packed)
    raise KafkaError(ErrorCode.INVALID_REQUEST)
