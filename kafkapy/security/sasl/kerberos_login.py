"""How this node, or a command, logs in by GSSAPI (RFC 4752): as the principal of its keytab, at `service@host`.

The Kerberos library gets a ticket with the key of the keytab, keeps it in memory, and gets another one when half of its
life is over. Each step may ask the KDC, and runs in a worker thread.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

import gssapi
from gssapi.raw.misc import GSSError

from kafkapy_wire.sasl.client import LoginFailed

if TYPE_CHECKING:
    from kafkapy.settings.node_login import KerberosLogin

NO_LAYER: Final = 1
OFFER_BYTES: Final = 4
CHOICE: Final = bytes((NO_LAYER, 0, 0, 0))
"""No layer, no buffer for one, and no other user than the ticket's."""


class KerberosClient:
    def __init__(self, settings: KerberosLogin, host: str) -> None:
        self._settings = settings
        self._host = host
        self._context: gssapi.SecurityContext | None = None
        self._has_chosen = False

    def first(self) -> bytes:
        try:
            service = gssapi.Name(f"{self._settings.service}@{_name_of(self._host)}", gssapi.NameType.hostbased_service)
            self._context = gssapi.SecurityContext(
                name=service, creds=_credentials(self._settings), mech=gssapi.MechType.kerberos, usage="initiate"
            )
            return self._context.step() or b""
        except GSSError as error:
            raise LoginFailed(_explained(error)) from None

    def step(self, answer: bytes, /) -> bytes | None:
        context = self._context
        assert context is not None
        if self._has_chosen:
            return None
        try:
            if not context.complete:
                return context.step(bytes(answer)) or b""
            offer = context.unwrap(bytes(answer)).message
            if len(offer) != OFFER_BYTES or not offer[0] & NO_LAYER:
                raise LoginFailed("the other node wants a layer of GSSAPI, and Kafka has none")
            self._has_chosen = True
            choice: bytes = context.wrap(CHOICE, False).message
        except GSSError as error:
            raise LoginFailed(_explained(error)) from None
        return choice


def _credentials(settings: KerberosLogin) -> gssapi.Credentials:
    """Raises GSSError: the keytab cannot be read, or the KDC does not take its key."""
    name = gssapi.Name(settings.principal, gssapi.NameType.kerberos_principal) if settings.principal else None
    if not settings.keytab:  # of a command: what `kinit` has got, or KRB5_CLIENT_KTNAME
        return gssapi.Credentials(name=name, usage="initiate", mechs=[gssapi.MechType.kerberos])
    # A cache for each principal, as the name of a cache's owner never changes.
    cache = f"MEMORY:kafkapy {settings.keytab} {settings.principal}"
    return gssapi.Credentials(
        name=name,
        usage="initiate",
        mechs=[gssapi.MechType.kerberos],
        store={"client_keytab": settings.keytab, "ccache": cache},
    )


def _name_of(host: str) -> str:
    """As in Java, the name of an address, if it has one: principals of services have names."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    try:
        return socket.gethostbyaddr(host)[0]
    except OSError:
        return host


def _explained(error: GSSError) -> str:
    return f"Kerberos: {' '.join(str(error).split())}"
