"""From a frame to an answer: header, decode, the handler of the API key, encode.

`Dispatcher` knows no sockets. It is given whole frames and appends answers to an `Outbox`, which the connection sends.
"""

from __future__ import annotations

from importlib import import_module
from inspect import iscoroutine
from struct import Struct
from typing import TYPE_CHECKING, Any

from kafkapy.apis import API_MODULES
from kafkapy.errors import CloseConnection
from kafkapy.pending import Pending
from kafkapy_wire.api_keys import (
    API_VERSIONS,
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import decoder
from kafkapy_wire.errors import KafkaError, MalformedMessage
from kafkapy_wire.messages.request_header import RequestHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.network.faults import FaultDoor
    from kafkapy.network.outbox import Outbox
    from kafkapy_wire.message import Message

KEY_AND_VERSION = Struct(">hh")
CORRELATION_ID = Struct(">i")


class Api:
    """What dispatch needs of one API key, looked up once: its handler, and its codecs as versions are first used."""

    __slots__ = ("_decoders", "error_response", "handle", "header_versions", "key", "request", "versions")

    def __init__(self, key: ApiKey) -> None:
        module = import_module(f"kafkapy.apis.{API_MODULES[key]}")
        self.key = key
        self.versions = range(API_VERSIONS[key].min_version, API_VERSIONS[key].max_version + 1)
        self.request = request_class(key)
        self.handle: Callable[[Any, RequestContext], Any] = module.handle
        self.error_response: Callable[[Any, KafkaError], Message] = getattr(
            module, "error_response", self._top_level_error
        )
        self.header_versions: dict[int, tuple[Callable[..., Any], bool]] = {}
        self._decoders: dict[int, Callable[..., Any]] = {}

    def decoder(self, version: int) -> Callable[..., Any]:
        decode = self._decoders.get(version)
        if decode is None:
            decode = self._decoders[version] = decoder(self.request, version)
        return decode

    def codecs_of_header(self, version: int) -> tuple[Callable[..., Any], bool]:
        """The decoder of the request's header, and whether the response's header has tagged fields."""
        codecs = self.header_versions.get(version)
        if codecs is None:
            codecs = self.header_versions[version] = (
                decoder(RequestHeader, request_header_version(self.key, version)),
                response_header_version(self.key, version) == 1,
            )
        return codecs

    def _top_level_error(self, _request: Message, error: KafkaError) -> Message:
        response = response_class(self.key)()
        for name, value in (("error_code", error.code), ("error_message", error.message)):
            if hasattr(response, name):
                setattr(response, name, value)
        return response


class Dispatcher:
    """All requests of a node pass through here, one call a frame."""

    def __init__(self) -> None:
        self._apis: dict[int, Api] = {}
        self.faults: FaultDoor | None = None
        """Who injects faults, if anybody does."""

    async def answer(self, frame: memoryview, context: RequestContext, outbox: Outbox) -> None:
        """Handle one request and append its answer to `outbox`, in order.

        What waits in `outbox` is sent before a handler that has to wait is awaited.
        Raises MalformedMessage: the bytes are no such request; CloseConnection: not served, or the handler says so.
        """
        if len(frame) < 8:
            raise MalformedMessage(f"a request of {len(frame)} bytes has no header")
        key, version = KEY_AND_VERSION.unpack_from(frame)
        api = self._apis.get(key) or self._load(key)
        if version not in api.versions:
            if api.key is not ApiKey.API_VERSIONS:
                raise CloseConnection(f"{api.key.name} version {version} is not served")
            # KIP-511: answered in version 0 with UNSUPPORTED_VERSION, whatever the request's body looks like.
            (context.correlation_id,) = CORRELATION_ID.unpack_from(frame, 4)
            context.api_version = version
            outbox.append(api.handle(api.request(), context), 0, context.correlation_id, tagged_header=False)
            return
        decode_header, tagged_header = api.codecs_of_header(version)
        header, position = decode_header(frame, 0)
        # What follows a request is not looked at, as in Apache Kafka: librdkafka 2.16 sends three bytes too many behind
        # a MetadataRequest.
        request, _ = api.decoder(version)(frame, position)
        context.api_version = version
        context.client_id = header.client_id
        context.correlation_id = correlation_id = header.correlation_id
        response = await self._respond(api, request, context, outbox)
        if response is not None:
            outbox.append(response, version, correlation_id, tagged_header=tagged_header)

    async def _respond(self, api: Api, request: Message, context: RequestContext, outbox: Outbox) -> Message | None:
        faults = self.faults
        if faults is not None:
            injected = await faults.after_decoding(api.key, request, context)
            if injected is not None:
                return injected
        try:
            response: Message | Pending[Message | None] | Coroutine[object, object, Message | None] | None
            response = api.handle(request, context)
            if isinstance(response, Pending):
                if not response.settled:
                    await outbox.flush()
                response = await response.wait()
            elif iscoroutine(response):
                try:
                    await outbox.flush()
                except BaseException:
                    response.close()
                    raise
                response = await response
        except KafkaError as error:
            response = api.error_response(request, error)
        if faults is not None:
            response = await faults.before_answering(api.key, request, response, context)  # type: ignore[arg-type]
        return response  # type: ignore[return-value]  # iscoroutine() does not narrow the union

    def _load(self, key: int) -> Api:
        if key not in API_MODULES:
            raise CloseConnection(f"API key {key} is not served")
        api = self._apis[key] = Api(ApiKey(key))
        return api
