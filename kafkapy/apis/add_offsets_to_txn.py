"""AddOffsetsToTxn (API key 25), versions 0-4: the transaction will commit offsets of this group (KIP-98).

v2 PRODUCER_FENCED    v3 flexible    v4 TRANSACTION_ABORTABLE is known (KIP-890)

It adds the group's partition of `__consumer_offsets` to the transaction. Clients of transaction version 2 do not send
it: TxnOffsetCommit adds that partition for them.

Errors  INVALID_REQUEST              an empty transactional id
        INVALID_PRODUCER_ID_MAPPING  no such transactional id, or another producer has it
        PRODUCER_FENCED              another epoch; before v2 INVALID_PRODUCER_EPOCH
        CONCURRENT_TRANSACTIONS      the previous transaction is still being completed, whoever asks: try again
        NOT_COORDINATOR              another broker coordinates the transactional id
        COORDINATOR_LOAD_IN_PROGRESS
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.pending import Pending, attempt
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext

FIRST_VERSION_WITH_PRODUCER_FENCED = 2
CLIENT_VERSION = 0


def handle(request: AddOffsetsToTxnRequest, context: RequestContext) -> Pending[AddOffsetsToTxnResponse]:
    broker = context.broker
    producer = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)

    def add() -> Pending[None]:
        # `__consumer_offsets` need not exist yet: the client sends FindCoordinator next, which creates it.
        partition = (OFFSETS_TOPIC, broker.groups.partition_of(request.group_id))
        return broker.transactions.add_partitions(request.transactional_id, producer, [partition], CLIENT_VERSION)

    def refuse(error: KafkaError) -> AddOffsetsToTxnResponse:
        code = error.code
        if code is ErrorCode.PRODUCER_FENCED and context.api_version < FIRST_VERSION_WITH_PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return AddOffsetsToTxnResponse(error_code=code)

    return attempt(add).map(lambda _: AddOffsetsToTxnResponse()).otherwise(refuse)
