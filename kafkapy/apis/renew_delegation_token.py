"""RenewDelegationToken (API key 39), versions 1-2: a token expires later (KIP-48).

v2 flexible

Errors  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED  the client has not authenticated, or has done so with a token
        DELEGATION_TOKEN_AUTH_DISABLED        there is no delegation.token.secret.key
        UNSUPPORTED_VERSION                   metadata.version is below 3.6-IV2
        DELEGATION_TOKEN_NOT_FOUND            no token has that HMAC
        DELEGATION_TOKEN_EXPIRED              it has expired
        DELEGATION_TOKEN_OWNER_MISMATCH       the client is neither its owner nor one of its renewers
        KAFKA_STORAGE_ERROR                   the metadata log cannot be written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.token_requests import commit_expiry, may_ask
from kafkapy_controller.delegation_tokens import decide_renew_token
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest, RenewDelegationTokenResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def before_forwarding(
    _request: RenewDelegationTokenRequest, context: NodeContext
) -> RenewDelegationTokenResponse | None:
    if may_ask(context):
        return None
    return RenewDelegationTokenResponse(
        error_code=ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, expiry_timestamp_ms=-1
    )


async def handle(
    request: RenewDelegationTokenRequest, context: NodeContext
) -> RenewDelegationTokenResponse | Pending[RenewDelegationTokenResponse]:
    refusal = before_forwarding(request, context)
    if refusal is not None:
        return refusal
    expires = await commit_expiry(context, request.hmac, request.renew_period_ms, decide_renew_token)
    return expires.map(lambda timestamp: RenewDelegationTokenResponse(expiry_timestamp_ms=timestamp))
