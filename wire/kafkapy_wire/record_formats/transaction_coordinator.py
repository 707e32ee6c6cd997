"""Keys and values in `__transaction_state`; `api_key` is the record type.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class TransactionLogKey(Message, api_key=0, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    transactional_id: str = field("string", "0", default="")


class PartitionsSchema(Struct):
    """A struct of TransactionLogValue."""

    topic: str = field("string", "0+", default="")
    partition_ids: list[int] = field(["int32"], "0+", factory=list)


class TransactionLogValue(Message, api_key=0, kind="coordinator-value", versions="0-1", flexible="1+"):
    """Versions 0-1; 1+ flexible."""

    producer_id: int = field("int64", "0+", default=0)
    previous_producer_id: int = field("int64", "1+", default=-1, tag=0, tagged="1+")
    next_producer_id: int = field("int64", "1+", default=-1, tag=1, tagged="1+")
    producer_epoch: int = field("int16", "0+", default=0)
    next_producer_epoch: int = field("int16", "1+", default=-1, tag=3, tagged="1+")
    transaction_timeout_ms: int = field("int32", "0+", default=0)
    transaction_status: int = field("int8", "0+", default=0)
    transaction_partitions: list[PartitionsSchema] | None = field([PartitionsSchema], "0+", factory=list, nullable="0+")
    transaction_last_update_timestamp_ms: int = field("int64", "0+", default=0)
    transaction_start_timestamp_ms: int = field("int64", "0+", default=0)
    client_transaction_version: int = field("int16", "1+", default=0, tag=2, tagged="1+")
