"""AlterClientQuotas (API key 49), versions 0-1: sets and removes quotas of users, client ids and addresses (KIP-546).

v1 flexible

If one entity fails, the others are changed all the same. Of one entity all quotas change, or none.

Errors  INVALID_REQUEST      an entity that is empty, unknown or named twice, an address beside a user or client id, a
                             name that is no address, an unknown quota, a value that it cannot have
        POLICY_VIOLATION     more than 10,000 quotas change; then none does
        KAFKA_STORAGE_ERROR  the metadata log cannot be written
Differs: of a request that names more than 100 hosts by name, only the first 100 are looked up.
"""

from __future__ import annotations

import socket
from itertools import islice
from typing import TYPE_CHECKING

import trio

from kafkapy.turns import Turn
from kafkapy_controller.client_quotas import (
    IP,
    TYPES_MAX,
    QuotaAlteration,
    decide_alter_client_quotas,
    quota_entity,
)
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    AlterClientQuotasResponseEntityData,
    AlterClientQuotasResponseEntryData,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_controller.image import QuotaEntity

STANDARD_TEXTS = {
    ErrorCode.POLICY_VIOLATION: "Request parameters do not satisfy the configured policy.",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "Cluster authorization failed.",
}
"""Of a request that is refused as a whole: Apache Kafka says the code's own text, whatever the reason was."""
NAMES_MAX = 100
"""That are looked up for one request: each may take seconds of a worker thread."""
ANSWERED_AT_ONCE_MAX = 500
"""Entities."""


async def handle(
    request: AlterClientQuotasRequest, context: NodeContext
) -> Pending[AlterClientQuotasResponse] | AlterClientQuotasResponse:
    asked, names = await _alterations(request.entries)
    hosts = await _known_hosts(names)
    answers = await context.node.controller.commit_in_steps(
        lambda image: decide_alter_client_quotas(image, asked, hosts, validate_only=request.validate_only)
    )
    if len(asked) > ANSWERED_AT_ONCE_MAX or any(len(entity) > TYPES_MAX for entity, _ in asked):
        return await _long_response(await answers.wait())
    return answers.map(
        lambda errors: AlterClientQuotasResponse(entries=[_answer(entity, error) for entity, error in errors.items()])
    )


async def _alterations(
    entries: Iterable[AlterClientQuotasRequestEntryData],
) -> tuple[list[QuotaAlteration], set[str]]:
    """What is asked for, and the hosts that are named in it. Any of the lists may be very long."""
    turn = Turn()
    asked: list[QuotaAlteration] = []
    names: set[str] = set()
    for entry in entries:
        parts: dict[str, str | None] = {}
        for part in entry.entity:
            parts[part.entity_type] = part.entity_name
            if turn.is_over:
                await turn.share()
        operations: list[tuple[str, float | None]] = []
        for op in entry.ops:
            operations.append((op.key, None if op.remove else op.value))
            if turn.is_over:
                await turn.share()
        asked.append(QuotaAlteration(quota_entity(parts), operations))
        if name := parts.get(IP):
            names.add(name)
        if turn.is_over:
            await turn.share()
    return asked, names


async def _known_hosts(names: set[str]) -> set[str]:
    """Those of `names` that are addresses, or have one."""
    known = {name for name in names if _is_address(name)}
    others = sorted(names - known)
    if others:
        known |= await trio.to_thread.run_sync(_with_an_address, islice(others, NAMES_MAX))
    return known


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _with_an_address(names: Iterable[str]) -> set[str]:
    found = set()
    for name in names:
        try:
            socket.getaddrinfo(name, None)
        except (OSError, UnicodeError, ValueError):
            continue
        found.add(name)
    return found


def _answer(entity: QuotaEntity, error: KafkaError | None) -> AlterClientQuotasResponseEntryData:
    return AlterClientQuotasResponseEntryData(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
        entity=[AlterClientQuotasResponseEntityData(entity_type=kind, entity_name=name) for kind, name in entity],
    )


async def _long_response(errors: Mapping[QuotaEntity, KafkaError | None]) -> AlterClientQuotasResponse:
    turn = Turn()
    response = AlterClientQuotasResponse()
    for entity, error in errors.items():
        answer = _answer((), error)
        response.entries.append(answer)
        for kind, name in entity:
            answer.entity.append(AlterClientQuotasResponseEntityData(entity_type=kind, entity_name=name))
            if turn.is_over:
                await turn.share()
    return response


def error_response(request: AlterClientQuotasRequest, error: KafkaError) -> AlterClientQuotasResponse:
    standard = KafkaError(error.code, STANDARD_TEXTS.get(error.code, error.message))
    return AlterClientQuotasResponse(
        entries=[
            _answer(tuple((part.entity_type, part.entity_name) for part in entry.entity), standard)
            for entry in request.entries
        ]
    )
