"""OffsetCommit (API key 8), versions 2-10: stores the committed offsets of a group.

v2-4 retention_time_ms    v3 throttle_time_ms    v6 committed_leader_epoch (KIP-320)    v7 group_instance_id (KIP-345)
v8 flexible    v9 errors of KIP-848 groups    v10 topic ids instead of names (KIP-848)

A consumer with manually assigned partitions, and an admin client, commits with generation -1 and an empty member id. If
the group does not exist, such a commit creates it.

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic (before v10) or partition
        UNKNOWN_TOPIC_ID            no such topic (v10)
        OFFSET_METADATA_TOO_LARGE   above offset.metadata.max.bytes
 of all partitions that exist:
        GROUP_ID_NOT_FOUND          the request has a generation, but there is no such group (before v9
                                    ILLEGAL_GENERATION)
        ILLEGAL_GENERATION          generation_id is not the group's
        STALE_MEMBER_EPOCH          not the consumer member's epoch, or it has owned a partition only later
        UNSUPPORTED_VERSION         a consumer member commits before v9
        UNKNOWN_MEMBER_ID           no such member; or the member id is empty, and the group has members
        FENCED_INSTANCE_ID          another member has taken over this group_instance_id
        REBALANCE_IN_PROGRESS       the group waits for the assignment of this generation
        NOT_COORDINATOR             another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
Differs: a commit of more than 500 partitions is stored in several batches, so it may be larger than max.message.bytes.
         If __consumer_offsets has fewer replicas in sync than min.insync.replicas, a commit is refused with
         COORDINATOR_NOT_AVAILABLE at once, and the offsets stay as they are. Apache Kafka answers the same after
         offsets.commit.timeout.ms, and the new offsets hold later, when there are enough replicas. Until then it
         answers heartbeats like that, too (--strict group-min-isr).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.offset_commits import (
    TopicOutcome,
    TopicToCommit,
    answers,
    commit_in_turns,
    is_long,
    merged,
    resolve,
)
from kafkapy.pending import Pending, attempt, settled
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import ErrorCode, KafkaError
    from kafkapy_wire.messages.offset_commit import OffsetCommitRequest

FIRST_VERSION_WITH_TOPIC_IDS = 10


def handle(
    request: OffsetCommitRequest, context: RequestContext
) -> Pending[OffsetCommitResponse] | Coroutine[object, object, OffsetCommitResponse]:
    if is_long(request.topics):
        return _commit_in_turns(request, context)
    return _commit([TopicToCommit.of(topic) for topic in request.topics], request, context).map(_response)


def _commit(
    asked: Sequence[TopicToCommit], request: OffsetCommitRequest, context: RequestContext
) -> Pending[list[TopicOutcome]]:
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
    known, refused = resolve(asked, context.broker.metadata.image, by_id=by_id)
    if not known:
        return settled(merged(refused, []))
    outcome = attempt(lambda: context.broker.groups.commit_offsets(request, known, context.api_version))
    committed = outcome.otherwise(lambda error: [topic.refused(error.code) for topic in known])
    return committed.map(lambda topics: merged(refused, topics))


async def _commit_in_turns(request: OffsetCommitRequest, context: RequestContext) -> OffsetCommitResponse:
    topics = await commit_in_turns(
        request.topics, lambda piece: _commit(piece, request, context), OffsetCommitResponseTopic, _committed
    )
    return OffsetCommitResponse(topics=topics)


def _committed(outcome: tuple[int, ErrorCode]) -> OffsetCommitResponsePartition:
    return OffsetCommitResponsePartition(partition_index=outcome[0], error_code=outcome[1])


def _response(topics: list[TopicOutcome]) -> OffsetCommitResponse:
    return OffsetCommitResponse(topics=answers(topics, OffsetCommitResponseTopic, _committed))


def error_response(request: OffsetCommitRequest, error: KafkaError) -> OffsetCommitResponse:
    asked = [TopicToCommit.of(topic) for topic in request.topics]
    return _response([topic.refused(error.code) for topic in asked])
