"""Handlers and codecs of each API key and version, looked up once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kafkapy.apis.served import Api
from kafkapy.errors import NotServed
from kafkapy_wire.api_keys import (
    API_VERSIONS,
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import decoder, decoder_in_steps, encoder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from kafkapy.context import NodeContext, RequestContext
    from kafkapy.releases import ApiLimits
    from kafkapy_wire.message import Message

_STRICT = (ApiKey.CREATE_TOPICS, ApiKey.ALTER_CONFIGS, ApiKey.INCREMENTAL_ALTER_CONFIGS)
"""What a strict broker does otherwise before or after the active controller decides, on whatever node that is."""


class ApiVersion:
    """One version of one API key, with its codecs."""

    __slots__ = ("api", "decode", "encode", "header_version", "number", "response", "tagged_header")

    def __init__(self, api: Api, number: int) -> None:
        self.api = api
        self.number = number
        self.header_version = request_header_version(api.key, number)
        self.tagged_header = response_header_version(api.key, number) == 1
        self.decode: Callable[[memoryview, int], tuple[Any, int]] = decoder(request_class(api.key), number)
        self.response = response_class(api.key)
        self.encode: Callable[..., None] = encoder(self.response, number)

    def decode_in_steps(
        self, view: memoryview, position: int, elements_max: int
    ) -> Generator[None, None, tuple[Any, int]]:
        """As `decode`, by a generator: see `kafkapy_wire.codec.decoder_in_steps`."""
        return decoder_in_steps(request_class(self.api.key), self.number)(view, position, elements_max)


class ApiTable:
    """The API keys and versions that were used so far, by the first four bytes of a request."""

    def __init__(
        self,
        modules: Mapping[ApiKey, str],
        forwardable: frozenset[ApiKey] = frozenset(),
        limits: ApiLimits | None = None,
    ) -> None:
        """`modules`: see `kafkapy.apis`. `forwardable`: requests for the active controller, on whatever node it is.
        `limits`: what clients may use; not other nodes.
        """
        self._modules = modules
        self._forwardable = forwardable
        self._limits = limits
        self._for_nodes: dict[int, ApiVersion] = {}
        self._apis: dict[int, Api] = {}
        self.versions: dict[int, ApiVersion] = {}

    def load(self, key_and_version: int, context: NodeContext) -> ApiVersion:
        """Load an API version and add it to `versions`, if every client may use it. Raises NotServed.

        ApiVersions is served in every version: an unknown one is answered in version 0 (KIP-511), and not added.
        """
        key, number = key_and_version >> 16, key_and_version & 0xFFFF
        signed = number - 0x10000 if number > 0x7FFF else number
        module_name = self._modules.get(key)  # type: ignore[call-overload]  # an IntEnum is looked up by its number
        if module_name is None:
            raise NotServed(key, signed, range(0), is_known=key in API_VERSIONS)
        api = self._apis.get(key)
        if api is None:
            api = self._apis[key] = Api(ApiKey(key), module_name)
            if context.node.authorizer is not None:
                from kafkapy.apis.authorizing import authorize

                authorize(api, at_controller=context.at_controller)
            if api.key in self._forwardable:
                api.handle = partial(_handle_or_forward, api, api.handle)
            if api.key in _STRICT and self._forwardable:
                api.handle = partial(_strictly, api, api.handle)
        limits = self._limits
        if number in api.versions and (limits is None or limits.accepts(key, number)):
            version = self.versions[key_and_version] = ApiVersion(api, number)
            return version
        if number in api.versions and context.api_limits is None:
            found = self._for_nodes.get(key_and_version)
            if found is None:
                found = self._for_nodes[key_and_version] = ApiVersion(api, number)
            return found
        if api.key is ApiKey.API_VERSIONS:
            return ApiVersion(api, 0)
        served = api.versions if limits is None else limits.accepted(key, api.versions)
        raise NotServed(key, signed, served)


def _strictly(
    api: Api, handle: Callable[[Any, Any], Any], request: Any, context: RequestContext
) -> Awaitable[Message] | Message:
    """What the handler returns, unless the broker is strict."""
    strictness = context.node.strictness
    if strictness is None:
        answer: Awaitable[Message] | Message = handle(request, context)
        return answer
    from kafkapy.apis.strict import answer_strictly

    return answer_strictly(api, lambda taken: handle(taken, context), request, context.broker, strictness)


def _handle_or_forward(
    api: Api, handle: Callable[[Any, Any], Any], request: Message, context: RequestContext
) -> object:
    """What the handler returns if the active controller is in this process; otherwise its answer, from elsewhere."""
    if context.node.controller.is_active:
        return handle(request, context)
    if api.before_forwarding is not None:
        refusal = api.before_forwarding(request, context)
        if refusal is not None:
            return refusal
    from kafkapy.apis.forwarding import forward

    if api.forwarded is not None:
        return api.forwarded(request, context, partial(forward, api.key))
    return forward(api.key, request, context)
