"""TxnOffsetCommit (API key 28), versions 0-6: commits a group's offsets in the producer's transaction (KIP-98).

v2 committed_leader_epoch    v3 flexible; member id, instance id and generation, which fence a consumer that is not a
member any more (KIP-447)    v4 TRANSACTION_ABORTABLE    v5 the request adds the group to the transaction (KIP-890)
v6 topic ids instead of names, the epoch of a member of a KIP-848 group

The offsets become visible when the transaction is committed; until then OffsetFetch with require_stable is answered
with UNSTABLE_OFFSET_COMMIT.

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic (before v6) or partition
        UNKNOWN_TOPIC_ID            no such topic (v6)
        OFFSET_METADATA_TOO_LARGE   above offset.metadata.max.bytes
 of all partitions that exist:
        INVALID_GROUP_ID            an empty group id
        TRANSACTION_ABORTABLE       v4: the group is not in the transaction; before INVALID_TXN_STATE
        INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, CONCURRENT_TRANSACTIONS    as Produce
        GROUP_ID_NOT_FOUND          the request has a generation, but there is no such group (before v6
                                    ILLEGAL_GENERATION)
        ILLEGAL_GENERATION          not the group's generation
        UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID
        INVALID_TXN_STATE           the transaction has ended while its coordinator was asked
        NOT_COORDINATOR             another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS (before v2 COORDINATOR_NOT_AVAILABLE); also if the transaction coordinator has not
                                    answered
Differs: a late marker of the producer's transaction before does not end the next one (v5), as in Produce.
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
from kafkapy.coordinators.transaction.enlisting import Enlisting
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.pending import Pending, attempt, settled
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.transaction.enlisting import Outcome

FIRST_VERSION_WITH_LOAD_IN_PROGRESS = 2
FIRST_VERSION_WITH_TOPIC_IDS = 6


def handle(
    request: TxnOffsetCommitRequest, context: RequestContext
) -> Pending[TxnOffsetCommitResponse] | Coroutine[object, object, TxnOffsetCommitResponse]:
    if is_long(request.topics):
        return _commit_in_turns(request, context)
    return _commit(_asked(request), request, context).map(_response)


async def _commit_in_turns(request: TxnOffsetCommitRequest, context: RequestContext) -> TxnOffsetCommitResponse:
    topics = await commit_in_turns(
        request.topics, lambda piece: _commit(piece, request, context), TxnOffsetCommitResponseTopic, _committed
    )
    return TxnOffsetCommitResponse(topics=topics)


def _committed(outcome: tuple[int, ErrorCode]) -> TxnOffsetCommitResponsePartition:
    return TxnOffsetCommitResponsePartition(partition_index=outcome[0], error_code=outcome[1])


def _commit(
    asked: Sequence[TopicToCommit], request: TxnOffsetCommitRequest, context: RequestContext
) -> Pending[list[TopicOutcome]]:
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
    known, refused = resolve(asked, context.broker.metadata.image, by_id=by_id)
    if not known:
        return settled(merged(refused, []))

    def refuse(error: KafkaError) -> list[TopicOutcome]:
        code = error.code
        version = context.api_version
        if code is ErrorCode.NETWORK_EXCEPTION:
            code = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS  # clients try that again without looking for coordinators
        if code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and version < FIRST_VERSION_WITH_LOAD_IN_PROGRESS:
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        return [topic.refused(code) for topic in known]

    outcome = attempt(
        lambda: context.broker.groups.commit_transactional_offsets(
            request, known, context.api_version, lambda partition: _enlist(request, partition, context)
        )
    )
    return outcome.otherwise(refuse).map(lambda topics: merged(refused, topics))


def _asked(request: TxnOffsetCommitRequest) -> list[TopicToCommit]:
    return [TopicToCommit.of(topic) for topic in request.topics]


def _response(topics: list[TopicOutcome]) -> TxnOffsetCommitResponse:
    return TxnOffsetCommitResponse(topics=answers(topics, TxnOffsetCommitResponseTopic, _committed))


def _enlist(request: TxnOffsetCommitRequest, index: int, context: RequestContext) -> Pending[None]:
    """Make sure that this partition of `__consumer_offsets` is in the transaction. Raises KafkaError, or is refused."""
    match context.api_version:
        case 0 | 1 | 2 | 3:
            enlisting = Enlisting.CHECK_FOR_OLD_CLIENT
        case 4:
            enlisting = Enlisting.CHECK
        case _:
            enlisting = Enlisting.ADD
    partition = context.broker.partitions.leader(OFFSETS_TOPIC, index)
    producer = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    producers, leader_epoch = partition.log.producers, partition.leader_epoch

    def check(outcome: Outcome) -> None:
        said = outcome[partition]
        if isinstance(said, KafkaError):
            raise said
        if not partition.leads or partition.leader_epoch != leader_epoch:
            # The log may have been truncated: what it says of the producer says nothing of the transaction.
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        if producers.guard(producer.producer_id) is not said.guard and not producers.has_open_transaction(*producer):
            # Its marker has come meanwhile: no other would end what is committed now (KIP-890).
            raise KafkaError(ErrorCode.INVALID_TXN_STATE)

    return context.broker.enlister.enlist(request.transactional_id, producer, [partition], enlisting).map(check)


def error_response(request: TxnOffsetCommitRequest, error: KafkaError) -> TxnOffsetCommitResponse:
    return _response([topic.refused(error.code) for topic in _asked(request)])
