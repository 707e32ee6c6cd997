"""AllocateProducerIds (API key 67): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class AllocateProducerIdsRequest(
    Message, api_key=67, kind="request", versions="0", flexible="0+", listeners="controller"
):
    """Version 0; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=-1)


class AllocateProducerIdsResponse(Message, api_key=67, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    producer_id_start: int = field("int64", "0+", default=0, entity="producerId")
    producer_id_len: int = field("int32", "0+", default=0)
