"""DescribeTransactions (API key 65): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribeTransactionsRequest(Message, api_key=65, kind="request", versions="0", flexible="0+", listeners="broker"):
    """Version 0; 0+ flexible."""

    transactional_ids: list[str] = field(["string"], "0+", factory=list, entity="transactionalId")


class TopicData(Struct):
    """A struct of DescribeTransactionsResponse."""

    topic: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class TransactionState(Struct):
    """A struct of DescribeTransactionsResponse."""

    error_code: int = field("int16", "0+", default=0)
    transactional_id: str = field("string", "0+", default="", entity="transactionalId")
    transaction_state: str = field("string", "0+", default="")
    transaction_timeout_ms: int = field("int32", "0+", default=0)
    transaction_start_time_ms: int = field("int64", "0+", default=0)
    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    producer_epoch: int = field("int16", "0+", default=0)
    topics: list[TopicData] = field([TopicData], "0+", factory=list)


class DescribeTransactionsResponse(Message, api_key=65, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    transaction_states: list[TransactionState] = field([TransactionState], "0+", factory=list)
