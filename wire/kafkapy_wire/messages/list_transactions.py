"""ListTransactions (API key 66): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ListTransactionsRequest(Message, api_key=66, kind="request", versions="0-2", flexible="0+", listeners="broker"):
    """Versions 0-2; 0+ flexible."""

    state_filters: list[str] = field(["string"], "0+", factory=list)
    producer_id_filters: list[int] = field(["int64"], "0+", factory=list, entity="producerId")
    duration_filter: int = field("int64", "1+", default=-1)
    transactional_id_pattern: str | None = field("string", "2+", default=None, nullable="2+")


class TransactionState(Struct):
    """A struct of ListTransactionsResponse."""

    transactional_id: str = field("string", "0+", default="", entity="transactionalId")
    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    transaction_state: str = field("string", "0+", default="")


class ListTransactionsResponse(Message, api_key=66, kind="response", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    unknown_state_filters: list[str] = field(["string"], "0+", factory=list)
    transaction_states: list[TransactionState] = field([TransactionState], "0+", factory=list)
