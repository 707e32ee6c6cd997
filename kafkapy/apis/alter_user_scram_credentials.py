"""AlterUserScramCredentials (API key 51), version 0: users for SASL/SCRAM, with salted passwords (KIP-554).

If one user fails, the others are changed all the same.

Errors  DUPLICATE_RESOURCE          a user is named twice
        RESOURCE_NOT_FOUND          a deletion of a credential that is not there
        UNACCEPTABLE_CREDENTIAL     the name is empty, or the iterations are below 4,096 or above 16,384
        UNSUPPORTED_SASL_MECHANISM  neither SCRAM-SHA-256 nor SCRAM-SHA-512
        UNSUPPORTED_VERSION         metadata.version is below 3.5-IV2
        UNKNOWN_SERVER_ERROR        the salted password is empty (as Apache Kafka 4.4.0)
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import drained, each_in_turns
from kafkapy_controller.scram_credentials import decide_alter_credentials
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import KafkaError

ANSWERED_AT_ONCE_MAX = 500


async def handle(
    request: AlterUserScramCredentialsRequest, context: NodeContext
) -> Pending[AlterUserScramCredentialsResponse] | AlterUserScramCredentialsResponse:
    results = await context.node.controller.commit_in_steps(
        lambda image: decide_alter_credentials(image, request.deletions, request.upsertions)
    )
    if len(request.deletions) + len(request.upsertions) > ANSWERED_AT_ONCE_MAX:
        return AlterUserScramCredentialsResponse(results=await each_in_turns(_result, drained(await results.wait())))
    return results.map(_response)


def _response(results: Iterable[tuple[str, KafkaError | None]]) -> AlterUserScramCredentialsResponse:
    return AlterUserScramCredentialsResponse(results=list(map(_result, results)))


def _result(of: tuple[str, KafkaError | None]) -> AlterUserScramCredentialsResult:
    user, error = of
    return AlterUserScramCredentialsResult(
        user=user,
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
    )


def error_response(request: AlterUserScramCredentialsRequest, error: KafkaError) -> AlterUserScramCredentialsResponse:
    users = {each.name for each in request.deletions} | {each.name for each in request.upsertions}
    return _response([(user, error) for user in sorted(users)])
