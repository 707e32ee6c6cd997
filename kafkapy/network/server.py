"""Listeners: sockets that accept, the limits on how many may connect, and the end of idle connections."""

from __future__ import annotations

import errno
import logging
import resource
import socket
from collections import Counter
from typing import TYPE_CHECKING

import trio

from kafkapy.context import Client
from kafkapy.errors import StartupError
from kafkapy.network.connection import Connection
from kafkapy_log.file_pool import default_open_files_max

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.broker import Broker
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.settings import Listener

logger = logging.getLogger("kafkapy.server")

IDLE_CHECKS_PER_TIMEOUT = 10  # an idle connection lives at most a tenth longer than connections.max.idle.ms
IDLE_CHECK_MS_MIN = 100
IDLE_CHECK_MS_MAX = 60_000  # how late a changed connections.max.idle.ms may be noticed
DESCRIPTORS_BESIDES = 64  # listeners, checkpoints and flushes under way, the interpreter's own
FULL_WARNING_INTERVAL_MS = 60_000
MAPPED_IPV4 = "::ffff:"  # how a socket for both families shows an IPv4 address
ACCEPT_ERRORS_THAT_PASS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def bind(listener: Listener, *, backlog: int) -> socket.socket:
    """A listening, non-blocking socket. Raises StartupError: the port is taken, the host is not ours, what to do."""
    where = f"{listener.host or '*'}:{listener.port}"
    family, address = _resolve(listener, where)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and address[0] == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            advice = "is taken: stop what listens there, or start with `--port N` (`--port 0` takes a free one)"
        elif error.errno == errno.EADDRNOTAVAIL:
            advice = "is not an address of this machine: set `listeners` to one that is"
        elif error.errno == errno.EACCES:
            advice = "may not be used by this user: take a port above 1023"
        else:
            advice = f"cannot be listened on ({error.strerror})"
        raise StartupError(f"{where} {advice}") from error
    sock.setblocking(False)
    return sock


def _resolve(listener: Listener, where: str) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """The family and the address to bind. No host is every interface of both families, as it is in Java."""
    if not listener.host:
        if socket.has_dualstack_ipv6():
            return socket.AF_INET6, ("::", listener.port)
        return socket.AF_INET, ("0.0.0.0", listener.port)
    try:
        found = socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartupError(
            f"cannot resolve the host of listener {listener.name}://{where} ({error.strerror}): "
            "set `listeners` to an address of this machine"
        ) from error
    # Of a name with both kinds of addresses (localhost) the IPv4 one: every client tries that.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def descriptors_for_clients() -> int:
    """How many connections leave enough descriptors for the logs: one that cannot open its file takes no records."""
    soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft_limit == resource.RLIM_INFINITY:
        return 1 << 31
    return max(16, soft_limit - default_open_files_max() - DESCRIPTORS_BESIDES)


