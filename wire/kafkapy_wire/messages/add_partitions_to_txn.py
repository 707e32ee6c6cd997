"""AddPartitionsToTxn (API key 24): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class AddPartitionsToTxnTopic(Struct):
    """A struct of AddPartitionsToTxnRequest."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class AddPartitionsToTxnTransaction(Struct):
    """A struct of AddPartitionsToTxnRequest."""

    transactional_id: str = field("string", "4+", default="", entity="transactionalId", map_key=True)
    producer_id: int = field("int64", "4+", default=0, entity="producerId")
    producer_epoch: int = field("int16", "4+", default=0)
    verify_only: bool = field("bool", "4+", default=False)
    topics: list[AddPartitionsToTxnTopic] = field([AddPartitionsToTxnTopic], "4+", factory=list)


class AddPartitionsToTxnRequest(Message, api_key=24, kind="request", versions="0-5", flexible="3+", listeners="broker"):
    """Versions 0-5; 3+ flexible."""

    transactions: list[AddPartitionsToTxnTransaction] = field([AddPartitionsToTxnTransaction], "4+", factory=list)
    v3_and_below_transactional_id: str = field("string", "0-3", default="", entity="transactionalId")
    v3_and_below_producer_id: int = field("int64", "0-3", default=0, entity="producerId")
    v3_and_below_producer_epoch: int = field("int16", "0-3", default=0)
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = field([AddPartitionsToTxnTopic], "0-3", factory=list)


class AddPartitionsToTxnPartitionResult(Struct):
    """A struct of AddPartitionsToTxnResponse."""

    partition_index: int = field("int32", "0+", default=0, map_key=True)
    partition_error_code: int = field("int16", "0+", default=0)


class AddPartitionsToTxnTopicResult(Struct):
    """A struct of AddPartitionsToTxnResponse."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    results_by_partition: list[AddPartitionsToTxnPartitionResult] = field(
        [AddPartitionsToTxnPartitionResult], "0+", factory=list
    )


class AddPartitionsToTxnResult(Struct):
    """A struct of AddPartitionsToTxnResponse."""

    transactional_id: str = field("string", "4+", default="", entity="transactionalId", map_key=True)
    topic_results: list[AddPartitionsToTxnTopicResult] = field([AddPartitionsToTxnTopicResult], "4+", factory=list)


class AddPartitionsToTxnResponse(Message, api_key=24, kind="response", versions="0-5", flexible="3+"):
    """Versions 0-5; 3+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "4+", default=0, ignorable=True)
    results_by_transaction: list[AddPartitionsToTxnResult] = field([AddPartitionsToTxnResult], "4+", factory=list)
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = field(
        [AddPartitionsToTxnTopicResult], "0-3", factory=list
    )
