"""InitProducerId (API key 22), versions 0-5: a producer id for an idempotent producer (KIP-98).

v2 flexible    v3 epoch bump (KIP-360)    v4 PRODUCER_FENCED    v5 KIP-890

An idempotent producer gets a fresh id with epoch 0 each time, whatever id and epoch it had. Ids come from blocks that
the controller hands out through its log, so none is given twice, restarts included.

Errors  INVALID_REQUEST       an empty transactional id; a transactional id (not done yet);
                              only one of producer id and epoch given

Not done: transactional ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1


async def handle(request: InitProducerIdRequest, context: RequestContext) -> InitProducerIdResponse:
    only_one_given = (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_PRODUCER_EPOCH)
    if request.transactional_id is not None or only_one_given:
        return InitProducerIdResponse(
            error_code=ErrorCode.INVALID_REQUEST, producer_id=NO_PRODUCER_ID, producer_epoch=NO_PRODUCER_EPOCH
        )
    return InitProducerIdResponse(producer_id=await context.node.producer_ids.next(), producer_epoch=0)
