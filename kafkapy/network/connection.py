"""One client connection: one task that reads, has each request handled, and answers, in order.

Whole frames that have arrived are handled before the next wait, and their answers leave in one system call. The raw
non-blocking socket is used directly, since trio's own calls pass through the scheduler even when data is at hand;
`TURN_MAX` and `ANSWERED_BYTES_MAX` are what keeps one busy client from starving the others.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.context import RequestContext
from kafkapy.errors import CloseConnection
from kafkapy.network.outbox import Outbox
from kafkapy_wire.errors import MalformedFrame, MalformedMessage
from kafkapy_wire.framing import RequestBuffer

if TYPE_CHECKING:
    import socket

    from kafkapy.broker import Broker
    from kafkapy.context import Client
    from kafkapy.network.dispatch import Dispatcher

logger = logging.getLogger("kafkapy.connection")

TURN_MAX = 64  # requests handled before others get a turn, even if this socket has more: a millisecond or two
RECEIVE_TURNS = 8  # what a receive that did not have to wait counts for: it may bring a megabyte
ANSWERED_BYTES_MAX = 256 * 1024  # answers in memory before they are sent
LAST_ANSWERS_SECONDS = 1  # how long a peer that misbehaved may take for the answers it has coming

# What people point at a Kafka port by mistake, by the first bytes they send.
FOREIGN_GREETINGS: tuple[tuple[bytes, str], ...] = (
    (b"GET ", "an HTTP request"),
    (b"POST", "an HTTP request"),
    (b"HEAD", "an HTTP request"),
    (b"PUT ", "an HTTP request"),
    (b"OPTI", "an HTTP request"),
    (b"PRI ", "an HTTP/2 request"),
    (b"\x16\x03", "a TLS handshake; this listener's security protocol is PLAINTEXT"),
    (b"SSH-", "an SSH client"),
)


class Connection:
    """A connected client."""

    __slots__ = (
        "_broker",
        "_buffer",
        "_busy",
        "_dispatcher",
        "_finishing",
        "_greeted",
        "_outbox",
        "_scope",
        "_socket",
        "client",
        "last_active_ms",
    )

    def __init__(self, sock: socket.socket, client: Client, broker: Broker, dispatcher: Dispatcher) -> None:
        self.client = client
        self.last_active_ms = broker.clock.monotonic_ms()
        self._broker = broker
        self._dispatcher = dispatcher
        self._socket = sock
        self._buffer = RequestBuffer(broker.settings.now.network.socket_request_max_bytes)
        self._outbox = Outbox(sock)
        self._scope = trio.CancelScope()
        self._greeted = False
        self._busy = False
        self._finishing = False

    def __str__(self) -> str:
        return str(self.client)

    def close(self, reason: str) -> None:
        """End the connection from outside: what is being handled is cancelled."""
        logger.info("closing the connection from %s: %s", self, reason)
        self._scope.cancel()

    @property
    def busy(self) -> bool:
        """Whether a request is being handled, parked ones included."""
        return self._busy

    def trim(self) -> None:
        """Give back the memory that large requests needed."""
        self._buffer.trim()

    def finish(self) -> None:
        """End the connection as soon as the request that is being handled has its answer."""
        self._finishing = True
        if not self._busy:
            self._scope.cancel()

    async def run(self) -> None:
        """Serve until the peer hangs up, misbehaves, or `close()` is called."""
        try:
            with self._scope:
                try:
                    await self._serve()
                except (MalformedFrame, MalformedMessage, CloseConnection):
                    with trio.move_on_after(LAST_ANSWERS_SECONDS):
                        await self._outbox.flush()  # to the requests before the one that ends the connection
                    raise
        except MalformedFrame as error:
            logger.warning("closing the connection from %s: %s", self, self._explain(error))
        except (MalformedMessage, CloseConnection) as error:
            logger.warning("closing the connection from %s: %s", self, error)
        except OSError as error:
            logger.debug("the peer at %s is gone: %s", self, error)
        except Exception:
            # A bug of ours costs this client its connection and nobody else theirs; the log tells where.
            logger.exception("internal error; closing the connection from %s", self)
        finally:
            self._outbox.discard()
            self._socket.close()

    async def _serve(self) -> None:
        dispatcher, clock = self._dispatcher, self._broker.clock
        context = RequestContext(self._broker, self.client)
        buffer, outbox = self._buffer, self._outbox
        turn = 0  # what this connection did since the others had theirs
        while True:
            try:
                count = self._socket.recv_into(buffer.space())
            except BlockingIOError:
                turn = 0
                await trio.lowlevel.wait_readable(self._socket)
                continue
            if not count:
                return
            buffer.filled(count)
            self.last_active_ms = clock.monotonic_ms()
            self._busy = True
            while (frame := buffer.next_frame()) is not None:
                self._greeted = True
                await dispatcher.answer(frame, context, outbox)
                turn += 1
                if len(outbox) > ANSWERED_BYTES_MAX or turn >= TURN_MAX:
                    await outbox.flush()
                    if turn >= TURN_MAX:
                        turn = 0
                        await trio.lowlevel.checkpoint()
            await outbox.flush()
            self._busy = False
            if self._finishing:
                return
            turn += RECEIVE_TURNS
            if turn >= TURN_MAX:
                turn = 0
                await trio.lowlevel.checkpoint()

    def _explain(self, error: MalformedFrame) -> str:
        """What a frame of absurd size most likely is, for the one line in the log."""
        if not self._greeted:
            start = error.size.to_bytes(4, "big", signed=True)
            for greeting, what in FOREIGN_GREETINGS:
                if start.startswith(greeting):
                    return f"this is a Kafka port, the peer sent {what}"
        return str(error)
