"""The TLS handshake of one client, before it is a connection: bounded in time and bytes, in turns of the event loop.

A step of it takes a third of a millisecond, for a signature; so steps wait behind the requests of others, large ones
too, one in each pass of the loop. Where the key is long, a worker thread takes the steps. Nothing is allocated for
TLS before the first bytes come.
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Final

from kafkapy.log_lines import shown_reason
from kafkapy.network.poller import BROKEN, READ, WRITE
from kafkapy.network.tls_transport import TlsTransport
from kafkapy.security.principal import user
from kafkapy.tls.certificate import Certificate
from kafkapy.tls.failures import explained, instead_of_handshake
from kafkapy.tls.principal_mapping import NoMatchingRule
from kafkapy.workers import Workers

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from kafkapy.clock import Timer
    from kafkapy.context import Client
    from kafkapy.network.connection import SharedParts
    from kafkapy.tls.contexts import ListenerTls

HANDSHAKE_MS_MAX: Final = 10_000
HANDSHAKE_BYTES_MAX: Final = 128 * 1024
"""Of the client's part: OpenSSL takes chains of certificates of 100 kB."""
RECEIVED_AT_ONCE: Final = 16 * 1024
DROPPED_BYTES_MAX: Final = 256 * 1024

_workers: Final = Workers("handshakes with long keys", 2)


