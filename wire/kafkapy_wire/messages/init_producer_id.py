"""InitProducerId (API key 22): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class InitProducerIdRequest(Message, api_key=22, kind="request", versions="0-6", flexible="2+", listeners="broker"):
    """Versions 0-6; 2+ flexible."""

    transactional_id: str | None = field("string", "0+", default="", nullable="0+", entity="transactionalId")
    transaction_timeout_ms: int = field("int32", "0+", default=0)
    producer_id: int = field("int64", "3+", default=-1, entity="producerId")
    producer_epoch: int = field("int16", "3+", default=-1)
    enable2_pc: bool = field("bool", "6+", default=False)
    keep_prepared_txn: bool = field("bool", "6+", default=False)


class InitProducerIdResponse(Message, api_key=22, kind="response", versions="0-6", flexible="2+"):
    """Versions 0-6; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    producer_id: int = field("int64", "0+", default=-1, entity="producerId")
    producer_epoch: int = field("int16", "0+", default=0)
    ongoing_txn_producer_id: int = field("int64", "6+", default=-1, entity="producerId")
    ongoing_txn_producer_epoch: int = field("int16", "6+", default=-1)
