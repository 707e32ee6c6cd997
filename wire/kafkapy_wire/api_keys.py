"""All APIs with their versions, their message classes and their header versions."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from kafkapy_wire.api_key import API_TABLE, ApiKey

if TYPE_CHECKING:
    from kafkapy_wire.message import Message

__all__ = [
    "API_VERSIONS",
    "ApiKey",
    "ApiRange",
    "request_class",
    "request_header_version",
    "response_class",
    "response_header_version",
]


class ApiRange:
    """One API in Apache Kafka: its released versions `[min_version, max_version]` and the listeners that serve it."""

    __slots__ = (
        "cluster_action",
        "first_flexible_version",
        "forwardable",
        "listeners",
        "max_version",
        "message_name",
        "min_version",
    )

    def __init__(
        self,
        message_name: str,
        min_version: int,
        max_version: int,
        first_flexible_version: int,
        listeners: tuple[str, ...],
        cluster_action: bool,
        forwardable: bool,
    ) -> None:
        self.message_name = message_name
        """`Fetch`: the request is `FetchRequest`, the response `FetchResponse`."""
        self.min_version = min_version
        self.max_version = max_version
        self.first_flexible_version = first_flexible_version
        """From here on strings are compact and structs carry tagged fields (KIP-482); 32767 when there is none."""
        self.listeners = listeners
        """`broker`, `controller`: where the API is served."""
        self.cluster_action = cluster_action
        """Between brokers only: needs ClusterAction on the cluster."""
        self.forwardable = forwardable
        """A broker passes it on to the active controller in an Envelope (KIP-590)."""

    def __contains__(self, version: int) -> bool:
        return self.min_version <= version <= self.max_version

    def __repr__(self) -> str:
        return f"<ApiRange {self.message_name} {self.min_version}-{self.max_version}>"


API_VERSIONS: dict[ApiKey, ApiRange] = {key: ApiRange(*row) for key, row in API_TABLE.items()}


@cache
def request_class(key: int) -> type[Message]:
    """The class of an API's request; its module is imported on first use. Raises KeyError: no such API key."""
    return _message_class(key, "Request")


@cache
def response_class(key: int) -> type[Message]:
    """The class of an API's response; its module is imported on first use. Raises KeyError: no such API key."""
    return _message_class(key, "Response")


def _message_class(key: int, suffix: str) -> type[Message]:
    api = API_VERSIONS[key]  # type: ignore[index]  # an IntEnum member is found by its plain number too
    module = import_module(f"kafkapy_wire.messages.{_api_key(key).name.lower()}")
    found: type[Message] = getattr(module, api.message_name + suffix)
    return found


def _api_key(key: int) -> ApiKey:
    return key if isinstance(key, ApiKey) else ApiKey(key)


def request_header_version(key: int, version: int) -> int:
    """1, or 2 (with tagged fields) for flexible versions. Raises KeyError: no such API key."""
    return 2 if version >= API_VERSIONS[key].first_flexible_version else 1  # type: ignore[index]  # as above


def response_header_version(key: int, version: int) -> int:
    """0, or 1 (with tagged fields) for flexible versions. Raises KeyError: no such API key.

    ApiVersions always answers with header 0: a client reads the answer before it knows the broker's versions
    (KIP-511).
    """
    if key == ApiKey.API_VERSIONS:
        return 0
    return 1 if version >= API_VERSIONS[key].first_flexible_version else 0  # type: ignore[index]  # as above
