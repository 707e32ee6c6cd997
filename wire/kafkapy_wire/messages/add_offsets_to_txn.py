"""AddOffsetsToTxn (API key 25): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field


class AddOffsetsToTxnRequest(Message, api_key=25, kind="request", versions="0-4", flexible="3+", listeners="broker"):
    """Versions 0-4; 3+ flexible."""

    transactional_id: str = field("string", "0+", default="", entity="transactionalId")
    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    producer_epoch: int = field("int16", "0+", default=0)
    group_id: str = field("string", "0+", default="", entity="groupId")


class AddOffsetsToTxnResponse(Message, api_key=25, kind="response", versions="0-4", flexible="3+"):
    """Versions 0-4; 3+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
