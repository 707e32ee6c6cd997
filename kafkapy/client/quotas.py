"""What `kafkapy quotas` asks and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    OpData,
)
from kafkapy_wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

USER, CLIENT_ID, IP = "user", "client-id", "ip"
EXACT, DEFAULT, ANY_NAME = 0, 1, 2
Entity = Mapping[str, str | None]
"""Entity type to name; None is the default of the type."""


class Quotas(NamedTuple):
    entity: dict[str, str | None]
    values: dict[str, float]


def entity_words(entity: Entity) -> str:
    """`user 'alice', every other client-id`."""
    return ", ".join(f"every other {kind}" if name is None else f"{kind} {name!r}" for kind, name in entity.items())


def describe_quotas(
    cluster: Cluster, wanted: Entity, of_any_name: Sequence[str] = (), *, is_strict: bool = False
) -> list[Quotas]:
    """Those of all entities with these parts, and with parts of the types `of_any_name`; strict: without others.

    Raises Refused.
    """
    components = [
        ComponentData(entity_type=kind, match_type=DEFAULT if name is None else EXACT, match=name)
        for kind, name in wanted.items()
    ]
    components += [ComponentData(entity_type=kind, match_type=ANY_NAME, match=None) for kind in of_any_name]

    def attempt() -> list[Quotas]:
        request = DescribeClientQuotasRequest(components=components, strict=is_strict)
        answer = cluster.ask_once(cluster.any_broker(), request, DescribeClientQuotasResponse)
        check(answer.error_code, "quotas", answer.error_message)
        return [
            Quotas(
                {part.entity_type: part.entity_name for part in entry.entity},
                {value.key: value.value for value in entry.values},
            )
            for entry in answer.entries or ()
        ]

    return sorted(cluster.retrying(attempt), key=lambda quotas: entity_words(quotas.entity))


def alter_quotas(cluster: Cluster, entity: Entity, changed: Mapping[str, float], removed: Sequence[str]) -> None:
    """Raises Refused."""
    ops = [OpData(key=key, value=value) for key, value in changed.items()]
    ops += [OpData(key=key, remove=True) for key in removed]
    parts = [AlterClientQuotasRequestEntityData(entity_type=kind, entity_name=name) for kind, name in entity.items()]
    request = AlterClientQuotasRequest(entries=[AlterClientQuotasRequestEntryData(entity=parts, ops=ops)])

    def attempt() -> None:
        answer = cluster.ask_once(cluster.any_broker(), request, AlterClientQuotasResponse)
        (altered,) = answer.entries
        check(altered.error_code, entity_words(entity), altered.error_message)

    cluster.retrying(attempt)
