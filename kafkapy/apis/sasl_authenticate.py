"""SaslAuthenticate (API key 36), versions 0-2: a token of the SASL mechanism that SaslHandshake v1 has chosen.

v1 session_lifetime_ms: the client has to authenticate again within it (KIP-368)   v2 flexible

Errors  SASL_AUTHENTICATION_FAILED  the answer comes after connection.failed.authentication.delay.ms and ends the
                                    connection
        ILLEGAL_SASL_STATE          the listener has no SASL, or the client has authenticated already
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.security.sasl.authenticator import AuthenticateAnswer


def handle(request: SaslAuthenticateRequest, context: NodeContext) -> AuthenticateAnswer:
    authenticator = context.client.authenticator
    if authenticator is None or authenticator.is_complete:
        return SaslAuthenticateResponse(
            error_code=ErrorCode.ILLEGAL_SASL_STATE,
            error_message="SaslAuthenticate request received after successful authentication",
        )
    return authenticator.authenticate(request.auth_bytes)
