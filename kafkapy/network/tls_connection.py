"""A connection with TLS: `Connection`, which also receives what TLS has read from the socket and not given out yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.network.connection import Connection, SharedParts
from kafkapy.network.poller import READ

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.network.tls_transport import TlsTransport


class TlsConnection(Connection):
    """A connected client of a listener with TLS, after the handshake."""

    __slots__ = ("_rest", "_tls")

    def __init__(
        self, transport: TlsTransport, context: NodeContext, dispatcher: Dispatcher, shared: SharedParts
    ) -> None:
        self._tls = transport
        self._rest = _Rest(self)
        super().__init__(transport, context, dispatcher, shared)

    def begin(self) -> None:
        """Receive what came together with the end of the handshake."""
        self._receive_rest_later()

    def _receive(self, until: float) -> None:
        super()._receive(until)
        self._receive_rest_later()

    def _watch(self) -> None:
        super()._watch()
        self._receive_rest_later()

    def _receive_rest_later(self) -> None:
        """The poller does not tell of bytes that have left the socket. Whenever this connection waits for bytes, and
        some are there, it gets a turn of its own for them.
        """
        if self._tls.has_unread and self._interest == READ and not self._closed and not self._rest.is_queued:
            self._rest.is_queued = True
            self._shared.loop.later(self._rest)

    def receive_rest(self, until: float) -> None:
        if self._tls.has_unread and self._interest == READ and not self._closed:
            self.ready(READ, until)


class _Rest:
    """A turn of a connection in the loop, besides those that it takes for kept requests."""

    __slots__ = ("_connection", "is_queued")

    def __init__(self, connection: TlsConnection) -> None:
        self._connection = connection
        self.is_queued = False

    def go_on(self, until: float, /) -> None:
        self.is_queued = False
        self._connection.receive_rest(until)
