"""The connections of a node: accepting them, ending those that are idle, and ending all when the node stops."""

from __future__ import annotations

import errno
import logging
import math
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

import trio

from kafkapy.context import Client
from kafkapy.network.admission import Admission
from kafkapy.network.advertised import default_gateways
from kafkapy.network.connection import Connection, SharedParts
from kafkapy.network.host_limits import MAPPED_IPV4
from kafkapy.network.poller import READ
from kafkapy.network.socket_loop import SocketLoop
from kafkapy.network.transport import PlainTransport
from kafkapy.settings.listeners import has_sasl
from kafkapy_wire.framing import ReceiveBuffers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.broker import NodeParts
    from kafkapy.bugs import Bugs
    from kafkapy.clock import Timer
    from kafkapy.context import NodeContext
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.network.logins import Logins
    from kafkapy.network.tls_handshake import TlsHandshake
    from kafkapy.network.tls_transport import TlsTransport
    from kafkapy.settings import Listener, Settings
    from kafkapy.suspension import Suspension
    from kafkapy.tls.contexts import ListenerTls

    TlsOf = Callable[[str], ListenerTls]
    """The TLS of a listener as it is now, by the listener's name."""

logger = logging.getLogger("kafkapy.server")

IDLE_CHECKS_PER_TIMEOUT = 20  # activity is noticed at the next check: an idle connection lives at most a tenth longer
IDLE_CHECK_MS_MIN = 100
IDLE_CHECK_MS_MAX = 60_000  # how late a changed connections.max.idle.ms may be noticed
ACCEPTED_AT_ONCE_MAX = 32  # accepted in a row, so that a flood of new connections leaves time for the others
ACCEPT_RETRY_MS = 100
CLOSED_LATE_MAX = 100
ACCEPT_ERRORS_THAT_PASS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Service(NamedTuple):
    """What the clients of a listener are served: a dispatcher's APIs, on the parts that `context_of` gives them."""

    dispatcher: Dispatcher
    context_of: Callable[[Client], NodeContext]


