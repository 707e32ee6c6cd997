"""Which of a node's advertised listeners a client on this machine can use."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio

from kafkapy.network.host_limits import address_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.settings import Listener

RESOLVED_WITHIN_SECONDS = 0.5  # a resolver may take half a minute to fail
LOOPBACK = ("", "localhost", "127.0.0.1", "::1")  # no host: each client gets the address that it has connected to


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
