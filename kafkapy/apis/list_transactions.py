"""ListTransactions (API key 66), versions 0-2: the transactional ids of this broker's coordinator (KIP-664).

v1 duration_filter: only transactions that began at least that many ms ago (KIP-994)
v2 transactional_id_pattern: a regular expression for the whole id (KIP-1152)

An unknown state in the filter is listed in the answer, once, and matches nothing.

Errors  INVALID_REGULAR_EXPRESSION
        COORDINATOR_LOAD_IN_PROGRESS
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.transaction import TransactionStatus
from kafkapy.turns import each_in_turns, unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
    TransactionState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.context import RequestContext
    from kafkapy.coordinators.transaction.transaction import Transaction

STATUSES = {status.text: status for status in TransactionStatus}


async def handle(request: ListTransactionsRequest, context: RequestContext) -> ListTransactionsResponse:
    filters = await unique_in_turns(request.state_filters)
    statuses = frozenset(STATUSES[name] for name in STATUSES.keys() & filters) if filters else None
    transactions = await context.broker.transactions.list(
        statuses,
        frozenset(request.producer_id_filters),
        request.duration_filter,
        _matcher(request.transactional_id_pattern),
    )
    return ListTransactionsResponse(
        unknown_state_filters=await each_in_turns(str, (name for name in filters if name not in STATUSES)),
        transaction_states=await each_in_turns(_state, transactions),
    )


def _state(transaction: Transaction) -> TransactionState:
    return TransactionState(
        transactional_id=transaction.transactional_id,
        producer_id=transaction.producer_id,
        transaction_state=transaction.status.text,
    )


def _matcher(pattern: str | None) -> Callable[[str], object] | None:
    """Raises KafkaError(INVALID_REGULAR_EXPRESSION).

    RE2, as in Apache Kafka: matching takes time in proportion to the name for every pattern; with `re` it may not.
    """
    if not pattern:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        matches: Callable[[str], object] = re2.compile(pattern, options).fullmatch
    except re2.error as error:
        raise KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION) from error
    return matches
