"""AllocateProducerIds (API key 67), version 0: a broker gets the next thousand producer ids (KIP-730).

Errors  STALE_BROKER_EPOCH    no broker has the id and epoch
        UNKNOWN_SERVER_ERROR  all producer ids are given away
        NOT_CONTROLLER        this node is not the active controller
        KAFKA_STORAGE_ERROR   the metadata log cannot be written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.allocate_producer_ids import AllocateProducerIdsRequest, AllocateProducerIdsResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def handle(request: AllocateProducerIdsRequest, context: NodeContext) -> Pending[AllocateProducerIdsResponse]:
    block = context.node.controller.allocate_producer_ids(request.broker_id, request.broker_epoch)
    return block.map(
        lambda ids: AllocateProducerIdsResponse(producer_id_start=ids.first_id, producer_id_len=ids.length)
    )
