"""ListGroups (API key 16), versions 0-5: the groups whose coordinator this broker is.

v1 throttle_time_ms    v3 flexible    v4 states_filter, group_state (KIP-518)    v5 types_filter, group_type (KIP-848)

Errors  COORDINATOR_LOAD_IN_PROGRESS  not all groups are loaded yet
Filters ignore case; an unknown state or type matches nothing.
Differs: stored groups of a type that group.coordinator.rebalance.protocols does not name are listed as Empty: they have
no members here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.list_groups import ListGroupsResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.list_groups import ListGroupsRequest

LISTED_AT_ONCE_MAX = 500


def handle(
    request: ListGroupsRequest, context: RequestContext
) -> Pending[ListGroupsResponse] | Coroutine[object, object, ListGroupsResponse]:
    groups, states, types = context.broker.groups, request.states_filter, request.types_filter
    if groups.group_count + len(states) + len(types) > LISTED_AT_ONCE_MAX:
        return _list_in_turns(request, context)
    answer = attempt(lambda: groups.list_groups(states, types)).map(lambda listed: ListGroupsResponse(groups=listed))
    return answer.otherwise(lambda error: ListGroupsResponse(error_code=error.code))


async def _list_in_turns(request: ListGroupsRequest, context: RequestContext) -> ListGroupsResponse:
    try:
        groups = await context.broker.groups.list_many_groups(request.states_filter, request.types_filter)
    except KafkaError as error:
        return ListGroupsResponse(error_code=error.code)
    return ListGroupsResponse(groups=groups)
