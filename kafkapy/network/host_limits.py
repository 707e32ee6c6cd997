"""Limits by address: max.connections.per.ip.overrides, and quotas of addresses.

Names are resolved in worker threads, once a value of the limits.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

N = TypeVar("N", int, float)

logger = logging.getLogger("kafkapy.server")

RESOLVED_BEFORE_ACCEPTING_SECONDS = 1  # a resolver may take half a minute to fail
MAPPED_IPV4 = "::ffff:"  # how a socket for both families shows an IPv4 address


class HostLimits(Generic[N]):
    """The limit of each address. A host name has no effect before it is resolved."""

    def __init__(self, what: str) -> None:
        """`what` has the names, for the log."""
        self._what = what
        self._overrides: Mapping[str, N] = {}
        self._addresses: dict[str, list[str]] = {}
        """Those of names, as they were resolved last."""
        self._allowed: dict[str, N] = {}
        self._changed = trio.Event()
        self._resolved = trio.Event()

    def use(self, overrides: Mapping[str, N]) -> None:
        """Use these limits, by address or name, from now on. A name keeps its addresses until it is resolved anew."""
        if overrides == self._overrides:  # equal ones come with every change of any setting: what is resolved stays
            return
        self._overrides = overrides
        self._addresses = {host: known for host, known in self._addresses.items() if host in overrides}
        self._allowed = {}
        for host, count in overrides.items():
            address = address_of(host)
            addresses = self._addresses.get(host, ()) if address is None else (address,)
            self._allowed.update(dict.fromkeys(addresses, count))
        self._resolved = trio.Event()
        self._changed.set()

    def allowed(self, address: str) -> N | None:
        """That of this address; None if it has none of its own."""
        return self._allowed.get(address)

    async def resolved(self) -> None:
        """Return when the current names are resolved, or after a time limit."""
        if self._names():
            with trio.move_on_after(RESOLVED_BEFORE_ACCEPTING_SECONDS):
                await self._resolved.wait()

    async def run(self) -> None:
        """Resolve names until cancelled."""
        while True:
            overrides, self._changed = self._overrides, trio.Event()
            for name in self._names():
                try:
                    addresses = await trio.to_thread.run_sync(_resolve, name, abandon_on_cancel=True)
                except (OSError, ValueError) as error:  # an invalid name raises UnicodeError, a ValueError
                    logger.warning("cannot resolve %s of %s: %s", name, self._what, error)
                    continue
                if overrides is not self._overrides:
                    break
                self._addresses[name] = addresses
                self._allowed.update(dict.fromkeys(addresses, overrides[name]))
            if overrides is self._overrides:
                self._resolved.set()
                await self._changed.wait()

    def _names(self) -> list[str]:
        return [host for host in self._overrides if address_of(host) is None]


def address_of(host: str) -> str | None:
    """`host` as accepted sockets show it; None: it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, host)).removeprefix(MAPPED_IPV4)
        except OSError:
            continue
    return None


def _resolve(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]).removeprefix(MAPPED_IPV4) for entry in found]
