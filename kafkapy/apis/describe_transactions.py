"""DescribeTransactions (API key 65), version 0: the state of transactional ids (KIP-664).

Errors  TRANSACTIONAL_ID_NOT_FOUND
        INVALID_REQUEST  an empty transactional id
        NOT_COORDINATOR  another broker coordinates the transactional id
        COORDINATOR_LOAD_IN_PROGRESS
Differs: if a request names more than 50 transactional ids, one that it names twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, all_in_turns, all_of, attempt
from kafkapy.turns import unique_in_turns
from kafkapy_wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TopicData,
    TransactionState,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.transaction.transaction import Transaction
    from kafkapy_wire.errors import KafkaError


ANSWERED_AT_ONCE_MAX = 50


def handle(
    request: DescribeTransactionsRequest, context: RequestContext
) -> Pending[DescribeTransactionsResponse] | Coroutine[object, object, DescribeTransactionsResponse]:
    if len(request.transactional_ids) > ANSWERED_AT_ONCE_MAX:
        return _describe_in_turns(request, context)
    states = [_describe(transactional_id, context) for transactional_id in request.transactional_ids]
    return all_of(states).map(lambda found: DescribeTransactionsResponse(transaction_states=found))


async def _describe_in_turns(
    request: DescribeTransactionsRequest, context: RequestContext
) -> DescribeTransactionsResponse:
    transactional_ids = await unique_in_turns(request.transactional_ids)
    found = await all_in_turns(lambda transactional_id: _describe(transactional_id, context), transactional_ids)
    return DescribeTransactionsResponse(transaction_states=found)


def _describe(transactional_id: str, context: RequestContext) -> Pending[TransactionState]:
    def refuse(error: KafkaError) -> TransactionState:
        return TransactionState(transactional_id=transactional_id, error_code=error.code)

    return attempt(lambda: context.broker.transactions.describe(transactional_id)).map(_state).otherwise(refuse)


def _state(transaction: Transaction) -> TransactionState:
    from kafkapy.coordinators.transaction.records import partitions_by_topic

    return TransactionState(
        transactional_id=transaction.transactional_id,
        transaction_state=transaction.status.text,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_start_time_ms=transaction.start_ms,
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        topics=[
            TopicData(topic=topic, partitions=indexes)
            for topic, indexes in partitions_by_topic(transaction.partitions).items()
        ],
    )


def error_response(request: DescribeTransactionsRequest, error: KafkaError) -> DescribeTransactionsResponse:
    return DescribeTransactionsResponse(
        transaction_states=[
            TransactionState(transactional_id=transactional_id, error_code=error.code)
            for transactional_id in request.transactional_ids
        ]
    )