class Server:
    """The listeners of a node and its open connections."""

    def __init__(self, node: NodeParts, bugs: Bugs, suspension: Suspension | None = None) -> None:
        self._node = node
        self._bugs = bugs
        self._suspension = suspension
        self._settings = node.settings
        self._clock = node.clock
        self._admission = Admission(node.settings, node.clock, node.quotas)
        self._connections: dict[Client, Connection] = {}
        self._handshakes: set[TlsHandshake] = set()
        self._listening: list[_Listening] = []
        self._closing: set[socket.socket] = set()  # accepted beyond a quota: closed when its client may come again
        self._all_closed = trio.Event()
        self._shared: SharedParts | None = None  # while it serves
        self._lingers = True
        self._logins: Logins | None = None

    @property
    def connections(self) -> frozenset[Connection]:
        """A snapshot of the open connections."""
        return frozenset(self._connections.values())

    @property
    def handshakes(self) -> frozenset[TlsHandshake]:
        """A snapshot of the clients that are no connections yet."""
        return frozenset(self._handshakes)

    def connection_of(self, client: Client) -> Connection | None:
        """The connection of a client, as long as it is open."""
        return self._connections.get(client)

    def accept_at(
        self, listening: Iterable[tuple[Listener, socket.socket]], service: Service, tls: TlsOf | None = None
    ) -> None:
        """Accept connections of these listeners from now on; while `serve` runs. `tls` knows the TLS of each listener
        that has it.

        Raises SettingsError: the JAAS file has changed since the settings were checked, and is not valid any more.
        """
        assert self._shared is not None, "it does not serve yet"
        listening = list(listening)
        for listener, _ in listening:
            if has_sasl(listener.security_protocol):
                self._open_logins(listener.name)
        for listener, sock in listening:
            self._listening.append(_Listening(listener, sock, service, self, self._shared, tls))

    def _open_logins(self, listener_name: str) -> None:
        from kafkapy.network.logins import Logins  # not by a node without SASL

        self._logins = self._logins or Logins(self._node)
        self._logins.open(listener_name)

    def stop_lingering(self) -> None:
        """The node waits for answers of others from now on: see `SocketLoop.stop_lingering`."""
        self._lingers = False
        if self._shared is not None:
            self._shared.loop.stop_lingering()

    async def serve(
        self,
        stopping: trio.Event,
        *,
        drain_seconds: float,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve connections until `stopping` is set; then requests under way get `drain_seconds`."""
        loop = SocketLoop(suspension=self._suspension)
        if not self._lingers:
            loop.stop_lingering()
        buffers = ReceiveBuffers(self._settings.now.network.socket_request_max_bytes)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._admission.host_limits.run)
                nursery.start_soon(self._admission.host_rates.run)
                await self._admission.host_limits.resolved()
                self._shared = SharedParts(
                    self._node, loop, buffers, self._bugs, nursery.start_soon, self._disconnected
                )
                self._settings.subscribe(self._follow_settings)
                nursery.start_soon(self._close_idle, buffers)
                nursery.start_soon(loop.run)
                task_status.started()
                await stopping.wait()
                self._clock.release()
                for one in self._listening:
                    one.close()
                self._listening = []
                for handshake in list(self._handshakes):
                    handshake.close()
                for connection in list(self._connections.values()):
                    connection.finish()
                if self._connections:
                    self._all_closed = trio.Event()
                    await self._clock.wait(self._all_closed, drain_seconds * 1_000)
                nursery.cancel_scope.cancel()
        finally:
            for connection in list(self._connections.values()):
                connection.close()
            for handshake in list(self._handshakes):
                handshake.close()
            for one in self._listening:
                one.close()
            for closing in self._closing:
                closing.close()
            loop.close()

    def accept(self, listening: _Listening, shared: SharedParts) -> None:
        """Accept some of the connections that wait at a listener."""
        for _ in range(ACCEPTED_AT_ONCE_MAX):
            delay_ms = self._admission.delay_ms(listening.name, has_waited=listening.take_waited())
            if delay_ms:
                listening.pause(delay_ms)
                return
            try:
                client, address = listening.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in ACCEPT_ERRORS_THAT_PASS:
                    logger.debug("a client hung up before it was accepted: %s", error)
                    continue
                logger.error("cannot accept a connection (%s); trying again in 100 ms", error.strerror)
                listening.pause(ACCEPT_RETRY_MS)
                return
            try:
                self._connect(client, address, listening, shared)
            except Exception as error:
                # A bug with one new connection must not affect the others.
                client.close()
                self._bugs.report(f"in accepting a connection of listener {listening.name}", error)

    def _connect(
        self, client: socket.socket, address: tuple[str, int], listening: _Listening, shared: SharedParts
    ) -> None:
        listener_name = listening.name
        # Most connections are idle, and between the same few addresses: they share these texts.
        host = sys.intern(address[0].removeprefix(MAPPED_IPV4))
        self._admission.count_accepted(listener_name)
        if not self._admission.admits(host):
            client.close()
            return
        if throttle_ms := self._admission.throttle_ms(host):
            self._close_late(client, throttle_ms)
            return
        try:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # As in Apache Kafka: a peer whose machine is gone sends no FIN, and a parked request may wait for weeks.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._set_buffers(client)
            peer = Client(
                listener_name, host, address[1], self._host_for(client, host), listening.listener.security_protocol
            )
            if listening.tls is not None:
                self._handshake(client, peer, listening, shared)
            else:
                service = listening.service
                connection = Connection(PlainTransport(client), service.context_of(peer), service.dispatcher, shared)
                self._begin(connection, service)
        except OSError as error:
            logger.debug("a client hung up while it was accepted: %s", error)
            client.close()
            return
        logger.debug("connection from %s", peer)
        self._admission.connected(listener_name, host)
        if self._admission.is_protected(listener_name) and self._admission.is_beyond_max():
            self._make_room(listener_name)

    def _close_late(self, client: socket.socket, throttle_ms: int) -> None:
        """Its quota wants the client to wait. A flood is not held: it would cost a descriptor for each."""
        if len(self._closing) >= CLOSED_LATE_MAX:
            client.close()
            return
        self._closing.add(client)

        def close() -> None:
            self._closing.discard(client)
            client.close()

        self._clock.call_later(throttle_ms, close)

    def _begin(self, connection: Connection, service: Service) -> None:
        if self._logins is not None and has_sasl(connection.client.security_protocol):
            self._logins.guard(connection, service.dispatcher)
        self._connections[connection.client] = connection

    def _handshake(self, sock: socket.socket, client: Client, listening: _Listening, shared: SharedParts) -> None:
        from kafkapy.network.tls_handshake import TlsHandshake

        def is_done(handshake: TlsHandshake, transport: TlsTransport) -> None:
            from kafkapy.network.tls_connection import TlsConnection

            self._handshakes.discard(handshake)
            service = listening.service
            connection = TlsConnection(transport, service.context_of(client), service.dispatcher, shared)
            self._begin(connection, service)
            connection.begin()

        def is_closed(handshake: TlsHandshake) -> None:
            self._handshakes.discard(handshake)
            self._has_left(client)

        assert listening.tls is not None
        tls = listening.tls(client.listener_name)
        self._handshakes.add(TlsHandshake(sock, client, tls, shared, is_done, is_closed))

    def _host_for(self, client: socket.socket, peer_host: str) -> str:
        """By which host this client reaches the broker where none is advertised."""
        if self._settings.now.network.kafkapy_gateway_is_host and peer_host in default_gateways():
            return "localhost"
        return sys.intern(client.getsockname()[0].removeprefix(MAPPED_IPV4))

    def _make_room(self, protected: str) -> None:
        """Close the connection of another listener that has been idle for longest, as Apache Kafka does."""
        handshake = next((one for one in self._handshakes if one.client.listener_name != protected), None)
        others = [one for one in self._connections.values() if one.client.listener_name != protected]
        if handshake is not None:
            handshake.close()
        elif others:
            idlest = min(others, key=lambda one: (one.is_active, one.last_active_ms))
            idlest.close(f"listener {protected} needs its place (max.connections)")

    def _disconnected(self, connection: Connection) -> None:
        self._connections.pop(connection.client, None)
        self._has_left(connection.client)

    def _has_left(self, client: Client) -> None:
        logger.debug("connection from %s closed", client)
        self._admission.disconnected(client.listener_name, client.peer_host)
        for listening in self._listening:
            listening.room_was_made()
        if not self._connections:
            self._all_closed.set()

    def _follow_settings(self, _settings: Settings) -> None:
        """A limit may have been raised."""
        for listening in self._listening:
            listening.resume()

    def _set_buffers(self, client: socket.socket) -> None:
        network = self._settings.now.network
        for option, size in (
            (socket.SO_SNDBUF, network.socket_send_buffer_bytes),
            (socket.SO_RCVBUF, network.socket_receive_buffer_bytes),
        ):
            if size != -1:
                client.setsockopt(socket.SOL_SOCKET, option, size)

    async def _close_idle(self, buffers: ReceiveBuffers) -> None:
        clock = self._clock
        while True:
            idle_ms = self._settings.now.network.connections_max_idle_ms
            pause_ms = idle_ms / IDLE_CHECKS_PER_TIMEOUT if idle_ms >= 0 else IDLE_CHECK_MS_MAX
            await clock.sleep(min(max(pause_ms, IDLE_CHECK_MS_MIN), IDLE_CHECK_MS_MAX))
            buffers.trim()
            idle_ms = self._settings.now.network.connections_max_idle_ms
            if idle_ms < 0:
                continue  # as in Kafka: never
            now_ms = clock.monotonic_ms()
            for connection in list(self._connections.values()):
                if connection.is_active:
                    connection.is_active = False
                    connection.last_active_ms = now_ms
                elif connection.last_active_ms < now_ms - idle_ms:
                    connection.close(f"idle for {idle_ms} ms (connections.max.idle.ms)")


class _Listening:
    """A listener on the loop. While it is paused, new connections stay in the backlog."""

    __slots__ = (
        "_clock",
        "_has_waited",
        "_is_paused",
        "_retry",
        "_server",
        "_shared",
        "listener",
        "service",
        "socket",
        "tls",
    )

    def __init__(
        self,
        listener: Listener,
        sock: socket.socket,
        service: Service,
        server: Server,
        shared: SharedParts,
        tls: TlsOf | None,
    ) -> None:
        self.listener = listener
        self.socket = sock
        self.service = service
        assert tls is not None or not listener.has_tls, f"listener {listener} would be without TLS"
        self.tls = tls if listener.has_tls else None
        self._server = server
        self._shared = shared
        self._is_paused = False
        self._clock = shared.node.clock
        self._retry: Timer | None = None
        self._has_waited = False
        shared.loop.add(sock.fileno(), self, READ)

    @property
    def name(self) -> str:
        return self.listener.name

    def ready(self, _events: int, _until: float, /) -> None:
        try:
            self._server.accept(self, self._shared)
        except Exception as error:
            self._shared.bugs.report(f"in accepting connections of listener {self.name}", error)

    def pause(self, delay_ms: float) -> None:
        """Until `resume` is called, or `delay_ms` have passed."""
        if not self._is_paused:
            self._is_paused = True
            self._shared.loop.change(self.socket.fileno(), 0)
        if self._retry is not None:
            self._retry.cancel()
        self._retry = None if math.isinf(delay_ms) else self._clock.call_later(delay_ms, self._waited)

    def _waited(self) -> None:
        self._has_waited = True
        self.resume()

    def take_waited(self) -> bool:
        """Whether a delay has passed for which no connection was accepted yet."""
        has_waited, self._has_waited = self._has_waited, False
        return has_waited

    def room_was_made(self) -> None:
        """A connection was closed: resume, unless the listener waits for the rate, which would make it wait again."""
        if self._retry is None:
            self.resume()

    def resume(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._is_paused and self.socket.fileno() != -1:
            self._is_paused = False
            self._shared.loop.change(self.socket.fileno(), READ)

    def close(self) -> None:
        self._shared.loop.remove(self.socket.fileno())
        self.socket.close()
