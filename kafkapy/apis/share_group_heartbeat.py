"""ShareGroupHeartbeat (API key 76), version 1: a member of a share group (KIP-932) joins, goes on, or leaves.

member_epoch 0 joins, -1 leaves; any other keeps the session and says what has changed. The answer tells the member
which partitions to read, when that has changed or the member has named its topics.

Errors  UNSUPPORTED_VERSION     share.version is 0
        INVALID_REQUEST         the member id is empty or longer than 36 characters, another id is blank, the first
                                heartbeat names no topics, or member_epoch is below -1
        GROUP_ID_NOT_FOUND      no such group (member_epoch is not 0), or it is of another type
        UNKNOWN_MEMBER_ID       no such member
        FENCED_MEMBER_EPOCH     member_epoch is not the member's: give up everything and join anew
        GROUP_MAX_SIZE_REACHED  the group has group.share.max.size members
        UNKNOWN_SERVER_ERROR    too many topics
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
Differs: 5,000 topics of a member are too many; in Apache Kafka it is those that do not fit into a record. So are 20,000
         different ones of all members (INVALID_REQUEST).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.join_group import java_address_text
from kafkapy.coordinators.group.group import Caller
from kafkapy.pending import Pending, attempt
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest


def handle(request: ShareGroupHeartbeatRequest, context: RequestContext) -> Pending[ShareGroupHeartbeatResponse]:
    sharing = context.broker.sharing
    if not sharing.is_enabled:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    caller = Caller(context.api_version, context.client_id or "", java_address_text(context.client.peer_host))
    outcome = attempt(lambda: sharing.groups.heartbeat(request, caller))
    return outcome.otherwise(lambda error: error_response(request, error))


def error_response(request: ShareGroupHeartbeatRequest, error: KafkaError) -> ShareGroupHeartbeatResponse:  # noqa: ARG001
    return ShareGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
