"""A request with its answer. Their bytes are kept; they are decoded when somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from kafkapy.log_lines import shown
from kafkapy.recording.names import GROUP, TOPIC, TRANSACTIONAL_ID, errors_in, names_in, topic_ids_in
from kafkapy_wire.api_keys import (
    API_VERSIONS,
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import decode_from
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.context import Client
    from kafkapy_wire.message import Message
    from kafkapy_wire.uuid import Uuid

SIZE_BYTES: Final = 4
"""Before each request and each answer."""
TOPICS_SHOWN_MAX: Final = 5
_HEADER_BEGIN: Final = Struct(">hhi")
"""API key, version, correlation id."""
_NO_HEADER: Final = (-1, -1, -1)


class Outcome(Enum):
    """What has become of a request."""

    ANSWERED = "answered"
    WAITING = "waiting"
    """It was not answered yet when this was looked at."""
    NOT_ANSWERED = "not answered"
    """As a produce with acks=0 asks for, or as an injected fault did."""
    GIVEN_UP = "given up"
    """The client has hung up while it waited."""
    CLOSED = "closed"
    """The broker has closed the connection: `reason` says why."""


class Origin:
    """Where a request came to: a node, and the topics that it knows."""

    __slots__ = ("node_id", "topic_name")

    def __init__(self, node_id: int, topic_name: Callable[[Uuid], str]) -> None:
        self.node_id = node_id
        self.topic_name = topic_name


Entry: TypeAlias = "tuple[int, int, int, Origin, Client, bytes, int, bytes, int, Outcome, str]"
"""What is kept: number, when it began and ended, origin, client, frame and its size, answer and its size, outcome,
reason. A plain tuple, as one is made for each request while it is recorded."""


class Exchange:
    """A request with its answer, as far as there is one.

    Immutable; may be looked at in any thread. A request or answer that was very long was not kept whole: then it is
    not decoded, and its size is known all the same.
    """

    def __init__(self, entry: Entry) -> None:
        (
            self.number,
            self.begun_ns,
            self.ended_ns,
            self._origin,
            self._client,
            self.request_frame,
            self._request_size,
            self.response_frame,
            self._response_size,
            self.outcome,
            self.reason,
        ) = entry
        self.node_id = self._origin.node_id
        frame = self.request_frame
        # A frame that is too short for a header asks for nothing, rather than for key 0, which is Produce.
        self.api_key, self.api_version, self.correlation_id = (
            _HEADER_BEGIN.unpack_from(frame) if len(frame) >= _HEADER_BEGIN.size else _NO_HEADER
        )

    def __reduce__(self) -> tuple[type[Exchange], tuple[Entry]]:
        """For another process: there the names of topics that go by id must be known."""
        origin = Origin(self.node_id, self.topic_ids.__getitem__)
        return Exchange, (
            (
                *(self.number, self.begun_ns, self.ended_ns, origin, self._client, self.request_frame),
                *(self._request_size, self.response_frame, self._response_size, self.outcome, self.reason),
            ),
        )

    number: int
    """Of this request in this process: they come in this order, over all nodes."""
    node_id: int
    """The node that it came to."""
    begun_ns: int
    ended_ns: int
    """Nanoseconds since 1970; of one that waits, when it began."""
    api_key: int
    api_version: int
    correlation_id: int
    outcome: Outcome
    reason: str
    """Why the connection was closed; empty otherwise."""
    request_frame: bytes
    """The request without the four bytes of its size."""
    response_frame: bytes
    """The answer without the four bytes of its size; empty: there is none."""

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """One line: `16:25:47.123 node 1 127.0.0.1:4711 'app': #12 Produce v12 of orders -> NONE in 0.31 ms`."""
        time = datetime.fromtimestamp(self.time_ms / 1_000).astimezone()
        client = "no client id" if self.client_id is None else repr(shown(self.client_id))
        what = f"{self.api} v{self.api_version}"
        names = [shown(name) for name in (*sorted(self.topics), *sorted(self.groups), *sorted(self.transactional_ids))]
        if names:
            what += f" of {', '.join(names[:TOPICS_SHOWN_MAX])}{', ...' if len(names) > TOPICS_SHOWN_MAX else ''}"
        return (
            f"{time:%H:%M:%S}.{int(self.time_ms) % 1_000:03} node {self.node_id} {self.peer} {client}: "
            f"#{self.number} {what} -> {self._said}"
        )

    @property
    def _said(self) -> str:
        if self.outcome is not Outcome.ANSWERED:
            return f"{self.outcome.value} ({shown(self.reason)})" if self.reason else str(self.outcome.value)
        said = ", ".join(self.errors) or ErrorCode.NONE.name
        return f"{said} in {self.duration_ms:.2f} ms"

    @property
    def api(self) -> str:
        """Kafka's name of it, such as `Fetch`; of an unknown one its number."""
        try:
            return API_VERSIONS[ApiKey(self.api_key)].message_name
        except ValueError:
            return f"API key {self.api_key}"

    @property
    def time_ms(self) -> float:
        """When the request was handled first, in milliseconds since 1970, by the machine's clock."""
        return self.begun_ns / 1_000_000

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.begun_ns / 1_000_000_000, UTC)

    @property
    def duration_ms(self) -> float | None:
        """Until the answer was made; None while it waits."""
        return None if self.outcome is Outcome.WAITING else (self.ended_ns - self.begun_ns) / 1_000_000

    # -- the client

    @property
    def client_id(self) -> str | None:
        """As the request names it."""
        size = int.from_bytes(self.request_frame[8:10], "big", signed=True)
        return None if size < 0 else str(self.request_frame[10 : 10 + size], "utf-8", "replace")

    @property
    def connection(self) -> int:
        """The number of the connection in this process."""
        return self._client.number

    @property
    def peer(self) -> str:
        """Where the client has connected from: `127.0.0.1:40312`."""
        return str(self._client)

    @property
    def peer_host(self) -> str:
        return self._client.peer_host

    @property
    def peer_port(self) -> int:
        return self._client.peer_port

    @property
    def local_host(self) -> str:
        """The address of the node that it has connected to."""
        return self._client.local_host

    @property
    def listener(self) -> str:
        return self._client.listener_name

    @property
    def principal(self) -> str:
        return str(self._client.principal)

    @property
    def software(self) -> str:
        """What the client said of itself in ApiVersions: `apache-kafka-java 4.4.0`."""
        return f"{self._client.software_name} {self._client.software_version}"

    # -- the messages

    def with_answer(self, frame: bytes) -> Exchange:
        """The same request with another answer."""
        return Exchange(
            (
                *(self.number, self.begun_ns, self.ended_ns, self._origin, self._client, self.request_frame),
                *(self._request_size, frame, len(frame) + SIZE_BYTES, Outcome.ANSWERED, ""),
            )
        )

    @property
    def request_size_bytes(self) -> int:
        """On the wire, with the four bytes of the size."""
        return self._request_size + SIZE_BYTES

    @property
    def response_size_bytes(self) -> int:
        """On the wire, with the four bytes of the size; 0: there is no answer."""
        return self._response_size

    @property
    def is_whole(self) -> bool:
        """Whether request and answer were short enough to be kept."""
        return len(self.request_frame) == self._request_size and (
            not self._response_size or len(self.response_frame) + SIZE_BYTES == self._response_size
        )

    @cached_property
    def request(self) -> Message | None:
        """The decoded request; None: it is not valid, or was too long to be kept."""
        if len(self.request_frame) != self._request_size:
            return None
        try:
            _, position = decode_from(
                RequestHeader, self.request_frame, 0, request_header_version(self.api_key, self.api_version)
            )
            return decode_from(request_class(self.api_key), self.request_frame, position, self.api_version)[0]
        except (MalformedMessage, KeyError, ValueError):  # also if there is no such API or version
            return None

    @property
    def response_version(self) -> int:
        """The version of the answer: that of the request, but for an ApiVersions in an unknown version (KIP-511)."""
        is_unknown = self.api_key == ApiKey.API_VERSIONS and self.response_frame[4:6] == UNSUPPORTED_VERSION
        return 0 if is_unknown else self.api_version

    @cached_property
    def response(self) -> Message | None:
        """The decoded answer; None: there is none, or it was too long to be kept."""
        frame, version = self.response_frame, self.response_version
        if not frame or len(frame) + SIZE_BYTES != self._response_size:
            return None
        try:
            _, position = decode_from(ResponseHeader, frame, 0, response_header_version(self.api_key, version))
            return decode_from(response_class(self.api_key), frame, position, version)[0]
        except (MalformedMessage, KeyError, ValueError):  # an injected fault may have made it so
            return None

    @cached_property
    def errors(self) -> tuple[str, ...]:
        """The names of the errors in the answer, each once: `("NOT_COORDINATOR",)`."""
        return () if self.response is None else errors_in(self.response)

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        names: dict[str, set[str]] = {}
        for message in (self.request, self.response):
            if message is not None:
                for entity, found in names_in(message, self._origin.topic_name).items():
                    names.setdefault(entity, set()).update(found)
        return names

    @property
    def topics(self) -> frozenset[str]:
        """The names of the topics in the request or its answer. A fetch that goes on with a session names none."""
        return frozenset(self._names.get(TOPIC, ()))

    @property
    def topic_ids(self) -> dict[Uuid, str]:
        """The names of the topics that go by id in the request or its answer."""
        messages = [each for each in (self.request, self.response) if each is not None]
        return {topic_id: self._origin.topic_name(topic_id) for each in messages for topic_id in topic_ids_in(each)}

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(self._names.get(GROUP, ()))

    @property
    def transactional_ids(self) -> frozenset[str]:
        return frozenset(self._names.get(TRANSACTIONAL_ID, ()))


UNSUPPORTED_VERSION: Final = int(ErrorCode.UNSUPPORTED_VERSION).to_bytes(2, "big", signed=True)
