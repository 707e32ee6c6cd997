"""EndTxn (API key 26), versions 0-5: commit or abort the producer's transaction (KIP-98).

v2 PRODUCER_FENCED    v3 flexible    v4 TRANSACTION_ABORTABLE is known
v5 transaction version 2: the answer has the producer id and epoch of the next transaction (KIP-890)

From v5 on every EndTxn raises the producer epoch, even an abort without a transaction. So a retry of an EndTxn has an
older epoch than a new EndTxn. Before v5 a retry gets the same answer until a new transaction begins.

Errors  INVALID_REQUEST              an empty transactional id
        INVALID_PRODUCER_ID_MAPPING  no such transactional id, or another producer has it
        PRODUCER_FENCED              another epoch; before v2 INVALID_PRODUCER_EPOCH
        INVALID_TXN_STATE            no transaction to commit (before v5: or to abort); or it was aborted instead of
                                     committed, or the other way round
        CONCURRENT_TRANSACTIONS      the transaction is still being completed: try again. From v5 on whoever asks
        NOT_COORDINATOR              another broker coordinates the transactional id
        COORDINATOR_LOAD_IN_PROGRESS
Differs: the answer leaves after every transaction marker is written, or after 200 ms if other brokers have not written
         theirs by then. Apache Kafka answers before, so for some milliseconds it may answer the next request with
         CONCURRENT_TRANSACTIONS (--strict ending-transactions). For the same reason, a Produce of the old epoch that is
         pipelined behind the EndTxn is refused here with INVALID_PRODUCER_EPOCH; Apache Kafka may still append it.
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
