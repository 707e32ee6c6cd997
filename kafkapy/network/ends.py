"""The log line for a connection that the broker ends: what the peer has done, or what ends it instead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from kafkapy.errors import AuthenticationFailed, CloseConnection, InjectedEnd, NotServed
from kafkapy_wire.errors import MalformedFrame, MalformedMessage

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.network.complaints import Complaints

logger = logging.getLogger("kafkapy.connection")

# Protocols that users point at a Kafka port by mistake, by their first bytes.
FOREIGN_GREETINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"GET ", "an HTTP request"),
    (b"POST", "an HTTP request"),
    (b"HEAD", "an HTTP request"),
    (b"PUT ", "an HTTP request"),
    (b"OPTI", "an HTTP request"),
    (b"PRI ", "an HTTP/2 request"),
    (b"\x16\x03", "a TLS handshake; this listener's security protocol is {protocol}"),
    (b"SSH-", "an SSH client"),
)


def log_end(
    error: MalformedFrame | MalformedMessage | CloseConnection,
    context: NodeContext,
    complaints: Complaints,
    *,
    is_greeted: bool,
) -> None:
    """`is_greeted`: a whole request has come over the connection before."""
    if isinstance(error, NotServed):
        from kafkapy.network.not_served import explain

        # A client that asks for an API of Kafka that is not served can often do without: no warning.
        if error.is_known and not error.served:
            logger.info("%s", explain(error, context))
        else:
            complaints.warn("%s", explain(error, context))
    elif isinstance(error, AuthenticationFailed):
        logger.debug("closing the connection from %s: %s", context.client, error)  # its audit line was logged
    elif isinstance(error, InjectedEnd):
        logger.info("closing the connection from %s: %s", context.client, error)
    else:
        told = str(error)
        if isinstance(error, MalformedFrame) and not is_greeted:
            told = _explained(error, context.client.security_protocol)
        complaints.warn("closing the connection from %s: %s", context.client, told)


def _explained(error: MalformedFrame, security_protocol: str) -> str:
    """For a frame of absurd size: which protocol it probably is, where the listener has `security_protocol`."""
    start = error.size.to_bytes(4, "big", signed=True)
    for greeting, what in FOREIGN_GREETINGS:
        if start.startswith(greeting):
            return f"this is a Kafka port, the peer sent {what.format(protocol=security_protocol)}"
    return str(error)
