"""One socket to one broker: blocking, versions negotiated, one request in flight."""

from __future__ import annotations

import socket
import struct
from typing import Protocol, TypeVar

from kafkapy import __version__
from kafkapy.client.errors import ClientError, ConnectionLost, NotConnected
from kafkapy.client.login import Login, log_in
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_header_version, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.errors import ErrorCode, MalformedMessage, UnsupportedVersion
from kafkapy_wire.message import Message
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

R = TypeVar("R", bound=Message)

CLIENT_ID = "kafkapy"
RESPONSE_BYTES_MAX = 256 * 1024 * 1024
"""Above this it is not an answer: brokers send at most what a fetch asked for, or one batch if that is larger."""

# Every broker since 2.4 knows it; others answer with version 0 and say what they know (KIP-511).
_API_VERSIONS_VERSION = 3
_INT32 = struct.Struct(">i")
_INT16 = struct.Struct(">h")


class Security(Protocol):
    """How connections are secured."""

    def secure(self, sock: socket.socket, host: str) -> socket.socket:
        """The connected socket, with TLS on it. Raises OSError."""

    def explain(self, error: OSError) -> str:
        """Why a connection has ended, or has not begun."""

    def is_final(self, error: OSError) -> bool:
        """Whether it would end again in the same way."""


