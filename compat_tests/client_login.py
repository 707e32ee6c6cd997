"""How clients of every language reach a cluster with SASL_SSL, each as its own user.

`COMPAT_SASL_CERTIFICATES` in the environment, which programs inherit, names the directory of `kafkapy certs`; without
it, clients have neither TLS nor SASL, and all of this is empty.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from compat_tests.differential.peer import Connection, ConnectionClosed, api_key_of
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest
from kafkapy_wire.sasl.client import ScramClient
from kafkapy_wire.sasl.jaas import SCRAM_MODULE

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORY: Final = "COMPAT_SASL_CERTIFICATES"
MECHANISM: Final = "SCRAM-SHA-256"
KCAT: Final = "kcat"
"""The user of kcat, which logs in by PLAIN: Debian's is linked with librdkafka 2.0, whose SCRAM no broker takes that
checks the nonce, Apache Kafka's of 3.9.1 and later among them (librdkafka 2.6.1 has mended it)."""


def password_of(user: str) -> str:
    return f"{user}-secret"


def directory() -> str | None:
    return os.environ.get(DIRECTORY)


def librdkafka(user: str) -> dict[str, str]:
    """Settings of librdkafka's clients, kcat among them."""
    where = directory()
    if where is None:
        return {}
    return {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": f"{where}/ca.crt",
        "sasl.mechanism": "PLAIN" if user == KCAT else MECHANISM,
        "sasl.username": user,
        "sasl.password": password_of(user),
    }


def java(user: str) -> dict[str, str]:
    """Settings of Java's clients and tools, and of kafkapy's commands."""
    where = directory()
    if where is None:
        return {}
    return {
        "security.protocol": "SASL_SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": f"{where}/ca.crt",
        "sasl.mechanism": MECHANISM,
        "sasl.jaas.config": f'{SCRAM_MODULE} required username="{user}" password="{password_of(user)}";',
    }


def properties(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def kafka_python(user: str) -> dict[str, str]:
    """Arguments of kafka-python's clients."""
    where = directory()
    if where is None:
        return {}
    return {
        "ssl_cafile": f"{where}/ca.crt",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": MECHANISM,
        "sasl_plain_username": user,
        "sasl_plain_password": password_of(user),
    }


def environment(user: str) -> dict[str, str]:
    """The environment of a program: of go/security.go, java/ChaosWorker.java and aiokafka_program.py."""
    where = directory()
    if where is None:
        return dict(os.environ)
    settings = base64.b64encode(properties(java(user)).encode()).decode()
    return {
        **os.environ,
        "COMPAT_CERTIFICATES": where,
        "COMPAT_USER": user,
        "COMPAT_PASSWORD": password_of(user),
        "COMPAT_PROPERTIES": settings,
    }


def raw_connection(
    user: str, host: str, port: int, *, patience: float, password: str | None = None, is_token: bool = False
) -> Connection:
    """One that has logged in. `is_token`: with a delegation token. Raises OSError, ConnectionClosed: it is refused."""
    where = directory()
    if where is None:
        return Connection(host, port, patience=patience)
    connection = _TlsConnection(host, port, patience=patience)
    try:
        exchange = ScramClient(MECHANISM, user, password or password_of(user), is_token=is_token)
        _log_in(connection, exchange)
    except BaseException:
        connection.close()
        raise
    return connection


class _TlsConnection(Connection):
    def __init__(self, host: str, port: int, *, patience: float) -> None:
        super().__init__(host, port, patience=patience)
        context = ssl.create_default_context(cafile=f"{directory()}/ca.crt")
        try:
            self._socket: socket.socket = context.wrap_socket(self._socket, server_hostname=host)
        except BaseException:
            self._socket.close()
            raise


def _log_in(connection: Connection, exchange: ScramClient) -> None:
    def ask(request: Any, version: int) -> Any:
        return connection.receive(api_key_of(request), version, connection.post(request, version))

    shaken = ask(SaslHandshakeRequest(mechanism=MECHANISM), 1)
    assert not shaken.error_code, shaken
    token: bytes | None = exchange.first()
    while token is not None:
        answer = ask(SaslAuthenticateRequest(auth_bytes=token), 2)
        if answer.error_code:
            raise ConnectionClosed(str(answer))
        token = exchange.step(answer.auth_bytes)
