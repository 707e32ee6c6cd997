"""InitProducerId (API key 22), versions 0-5: a producer id and epoch (KIP-98).

v2 flexible    v3 producer id and epoch of a producer that recovers from an error (KIP-360)    v4 PRODUCER_FENCED
v5 TRANSACTION_ABORTABLE is known (KIP-890)    v6 (two-phase commit, KIP-939) is not released in Apache Kafka 4.4.0

Without a transactional id each request gets a new producer id with epoch 0, whatever id and epoch it had. Ids come from
blocks that the controller writes to the metadata log, so no id is given twice, not even after a restart. With a
transactional id the producer gets the next epoch of it, which fences the producer that had it before. If that one has
left a transaction open, it is aborted first: the answer is CONCURRENT_TRANSACTIONS, and the client asks again.

Errors  INVALID_REQUEST              an empty transactional id; a producer id without epoch, or an epoch without id
        INVALID_TRANSACTION_TIMEOUT  not between 1 ms and transaction.max.timeout.ms
        PRODUCER_FENCED              another producer has the transactional id now; before v4 INVALID_PRODUCER_EPOCH
        CONCURRENT_TRANSACTIONS      a transaction is still being completed, whoever asks: try again
        UNKNOWN_SERVER_ERROR         the transactional id has reached the last epoch, 32766, and the request has another
        NOT_COORDINATOR              another broker coordinates the transactional id; there is no `__transaction_state`
        COORDINATOR_LOAD_IN_PROGRESS
Differs: the first request waits until the controller has given the broker a block of producer ids; Apache Kafka answers
COORDINATOR_LOAD_IN_PROGRESS (--strict producer-id-blocks). A request that is pipelined behind another one of the same
transactional id succeeds; Apache Kafka may answer CONCURRENT_TRANSACTIONS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.transaction import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, ProducerIdAndEpoch
from kafkapy.pending import Pending, attempt
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext

FIRST_VERSION_WITH_PRODUCER_FENCED = 4


def handle(request: InitProducerIdRequest, context: RequestContext) -> Pending[InitProducerIdResponse]:
    def answer(producer: ProducerIdAndEpoch) -> InitProducerIdResponse:
        return InitProducerIdResponse(producer_id=producer.producer_id, producer_epoch=producer.epoch)

    def refuse(error: KafkaError) -> InitProducerIdResponse:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and context.api_version < FIRST_VERSION_WITH_PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return InitProducerIdResponse(error_code=code, producer_id=NO_PRODUCER_ID, producer_epoch=NO_PRODUCER_EPOCH)

    return attempt(lambda: _init(request, context)).map(answer).otherwise(refuse)


def _init(request: InitProducerIdRequest, context: RequestContext) -> Pending[ProducerIdAndEpoch]:
    if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_PRODUCER_EPOCH):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    if request.transactional_id is None:
        return context.broker.producer_ids.next().map(lambda producer_id: ProducerIdAndEpoch(producer_id, 0))
    expected = None
    if request.producer_id != NO_PRODUCER_ID:
        expected = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    return context.broker.transactions.init_producer_id(
        request.transactional_id, request.transaction_timeout_ms, expected
    )