class Connection:
    """Requests to the broker at `host:port`, each answered before the next is sent."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_seconds: float,
        security: Security | None = None,
        login: Login | None = None,
    ) -> None:
        """Connect, negotiate and log in. Raises ConnectionLost, ClientError: what listens there is not Kafka, or
        refuses the login.
        """
        self.host = host
        self.address = f"{host}:{port}"
        self.is_open = False
        self._security = security
        self._login = login
        self._correlation_id = 0
        self._awaited: tuple[int, int] | None = None
        """(API key, version) of the request in flight: its answer, and perhaps a part of the request, is on its way."""
        self._was_served = False
        """Whether a request was answered that a listener with TLS or SASL does not answer to everybody."""
        self.versions: dict[int, tuple[int, int]] = {}
        """API key -> (lowest version, highest version) that the broker serves."""
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_seconds)
        except socket.gaierror as error:
            raise ClientError(f"cannot resolve the host of {self.address}: {error.strerror}") from None
        except TimeoutError:
            raise NotConnected(f"{self.address} does not answer") from None
        except OSError as error:
            raise NotConnected(f"cannot connect to {self.address} ({error.strerror})") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_open = True
        try:
            if security is not None:
                self._secure(security, host)
            self._negotiate(timeout_seconds)
            if login is not None:
                log_in(self, login, timeout_seconds)
        except BaseException:
            self.close()
            raise

    def _secure(self, security: Security, host: str) -> None:
        try:
            self._socket = security.secure(self._socket, host)
        except TimeoutError:
            raise ConnectionLost(f"{self.address} does not answer") from None
        except OSError as error:
            # Not that the connection is lost: trying again would not help.
            raise ClientError(f"cannot connect to {self.address}: {security.explain(error)}") from None

    def _lost(self, error: OSError) -> ClientError:
        security = self._security
        if security is None:
            return ConnectionLost(f"lost the connection to {self.address} ({error.strerror or error})")
        told = f"lost the connection to {self.address} ({security.explain(error)})"
        return ClientError(told) if security.is_final(error) else ConnectionLost(told)

    def close(self) -> None:
        self.is_open = False
        self._awaited = None
        self._socket.close()

    def detached(self) -> socket.socket:
        """The socket, secured and logged in, for frames of another author. This connection is of no more use."""
        assert self._awaited is None, "an answer is on its way"
        self.is_open = False
        return self._socket

    def fileno(self) -> int:
        """For `select`: readable means that `receive` will not wait for long."""
        return self._socket.fileno()

    def supports(self, key: ApiKey, version: int = 0) -> bool:
        """Whether the broker knows this version of an API, or a later one."""
        return key in self.versions and self.versions[key][1] >= version

    def request(
        self, message: Message, response_class: type[R], *, timeout_seconds: float, version_max: int | None = None
    ) -> R:
        """Send `message`, wait for its answer; errors as `send` and `receive`."""
        self.send(message, timeout_seconds=timeout_seconds, version_max=version_max)
        return self.receive(response_class, timeout_seconds=timeout_seconds)

    def send(
        self,
        message: Message,
        *,
        timeout_seconds: float,
        version_max: int | None = None,
        answered: bool = True,
    ) -> None:
        """Send in the highest version that both sides know, at most `version_max`.

        `answered` False: a produce request with acks 0. Raises ConnectionLost, ClientError: no common version.
        """
        if self._awaited is not None:  # Ctrl-C came between a request and its answer
            self.close()
            raise ConnectionLost(f"gave up waiting for {self.address}")
        key = ApiKey(message.__schema__.api_key)
        version = self._choose_version(key, version_max)
        self._send(message, key, version, timeout_seconds, answered=answered)

    def receive(self, response_class: type[R], *, timeout_seconds: float) -> R:
        """The answer to the request in flight. Raises ConnectionLost, also when it takes longer than the timeout."""
        assert self._awaited is not None, "nothing was asked"
        key, version = self._awaited
        body = self._receive_body(key, version, timeout_seconds)
        self._awaited = None
        try:
            return decode(response_class, body, version)
        except MalformedMessage as error:
            self.close()
            raise ClientError(
                f"{self.address} sent bytes that are not a valid {response_class.__name__} v{version}: {error}"
            ) from None

    def _negotiate(self, timeout_seconds: float) -> None:
        request = ApiVersionsRequest(client_software_name=CLIENT_ID, client_software_version=__version__)
        self._send(request, ApiKey.API_VERSIONS, _API_VERSIONS_VERSION, timeout_seconds, answered=True)
        self._awaited = None
        try:
            body = self._receive_body(ApiKey.API_VERSIONS, _API_VERSIONS_VERSION, timeout_seconds)
            is_fallback = body[:2] == _INT16.pack(ErrorCode.UNSUPPORTED_VERSION)
            answer = decode(ApiVersionsResponse, body, 0 if is_fallback else _API_VERSIONS_VERSION)
        except MalformedMessage:
            raise ClientError(f"what listens at {self.address} does not speak Kafka's protocol") from None
        self.versions = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}

    def _choose_version(self, key: ApiKey, version_max: int | None) -> int:
        if key not in self.versions:
            raise ClientError(f"the broker at {self.address} does not know {key.name}: is it too old, or a controller?")
        ours = API_VERSIONS[key]
        theirs_min, theirs_max = self.versions[key]
        version = min(ours.max_version, theirs_max, ours.max_version if version_max is None else version_max)
        if version < max(ours.min_version, theirs_min):
            raise ClientError(
                f"the broker at {self.address} speaks {key.name} only in versions {theirs_min}-{theirs_max}"
            )
        return version

    def _send(self, message: Message, key: ApiKey, version: int, timeout_seconds: float, *, answered: bool) -> None:
        self._correlation_id += 1
        header = RequestHeader(
            request_api_key=key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=CLIENT_ID,
        )
        try:
            frame = encode(header, request_header_version(key, version)) + encode(message, version)
        except UnsupportedVersion as error:
            raise ClientError(f"the broker at {self.address} is too old for this: {error}") from None
        except ValueError as error:  # a value of the user that no field can hold
            raise ClientError(str(error)) from None
        self._socket.settimeout(max(timeout_seconds, 0.001))
        # Noted before a byte leaves: whatever ends the sending (Ctrl-C), this connection is then of no more use.
        self._awaited = (key, version)
        try:
            self._socket.sendall(_INT32.pack(len(frame)) + frame)
        except OSError as error:
            self.close()
            raise self._lost(error) from None
        if not answered:
            self._awaited = None

    def _receive_body(self, key: int, version: int, timeout_seconds: float) -> memoryview:
        """The answer behind its header. Raises ConnectionLost, ClientError."""
        self._socket.settimeout(max(timeout_seconds, 0.001))
        (size,) = _INT32.unpack(self._receive_exactly(4))
        if not 4 <= size <= RESPONSE_BYTES_MAX:
            self.close()
            raise ClientError(f"what listens at {self.address} does not speak Kafka's protocol")
        frame = memoryview(self._receive_exactly(size))
        self._was_served = key != ApiKey.API_VERSIONS
        try:
            header, position = decode_from(ResponseHeader, frame, 0, response_header_version(key, version))
        except MalformedMessage:
            header, position = ResponseHeader(), 0
        if header.correlation_id != self._correlation_id:
            self.close()
            raise ClientError(f"what listens at {self.address} does not speak Kafka's protocol")
        return frame[position:]

    def _receive_exactly(self, size: int) -> bytearray:
        received = bytearray()
        while len(received) < size:
            try:
                # In steps: what a peer announces is not allocated before it comes.
                data = self._socket.recv(min(size - len(received), 1 << 20))
            except TimeoutError:
                self.close()
                raise ConnectionLost(f"{self.address} does not answer") from None
            except OSError as error:
                self.close()
                raise self._lost(error) from None
            if not data:
                self.close()
                raise ConnectionLost(f"{self.address} closed the connection{self._why_closed()}")
            received += data
        return received

    def _why_closed(self) -> str:
        """What a broker may want that closes a connection at the first request."""
        if self._was_served:
            return ""
        if self._security is None and self._login is not None:
            return (
                " at the first request: a listener with TLS does so to a client without; give it "
                "security.protocol=SASL_SSL and ssl.truststore.*"
            )
        if self._security is None:
            return (
                " at the first request: a listener with TLS or SASL does so to a client without its settings; "
                "give them with --command-config FILE (security.protocol, ...)"
            )
        if self._login is None:
            return (
                " at the first request: a listener with SASL_SSL does so to a client without a login; give it "
                "security.protocol=SASL_SSL, sasl.mechanism and sasl.jaas.config"
            )
        return " at the first request: does it take this client?"
