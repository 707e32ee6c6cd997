"""A file of client settings (`--command-config`), as Kafka's tools take it: how a command connects to brokers."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kafkapy.client.errors import ClientError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from kafkapy.client.connection import Security
    from kafkapy.tls.contexts import ClientTls

PROTOCOL: Final = "security.protocol"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PLAIN_TEXT: Final = ("PLAINTEXT", "SASL_PLAINTEXT")

# What OpenSSL says of a certificate (X509_V_ERR_*).
_UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21})
_OTHER_HOST: Final = frozenset({62, 64})


def client_settings(file: str | None) -> dict[str, str]:
    """Those of a properties file; none without a file. Raises ClientError."""
    if file is None:
        return {}
    from kafkapy.settings.properties import parse_properties

    try:
        return parse_properties(Path(file).read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise ClientError(f"cannot read {file} ({error.strerror})") from None
    except ValueError as error:
        raise ClientError(f"cannot read {file}: {error}") from None


def security_of(settings: Mapping[str, str]) -> Security | None:
    """How connections are made, by client settings; None: in plain text. Raises ClientError: they cannot be so."""
    protocol = settings.get(PROTOCOL, PROTOCOLS[0]).strip().upper()
    if protocol not in PROTOCOLS:
        raise ClientError(f"{PROTOCOL}={protocol}: there are {', '.join(PROTOCOLS)}")
    if protocol in PLAIN_TEXT:
        return None
    from kafkapy.settings.catalog import broker_definition
    from kafkapy.settings.errors import SettingsError
    from kafkapy.settings.parse import parse_value
    from kafkapy.settings.security import SecuritySettings
    from kafkapy.tls.contexts import ClientTls

    try:
        values: dict[str, object] = {}
        for name in SecuritySettings.SETTING_NAMES:
            definition = broker_definition(name)
            if name.startswith("ssl.") and name in settings and definition is not None:
                values[name] = parse_value(definition, settings[name])
        return TlsClient(ClientTls(SecuritySettings().with_settings(values), str))
    except SettingsError as error:
        raise ClientError(str(error)) from None


class TlsClient:
    """Connections with TLS."""

    def __init__(self, tls: ClientTls) -> None:
        self._tls = tls

    def secure(self, sock: socket.socket, host: str) -> socket.socket:
        """The socket with TLS on it. Raises OSError."""
        return self._tls.context.wrap_socket(sock, server_hostname=host)

    def is_final(self, error: OSError) -> bool:
        """Whether a connection would end again in the same way."""
        return isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)

    def explain(self, error: OSError) -> str:
        """Why a connection has ended, or has not begun."""
        from kafkapy.tls.failures import explained

        if isinstance(error, ssl.SSLEOFError):
            return "it was closed in the TLS handshake: is there a listener with TLS?"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"no TLS: the certificate of the peer is refused: {error.verify_message}: {_what_to_do(error)}"
        return f"no TLS: {explained(error)}" if isinstance(error, ssl.SSLError) else error.strerror or str(error)


def _what_to_do(error: ssl.SSLCertVerificationError) -> str:
    """About a certificate that was refused."""
    if error.verify_code in _OTHER_HOST:
        return "connect to a host that the certificate is for, or set ssl.endpoint.identification.algorithm= (empty)"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "ssl.truststore.location must have the certificate of its authority (ca.crt of `kafkapy certs`)"
    return "the broker needs another one"
