"""Fetch (API key 1), versions 4-18: record batches from given offsets, waiting until there are enough of them.

v4 last stable offset (KIP-98)   v5 log start offset          v7 sessions (KIP-227)       v9 leader epoch (KIP-320)
v11 rack (KIP-392)               v12 flexible, divergence     v13 topic ids (KIP-516)     v16 node endpoints (KIP-951)

Sizes (KIP-74): the first non-empty partition sends its first batch whole even when the batch is larger than the limits,
so that a consumer always advances; after that, `max_bytes` and each `partition_max_bytes` hold.

The answer leaves when `min_bytes` can be read, even if `max_bytes` lets fewer through, or after `max_wait_ms`. It
leaves at once if a partition has an error, if a fetch offset is in an older segment than the end of the log, if a fetch
offset is above what may be read, or if none of the partitions exists. If only some do not exist, the answer waits and
then has their errors. A wait also ends when a partition is deleted or has a new leader, and when a segment is rolled.

Followers (`replica_state`, before v15 `replica_id`) read up to the log end; that they ask from an offset commits what
is below it. Consumers read what is committed, from v11 on also of a follower, which knows it a moment later; with
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector the leader sends them to a replica in
their rack, by `preferred_read_replica` (KIP-392).

A session by topic ids remembers the name of each topic since its partition was added. If the topic is deleted, the
partition is answered with UNKNOWN_TOPIC_OR_PARTITION; if another topic then gets the name, with INCONSISTENT_TOPIC_ID.

Errors  per response   FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR
        per partition  OFFSET_OUT_OF_RANGE          outside [log start offset, log end offset]
                       UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID, NOT_LEADER_OR_FOLLOWER
                       FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH   the client's leader epoch is older, newer
                       KAFKA_STORAGE_ERROR          the disk failed
        v16: with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH the answer says who leads, and where (KIP-951)
        of a follower  UNKNOWN_LEADER_EPOCH         it is no replica of the partition, as far as this leader knows
                       NOT_LEADER_OR_FOLLOWER       the broker has registered again since (KIP-903)

Differs: if a client closes or half-closes its connection while its Fetch waits, neither the Fetch nor the requests
behind it are answered, and those requests are not carried out. Apache Kafka waits, then answers them all.
         Where replica.selector.class sends consumers to followers, a risen high watermark is sent at once. In Apache
         Kafka it waits for the next records, or for replica.fetch.wait.max.ms (--strict follower-high-watermarks).
         If a fetch that waits names a leader epoch, and this broker leads in a newer one meanwhile, the fetch is
         answered with FENCED_LEADER_EPOCH at once. In Apache Kafka it waits to its end first (--strict fenced-fetches).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.fetching.reading import OTHER_LEADER, READ_AT_ONCE_MAX, FetchTerms, Reading
from kafkapy.fetching.sessions import FollowerId, wanted_in_turns, wanted_partitions
from kafkapy.fetching.waiting import Fetching, LongFetching
from kafkapy.metadata.current_leaders import current_leader
from kafkapy.partitions.opening import OPENED_AT_ONCE_MAX, open_in_turns, to_be_opened
from kafkapy.pending import Pending
from kafkapy.quotas.client_quotas import CONSUMER_BYTE_RATE
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from typing import TypeAlias

    from kafkapy.broker import Broker
    from kafkapy.context import RequestContext
    from kafkapy.fetching.fetch_key import FetchKey
    from kafkapy.fetching.reading import ReplicaSelector
    from kafkapy.fetching.sessions import FetchedPartition, FetchPlan

READ_COMMITTED = 1
FIRST_VERSION_WITH_RACK = 11
FIRST_VERSION_WITH_TOPIC_IDS = 13
FIRST_VERSION_WITH_REPLICA_STATE = 15
FIRST_VERSION_WITH_ENDPOINTS = 16
NAMED_AT_ONCE_MAX = 1_000
"""Partitions: a millisecond."""
STEP_PARTITIONS = 256

if TYPE_CHECKING:
    Later: TypeAlias = FetchResponse | Pending[FetchResponse]


def handle(
    request: FetchRequest, context: RequestContext, wanted: dict[FetchKey, FetchedPartition] | None = None
) -> Later | Coroutine[object, object, Later]:
    """`wanted`: the partitions that the request names, if the caller has them already."""
    if wanted is None:
        count = len(request.topics)
        for topic in request.topics:
            count += len(topic.partitions)
        if count > NAMED_AT_ONCE_MAX:
            return _begin_in_turns(request, context)
    broker = context.broker
    version = context.api_version
    replica_id = request.replica_id if version < FIRST_VERSION_WITH_REPLICA_STATE else request.replica_state.replica_id
    if replica_id >= 0 and broker.authorizer is not None and not _may_follow(context):
        refusal = error_response(request, KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED))
        refusal.error_code = ErrorCode.NONE
        return refusal
    follower = None if replica_id < 0 else FollowerId(replica_id, context.client_id)
    plan = broker.fetch_sessions.begin(request, version, broker.clock.monotonic_ms(), wanted, follower=follower)
    if plan.error:
        return FetchResponse(error_code=plan.error)
    partitions = plan.partitions
    max_bytes = min(request.max_bytes, broker.settings.now.replication.fetch_max_bytes)
    if replica_id >= 0:
        context.client.is_follower = True
    elif broker.quotas.bounds_fetches:
        most = broker.quotas.most(CONSUMER_BYTE_RATE, context.client.principal, context.client_id)
        max_bytes = max_bytes if most is None else min(max_bytes, int(most))
    terms = FetchTerms(
        min(request.min_bytes, max_bytes),
        max_bytes,
        request.isolation_level == READ_COMMITTED,
        version >= FIRST_VERSION_WITH_TOPIC_IDS,
        version < FIRST_VERSION_WITH_RACK,
    )
    if replica_id < 0:
        selector = (
            None if broker.settings.now.replication.replica_selector_class is None else _selector(request, context)
        )
        if broker.authorizer is None:
            reading = Reading(partitions, terms, broker.partitions, broker.disk, selector)
        else:
            reading = _authorized_reading(partitions, terms, selector, context)
    else:
        if plan.session is not None and plan.session.progress is not None:
            named = wanted_partitions(request) if wanted is None else wanted
            plan.session.progress.begin_fetch(replica_id, named, broker.clock.now_ms())
        reading = _replica_reading(replica_id, request.replica_state.replica_epoch, plan, terms, broker)
    max_wait_ms = request.max_wait_ms if partitions else 0
    if replica_id >= 0 and max_wait_ms > 0:
        max_wait_ms = broker.replication.awaited.max_wait_ms(replica_id, request.topics, max_wait_ms)
    if wanted is None and len(partitions) > OPENED_AT_ONCE_MAX and broker.partitions.has_unopened:
        closed = to_be_opened(
            [(one.topic_id if terms.by_id else one.topic_name, one.index) for one in partitions.values()],
            broker.partitions,
        )
        if closed:
            return _open_and_fetch(closed, plan, reading, max_wait_ms, context)
    return _fetch(plan, reading, max_wait_ms, context)


def _may_follow(context: RequestContext) -> bool:
    from kafkapy.security.access import is_allowed_in_cluster
    from kafkapy_controller.acl import AclOperation

    return is_allowed_in_cluster(context, AclOperation.CLUSTER_ACTION)


def _authorized_reading(
    partitions: dict[FetchKey, FetchedPartition],
    terms: FetchTerms,
    selector: ReplicaSelector | None,
    context: RequestContext,
) -> Reading:
    from kafkapy.fetching.authorized_reading import AuthorizedReading
    from kafkapy.security.access import is_allowed
    from kafkapy_controller.acl import AclOperation, ResourceType

    def may_read(topic: str) -> bool:
        return is_allowed(context, AclOperation.READ, ResourceType.TOPIC, topic)

    broker = context.broker
    return AuthorizedReading(may_read, partitions, terms, broker.partitions, broker.disk, selector)


def _selector(request: FetchRequest, context: RequestContext) -> ReplicaSelector | None:
    """Where consumers are sent to replicas in their rack: who chooses for this one."""
    if not request.rack_id:
        return None
    from kafkapy.fetching.rack_selector import RackSelector

    node = context.node
    return RackSelector(request.rack_id, context.client.listener_name, node.metadata.image.brokers, node.node_id)


def _replica_reading(replica_id: int, broker_epoch: int, plan: FetchPlan, terms: FetchTerms, broker: Broker) -> Reading:
    """What reads for a follower."""
    from kafkapy.fetching.replica_reading import FetchingReplica, ReplicaReading

    return ReplicaReading(
        plan,
        terms,
        broker.partitions,
        broker.disk,
        FetchingReplica(replica_id, broker_epoch),
        broker.replication.leader_quota,
        broker.clock,
        tells_commits=broker.settings.now.replication.replica_selector_class is not None
        and (broker.strictness is None or not broker.strictness.follower_high_watermarks),
    )


async def _begin_in_turns(request: FetchRequest, context: RequestContext) -> Later:
    wanted = await wanted_in_turns(request)
    partitions = context.broker.partitions
    if partitions.has_unopened:
        by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
        turn = Turn()
        closed = []
        for one in list(wanted.values()):
            closed += partitions.unopened_among([(one.topic_id if by_id else one.topic_name, one.index)])
            if turn.is_over:
                await turn.share()
        await open_in_turns(closed, partitions)
    begun = handle(request, context, wanted)
    return begun if isinstance(begun, FetchResponse | Pending) else await begun


async def _open_and_fetch(
    closed: list[tuple[str, int]], plan: FetchPlan, reading: Reading, max_wait_ms: int, context: RequestContext
) -> Later:
    await open_in_turns(closed, context.broker.partitions)
    return _fetch(plan, reading, max_wait_ms, context)


def _fetch(plan: FetchPlan, reading: Reading, max_wait_ms: int, context: RequestContext) -> Later:
    """The answer, pending if there is not enough or it takes more than one turn to read."""
    broker = context.broker
    # A follower's wait is between nodes: on a frozen clock it would not end, and a new partition would wait behind it.
    clock = broker.clock if reading.follower_id < 0 else broker.replication.liveness_clock
    count = len(plan.partitions) if reading.follower_id < 0 else reading.read_count
    if count > READ_AT_ONCE_MAX:
        answer = partial(_response, plan, reading, context)
        answering = partial(_response_in_steps, plan, reading, context)
        return _begin(LongFetching(reading, clock, max_wait_ms, answer, answering), reading, context, is_read=False)
    is_read = reading.go_on()
    if is_read and (max_wait_ms <= 0 or reading.is_enough):
        return _response(plan, reading, context)
    answer = partial(_response, plan, reading, context)
    return _begin(Fetching(reading, clock, max_wait_ms, answer), reading, context, is_read=is_read)


def _begin(fetching: Fetching, reading: Reading, context: RequestContext, *, is_read: bool) -> Pending[FetchResponse]:
    if reading.follower_id >= 0:
        context.broker.replication.awaited.add_waiting(reading.follower_id, fetching)
    return fetching.begin(is_read=is_read)


def _response(plan: FetchPlan, reading: Reading, context: RequestContext) -> FetchResponse:
    if plan.is_overtaken:
        reading.release()
        return FetchResponse(error_code=ErrorCode.INVALID_FETCH_SESSION_EPOCH, session_id=plan.session_id)
    response = FetchResponse(session_id=plan.session_id)
    told = plan.answer(reading.results)
    topic: FetchableTopicResponse | None = None
    for (name, _), data in told:
        if topic is None or name != (topic.topic or topic.topic_id):
            topic = (
                FetchableTopicResponse(topic=name) if isinstance(name, str) else FetchableTopicResponse(topic_id=name)
            )
            response.responses.append(topic)
        topic.partitions.append(data)
    reading.results = []
    if reading.has_other_leaders and context.api_version >= FIRST_VERSION_WITH_ENDPOINTS:
        _add_leaders(response, context, with_endpoints=reading.follower_id < 0)
    if reading.follower_id >= 0:
        reading.note_sent()
    return response


def _add_leaders(response: FetchResponse, context: RequestContext, *, with_endpoints: bool) -> None:
    """Say of the partitions that are led elsewhere who leads them, and where (KIP-951). Followers know where."""
    image, listener_name = context.node.metadata.image, context.client.listener_name
    known: set[int] = set()
    for topic in response.responses:
        for data in topic.partitions:
            if data.error_code not in OTHER_LEADER:
                continue
            leader = current_leader(image, topic.topic_id, data.partition_index, listener_name)
            data.current_leader = LeaderIdAndEpoch(leader_id=leader.leader_id, leader_epoch=leader.leader_epoch)
            is_told_where = not with_endpoints or leader.leader_id in known
            if leader.broker is not None and leader.endpoint is not None and not is_told_where:
                known.add(leader.leader_id)
                response.node_endpoints.append(
                    NodeEndpoint(
                        node_id=leader.leader_id,
                        host=context.advertised_host(leader.endpoint),
                        port=leader.endpoint.port,
                        rack=leader.broker.rack,
                    )
                )


def _response_in_steps(
    plan: FetchPlan, reading: Reading, context: RequestContext
) -> Generator[None, None, FetchResponse]:
    """The response for very many partitions: yields after some of them, and returns the whole response."""
    results, reading.results = reading.results, []
    response = FetchResponse(session_id=plan.session_id)
    topics = response.responses
    for start in range(0, len(results), STEP_PARTITIONS):
        reading.results = results[start : start + STEP_PARTITIONS]
        part = _response(plan, reading, context)
        if part.error_code:
            return part
        response.node_endpoints += [node for node in part.node_endpoints if node not in response.node_endpoints]
        more = part.responses
        if topics and more and (topics[-1].topic, topics[-1].topic_id) == (more[0].topic, more[0].topic_id):
            topics[-1].partitions += more[0].partitions
            del more[0]
        topics += more
        yield
    return response


def error_response(request: FetchRequest, error: KafkaError) -> FetchResponse:
    """The error of the whole request, and of each partition, as before version 7 only partitions have errors."""
    topics = []
    for topic in request.topics:
        answers = [
            PartitionData(partition_index=wanted.partition, error_code=error.code, high_watermark=-1, records=b"")
            for wanted in topic.partitions
        ]
        topics.append(FetchableTopicResponse(topic=topic.topic, topic_id=topic.topic_id, partitions=answers))
    return FetchResponse(error_code=error.code, responses=topics)
