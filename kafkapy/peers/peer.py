"""One node at one address: its connection, and requests to it, each answered before the next is sent.

A connection is made with the first request. When it breaks, or an answer does not come in time, it is closed, and the
next request makes another.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import trio

from kafkapy import __version__
from kafkapy.long_messages import decoded
from kafkapy.peers.identity import NODE_SOFTWARE
from kafkapy.peers.peer_socket import BrokenOffTls, NoAnswer, NoTls, PeerSocket
from kafkapy.peers.unavailable import PeerRefused, PeerUnavailable
from kafkapy.suspension import Suspension
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_header_version, response_class, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode, encoder
from kafkapy_wire.errors import ErrorCode, MalformedMessage, UnsupportedVersion
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.peers.login import Login
    from kafkapy.tls.contexts import ClientTls
    from kafkapy_wire.message import Message

CONNECT_SECONDS: Final = 10.0
_NEGOTIATED_VERSION: Final = 3
ELEMENTS_MAX: Final = 1_000_000
"""Of all arrays of an answer: more than the partitions of any broker. As many bytes as an answer may have could be
hundreds of millions of elements."""
_INT32 = struct.Struct(">i")
_INT16 = struct.Struct(">h")
_CORRELATION_ID_AT: Final = 8  # after the length of the frame, the API key and the version


class Peer:
    """The node at `host:port`. Its requests wait for one another, so a long poll needs a `Peer` of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str,
        suspension: Suspension | None = None,
        tls: Callable[[], ClientTls | None] | None = None,
        login: Callable[[str], Login | None] | None = None,
    ) -> None:
        """`suspension`: of the node that asks; while it lasts, nothing is sent, and no answer is taken. `tls` and
        `login`: those of the next connection.
        """
        self._tls = tls
        self._login = login
        self._renewed_at = float("inf")
        self.host = host
        self.port = port
        self._suspension = suspension or Suspension()
        self._client_id = client_id
        self._lock = trio.Lock()
        self._socket: PeerSocket | None = None
        self._versions: dict[int, tuple[int, int]] = {}
        self._correlation_id = 0
        self._headers: dict[tuple[ApiKey, int], bytes] = {}  # of requests, with room for the length of the frame

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
        if self._suspension.is_on:
            await self._suspension.over()
        try:
            return await self._ask_in_time(request, timeout_ms, version)
        finally:
            if self._suspension.is_on:
                await self._suspension.over()

    async def _ask_in_time(self, request: Message, timeout_ms: float, version: int | None) -> Message:
        with trio.move_on_after(timeout_ms / 1_000):
            try:
                self._lock.acquire_nowait()
            except trio.WouldBlock:
                await self._lock.acquire()
            try:
                return await self._ask(request, version)
            except BaseException:
                self.close()  # what is left of the answer would be taken for that of the next request
                raise
            finally:
                self._lock.release()
        raise PeerUnavailable(f"the node at {self} has not answered within {timeout_ms:.0f} ms")

    def has_hung_up(self) -> bool:
        """Whether nobody asks it, and it has closed the connection."""
        return not self._lock.locked() and self._socket is not None and self._socket.has_hung_up()

    def close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    async def _ask(self, request: Message, version: int | None) -> Message:
        if self._socket is None or self._socket.has_hung_up() or trio.current_time() > self._renewed_at:
            self.close()
            await self._connect()
        key = ApiKey(request.__schema__.api_key)
        if version is None:
            version = self.version_of(key)
        body = await self._exchange(request, key, version)
        try:
            return await decoded(response_class(key), body, 0, version, elements_max=ELEMENTS_MAX)
        except MalformedMessage as error:
            raise PeerUnavailable(f"the node at {self} sent an invalid answer to {key.name}: {error}") from None

    async def _connect(self) -> None:
        with trio.move_on_after(CONNECT_SECONDS) as scope:
            try:
                self._socket = await self._open()
            except NoTls as error:
                raise PeerRefused(f"no TLS with {self}: {error}") from None
            except OSError as error:
                raise PeerUnavailable(f"no connection to {self} ({_reason(error)})") from None
        if scope.cancelled_caught:
            raise PeerUnavailable(f"no connection to {self} within {CONNECT_SECONDS:.0f} s")
        request = ApiVersionsRequest(client_software_name=NODE_SOFTWARE, client_software_version=__version__)
        body = await self._exchange(request, ApiKey.API_VERSIONS, _NEGOTIATED_VERSION)
        is_fallback = bytes(body[:2]) == _INT16.pack(ErrorCode.UNSUPPORTED_VERSION)
        try:
            answer = decode(ApiVersionsResponse, body, 0 if is_fallback else _NEGOTIATED_VERSION)
        except MalformedMessage:
            raise PeerUnavailable(f"what listens at {self} does not speak Kafka's protocol") from None
        self._versions = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
        self._renewed_at = float("inf")
        if self._login is not None:
            await self._log_in(self._login)

    async def _log_in(self, make_login: Callable[[str], Login | None]) -> None:
        try:
            login = make_login(self.host)
        except ValueError as error:
            raise PeerRefused(f"this node cannot log in at {self}: {error}") from None
        if login is None:
            return
        from kafkapy.peers.login import log_in  # not by a node without SASL

        def exchange(request: Message, version: int) -> Awaitable[memoryview]:
            return self._exchange(request, ApiKey(request.__schema__.api_key), version)

        version = self.version_of(ApiKey.SASL_AUTHENTICATE)
        self._renewed_at = trio.current_time() + await log_in(login, exchange, version, str(self))

    async def _open(self) -> PeerSocket:
        """Raises OSError, NoTls."""
        tls = None if self._tls is None else self._tls()
        if tls is None:
            return await PeerSocket.connect(self.host, self.port)
        from kafkapy.peers.tls_peer_socket import TlsPeerSocket

        return await TlsPeerSocket.connect_with(tls, self.host, self.port)

    async def _exchange(self, request: Message, key: ApiKey, version: int) -> memoryview:
        """Send a request and receive the answer to it, without its header."""
        sock = self._socket
        assert sock is not None
        frame = self._frame(request, key, version)
        try:
            answer = await sock.exchange(frame)
        except BrokenOffTls as error:
            raise PeerRefused(f"the node at {self} {error}") from None
        except NoAnswer as error:
            raise PeerUnavailable(f"the node at {self} {error}") from None
        except (trio.ClosedResourceError, OSError) as error:
            raise PeerUnavailable(f"lost the connection to {self} ({error})") from None
        try:
            header, position = decode_from(ResponseHeader, answer, 0, response_header_version(key, version))
        except MalformedMessage:
            raise PeerUnavailable(f"the node at {self} does not speak Kafka's protocol") from None
        if header.correlation_id != self._correlation_id:
            raise PeerUnavailable(f"the node at {self} answered another request than the one it was sent")
        return answer[position:]

    def _frame(self, request: Message, key: ApiKey, version: int) -> bytearray:
        """The next request, with its header and its length. Raises PeerUnavailable: `version` cannot say it."""
        header = self._headers.get((key, version))
        if header is None:
            fields = RequestHeader(request_api_key=key, request_api_version=version, client_id=self._client_id)
            header = self._headers[key, version] = bytes(4) + encode(fields, request_header_version(key, version))
        frame = bytearray(header)
        try:
            encoder(type(request), version)(request, frame, None)
        except UnsupportedVersion as error:
            raise PeerUnavailable(f"the node at {self} is too old for this: {error}") from None
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        _INT32.pack_into(frame, 0, len(frame) - 4)
        _INT32.pack_into(frame, _CORRELATION_ID_AT, self._correlation_id)
        return frame


def _reason(error: OSError) -> str:
    """Why no address of a host could be connected to: the first reason of what trio has tried."""
    tried = error.__cause__
    if isinstance(tried, BaseExceptionGroup):
        tried = tried.exceptions[0]
    cause = tried if isinstance(tried, OSError) else error
    return cause.strerror or str(cause)
