"""controller_mutation_rate in the requests that make and delete partitions: the active controller counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.context import NodeContext
    from kafkapy_controller.topics import Charge

R = TypeVar("R")


async def within_quota(
    context: NodeContext, first_strict_version: int, change: Callable[[Charge | None], Awaitable[R]]
) -> R:
    """The answer of `change`, which is called with what to charge; with the time that the client must wait."""
    quotas = context.node.quotas
    if not quotas.are_any:
        return await change(None)
    from kafkapy.quotas.mutation_quota import mutation_quota

    is_strict = context.api_version >= first_strict_version
    quota = mutation_quota(quotas, context.client.principal, context.client_id, is_strict=is_strict)
    if quota is None:
        return await change(None)
    response: Any = await change(quota.charge)
    response.throttle_time_ms = quota.throttle_ms
    return response  # type: ignore[no-any-return]
