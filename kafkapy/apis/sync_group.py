"""SyncGroup (API key 14), versions 0-5: the group's leader sends the assignment of every member; each receives its own.

A member is answered when the leader's request has arrived.

v1 throttle_time_ms    v3 group_instance_id (KIP-345)    v4 flexible    v5 protocol_type, protocol_name (KIP-559)

Errors  INVALID_GROUP_ID             the group id is empty
        UNKNOWN_MEMBER_ID            no such member
        FENCED_INSTANCE_ID           another member has taken over this group_instance_id
        ILLEGAL_GENERATION           generation_id is not the group's
        INCONSISTENT_GROUP_PROTOCOL  not the group's protocol; from v5 on, also a request without a protocol
        REBALANCE_IN_PROGRESS        the member must join again
        NOT_COORDINATOR              another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
Differs: if a member sends SyncGroup again on another connection, the first one is answered with REBALANCE_IN_PROGRESS;
         if the member leaves while its SyncGroup waits, with UNKNOWN_MEMBER_ID. Apache Kafka answers neither.
         If a client closes or half-closes its connection while its SyncGroup waits, neither the SyncGroup nor the
         requests behind it are answered, and those requests are not carried out. Apache Kafka waits, then answers them
         all.
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
    outcome = attempt(lambda: context.broker.groups.classic.sync_group(request))
    return outcome.otherwise(lambda error: SyncGroupResponse(error_code=error.code))
