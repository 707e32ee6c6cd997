"""Records of `__transaction_state` in Kafka's format: two bytes of type before a key, of version before a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.framing import framed_record, unframed
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.transaction.transaction import NO_PRODUCER_ID, Transaction, TransactionStatus
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats.transaction_coordinator import (
    PartitionsSchema,
    TransactionLogKey,
    TransactionLogValue,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.coordinators.transaction.transaction import TopicPartition

TRANSACTION_LOG = 0
"""The only type of key there is."""
STORED = range(TransactionStatus.DEAD)


class TransactionRecord(NamedTuple):
    transactional_id: str
    transaction: Transaction | None
    """None: a tombstone."""


def transaction_record(transaction: Transaction, value_version: int) -> CoordinatorRecord:
    """`value_version` 0 (before transaction.version 1) has no fields for the previous and the next producer id."""
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.status,
        transaction_partitions=_grouped(transaction.partitions),
        transaction_last_update_timestamp_ms=transaction.updated_ms,
        transaction_start_timestamp_ms=transaction.start_ms,
    )
    if transaction.status is TransactionStatus.EMPTY:
        value.transaction_partitions = None
    if value_version:
        value.previous_producer_id = transaction.previous_producer_id
        value.next_producer_id = transaction.next_producer_id
        value.client_transaction_version = transaction.client_version
    return framed_record(TRANSACTION_LOG, _key(transaction.transactional_id), value, value_version)


def transaction_tombstone(transactional_id: str) -> CoordinatorRecord:
    return framed_record(TRANSACTION_LOG, _key(transactional_id), None)


def read_record(record: CoordinatorRecord) -> TransactionRecord | None:
    """The content of a record; None if its type is of a later Kafka.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    record_type, key = unframed(record.key)
    if record_type != TRANSACTION_LOG:
        return None
    transactional_id = decode(TransactionLogKey, key, 0).transactional_id
    if record.value is None:
        return TransactionRecord(transactional_id, None)
    version, body = unframed(record.value)
    value = decode(TransactionLogValue, body, version)
    _check(value)
    transaction = Transaction(
        transactional_id,
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        previous_producer_id=value.previous_producer_id,
        next_producer_id=value.next_producer_id,
        timeout_ms=value.transaction_timeout_ms,
        status=TransactionStatus(value.transaction_status),
        partitions=frozenset(
            (topic.topic, partition)
            for topic in value.transaction_partitions or ()
            for partition in topic.partition_ids
        )
        if value.transaction_status != TransactionStatus.EMPTY  # as in Apache Kafka
        else frozenset(),
        start_ms=value.transaction_start_timestamp_ms,
        updated_ms=value.transaction_last_update_timestamp_ms,
        client_version=value.client_transaction_version,
    )
    return TransactionRecord(transactional_id, transaction)


def _check(value: TransactionLogValue) -> None:
    """Raises MalformedMessage: the state is impossible."""
    if value.transaction_status not in STORED:
        raise MalformedMessage(f"transaction status {value.transaction_status}")
    if value.producer_id < 0 or value.producer_epoch < 0:
        raise MalformedMessage(f"producer id {value.producer_id}, epoch {value.producer_epoch}")
    if min(value.previous_producer_id, value.next_producer_id) < NO_PRODUCER_ID:
        raise MalformedMessage(f"producer ids {value.previous_producer_id} before, {value.next_producer_id} after it")


def partitions_by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    """Partitions by topic, in the order of the topics' names."""
    topics: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        topics.setdefault(topic, []).append(partition)
    return topics


def _grouped(partitions: Iterable[TopicPartition]) -> list[PartitionsSchema]:
    return [
        PartitionsSchema(topic=topic, partition_ids=indexes)
        for topic, indexes in partitions_by_topic(partitions).items()
    ]


def _key(transactional_id: str) -> TransactionLogKey:
    return TransactionLogKey(transactional_id=transactional_id)
