"""ShareAcknowledge (API key 79), versions 1-2: a member of a share group says what became of records that it has got.

v2 renewed locks, acquisition_lock_timeout_ms (KIP-1222)

The answer leaves when all is stored. With epoch -1 the share session ends, and what the member still has becomes
available.

Errors  UNSUPPORTED_VERSION          share.version is 0
        INVALID_REQUEST              no group id, no member id, or one of more than 36 characters
        INVALID_SHARE_SESSION_EPOCH  epoch 0, or not the next one
        SHARE_SESSION_NOT_FOUND      the member has no session with this broker
 of one partition: see `share_acknowledgements`. With NOT_LEADER_OR_FOLLOWER the answer says who leads, and where.

Differs: a record that is too large for the dead letter topic together with the headers of a dead letter is written
there without its key and value, and so is nothing else of its batch; Apache Kafka then writes no letter, or leaves out
the keys and values of a whole compressed batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.share_acknowledgements import acknowledge, check_member
from kafkapy.metadata.current_leaders import current_leader
from kafkapy.sharing.sessions import FINAL_EPOCH, SessionKey
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_acknowledge import (
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareAcknowledgeTopicResponse,
)

if TYPE_CHECKING:
    from kafkapy.apis.share_acknowledgements import Outcome
    from kafkapy.context import RequestContext
    from kafkapy.pending import Pending
    from kafkapy.sharing.sessions import WantedPartition
    from kafkapy_wire.uuid import Uuid

OTHER_LEADER = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)


def handle(request: ShareAcknowledgeRequest, context: RequestContext) -> Pending[ShareAcknowledgeResponse]:
    sharing = context.broker.sharing
    if not sharing.is_enabled:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    key = SessionKey(*check_member(request.group_id, request.member_id))
    sharing.sessions.acknowledge(key, request.share_session_epoch)
    acknowledged = acknowledge(request.topics, *key, context, renews=request.is_renew_ack)

    def answer(outcomes: dict[WantedPartition, Outcome]) -> ShareAcknowledgeResponse:
        if request.share_session_epoch == FINAL_EPOCH:
            sharing.sessions.end(key)
        lock_ms = sharing.partitions.settings_of(key.group_id).share_record_lock_duration_ms
        return _response(outcomes, lock_ms, context)

    return acknowledged.map(answer)


def _response(
    outcomes: dict[WantedPartition, Outcome], lock_ms: int, context: RequestContext
) -> ShareAcknowledgeResponse:
    response = ShareAcknowledgeResponse(acquisition_lock_timeout_ms=lock_ms)
    topics: dict[Uuid, ShareAcknowledgeTopicResponse] = {}
    image, listener_name = context.node.metadata.image, context.client.listener_name
    endpoints: dict[int, NodeEndpoint] = {}
    for (topic_id, index), (code, message) in outcomes.items():
        data = PartitionData(partition_index=index, error_code=code, error_message=message)
        if code in OTHER_LEADER:
            leader = current_leader(image, topic_id, index, listener_name)
            data.current_leader = LeaderIdAndEpoch(leader_id=leader.leader_id, leader_epoch=leader.leader_epoch)
            if leader.broker is not None and leader.endpoint is not None:
                endpoints[leader.leader_id] = NodeEndpoint(
                    node_id=leader.leader_id,
                    host=context.advertised_host(leader.endpoint),
                    port=leader.endpoint.port,
                    rack=leader.broker.rack,
                )
        topics.setdefault(topic_id, ShareAcknowledgeTopicResponse(topic_id=topic_id)).partitions.append(data)
    response.responses = list(topics.values())
    response.node_endpoints = list(endpoints.values())
    return response


def error_response(_request: ShareAcknowledgeRequest, error: KafkaError) -> ShareAcknowledgeResponse:
    return ShareAcknowledgeResponse(error_code=error.code)
