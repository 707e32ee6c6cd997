"""SaslHandshake (API key 17), versions 0-1: the client chooses a SASL mechanism.

v0 tokens follow as frames without a header   v1 tokens follow in SaslAuthenticate (KIP-152)

Errors  UNSUPPORTED_SASL_MECHANISM  the listener does not have it; its mechanisms are in the answer, which comes after
                                    connection.failed.authentication.delay.ms and ends the connection
        ILLEGAL_SASL_STATE          the listener has no SASL, or the client has authenticated for good
Differs: a client that authenticates again with a mechanism that the listener does not have is told so, too. Apache
Kafka closes its connection without an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def handle(
    request: SaslHandshakeRequest, context: NodeContext
) -> SaslHandshakeResponse | Pending[SaslHandshakeResponse]:
    authenticator = context.client.authenticator
    if authenticator is None or authenticator.is_complete:
        return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE)
    return authenticator.handshake(request.mechanism, context.api_version)
