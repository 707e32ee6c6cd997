"""DescribeClientQuotas (API key 48), versions 0-1: the quotas of users, client ids and addresses (KIP-546).

v1 flexible

Errors  INVALID_REQUEST      an entity type that is empty or named twice, an unknown match type, a match that is missing
                             or too many, type ip beside another one
        UNSUPPORTED_VERSION  an entity type that is not known
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import each_in_turns, to_the_end
from kafkapy_controller.client_quotas import quota_filter, quotas_of
from kafkapy_wire.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import QuotaEntity
    from kafkapy_wire.errors import KafkaError


async def handle(request: DescribeClientQuotasRequest, context: RequestContext) -> DescribeClientQuotasResponse:
    components = ((each.entity_type, each.match_type, each.match) for each in request.components)
    wanted = quota_filter(components, strict=request.strict)
    found = await to_the_end(quotas_of(context.broker.metadata.image, wanted))
    entries = await each_in_turns(lambda one: _entry(*one), found)
    return DescribeClientQuotasResponse(entries=entries)


def _entry(entity: QuotaEntity, quotas: Mapping[str, float]) -> EntryData:
    return EntryData(
        entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
        values=[ValueData(key=key, value=value) for key, value in quotas.items()],
    )


def error_response(_request: DescribeClientQuotasRequest, error: KafkaError) -> DescribeClientQuotasResponse:
    return DescribeClientQuotasResponse(error_code=error.code, error_message=error.message, entries=None)