class Server:
    """The open connections of a node, and the tasks that accept new ones."""

    def __init__(self, broker: Broker, dispatcher: Dispatcher) -> None:
        self._broker = broker
        self._dispatcher = dispatcher
        self._settings = broker.settings
        self._clock = broker.clock
        self._connections: set[Connection] = set()
        self._per_host: Counter[str] = Counter()
        self._room = trio.Event()
        self._warned_ms = -float(FULL_WARNING_INTERVAL_MS)
        self._overrides: tuple[Mapping[str, int], dict[str, int]] = ({}, {})

    @property
    def connections(self) -> frozenset[Connection]:
        """A snapshot of who is connected."""
        return frozenset(self._connections)

    async def serve(
        self, listening: list[tuple[Listener, socket.socket]], stopping: trio.Event, *, drain_seconds: float
    ) -> None:
        """Accept until `stopping` is set; then open requests get `drain_seconds`."""
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as acceptors:
                for listener, sock in listening:
                    acceptors.start_soon(self._accept, listener.name, sock, connections)
                acceptors.start_soon(self._close_idle)
                await stopping.wait()
                acceptors.cancel_scope.cancel()
            for _, sock in listening:
                sock.close()
            connections.cancel_scope.deadline = trio.current_time() + drain_seconds
            for connection in list(self._connections):
                connection.finish()

    async def _accept(self, listener_name: str, sock: socket.socket, connections: trio.Nursery) -> None:
        while True:
            await self._wait_for_room()
            try:
                client, address = sock.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(sock)
                continue
            except OSError as error:
                if error.errno not in ACCEPT_ERRORS_THAT_PASS:
                    logger.debug("a client hung up before it was accepted: %s", error)
                    continue
                logger.error("cannot accept a connection (%s); trying again in 100 ms", error.strerror)
                await trio.sleep(0.1)
                continue
            host = address[0].removeprefix(MAPPED_IPV4)
            if not self._admits(host):
                client.close()
                continue
            try:
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._set_buffers(client)
                peer = Client(listener_name, host, address[1], client.getsockname()[0].removeprefix(MAPPED_IPV4))
                connection = Connection(client, peer, self._broker, self._dispatcher)
            except OSError as error:
                logger.debug("a client hung up while it was accepted: %s", error)
                client.close()
                continue
            self._connections.add(connection)
            self._per_host[host] += 1
            connections.start_soon(self._run, connection)
            await trio.lowlevel.checkpoint()  # a flood of newcomers leaves time for those who are there

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._per_host[connection.client.peer_host] -= 1
            if not self._per_host[connection.client.peer_host]:
                del self._per_host[connection.client.peer_host]
            self._room.set()

    def _admits(self, host: str) -> bool:
        network = self._settings.now.network
        allowed = self._allowed_by_host(network.max_connections_per_ip_overrides).get(
            host, network.max_connections_per_ip
        )
        if self._per_host[host] < allowed:
            return True
        logger.warning("refusing a connection from %s: it has %d, max.connections.per.ip is reached", host, allowed)
        return False

    def _allowed_by_host(self, overrides: Mapping[str, int]) -> dict[str, int]:
        """max.connections.per.ip.overrides by address: names are resolved once for each value of the setting."""
        if self._overrides[0] is not overrides:
            allowed: dict[str, int] = {}
            for name, count in overrides.items():
                try:
                    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except OSError as error:
                    logger.warning("cannot resolve %s of max.connections.per.ip.overrides: %s", name, error.strerror)
                    continue
                allowed.update((str(entry[4][0]), count) for entry in found)
            self._overrides = (overrides, allowed)
        return self._overrides[1]

    async def _wait_for_room(self) -> None:
        """Kafka leaves connections beyond max.connections in the backlog until one closes."""
        while True:
            asked, possible = self._settings.now.network.max_connections, descriptors_for_clients()
            if len(self._connections) < min(asked, possible):
                return
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._warned_ms >= FULL_WARNING_INTERVAL_MS:
                self._warned_ms = now_ms
                reason = "max.connections" if asked <= possible else "the limit of open files (`ulimit -n`)"
                logger.warning("%d connections: %s is reached; new clients wait", len(self._connections), reason)
            if self._room.is_set():
                self._room = trio.Event()  # one for all listeners that wait
            await self._room.wait()

    def _set_buffers(self, client: socket.socket) -> None:
        network = self._settings.now.network
        for option, size in (
            (socket.SO_SNDBUF, network.socket_send_buffer_bytes),
            (socket.SO_RCVBUF, network.socket_receive_buffer_bytes),
        ):
            if size != -1:
                client.setsockopt(socket.SOL_SOCKET, option, size)

    async def _close_idle(self) -> None:
        clock, never = self._clock, trio.Event()
        while True:
            idle_ms = self._settings.now.network.connections_max_idle_ms
            pause_ms = idle_ms / IDLE_CHECKS_PER_TIMEOUT if idle_ms >= 0 else IDLE_CHECK_MS_MAX
            await clock.wait(never, min(max(pause_ms, IDLE_CHECK_MS_MIN), IDLE_CHECK_MS_MAX))
            idle_ms = self._settings.now.network.connections_max_idle_ms
            if idle_ms < 0:
                continue  # as in Kafka: never
            now_ms = clock.monotonic_ms()
            for connection in list(self._connections):
                if connection.busy:
                    connection.last_active_ms = now_ms  # a parked request is none of the client's silence
                elif connection.last_active_ms < now_ms - idle_ms:
                    connection.close(f"idle for {idle_ms} ms (connections.max.idle.ms)")
                elif connection.last_active_ms < now_ms - pause_ms:
                    connection.trim()
