"""StreamsGroupHeartbeat (API key 88), versions 0-1: a member of a streams group (KIP-1071) joins, goes on, or leaves.

v1 acceptable_recovery_lag of 64 bits, topology_description_required, and the status MISSING_CLIENT_TAGS

member_epoch 0 joins and tells the topology, -1 leaves, -2 leaves for a while (a static member); any other keeps the
session and says what has changed. The answer tells the member its tasks, when these have changed. Its status says what
is amiss: a stale topology, topics that are missing or do not fit together, an assignment that waits. The broker creates
missing repartition and changelog topics.

Errors  UNSUPPORTED_VERSION       group.coordinator.rebalance.protocols does not name streams, or streams.version is 0
        STREAMS_INVALID_TOPOLOGY  the topology names internal or invalid topics, or its parts contradict each other
        INVALID_REQUEST           an id is blank, something is missing in the first heartbeat or must not be in a later
                                  one, tasks are not in the topology, or the topology is not the group's
        GROUP_ID_NOT_FOUND        no such group (member_epoch is not 0), or it is of another type
        UNKNOWN_MEMBER_ID         no such member
        FENCED_MEMBER_EPOCH       member_epoch is not the member's: give up everything and join anew
        FENCED_INSTANCE_ID        another member has the instance id
        UNRELEASED_INSTANCE_ID    another member has the instance id, and has not left
        GROUP_MAX_SIZE_REACHED    the group has group.streams.max.size members
        UNKNOWN_SERVER_ERROR      something comes twice in the topology or among the tags; or a member has an endpoint
                                  for interactive queries while source topics are missing
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
Differs: a topology with more than 100,000 tasks or 10,000 names is refused with STREAMS_INVALID_TOPOLOGY; a group has
at most 10,000 members; and a subtopology may come twice among the tasks that a member has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.join_group import java_address_text
from kafkapy.apis.topic_rights import may_create
from kafkapy.coordinators.group.group import Caller
from kafkapy.pending import Pending, attempt
from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest


def handle(request: StreamsGroupHeartbeatRequest, context: RequestContext) -> Pending[StreamsGroupHeartbeatResponse]:
    host = java_address_text(context.client.peer_host)
    caller = Caller(context.api_version, context.client_id or "", host, may_create=may_create(context))
    outcome = attempt(lambda: context.broker.groups.streams.heartbeat(request, caller))
    return outcome.otherwise(lambda error: error_response(request, error))


def error_response(request: StreamsGroupHeartbeatRequest, error: KafkaError) -> StreamsGroupHeartbeatResponse:  # noqa: ARG001
    return StreamsGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