class TlsHandshake:
    """A client that has connected to a listener with TLS. Calls `on_done` with its transport, or `on_closed`."""

    __slots__ = (
        "_bytes",
        "_closed",
        "_incoming",
        "_is_stepping",
        "_object",
        "_on_closed",
        "_on_done",
        "_outgoing",
        "_shared",
        "_socket",
        "_timer",
        "_tls",
        "_unsent",
        "client",
    )

    def __init__(
        self,
        sock: socket.socket,
        client: Client,
        tls: ListenerTls,
        shared: SharedParts,
        on_done: Callable[[TlsHandshake, TlsTransport], None],
        on_closed: Callable[[TlsHandshake], None],
    ) -> None:
        self.client = client
        self._socket = sock
        self._tls = tls
        self._shared = shared
        self._on_done = on_done
        self._on_closed = on_closed
        self._object: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._unsent: memoryview | None = None
        self._bytes = 0
        self._closed = False
        self._is_stepping = False
        self._timer: Timer = shared.node.clock.call_later(HANDSHAKE_MS_MAX, self._takes_too_long)
        shared.loop.add(sock.fileno(), self, READ)

    def __str__(self) -> str:
        return str(self.client)

    # Called by the loop

    def ready(self, events: int, _until: float, /) -> None:
        try:
            if self._is_stepping:  # perhaps in a thread: nothing of TLS may be touched
                if events & BROKEN:
                    self.close()
                return
            if self._unsent is not None:
                if self._flush():
                    self._shared.loop.change(self._socket.fileno(), READ)
                return
            self._receive()
        except OSError as error:
            self._gone(error)
        except Exception as error:
            self._bug(error)

    def go_on(self, _until: float, /) -> None:
        """Take a step."""
        if self._closed:
            return
        tls = self._object
        assert tls is not None, "a step comes after the first bytes"
        try:
            if self._tls.is_slow:
                self._shared.start_task(self._step_in_thread, tls)
            else:
                self._take_step(tls)
        except OSError as error:
            self._gone(error)
        except Exception as error:
            self._bug(error)

    # Steps

    def _receive(self) -> None:
        try:
            data = self._socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return
        if not data:
            self._end("has hung up", is_wrong=False)
            return
        self._bytes += len(data)
        if self._bytes > HANDSHAKE_BYTES_MAX:
            self._end(f"sent more than {HANDSHAKE_BYTES_MAX} bytes")
            return
        if self._object is None:
            protocol = self.client.security_protocol
            instead = instead_of_handshake(data, protocol)
            if instead is not None:
                self._end(f"this listener's security protocol is {protocol}, the peer sent {instead}")
                return
            self._object = self._tls.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(data)
        self._is_stepping = True
        self._shared.loop.change(self._socket.fileno(), 0)
        self._shared.loop.last(self)

    def _take_step(self, tls: ssl.SSLObject) -> None:
        try:
            tls.do_handshake()
        except ssl.SSLError as error:
            self._stepped(tls, error)
        else:
            self._stepped(tls, None)

    async def _step_in_thread(self, tls: ssl.SSLObject) -> None:
        failure: ssl.SSLError | None = None
        try:
            await _workers.run(partial(self._handshake_unless_closed, tls))
        except ssl.SSLError as error:
            failure = error
        if self._closed:
            return
        try:
            self._stepped(tls, failure)
        except OSError as error:
            self._gone(error)
        except Exception as error:
            self._bug(error)

    def _handshake_unless_closed(self, tls: ssl.SSLObject) -> None:
        """In a thread. Its client may have had no time to wait for that."""
        if not self._closed:
            tls.do_handshake()

    def _stepped(self, tls: ssl.SSLObject, failure: ssl.SSLError | None) -> None:
        self._is_stepping = False
        has_left = self._flush()
        if failure is None:
            self._done(tls)
        elif isinstance(failure, ssl.SSLWantReadError):
            self._shared.loop.change(self._socket.fileno(), READ if has_left else WRITE)
        else:
            self._end(explained(failure))

    def _done(self, tls: ssl.SSLObject) -> None:
        cipher = tls.cipher()
        if not self._tls.may_use(cipher):
            self._end(f"the client only has {cipher[0] if cipher else 'no suite'}, which is not in ssl.cipher.suites")
            return
        if self._tls.asks_for_certificate and self._tls.names_clients and not self._take_principal(tls):
            return
        transport = TlsTransport(self._socket, tls, self._incoming, self._outgoing, self._unsent)
        self._leave_loop()
        self._on_done(self, transport)

    def _take_principal(self, tls: ssl.SSLObject) -> bool:
        """Whose certificate the client has shown, if it has. False: it has no name, and was closed."""
        encoded = tls.getpeercert(binary_form=True)
        if encoded is None:
            return True
        try:
            name = self._tls.mapping.name_of(Certificate(encoded).subject)
        except (NoMatchingRule, ValueError) as error:
            self._end(f"its certificate gives no principal: {shown_reason(str(error))}")
            return False
        self.client.principal = user(name)
        return True

    def _flush(self) -> bool:
        """Send what TLS has to say; what the socket does not take is kept. Returns whether all has left."""
        unsent = self._unsent
        if unsent is None:
            if not self._outgoing.pending:
                return True
            unsent = memoryview(self._outgoing.read())
        try:
            sent = self._socket.send(unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = None if sent == len(unsent) else unsent[sent:]
        return self._unsent is None

    # The end

    def close(self) -> None:
        """Without a word in the log: the node stops, or its place is needed."""
        if self._closed:
            return
        self._leave_loop()
        self._socket.close()
        self._on_closed(self)

    def _leave_loop(self) -> None:
        self._closed = True
        self._timer.cancel()
        self._shared.loop.remove(self._socket.fileno())

    def _takes_too_long(self) -> None:
        what = "no byte has come" if self._object is None else "it is not over"
        self._end(f"{what} within {HANDSHAKE_MS_MAX // 1_000} s")

    def _end(self, why: str, *, is_wrong: bool = True) -> None:
        if self._closed:
            return
        client = self.client
        if is_wrong:
            line = "closing the connection from %s to listener %s: the TLS handshake has failed: %s"
            self._shared.complaints.warn(line, client, client.listener_name, why)
            self._drop_unread()
        self.close()

    def _drop_unread(self) -> None:
        """Read what has come: with unread bytes, a close is a reset, by which the peer may lose the alert."""
        try:
            for _ in range(DROPPED_BYTES_MAX // RECEIVED_AT_ONCE):
                if not self._socket.recv(RECEIVED_AT_ONCE):
                    return
        except OSError:
            return  # nothing more has come, or the peer is gone

    def _gone(self, _error: OSError) -> None:
        self._end("the peer is gone", is_wrong=False)

    def _bug(self, error: Exception) -> None:
        self._shared.bugs.report(f"in the TLS handshake of {self}: its connection is closed", error)
        self.close()
