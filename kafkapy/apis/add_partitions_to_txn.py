"""AddPartitionsToTxn (API key 24), versions 0-5: add partitions to the producer's transaction; the first one begins it.

v2 PRODUCER_FENCED    v3 flexible; the last version for clients
v4 for brokers: several transactions; verify_only asks whether the partitions are in the transaction (KIP-890)
v5 adds on behalf of a client of transaction version 2

If one partition of a transaction does not exist, none of its partitions is added.

Errors  UNKNOWN_TOPIC_OR_PARTITION   and OPERATION_NOT_ATTEMPTED for the others
        TOPIC_AUTHORIZATION_FAILED   before v4: an internal topic; OPERATION_NOT_ATTEMPTED for the others
        INVALID_REQUEST              an empty transactional id
        INVALID_PRODUCER_ID_MAPPING  no such transactional id, or another producer has it
        PRODUCER_FENCED              another epoch; before v2 INVALID_PRODUCER_EPOCH
        CONCURRENT_TRANSACTIONS      the previous transaction is still being completed, whoever asks: try again
        TRANSACTION_ABORTABLE        verify_only, and the partition is not in the transaction
        NOT_COORDINATOR              another broker coordinates the transactional id
        COORDINATOR_LOAD_IN_PROGRESS
Differs: if a request names a transactional id twice (no broker does), both entries are carried out; Apache Kafka
         carries out the first one twice. A v4 request without transactions gets an empty answer; Apache Kafka never
         answers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.transaction import EPOCH_BUMP_VERSION, ProducerIdAndEpoch
from kafkapy.pending import Pending, all_of, attempt, settled
from kafkapy.turns import Turn, each_in_turns, has_more_than
from kafkapy_controller.topic_names import INTERNAL_TOPICS
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.transaction.transaction import TopicPartition
    from kafkapy_controller.image import MetadataImage

FIRST_VERSION_WITH_PRODUCER_FENCED = 2
FIRST_VERSION_FOR_BROKERS = 4
ADDED_AT_ONCE_MAX = 1_000


def handle(
    request: AddPartitionsToTxnRequest, context: RequestContext
) -> Pending[AddPartitionsToTxnResponse] | Coroutine[object, object, AddPartitionsToTxnResponse]:
    transactions = _transactions(request, context)
    if len(transactions) > ADDED_AT_ONCE_MAX or has_more_than(ADDED_AT_ONCE_MAX, _counts(transactions)):
        return _add_in_turns(transactions, context)
    added = all_of([_add(transaction, context) for transaction in transactions])
    return added.map(lambda results: _response(transactions, results, context))


def _counts(transactions: list[AddPartitionsToTxnTransaction]) -> Iterator[int]:
    """Of each topic in each transaction of the request, and its partitions."""
    return (1 + len(topic.partitions) for transaction in transactions for topic in transaction.topics)


def _transactions(request: AddPartitionsToTxnRequest, context: RequestContext) -> list[AddPartitionsToTxnTransaction]:
    if context.api_version >= FIRST_VERSION_FOR_BROKERS:
        return request.transactions
    return [
        AddPartitionsToTxnTransaction(
            transactional_id=request.v3_and_below_transactional_id,
            producer_id=request.v3_and_below_producer_id,
            producer_epoch=request.v3_and_below_producer_epoch,
            topics=request.v3_and_below_topics,
        )
    ]


def _response(
    transactions: list[AddPartitionsToTxnTransaction],
    results: list[list[AddPartitionsToTxnTopicResult]],
    context: RequestContext,
) -> AddPartitionsToTxnResponse:
    if context.api_version < FIRST_VERSION_FOR_BROKERS:
        return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results[0])
    return AddPartitionsToTxnResponse(
        results_by_transaction=[
            AddPartitionsToTxnResult(transactional_id=transaction.transactional_id, topic_results=topics)
            for transaction, topics in zip(transactions, results, strict=True)
        ]
    )


async def _add_in_turns(
    transactions: list[AddPartitionsToTxnTransaction], context: RequestContext
) -> AddPartitionsToTxnResponse:
    """The same for very many partitions: each is looked up in turns, and those that exist are not so many."""
    turn = Turn()
    results = []
    for transaction in transactions:
        named: dict[TopicPartition, ErrorCode] = {}
        for topic in transaction.topics:
            for index in topic.partitions:
                partition = (topic.name, index)
                named[partition] = _refusal(partition, context)
                if turn.is_over:
                    await turn.share()
            await turn.share()
        if any(named.values()):
            topics: dict[str, AddPartitionsToTxnTopicResult] = {}
            for (name, index), refusal in named.items():
                _note(topics, name, index, refusal or ErrorCode.OPERATION_NOT_ATTEMPTED)
                if turn.is_over:
                    await turn.share()
            results.append(list(topics.values()))
        else:
            by_name: dict[str, AddPartitionsToTxnTopic] = {}
            for name, index in named:
                by_name.setdefault(name, AddPartitionsToTxnTopic(name=name)).partitions.append(index)
            transaction.topics = list(by_name.values())
            results.append(await _add(transaction, context).wait())
        await turn.share()
    if context.api_version < FIRST_VERSION_FOR_BROKERS:
        return _response(transactions, results, context)
    return AddPartitionsToTxnResponse(
        results_by_transaction=await each_in_turns(
            lambda one: AddPartitionsToTxnResult(transactional_id=one[0].transactional_id, topic_results=one[1]),
            zip(transactions, results, strict=True),
        )
    )


def _add(
    transaction: AddPartitionsToTxnTransaction, context: RequestContext
) -> Pending[list[AddPartitionsToTxnTopicResult]]:
    named = [(topic.name, index) for topic in transaction.topics for index in topic.partitions]
    refused = _refused(named, context)
    if refused:
        errors = {partition: refused.get(partition, ErrorCode.OPERATION_NOT_ATTEMPTED) for partition in named}
        return settled(_results(errors))
    producer = ProducerIdAndEpoch(transaction.producer_id, transaction.producer_epoch)
    transactions = context.broker.transactions

    def verify(missing: set[TopicPartition]) -> list[AddPartitionsToTxnTopicResult]:
        return _results(
            {
                partition: ErrorCode.TRANSACTION_ABORTABLE if partition in missing else ErrorCode.NONE
                for partition in named
            }
        )

    def refuse(error: KafkaError) -> list[AddPartitionsToTxnTopicResult]:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and context.api_version < FIRST_VERSION_WITH_PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return _results(dict.fromkeys(named, code)) if transaction.verify_only else _same_for_all(transaction, code)

    if transaction.verify_only:
        outcome = attempt(lambda: transactions.missing_partitions(transaction.transactional_id, producer, named))
        return outcome.map(verify).otherwise(refuse)
    client_version = EPOCH_BUMP_VERSION if context.api_version >= FIRST_VERSION_FOR_BROKERS else 0
    added = attempt(lambda: transactions.add_partitions(transaction.transactional_id, producer, named, client_version))
    return added.map(lambda _: _same_for_all(transaction, ErrorCode.NONE)).otherwise(refuse)


def _refused(named: list[TopicPartition], context: RequestContext) -> dict[TopicPartition, ErrorCode]:
    return {partition: refusal for partition in named if (refusal := _refusal(partition, context))}


def _refusal(partition: TopicPartition, context: RequestContext) -> ErrorCode:
    """Why the partition cannot be added; NONE if it can."""
    if context.api_version < FIRST_VERSION_FOR_BROKERS and partition[0] in INTERNAL_TOPICS:
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    if not _exists(partition, context.broker.metadata.image):
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return ErrorCode.NONE


def _exists(partition: TopicPartition, image: MetadataImage) -> bool:
    topic = image.topics.get(partition[0])
    return topic is not None and 0 <= partition[1] < len(topic.partitions)


def _results(errors: dict[TopicPartition, ErrorCode]) -> list[AddPartitionsToTxnTopicResult]:
    """Each partition once, as in Apache Kafka, whatever the request looked like."""
    by_topic: dict[str, AddPartitionsToTxnTopicResult] = {}
    for (topic, index), error in errors.items():
        _note(by_topic, topic, index, error)
    return list(by_topic.values())


def _note(by_topic: dict[str, AddPartitionsToTxnTopicResult], topic: str, index: int, error: ErrorCode) -> None:
    result = by_topic.setdefault(topic, AddPartitionsToTxnTopicResult(name=topic))
    result.results_by_partition.append(
        AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=error)
    )


def _same_for_all(transaction: AddPartitionsToTxnTransaction, error: ErrorCode) -> list[AddPartitionsToTxnTopicResult]:
    """In the shape of the request."""
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=error)
                for index in topic.partitions
            ],
        )
        for topic in transaction.topics
    ]


def error_response(request: AddPartitionsToTxnRequest, error: KafkaError) -> AddPartitionsToTxnResponse:
    """For the request as a whole; before version 4 for each partition."""
    topics = []
    for topic in request.v3_and_below_topics:
        answers = [
            AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=error.code)
            for index in topic.partitions
        ]
        topics.append(AddPartitionsToTxnTopicResult(name=topic.name, results_by_partition=answers))
    return AddPartitionsToTxnResponse(error_code=error.code, results_by_topic_v3_and_below=topics)
