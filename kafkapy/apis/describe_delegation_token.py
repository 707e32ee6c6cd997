"""DescribeDelegationToken (API key 41), versions 1-3: the tokens that the client may see (KIP-48).

v2 flexible   v3 who has asked for the token (KIP-373)

Errors  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED  the client has not authenticated, or has done so with a token
        DELEGATION_TOKEN_AUTH_DISABLED        there is no delegation.token.secret.key
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.token_requests import may_ask
from kafkapy.security.access import is_allowed
from kafkapy.security.principal import KafkaPrincipal
from kafkapy.turns import each_in_turns
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_controller.delegation_tokens import owner_and_renewers
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_delegation_token import (
    DescribedDelegationToken,
    DescribedDelegationTokenRenewer,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.record_formats.metadata import DelegationTokenRecord


async def handle(request: DescribeDelegationTokenRequest, context: NodeContext) -> DescribeDelegationTokenResponse:
    if not may_ask(context):
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED)
    tokens = context.node.tokens
    if tokens is None:
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED)
    owners: frozenset[str] | None = None
    if request.owners is not None:
        owners = frozenset(f"{owner.principal_type}:{owner.principal_name}" for owner in request.owners)

    def described(token: DelegationTokenRecord) -> DescribedDelegationToken | None:
        if owners is not None and owners.isdisjoint(owner_and_renewers(token)):
            return None
        if not _may_see(token, context):
            return None
        return _described(token, tokens.hmacs.of(token.token_id), tells_requester=context.api_version >= 3)

    found = await each_in_turns(described, context.node.metadata.image.delegation_tokens.values())
    return DescribeDelegationTokenResponse(tokens=[token for token in found if token is not None])


def _may_see(token: DelegationTokenRecord, context: NodeContext) -> bool:
    return (
        str(context.client.principal) in owner_and_renewers(token)
        or is_allowed(context, AclOperation.DESCRIBE, ResourceType.DELEGATION_TOKEN, token.token_id)
        or is_allowed(context, AclOperation.DESCRIBE_TOKENS, ResourceType.USER, token.owner)
    )


def _described(token: DelegationTokenRecord, hmac: bytes, *, tells_requester: bool) -> DescribedDelegationToken:
    owner = KafkaPrincipal.parse(token.owner)
    described = DescribedDelegationToken(
        principal_type=owner.type,
        principal_name=owner.name,
        issue_timestamp=token.issue_timestamp,
        expiry_timestamp=token.expiration_timestamp,
        max_timestamp=token.max_timestamp,
        token_id=token.token_id,
        hmac=hmac,
        renewers=[
            DescribedDelegationTokenRenewer(principal_type=each.type, principal_name=each.name)
            for each in map(KafkaPrincipal.parse, token.renewers)
        ],
    )
    if tells_requester:
        requester = KafkaPrincipal.parse(token.requester)
        described.token_requester_principal_type = requester.type
        described.token_requester_principal_name = requester.name
    return described
