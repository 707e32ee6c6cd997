"""SyncGroup (API key 14), versions 0-5: the leader hands in everyone's assignment, each member fetches its own.

The answer comes when the leader's request is there.

v1 throttle_time_ms    v3 group_instance_id (KIP-345)    v4 flexible    v5 protocol_type, protocol_name (KIP-559)

Errors  INVALID_GROUP_ID             the group id is empty
        UNKNOWN_MEMBER_ID            no such member
        FENCED_INSTANCE_ID           another member has taken over this group_instance_id
        ILLEGAL_GENERATION           generation_id is not the group's
        INCONSISTENT_GROUP_PROTOCOL  not the group's protocol; from v5 on, none named
        REBALANCE_IN_PROGRESS        join again
        COORDINATOR_LOAD_IN_PROGRESS
Differs: Apache Kafka never answers a SyncGroup that was superseded on another connection, or whose member leaves; here
         it hears REBALANCE_IN_PROGRESS or UNKNOWN_MEMBER_ID.
         A client that closes or half-closes its connection while its SyncGroup waits gets no answer to it, and none to
         the requests behind it, which are not handled. Apache Kafka lets it wait, then answers them all.
Not done: throttling; throttle_time_ms is always 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt, settled
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.sync_group import SyncGroupResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.sync_group import SyncGroupRequest

FIRST_VERSION_WITH_PROTOCOL = 5


def handle(request: SyncGroupRequest, context: RequestContext) -> Pending[SyncGroupResponse]:
    names_protocol = request.protocol_type is not None and request.protocol_name is not None
    if context.api_version >= FIRST_VERSION_WITH_PROTOCOL and not names_protocol:
        return settled(SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
    outcome = attempt(lambda: context.broker.groups.sync_group(request))
    return outcome.otherwise(lambda error: SyncGroupResponse(error_code=error.code))
