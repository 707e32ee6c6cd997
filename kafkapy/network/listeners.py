"""Listening sockets: binding them, and the messages if that fails."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from kafkapy.errors import StartupError

if TYPE_CHECKING:
    from kafkapy.settings import Listener

PROBE_SECONDS = 0.5


def bind(listener: Listener) -> socket.socket:
    """A non-blocking socket that is bound to the port and refuses connections until `listen`.

    Raises StartupError, with what to do: the port is in use, or the host is not this machine.
    """
    where = f"{listener.host or '*'}:{listener.port}"
    family, address = _resolve(listener, where)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and address[0] == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _unusable(where, error, family, address) from error
    sock.setblocking(False)
    return sock


def listen(listener: Listener, sock: socket.socket, *, backlog: int) -> None:
    """Open the port that `bind` has taken.

    Raises StartupError: another process has bound the port, too, and listens already.
    """
    try:
        sock.listen(backlog)
    except OSError as error:
        address = sock.getsockname()
        raise _unusable(f"{listener.host or '*'}:{address[1]}", error, sock.family, address) from error


def _unusable(where: str, error: OSError, family: socket.AddressFamily, address: tuple[object, ...]) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        advice = _advice_for_a_port_in_use(family, address)
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = "is not an address of this machine: give --host or `listeners` one that is"
    elif error.errno == errno.EACCES:
        advice = "may not be used by this user: take a port above 1023"
    else:
        advice = f"cannot be listened on ({error.strerror})"
    return StartupError(f"{where} {advice}")


def _advice_for_a_port_in_use(family: socket.AddressFamily, address: tuple[object, ...]) -> str:
    other = "start with `--port N` (`--port 0` takes a free one)"
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            # The local end of somebody's outgoing connection keeps its port while it lives and in TIME_WAIT. The system
            # takes such ports from the range that begins at 32768 on Linux.
            return f"is held by a connection of another program: wait a minute, take a port below 32768, or {other}"
        except OSError:
            pass
    return f"is taken: stop what listens there, or {other}"


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
            "give --host or `listeners` an address of this machine"
        ) from error
    # Of a name with both kinds of addresses (localhost) the IPv4 address, as every client tries that.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address
