"""ConsumerGroupHeartbeat (API key 68), versions 0-1: a member of a consumer group (KIP-848) joins, goes on, or leaves.

member_epoch 0 joins, -1 leaves, -2 leaves for a while (a static member); any other keeps the session, says what has
changed, and takes the next step to what the member is to own.

v1 subscribed_topic_regex; member_id is made by the client (KIP-1082)

Errors  INVALID_REQUEST             an id is empty, a first heartbeat lacks what it needs, or member_epoch is below -2
        UNSUPPORTED_ASSIGNOR        server_assignor is not in group.consumer.assignors
        INVALID_REGULAR_EXPRESSION  subscribed_topic_regex is not RE2
        GROUP_ID_NOT_FOUND          no such group (member_epoch is not 0), or it is of another type
        UNKNOWN_MEMBER_ID           no such member, or instance_id is unknown: join anew
        FENCED_MEMBER_EPOCH         member_epoch is not the member's: give up everything and join anew
        FENCED_INSTANCE_ID          another member has this instance_id
        UNRELEASED_INSTANCE_ID      another member has this instance_id and has not left
        GROUP_MAX_SIZE_REACHED      the group has group.consumer.max.size members
        UNSUPPORTED_VERSION         group.coordinator.rebalance.protocols has no "consumer", or group.version is 0
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
Differs: a member may name 10,000 topics, the members of a group 20,000 different ones, and 500,000 if each member's are
         counted (INVALID_REQUEST); and a group have 10,000 members (GROUP_MAX_SIZE_REACHED); Apache Kafka has no
         bounds.
         The hash of a group's topics is another one, so that a group that moves between the two brokers is assigned
         anew once; its members keep their partitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.join_group import java_address_text
from kafkapy.apis.topic_rights import may_describe
from kafkapy.coordinators.group.group import Caller
from kafkapy.pending import Pending, attempt
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest


def handle(request: ConsumerGroupHeartbeatRequest, context: RequestContext) -> Pending[ConsumerGroupHeartbeatResponse]:
    host = java_address_text(context.client.peer_host)
    caller = Caller(context.api_version, context.client_id or "", host, may_describe=may_describe(context))
    outcome = attempt(lambda: context.broker.groups.consumer.heartbeat(request, caller))
    return outcome.otherwise(lambda error: error_response(request, error))


def error_response(request: ConsumerGroupHeartbeatRequest, error: KafkaError) -> ConsumerGroupHeartbeatResponse:  # noqa: ARG001
    return ConsumerGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
