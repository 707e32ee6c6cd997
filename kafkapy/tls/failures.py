"""Why a handshake has failed, for the log: what the peer has done, and what to do."""

from __future__ import annotations

import ssl
from typing import Final

HANDSHAKE_BYTE: Final = 0x16
"""The first byte of every TLS connection."""

# OpenSSL's reason -> what it means at a broker, and what to do.
_REASONS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the client has no certificate, which ssl.client.auth=required wants: give the client a key store"
    ),
    "TLSV1_ALERT_UNKNOWN_CA": (
        "the peer does not trust our certificate (alert unknown_ca): give its trust store the certificate of our CA"
    ),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": (
        "the peer does not accept our certificate (alert certificate_unknown): its trust store must have our CA, and "
        "the certificate the host that it connects to"
    ),
    "SSLV3_ALERT_BAD_CERTIFICATE": (
        "the peer does not accept our certificate (alert bad_certificate): the certificate must have the host that it "
        "connects to, and be signed by a CA of its trust store"
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        "our certificate, or one of its chain, has expired (alert certificate_expired): renew it"
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        "the broker wants a certificate of this client (alert certificate_required): give ssl.keystore.location"
    ),
    "NO_SHARED_CIPHER": "there is no cipher suite that both sides have: see ssl.cipher.suites",
    "UNSUPPORTED_PROTOCOL": "the peer only speaks versions of TLS that are switched off: see ssl.enabled.protocols",
    "UNKNOWN_PROTOCOL": "the peer only speaks versions of TLS that are switched off: see ssl.enabled.protocols",
    "VERSION_TOO_LOW": "the peer only speaks versions of TLS that are switched off: see ssl.enabled.protocols",
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS",
    "HTTP_REQUEST": "the peer sent an HTTP request without TLS",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer speaks none of the versions of ssl.enabled.protocols",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer shares no cipher suite or signature scheme (alert handshake_failure)",
}


_VERIFICATION: Final = (
    ("has expired", ": renew it there"),
    ("not yet valid", ": see the clocks of both sides"),
    ("issuer", ": ssl.truststore.location must have its CA"),
    ("self-signed", ": ssl.truststore.location must have its CA"),
    ("self signed", ": ssl.truststore.location must have its CA"),
    ("mismatch", ": the certificate must have the host that is connected to (ssl.endpoint.identification.algorithm)"),
)
"""Parts of OpenSSL's words about a certificate, and what to do."""


def explained(error: ssl.SSLError) -> str:
    """What has gone wrong, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = error.verify_message
        advice = next((advice for part, advice in _VERIFICATION if part in told.lower()), "")
        return f"the certificate of the peer is refused: {told}{advice}"
    reason = error.reason or str(error)
    return _REASONS.get(reason, reason.lower().replace("_", " "))


def instead_of_handshake(first: bytes, security_protocol: str) -> str | None:
    """What the first bytes of a connection are if they are no TLS; None: they are. `security_protocol` is the
    listener's.
    """
    if first[0] == HANDSHAKE_BYTE:
        return None
    if first[:1].isalpha() and first[:8].isascii():
        return "an HTTP request, or other text, without TLS"
    if first[0] == 0:
        return f"a Kafka request without TLS: set security.protocol={security_protocol} in the client's configuration"
    return "bytes that are no TLS"
