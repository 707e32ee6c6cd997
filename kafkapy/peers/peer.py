"""One node at one address: its connection, and requests to it, each answered before the next is sent.

A connection is made with the first request. When it breaks, or an answer does not come in time, it is closed, and the
next request makes another.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

import trio

from kafkapy import __version__
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_header_version, response_class, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.errors import ErrorCode, MalformedMessage, UnsupportedVersion
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

if TYPE_CHECKING:
    from kafkapy_wire.message import Message

RESPONSE_BYTES_MAX: Final = 256 << 20
"""Above this it is not an answer: nodes send at most what a fetch asked for, or one batch if that is larger."""
RECEIVED_AT_ONCE: Final = 1 << 20  # what a peer announces is not allocated before it comes
CONNECT_SECONDS: Final = 10.0
_NEGOTIATED_VERSION: Final = 3
_INT32 = struct.Struct(">i")
_INT16 = struct.Struct(">h")


class PeerUnavailable(Exception):
    """The request has no answer: no connection, none in time, or bytes that are no answer. The message says why.

    The peer may have done what was asked.
    """


class Peer:
    """The node at `host:port`. Its requests wait for one another, so a long poll needs a `Peer` of its own."""

    def __init__(self, host: str, port: int, *, client_id: str) -> None:
        self.host = host
        self.port = port
        self._client_id = client_id
        self._lock = trio.Lock()
        self._stream: trio.SocketStream | None = None
        self._versions: dict[int, tuple[int, int]] = {}
        self._correlation_id = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def version_of(self, key: ApiKey, version_max: int | None = None) -> int:
        """The newest version that both have, after the first answer. Raises PeerUnavailable: there is none."""
        ours = API_VERSIONS[key]
        theirs = self._versions.get(key)
        if theirs is None:
            raise PeerUnavailable(f"the node at {self} does not serve {ours.message_name}")
        version = min(ours.max_version, theirs[1], ours.max_version if version_max is None else version_max)
        if version < max(ours.min_version, theirs[0]):
            raise PeerUnavailable(f"the node at {self} serves {ours.message_name} in versions {theirs[0]}-{theirs[1]}")
        return version

    async def ask(self, request: Message, *, timeout_ms: float, version: int | None = None) -> Message:
        """The answer to `request`, in `version` or the newest that both have. Raises PeerUnavailable."""
        with trio.move_on_after(timeout_ms / 1_000):
            async with self._lock:
                try:
                    return await self._ask(request, version)
                except BaseException:
                    self.close()  # what is left of the answer would be taken for that of the next request
                    raise
        raise PeerUnavailable(f"the node at {self} has not answered within {timeout_ms:.0f} ms")

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.socket.close()

    async def _ask(self, request: Message, version: int | None) -> Message:
        if self._stream is None or _has_hung_up(self._stream.socket):
            self.close()
            await self._connect()
        key = ApiKey(request.__schema__.api_key)
        if version is None:
            version = self.version_of(key)
        body = await self._exchange(request, key, version)
        try:
            return decode(response_class(key), body, version)
        except MalformedMessage as error:
            raise PeerUnavailable(f"the node at {self} sent an invalid answer to {key.name}: {error}") from None

    async def _connect(self) -> None:
        with trio.move_on_after(CONNECT_SECONDS) as scope:
            try:
                self._stream = await trio.open_tcp_stream(self.host, self.port)
            except OSError as error:
                raise PeerUnavailable(f"no connection to {self} ({_reason(error)})") from None
        if scope.cancelled_caught:
            raise PeerUnavailable(f"no connection to {self} within {CONNECT_SECONDS:.0f} s")
        request = ApiVersionsRequest(client_software_name="kafkapy", client_software_version=__version__)
        body = await self._exchange(request, ApiKey.API_VERSIONS, _NEGOTIATED_VERSION)
        is_fallback = bytes(body[:2]) == _INT16.pack(ErrorCode.UNSUPPORTED_VERSION)
        try:
            answer = decode(ApiVersionsResponse, body, 0 if is_fallback else _NEGOTIATED_VERSION)
        except MalformedMessage:
            raise PeerUnavailable(f"what listens at {self} does not speak Kafka's protocol") from None
        self._versions = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}

    async def _exchange(self, request: Message, key: ApiKey, version: int) -> memoryview:
        """Send a request and receive the answer to it, without its header."""
        assert self._stream is not None
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        header = RequestHeader(
            request_api_key=key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self._client_id,
        )
        try:
            frame = encode(header, request_header_version(key, version)) + encode(request, version)
        except UnsupportedVersion as error:
            raise PeerUnavailable(f"the node at {self} is too old for this: {error}") from None
        try:
            await self._stream.send_all(_INT32.pack(len(frame)) + frame)
            (size,) = _INT32.unpack(await self._receive(4))
            if not 4 <= size <= RESPONSE_BYTES_MAX:
                raise PeerUnavailable(f"what listens at {self} does not speak Kafka's protocol")
            answer = memoryview(await self._receive(size))
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            reason = error.__cause__ or error
            raise PeerUnavailable(f"lost the connection to {self} ({reason})") from None
        header_version = response_header_version(key, version)
        try:
            answer_header, position = decode_from(ResponseHeader, answer, 0, header_version)
        except MalformedMessage:
            raise PeerUnavailable(f"what listens at {self} does not speak Kafka's protocol") from None
        if answer_header.correlation_id != self._correlation_id:
            raise PeerUnavailable(f"the node at {self} answered another request than the one it was sent")
        return answer[position:]

    async def _receive(self, size: int) -> bytearray:
        assert self._stream is not None
        sock = self._stream.socket
        received = bytearray(min(size, RECEIVED_AT_ONCE))
        position = 0
        while position < size:
            if position == len(received):
                received += bytes(min(size - position, max(position, RECEIVED_AT_ONCE)))
            count = await sock.recv_into(memoryview(received)[position:])
            if not count:
                raise PeerUnavailable(f"{self} closed the connection")
            position += count
        return received


def _has_hung_up(sock: trio.socket.SocketType) -> bool:
    """Whether the peer has closed an idle connection (or sent something that nobody has asked for)."""
    try:
        raw = socket.socket(fileno=sock.fileno())
    except OSError:
        return True
    try:
        raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        raw.detach()
    return True


def _reason(error: OSError) -> str:
    """Why no address of a host could be connected to: the first reason of what trio has tried."""
    tried = error.__cause__
    if isinstance(tried, BaseExceptionGroup):
        tried = tried.exceptions[0]
    cause = tried if isinstance(tried, OSError) else error
    return cause.strerror or str(cause)
