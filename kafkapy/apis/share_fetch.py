"""ShareFetch (API key 78), versions 1-2: a member of a share group gets records, and acknowledges others (KIP-932).

v1 max_records, batch_size    v2 share_acquire_mode (KIP-1206), is_renew_ack (KIP-1222)

The first fetch of a share session has epoch 0 and acknowledges nothing; the last has epoch -1, which makes available
what the member still has, and gets nothing. In between each request has the next epoch and names only changes. A
session ends with its connection, too.

The answer waits until `min_bytes` may be acquired, or for `max_wait_ms`. In batch optimized mode (0) it has whole
record batches, about `max_records` in all; in record limit mode (1) never more than that. Records that were acquired
are delivered to nobody else until they are acknowledged, or share.record.lock.duration.ms are over. Acknowledgements
are carried out before the fetch begins to wait, and both are answered together.

Errors  UNSUPPORTED_VERSION          share.version is 0
        INVALID_REQUEST              no group id, no member id, or one of more than 36 characters; epoch 0 with
                                     acknowledgements; is_renew_ack with any size but 0
        SHARE_SESSION_NOT_FOUND      the member has no session with this broker
        INVALID_SHARE_SESSION_EPOCH  not the next one
        SHARE_SESSION_LIMIT_REACHED  group.share.max.share.sessions, told after `max_wait_ms`
 of one partition, in error_code:
        UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR
        NOT_LEADER_OR_FOLLOWER       another broker leads the partition: the answer says who, and where
        COORDINATOR_NOT_AVAILABLE    the group's state cannot be read now
        OFFSET_NOT_AVAILABLE         share.auto.offset.reset=by_duration, and no record is so young
        UNKNOWN_SERVER_ERROR         the state of the group was never initialized: it begins with a ShareGroupHeartbeat
 in acknowledge_error_code: see `share_acknowledgements`.
Differs: records that one member releases are delivered at once to another whose fetch waits. In Apache Kafka that fetch
         waits to its end first (--strict released-share-records).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.apis.share_acknowledgements import Outcome, acknowledge, check_member, exists, may_read
from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.metadata.current_leaders import current_leader
from kafkapy.pending import Pending, settled
from kafkapy.sharing.sessions import NEW_EPOCH, SessionKey, WantedPartition
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_fetch import (
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ShareFetchableTopicResponse,
    ShareFetchRequest,
    ShareFetchResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy.sharing.sessions import ShareFetchPlan
    from kafkapy_wire.uuid import Uuid

BATCH_OPTIMIZED, RECORD_LIMIT = 0, 1
READ_COMMITTED: Final = "read_committed"
OTHER_LEADER: Final = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)

Fetched = dict[WantedPartition, PartitionData]


def handle(request: ShareFetchRequest, context: RequestContext) -> Pending[ShareFetchResponse]:
    sharing = context.broker.sharing
    if not sharing.is_enabled:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    key = SessionKey(*check_member(request.group_id, request.member_id))
    _check_renewal(request)
    acknowledges = any(partition.acknowledgement_batches for topic in request.topics for partition in topic.partitions)
    try:
        plan = _begin(request, key, context, acknowledges=acknowledges)
    except KafkaError as error:
        if error.code is ErrorCode.SHARE_SESSION_LIMIT_REACHED:
            return _refuse_later(error, request.max_wait_ms, context)
        raise
    acknowledged: Pending[dict[WantedPartition, Outcome]] = settled({})
    if acknowledges:
        acknowledged = acknowledge(request.topics, *key, context, renews=request.is_renew_ack)
    fetched: Pending[Fetched] = settled({}) if request.is_renew_ack else _fetch(request, plan, key, context)

    def combine(fetched: Fetched) -> Pending[ShareFetchResponse]:
        return acknowledged.map(lambda outcomes: _finish(plan, key, fetched, outcomes, context))

    return fetched.and_then(combine)


def _check_renewal(request: ShareFetchRequest) -> None:
    """Raises KafkaError(INVALID_REQUEST)."""
    sizes = (request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms)
    if request.is_renew_ack and any(sizes):
        raise KafkaError(ErrorCode.INVALID_REQUEST)


def _begin(
    request: ShareFetchRequest, key: SessionKey, context: RequestContext, *, acknowledges: bool
) -> ShareFetchPlan:
    """Raises KafkaError."""
    by_id = context.node.metadata.image.topics_by_id
    wanted = {}
    for topic in request.topics:
        known = by_id.get(topic.topic_id)
        for partition in topic.partitions:
            wanted[WantedPartition(topic.topic_id, partition.partition_index)] = "" if known is None else known.name
    forgotten = [
        WantedPartition(topic.topic_id, index) for topic in request.forgotten_topics_data for index in topic.partitions
    ]
    return context.broker.sharing.sessions.begin(
        key, request.share_session_epoch, wanted, forgotten, context.client, acknowledges=acknowledges
    )


def _refuse_later(error: KafkaError, max_wait_ms: int, context: RequestContext) -> Pending[ShareFetchResponse]:
    """A client without a session would ask again at once."""
    refused: Pending[ShareFetchResponse] = Pending(lambda: timer.cancel())
    timer = context.broker.clock.call_later(max(0, max_wait_ms), lambda: refused.refuse(error))
    return refused


def _fetch(
    request: ShareFetchRequest, plan: ShareFetchPlan, key: SessionKey, context: RequestContext
) -> Pending[Fetched]:
    from kafkapy.sharing.share_fetching import ShareFetching, ShareFetchTerms

    broker, image = context.broker, context.node.metadata.image
    errors: Fetched = {}
    wanted = []
    for one, topic in plan.partitions.items():
        if not topic:
            errors[one] = _error(one, ErrorCode.UNKNOWN_TOPIC_ID)
        elif broker.authorizer is not None and not may_read(topic, context):
            errors[one] = _error(one, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        elif not exists(one, image):
            errors[one] = _error(one, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        else:
            wanted.append((one, SharePartitionKey(key.group_id, *one)))
    if not wanted:
        return settled(errors)
    if request.share_acquire_mode not in (BATCH_OPTIMIZED, RECORD_LIMIT):
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
    settings = broker.sharing.partitions.settings_of(key.group_id)
    max_bytes = min(request.max_bytes, broker.settings.now.replication.fetch_max_bytes)
    terms = ShareFetchTerms(
        key.member_id,
        request.max_wait_ms,
        min(request.min_bytes, max_bytes),
        max_bytes,
        request.max_records,
        request.batch_size,
        request.share_acquire_mode == RECORD_LIMIT,
        settings.share_isolation_level.lower() == READ_COMMITTED,
    )
    fetching = ShareFetching(broker.sharing.partitions, terms, broker.clock, broker.disk, broker.sharing.random)
    return fetching.begin(_rotated(wanted, request.share_session_epoch)).map(lambda fetched: {**fetched, **errors})


def _rotated(
    wanted: list[tuple[WantedPartition, SharePartitionKey]], epoch: int
) -> list[tuple[WantedPartition, SharePartitionKey]]:
    """Another partition comes first with each fetch of a session."""
    begin = epoch % len(wanted) if epoch > NEW_EPOCH else 0
    return wanted[begin:] + wanted[:begin]


def _error(wanted: WantedPartition, code: ErrorCode) -> PartitionData:
    return PartitionData(partition_index=wanted.partition, error_code=code, records=b"")


def _finish(
    plan: ShareFetchPlan,
    key: SessionKey,
    fetched: Fetched,
    outcomes: dict[WantedPartition, Outcome],
    context: RequestContext,
) -> ShareFetchResponse:
    sharing = context.broker.sharing
    lock_ms = sharing.partitions.settings_of(key.group_id).share_record_lock_duration_ms
    response = ShareFetchResponse(acquisition_lock_timeout_ms=lock_ms)
    told: Fetched = {}
    if plan.is_overtaken:
        response.error_code = ErrorCode.INVALID_SHARE_SESSION_EPOCH
    else:
        told = {
            one: data
            for one, data in fetched.items()
            if plan.must_tell(one, has_records=len(data.records or b"") > 0, has_error=data.error_code != 0)
        }
    response.node_endpoints = _name_leaders(fetched, context)
    for one, (code, message) in outcomes.items():
        told_one = told.setdefault(one, PartitionData(partition_index=one.partition, records=b""))
        told_one.acknowledge_error_code, told_one.acknowledge_error_message = code, message
    topics: dict[Uuid, ShareFetchableTopicResponse] = {}
    for one, data in told.items():
        topic = topics.setdefault(one.topic_id, ShareFetchableTopicResponse(topic_id=one.topic_id))
        topic.partitions.append(data)
    response.responses = list(topics.values())
    if plan.is_final:
        sharing.sessions.end(key)
    return response


def _name_leaders(fetched: Fetched, context: RequestContext) -> list[NodeEndpoint]:
    """Say of the partitions that are led elsewhere who leads them; returns where these brokers are (KIP-951)."""
    image, listener_name = context.node.metadata.image, context.client.listener_name
    endpoints: dict[int, NodeEndpoint] = {}
    for (topic_id, index), data in fetched.items():
        if data.error_code not in OTHER_LEADER:
            continue
        leader = current_leader(image, topic_id, index, listener_name)
        data.current_leader = LeaderIdAndEpoch(leader_id=leader.leader_id, leader_epoch=leader.leader_epoch)
        if leader.broker is not None and leader.endpoint is not None:
            endpoints[leader.leader_id] = NodeEndpoint(
                node_id=leader.leader_id,
                host=context.advertised_host(leader.endpoint),
                port=leader.endpoint.port,
                rack=leader.broker.rack,
            )
    return list(endpoints.values())


def error_response(_request: ShareFetchRequest, error: KafkaError) -> ShareFetchResponse:
    return ShareFetchResponse(error_code=error.code)
