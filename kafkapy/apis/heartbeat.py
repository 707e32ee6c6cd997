"""Heartbeat (API key 12), versions 0-4: keeps a member's session in a classic group; tells it whether to join again.

v1 throttle_time_ms    v3 group_instance_id (KIP-345)    v4 flexible

Errors  INVALID_GROUP_ID       the group id is empty
        UNKNOWN_MEMBER_ID      no such member, or no such group
        FENCED_INSTANCE_ID     another member has taken over this group_instance_id
        ILLEGAL_GENERATION     generation_id is not the group's
        REBALANCE_IN_PROGRESS  the member must join again
        NOT_COORDINATOR        another broker coordinates the group

While the group is loaded, every heartbeat is answered without an error, as in Apache Kafka: members have to do nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.heartbeat import HeartbeatResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.heartbeat import HeartbeatRequest


def handle(request: HeartbeatRequest, context: RequestContext) -> Pending[HeartbeatResponse]:
    outcome = attempt(lambda: context.broker.groups.classic.heartbeat(request))
    return outcome.otherwise(_code_of).map(lambda code: HeartbeatResponse(error_code=code))


def _code_of(error: KafkaError) -> ErrorCode:
    return ErrorCode.NONE if error.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS else error.code
