"""CreateDelegationToken (API key 38), versions 1-3: a token with which others may act as its owner (KIP-48).

v2 flexible   v3 a token for another owner (KIP-373)

Errors  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED   the client has not authenticated, or has done so with a token
        DELEGATION_TOKEN_AUTHORIZATION_FAILED  the client may not create tokens for that owner
        INVALID_PRINCIPAL_TYPE                 a renewer is no user
        DELEGATION_TOKEN_AUTH_DISABLED         there is no delegation.token.secret.key
        RECORD_LIST_TOO_LARGE                  its renewers have more than 8 MiB
        UNSUPPORTED_VERSION                    metadata.version is below 3.6-IV2
        KAFKA_STORAGE_ERROR                    the metadata log cannot be written
        UNKNOWN_SERVER_ERROR                   the owner has a name and no type
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.token_requests import may_ask, settings_of
from kafkapy.errors import without_frames
from kafkapy.pending import settled
from kafkapy.security.access import is_allowed
from kafkapy.security.principal import ANONYMOUS, USER, KafkaPrincipal
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_controller.decision import Decision, Steps
from kafkapy_controller.delegation_tokens import NewToken, decide_create_token
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_delegation_token import CreateDelegationTokenRequest, CreateDelegationTokenResponse
from kafkapy_wire.uuid import random_uuid, uuid_text

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.record_formats.metadata import DelegationTokenRecord


def before_forwarding(
    request: CreateDelegationTokenRequest, context: NodeContext
) -> CreateDelegationTokenResponse | None:
    if request.owner_principal_name and request.owner_principal_type is None:
        return _refused_to(ANONYMOUS, ANONYMOUS, ErrorCode.UNKNOWN_SERVER_ERROR, context)
    refusal = _refusal(request, context)
    if refusal is None and any(renewer.principal_type != USER for renewer in request.renewers):
        refusal = ErrorCode.INVALID_PRINCIPAL_TYPE
    return None if refusal is None else _refused(request, context, refusal, forwarded=False)


def _refusal(request: CreateDelegationTokenRequest, context: NodeContext) -> ErrorCode | None:
    if not may_ask(context):
        return ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    owner = _owner(request, context)
    if owner != context.client.principal and not is_allowed(
        context, AclOperation.CREATE_TOKENS, ResourceType.USER, str(owner)
    ):
        return ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED
    return None


async def handle(
    request: CreateDelegationTokenRequest, context: NodeContext
) -> CreateDelegationTokenResponse | Pending[CreateDelegationTokenResponse]:
    refusal = before_forwarding(request, context)
    if refusal is not None:
        return refusal
    asked = NewToken(
        str(_owner(request, context)),
        str(context.client.principal),
        [f"{renewer.principal_type}:{renewer.principal_name}" for renewer in request.renewers],
        request.max_lifetime_ms,
    )
    token_id, now_ms = uuid_text(random_uuid()), context.node.clock.now_ms()

    def decide(image: MetadataImage) -> Steps[Decision[DelegationTokenRecord]]:
        yield
        return decide_create_token(image, settings_of(context), asked, token_id, now_ms)

    try:
        token = await context.node.controller.commit_in_steps(decide)
    except KafkaError as error:
        if error.code is ErrorCode.NOT_CONTROLLER:
            raise
        return _refused(request, context, error.code, forwarded=True)
    return token.and_then(lambda record: settled(_created(request, context, record)))


def _owner(request: CreateDelegationTokenRequest, context: NodeContext) -> KafkaPrincipal:
    if request.owner_principal_name:
        return KafkaPrincipal(request.owner_principal_type or "", request.owner_principal_name)
    return context.client.principal


def _created(
    request: CreateDelegationTokenRequest, context: NodeContext, token: DelegationTokenRecord
) -> CreateDelegationTokenResponse:
    assert context.node.tokens is not None
    response = _response(request, context)
    response.issue_timestamp_ms = token.issue_timestamp
    response.expiry_timestamp_ms = token.expiration_timestamp
    response.max_timestamp_ms = token.max_timestamp
    response.token_id = token.token_id
    response.hmac = context.node.tokens.hmacs.of(token.token_id)
    return response


def _response(request: CreateDelegationTokenRequest, context: NodeContext) -> CreateDelegationTokenResponse:
    return _of(_owner(request, context), context.client.principal, context)


def _of(owner: KafkaPrincipal, requester: KafkaPrincipal, context: NodeContext) -> CreateDelegationTokenResponse:
    response = CreateDelegationTokenResponse(principal_type=owner.type, principal_name=owner.name)
    if context.api_version >= 3:
        response.token_requester_principal_type = requester.type
        response.token_requester_principal_name = requester.name
    return response


def _refused(
    request: CreateDelegationTokenRequest, context: NodeContext, code: ErrorCode, *, forwarded: bool
) -> CreateDelegationTokenResponse:
    """`forwarded`: the controller has refused it, whose answers leave the times at 0."""
    if not forwarded:
        return _refused_to(_owner(request, context), context.client.principal, code, context)
    response = _response(request, context)
    response.error_code = code
    return response


def _refused_to(
    owner: KafkaPrincipal, requester: KafkaPrincipal, code: ErrorCode, context: NodeContext
) -> CreateDelegationTokenResponse:
    response = _of(owner, requester, context)
    response.error_code = code
    response.issue_timestamp_ms = response.expiry_timestamp_ms = response.max_timestamp_ms = -1
    return response


def error_response(_request: CreateDelegationTokenRequest, error: KafkaError) -> CreateDelegationTokenResponse:
    return CreateDelegationTokenResponse(
        error_code=without_frames(error).code,
        principal_type=ANONYMOUS.type,
        principal_name=ANONYMOUS.name,
        issue_timestamp_ms=-1,
        expiry_timestamp_ms=-1,
        max_timestamp_ms=-1,
    )
