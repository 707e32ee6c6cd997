"""Listeners: sockets that accept, the limits on how many may connect, and the end of idle connections."""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from typing import TYPE_CHECKING

import trio

from kafkapy.connection import Connection
from kafkapy.errors import StartupError

if TYPE_CHECKING:
    from kafkapy.node import Node
    from kafkapy.settings import Listener

logger = logging.getLogger("kafkapy.server")

IDLE_CHECKS_PER_TIMEOUT = 10  # an idle connection lives at most a tenth longer than connections.max.idle.ms
ACCEPT_ERRORS_THAT_PASS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def bind(listener: Listener, *, backlog: int) -> socket.socket:
    """A listening, non-blocking socket. Raises StartupError with what to do: the port is taken, the host is not ours."""
    host = listener.host or "0.0.0.0"
    where = f"{host}:{listener.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartupError(
            f"cannot resolve the host of listener {listener.name}://{where} ({error.strerror}): "
            "set `listeners` to an address of this machine"
        ) from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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


class Server:
    """The open connections of a node, and the tasks that accept new ones."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._connections: set[Connection] = set()
        self._per_host: Counter[str] = Counter()
        self._room = trio.Event()

    @property
    def connections(self) -> frozenset[Connection]:
        """A snapshot of who is connected."""
        return frozenset(self._connections)

    async def serve(self, listening: list[tuple[Listener, socket.socket]], *, drain_seconds: float) -> None:
        """Accept until cancelled from outside through `node.stopping`; then open requests get `drain_seconds`."""
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as acceptors:
                for listener, sock in listening:
                    acceptors.start_soon(self._accept, listener.name, sock, connections)
                acceptors.start_soon(self._close_idle)
                await self._node.stopping.wait()
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
            if not self._admits(address[0]):
                client.close()
                continue
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._set_buffers(client)
            connection = Connection(client, (address[0], address[1]), listener_name, self._node)
            self._connections.add(connection)
            self._per_host[connection.peer_host] += 1
            connections.start_soon(self._run, connection)

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._per_host[connection.peer_host] -= 1
            if not self._per_host[connection.peer_host]:
                del self._per_host[connection.peer_host]
            self._room.set()

    def _admits(self, host: str) -> bool:
        network = self._node.settings.network
        allowed = network.max_connections_per_ip_overrides.get(host, network.max_connections_per_ip)
        if self._per_host[host] < allowed:
            return True
        logger.warning("refusing a connection from %s: it has %d, max.connections.per.ip is reached", host, allowed)
        return False

    async def _wait_for_room(self) -> None:
        """Kafka leaves connections beyond max.connections in the backlog until one closes."""
        while len(self._connections) >= self._node.settings.network.max_connections:
            logger.warning("max.connections (%d) is reached; new clients wait", len(self._connections))
            self._room = trio.Event()
            await self._room.wait()

    def _set_buffers(self, client: socket.socket) -> None:
        network = self._node.settings.network
        for option, size in (
            (socket.SO_SNDBUF, network.socket_send_buffer_bytes),
            (socket.SO_RCVBUF, network.socket_receive_buffer_bytes),
        ):
            if size != -1:
                client.setsockopt(socket.SOL_SOCKET, option, size)

    async def _close_idle(self) -> None:
        clock, never = self._node.clock, trio.Event()
        while True:
            idle_ms = self._node.settings.network.connections_max_idle_ms
            await clock.wait(never, idle_ms / IDLE_CHECKS_PER_TIMEOUT)
            oldest = clock.monotonic_ms() - idle_ms
            for connection in list(self._connections):
                if connection.last_active_ms < oldest and not connection.busy:
                    connection.close(f"idle for {idle_ms} ms (connections.max.idle.ms)")
