"""GSSAPI (RFC 4752): Kerberos, by the package gssapi, which uses the system's libraries.

    client's token -> the context's answer ... until it is established
    nothing        -> which layers there are: none but authentication
    the choice     -> complete

The keytab and the principal are those of the login module: `useKeyTab=true keyTab="..." principal="kafka/host@REALM"`.
Each step runs in a worker thread: it reads the keytab and writes the replay cache.

A client is who its ticket says, whoever else it wants to be, as in Apache Kafka: kafka-python names the service there.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import gssapi
from gssapi.raw.misc import GSSError

from kafkapy.security.principal import KafkaPrincipal, user
from kafkapy.security.sasl.exchange import LoginRefused
from kafkapy.settings.kerberos import local_name
from kafkapy.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kafkapy.settings.sasl import KerberosSettings

NO_LAYER: Final = 1
OFFER: Final = bytes((NO_LAYER, 0, 0, 0))
TOKEN_BYTES_MAX: Final = 256 * 1024
_workers: Final = Workers("logins by Kerberos", 4)
"""A step may ask a name server."""
_DEFAULT_REALM = re.compile(r"^\s*default_realm\s*=\s*(\S+)", re.MULTILINE)
_CONFIG_BYTES_MAX = 1024 * 1024


class KerberosExchange:
    def __init__(self, settings: KerberosSettings) -> None:
        self._settings = settings
        self._context: gssapi.SecurityContext | None = None
        self._is_offered = False
        self.principal: KafkaPrincipal | None = None
        self.expires_ms: float | None = None

    def step(self, token: bytes, /) -> Awaitable[bytes]:
        if len(token) > TOKEN_BYTES_MAX:
            raise LoginRefused(f"a token of {len(token)} bytes")
        return _workers.run(partial(self._step, bytes(token)))

    def _step(self, token: bytes) -> bytes:
        try:
            if self._context is None:
                self._context = gssapi.SecurityContext(creds=_credentials(self._settings), usage="accept")
            if not self._context.complete:
                answer = self._context.step(token)
                if not self._context.complete or answer:
                    return answer or b""
                token = b""
            if not self._is_offered:
                self._is_offered = True
                wrapped: bytes = self._context.wrap(OFFER, False).message
                return wrapped
            return self._chosen(self._context, token)
        except GSSError as error:
            raise LoginRefused(f"Kerberos: {' '.join(str(error).split())}") from None

    def _chosen(self, context: gssapi.SecurityContext, token: bytes) -> bytes:
        choice = context.unwrap(token).message
        if len(choice) < len(OFFER) or choice[0] != NO_LAYER:
            raise LoginRefused("the client has chosen a layer that was not offered")
        name = str(context.initiator_name)
        try:
            local = local_name(name, self._settings.rules, default_realm())
        except ValueError as error:
            raise LoginRefused(str(error), name=name) from None
        self.principal = user(local)
        self.expires_ms = None
        return b""


def _credentials(settings: KerberosSettings) -> gssapi.Credentials:
    """Those of this node. Raises GSSError: the keytab cannot be read, or has not the principal."""
    name = gssapi.Name(settings.principal, gssapi.NameType.kerberos_principal) if settings.principal else None
    return gssapi.Credentials(
        name=name, usage="accept", mechs=[gssapi.MechType.kerberos], store={"keytab": settings.keytab}
    )


def default_realm() -> str:
    """By krb5.conf; empty if it names none."""
    for path in os.environ.get("KRB5_CONFIG", "/etc/krb5.conf").split(":"):
        try:
            with Path(path).open("rb") as file:
                found = _DEFAULT_REALM.search(str(file.read(_CONFIG_BYTES_MAX), "utf-8", "replace"))
        except OSError:
            continue
        if found is not None:
            return found[1]
    return ""
