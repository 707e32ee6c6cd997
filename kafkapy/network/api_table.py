"""Handlers and codecs of each API key and version, looked up once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from kafkapy_wire.message import parse_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.message import Message, Struct


class Api:
    """One API key: its handler, and its answer if the handler raises KafkaError."""

    __slots__ = ("error_response", "handle", "has_records", "key", "versions")

    def __init__(self, key: ApiKey, module_name: str) -> None:
        module = import_module(f"kafkapy.apis.{module_name}")
        self.key = key
        self.versions = range(API_VERSIONS[key].min_version, API_VERSIONS[key].max_version + 1)
        self.handle: Callable[[Any, Any], Any] = module.handle
        self.has_records = _has_records(request_class(key))
        """Whether a decoded request has views of its frame; everything but records is copied."""
        self.error_response: Callable[[Any, KafkaError], Message]
        if hasattr(module, "error_response"):
            self.error_response = module.error_response
        else:
            fields = response_class(key).__fields__
            carried = [parse_versions(field.versions) for field in fields if field.name == "error_code"]
            assert any(all(number in versions for number in self.versions) for versions in carried), (
                f"{module.__name__} needs an error_response: not every version of its answer has an error of its own"
            )
            self.error_response = self._top_level_error

    def _top_level_error(self, _request: Message, error: KafkaError) -> Message:
        response = response_class(self.key)()
        for name, value in (("error_code", error.code), ("error_message", error.message)):
            if hasattr(response, name):
                setattr(response, name, value)
        return response


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

    def __init__(self, modules: Mapping[ApiKey, str]) -> None:
        """`modules`: see `kafkapy.apis`."""
        self._modules = modules
        self._apis: dict[int, Api] = {}
        self.versions: dict[int, ApiVersion] = {}

    def load(self, key_and_version: int) -> ApiVersion:
        """Load an API version and add it to `versions`. Raises NotServed.

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
        if number in api.versions:
            version = self.versions[key_and_version] = ApiVersion(api, number)
            return version
        if api.key is ApiKey.API_VERSIONS:
            return ApiVersion(api, 0)
        raise NotServed(key, signed, api.versions)


def _has_records(struct: type[Struct]) -> bool:
    for field in struct.__fields__:
        kind = field.kind[0] if isinstance(field.kind, list) else field.kind
        if kind == "records" or (isinstance(kind, type) and _has_records(kind)):
            return True
    return False
