"""By which address clients reach this node: those on this machine, and in a container those on its host."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from kafkapy.network.host_limits import address_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.settings import Listener

RESOLVED_WITHIN_SECONDS = 0.5  # a resolver may take half a minute to fail
LOOPBACK = ("", "localhost", "127.0.0.1", "::1")  # no host: each client gets the address that it has connected to

ROUTES = Path("/proc/net/route")  # a line for each IPv4 route: interface, destination, gateway, ... in hexadecimal


def default_gateways(routes: Path = ROUTES) -> frozenset[str]:
    """The IPv4 gateways of this machine's default routes; none where the system has no such table.

    In a container it is the machine that the container runs on: whoever connects to a published port there comes from
    this address.
    """
    try:
        lines = routes.read_text().splitlines()[1:]
    except OSError:
        return frozenset()
    routes_by_field = [line.split() for line in lines]
    return frozenset(
        socket.inet_ntoa(bytes.fromhex(fields[2])[::-1])
        for fields in routes_by_field
        if len(fields) > 2 and fields[1] == "00000000" and fields[2] != "00000000"
    )


async def resolving_address(listeners: Sequence[Listener]) -> str | None:
    """`host:port` of the first listener whose advertised host is this machine, else of the first that resolves."""
    for listener in listeners:
        if listener.host in LOOPBACK:
            return address_text(listener)
    for listener in listeners:
        if address_of(listener.host) is not None:
            return address_text(listener)
    with trio.move_on_after(RESOLVED_WITHIN_SECONDS):
        for listener in listeners:
            if await trio.to_thread.run_sync(_resolves, listener, abandon_on_cancel=True):
                return address_text(listener)
    return None


def address_text(listener: Listener) -> str:
    host = listener.host or "localhost"
    return f"[{host}]:{listener.port}" if ":" in host else f"{host}:{listener.port}"


def _resolves(listener: Listener) -> bool:
    try:
        socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # an invalid name raises UnicodeError, a ValueError
        return False
    return True
