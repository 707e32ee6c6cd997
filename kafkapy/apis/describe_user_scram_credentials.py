"""DescribeUserScramCredentials (API key 50), version 0: which users have SCRAM credentials, with how many iterations.

Errors  RESOURCE_NOT_FOUND  no such user
        DUPLICATE_RESOURCE  a user is named twice
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import drained, each_in_turns, to_the_end
from kafkapy_controller.scram_credentials import DescribedUser, describe_credentials
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.errors import KafkaError


async def handle(
    request: DescribeUserScramCredentialsRequest, context: NodeContext
) -> DescribeUserScramCredentialsResponse:
    users = await each_in_turns(lambda user: user.name, request.users or ())
    described = await to_the_end(describe_credentials(context.node.metadata.image, users))
    return DescribeUserScramCredentialsResponse(results=await each_in_turns(_result, drained(described)))


def _result(described: DescribedUser) -> DescribeUserScramCredentialsResult:
    error = described.error
    return DescribeUserScramCredentialsResult(
        user=described.name,
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message="" if error is None else error.message,
        credential_infos=[
            CredentialInfo(mechanism=mechanism, iterations=iterations)
            for mechanism, iterations in described.credentials
        ],
    )


def error_response(
    request: DescribeUserScramCredentialsRequest, error: KafkaError
) -> DescribeUserScramCredentialsResponse:
    return DescribeUserScramCredentialsResponse(
        error_code=error.code,
        error_message=error.message,
        results=[
            DescribeUserScramCredentialsResult(error_code=error.code, error_message=error.message)
            for _ in request.users or ()
        ],
    )
