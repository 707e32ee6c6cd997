"""EndTxn (API key 26), versions 0-5: commit or abort the producer's transaction (KIP-98).

v2 PRODUCER_FENCED    v3 flexible    v4 TRANSACTION_ABORTABLE is known
v5 transaction version 2: the answer has the producer id and epoch of the next transaction (KIP-890)

From v5 on each end raises the epoch, also that of an abort with nothing to abort, and a repeated request is told from a
new one by its epoch. Before, a repeated one gets the same answer as long as no new transaction has begun.

Errors  INVALID_REQUEST              an empty transactional id
        INVALID_PRODUCER_ID_MAPPING  no such transactional id, or another producer has it
        PRODUCER_FENCED              another epoch; before v2 INVALID_PRODUCER_EPOCH
        INVALID_TXN_STATE            nothing to commit (before v5: or abort), or it has ended the other way
        CONCURRENT_TRANSACTIONS      it is being ended just so: try again
        NOT_COORDINATOR              `__transaction_state` was deleted meanwhile
        COORDINATOR_LOAD_IN_PROGRESS
Differs: the answer leaves when every marker is written; Apache Kafka's leaves before, so that a next request may hear
         CONCURRENT_TRANSACTIONS for some milliseconds. So a Produce of the old epoch that is pipelined behind it is
         refused here with INVALID_PRODUCER_EPOCH; Apache Kafka may still take it, as its markers come later.
Not done: authorization, throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.transaction import EPOCH_BUMP_VERSION, ProducerIdAndEpoch
from kafkapy.pending import Pending, attempt
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext

FIRST_VERSION_WITH_PRODUCER_FENCED = 2
FIRST_VERSION_WITH_EPOCH_BUMP = 5


def handle(request: EndTxnRequest, context: RequestContext) -> Pending[EndTxnResponse]:
    version = context.api_version
    bumps = version >= FIRST_VERSION_WITH_EPOCH_BUMP

    def answer(following: ProducerIdAndEpoch) -> EndTxnResponse:
        if not bumps:
            return EndTxnResponse()
        return EndTxnResponse(producer_id=following.producer_id, producer_epoch=following.epoch)

    def refuse(error: KafkaError) -> EndTxnResponse:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and version < FIRST_VERSION_WITH_PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return EndTxnResponse(error_code=code)

    outcome = attempt(
        lambda: context.broker.transactions.end(
            request.transactional_id,
            ProducerIdAndEpoch(request.producer_id, request.producer_epoch),
            commit=request.committed,
            client_version=EPOCH_BUMP_VERSION if bumps else 0,
        )
    )
    return outcome.map(answer).otherwise(refuse)
