"""One API key as its module serves it; and the answer to a message that did not come over a socket of its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kafkapy.pending import Pending
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, response_class
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.message import Message, parse_versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.context import NodeContext
    from kafkapy_wire.message import Struct


class Api:
    """One API key: its handler, and its answer if the handler raises KafkaError."""

    __slots__ = ("before_forwarding", "error_response", "forwarded", "handle", "has_records", "key", "versions")

    def __init__(self, key: ApiKey, module_name: str) -> None:
        module = import_module(f"kafkapy.apis.{module_name}")
        self.key = key
        self.versions = range(API_VERSIONS[key].min_version, API_VERSIONS[key].max_version + 1)
        self.handle: Callable[[Any, Any], Any] = module.handle
        self.before_forwarding: Callable[[Any, Any], Message | None] | None = getattr(module, "before_forwarding", None)
        self.forwarded: Callable[[Any, Any, Any], Any] | None = getattr(module, "forwarded", None)
        """Of a request that is to be forwarded: called with it, its context, and what forwards a request."""
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


async def answer_of(api: Api, request: Message, context: NodeContext) -> Message:
    """The answer to `request`, whose version is that of the context; errors are in it."""
    try:
        answer = api.handle(request, context)
        while not isinstance(answer, Message):
            answer = await (answer.wait() if isinstance(answer, Pending) else answer)
    except KafkaError as error:
        return api.error_response(request, error)
    return answer


def _has_records(struct: type[Struct]) -> bool:
    for field in struct.__fields__:
        kind = field.kind[0] if isinstance(field.kind, list) else field.kind
        if kind == "records" or (isinstance(kind, type) and _has_records(kind)):
            return True
    return False
