"""The transactional ids of one partition of `__transaction_state`: what each request decides, and the replay.

A decision's record is one transactional id's whole new state. Errors are raised as KafkaError, in the order in which
Apache Kafka 4.4.0 finds them; PRODUCER_FENCED is what newer clients know, the handlers translate it for older ones.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import Decision
from kafkapy.coordinators.transaction.records import read_record, transaction_record, transaction_tombstone
from kafkapy.coordinators.transaction.transaction import (
    ENDING,
    EPOCH_BUMP_VERSION,
    EPOCH_MAX,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    ProducerIdAndEpoch,
    TopicPartition,
    Transaction,
    TransactionStatus,
    is_exhausted,
)
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger("kafkapy.transactions")

_EMPTY, _ONGOING = TransactionStatus.EMPTY, TransactionStatus.ONGOING
_COMPLETE_COMMIT, _COMPLETE_ABORT = TransactionStatus.COMPLETE_COMMIT, TransactionStatus.COMPLETE_ABORT


class ProducerIdNeeded(Exception):
    """The decision needs a new producer id: make it again with one."""


class TransactionShard:
    """`transaction_version` is the cluster's feature level; `give_up` stops writing the markers of what was decided."""

    def __init__(self, transaction_version: Callable[[], int], give_up: Callable[[Iterable[str]], None]) -> None:
        self._transaction_version = transaction_version
        self._give_up = give_up
        self.transactions: dict[str, Transaction] = {}
        self.unknown_records: dict[int, int] = {}
        self._last_epoch: int | None = None  # kept in memory with the record that is appended now; not stored

    def transaction(self, transactional_id: str, producer_id: int) -> Transaction:
        """Raises KafkaError(INVALID_PRODUCER_ID_MAPPING): no such transactional id, or it has another producer id."""
        transaction = self.transactions.get(transactional_id)
        if transaction is None or transaction.producer_id != producer_id:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        return transaction

    # -- decisions

    def init_producer_id(
        self,
        transactional_id: str,
        timeout_ms: int,
        expected: ProducerIdAndEpoch | None,
        spare_producer_id: int | None,
        now_ms: int,
    ) -> Decision[Transaction]:
        """Give out the next epoch, which fences the producer before. If a transaction is open: abort it instead.

        `expected`: id and epoch of a producer that recovers from an error (KIP-360); they must still be the latest.
        Raises ProducerIdNeeded; KafkaError: PRODUCER_FENCED, CONCURRENT_TRANSACTIONS (the end is being written),
        UNKNOWN_SERVER_ERROR (the epochs are used up, and `expected` has not the last).
        """
        transaction = self.transactions.get(transactional_id)
        if transaction is None:
            transaction = Transaction(transactional_id, _needed(spare_producer_id), timeout_ms=timeout_ms)
        _refuse_while_ending(transaction)
        if expected is not None and not _may_be(transaction, expected):
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        if transaction.status is _ONGOING:
            return self.abort_unasked(transaction, spare_producer_id, now_ms)
        goes_on = expected is not None
        if transaction.epoch_is_exhausted:
            if expected is not None and not _is_current(transaction, expected):
                # Also one whose answer was lost: Apache Kafka has no epoch to answer with, and says so with this code.
                raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
            following = transaction.with_new_producer_id(
                _needed(spare_producer_id), timeout_ms, keep_last_epoch=goes_on, now_ms=now_ms
            )
        elif expected is None or transaction.producer_epoch == NO_PRODUCER_EPOCH or _is_current(transaction, expected):
            following = transaction.with_next_epoch(timeout_ms, keep_last_epoch=goes_on, now_ms=now_ms)
        elif expected.epoch == transaction.last_producer_epoch:
            following = transaction.with_same_epoch(timeout_ms, now_ms=now_ms)
        else:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        return self._becomes(following)

    def add_partitions(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Iterable[TopicPartition],
        client_version: int,
        now_ms: int,
    ) -> Decision[None]:
        """Raises KafkaError: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS."""
        if transactional_id in self.transactions:
            _refuse_while_ending(self.transactions[transactional_id])
        transaction = self._current(transactional_id, producer)
        added = frozenset(partitions)
        if transaction.status is _ONGOING and added <= transaction.partitions:
            return Decision((), None)
        following = transaction.with_partitions(added, client_version, now_ms=now_ms)
        return Decision(self._becomes(following).records, None)

    def missing_partitions(
        self, transactional_id: str, producer: ProducerIdAndEpoch, partitions: Iterable[TopicPartition]
    ) -> set[TopicPartition]:
        """The partitions that are not in the transaction. Raises KafkaError as `add_partitions` does."""
        transaction = self._current(transactional_id, producer)
        _refuse_while_ending(transaction)
        return set(partitions) - transaction.partitions

    def _current(self, transactional_id: str, producer: ProducerIdAndEpoch) -> Transaction:
        """Raises KafkaError: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED."""
        transaction = self.transaction(transactional_id, producer.producer_id)
        if transaction.producer_epoch != producer.epoch:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        return transaction

    def end(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        *,
        commit: bool,
        client_version: int,
        spare_producer_id: int | None,
        now_ms: int,
    ) -> Decision[Transaction]:
        """Commit or abort; no records if the request is a retry. The markers follow.

        Raises ProducerIdNeeded; KafkaError: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE,
        CONCURRENT_TRANSACTIONS.
        """
        if client_version < EPOCH_BUMP_VERSION:
            return self._end_in_epoch(transactional_id, producer, commit=commit, now_ms=now_ms)
        transaction = self.transactions.get(transactional_id)
        if transaction is None:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        _refuse_while_ending(transaction)
        # The answer to a first request may have been lost: it had the epoch before, or the last one of the id before.
        retried_rotation = (
            transaction.previous_producer_id == producer.producer_id
            and producer.epoch == EPOCH_MAX - 1
            and transaction.producer_epoch == 0
        )
        is_retry = retried_rotation or transaction.producer_epoch == producer.epoch + 1
        is_current = transaction.producer_epoch == producer.epoch
        if transaction.producer_id != producer.producer_id and not retried_rotation:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        status = transaction.status
        if status in (_COMPLETE_COMMIT, _COMPLETE_ABORT):
            if not (is_retry or is_current):
                raise KafkaError(ErrorCode.PRODUCER_FENCED)
            if is_retry:
                if commit is not (status is _COMPLETE_COMMIT):
                    raise _other_end(transaction, commit=commit)
                return Decision((), transaction)
        elif not is_current:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        if commit and status is not _ONGOING:
            raise _other_end(transaction, commit=commit)
        # An abort without a transaction raises the epoch too: a client sends it when it does not know its state.
        next_producer_id = _needed(spare_producer_id) if transaction.epoch_is_exhausted else NO_PRODUCER_ID
        return self._becomes(
            transaction.ended(
                commit=commit, client_version=client_version, next_producer_id=next_producer_id, now_ms=now_ms
            )
        )

    def _end_in_epoch(
        self, transactional_id: str, producer: ProducerIdAndEpoch, *, commit: bool, now_ms: int
    ) -> Decision[Transaction]:
        """`end` before transaction version 2, where a retry looks like a new request."""
        transaction = self._current(transactional_id, producer)
        _refuse_while_ending(transaction)
        status = transaction.status
        if status is (_COMPLETE_COMMIT if commit else _COMPLETE_ABORT):
            return Decision((), transaction)
        if status is not _ONGOING:
            raise _other_end(transaction, commit=commit)
        return self._becomes(
            transaction.ended(commit=commit, client_version=0, next_producer_id=NO_PRODUCER_ID, now_ms=now_ms)
        )

    def abort_unasked(
        self, transaction: Transaction, spare_producer_id: int | None, now_ms: int
    ) -> Decision[Transaction]:
        """Abort an open transaction and fence its producer: it has timed out, or another producer has the id.

        Raises ProducerIdNeeded.
        """
        version = self._transaction_version()
        next_producer_id = NO_PRODUCER_ID
        if version < EPOCH_BUMP_VERSION:
            transaction = transaction.fenced()
            version = 0
        elif transaction.epoch_is_exhausted:
            next_producer_id = _needed(spare_producer_id)
        return self._becomes(
            transaction.ended(commit=False, client_version=version, next_producer_id=next_producer_id, now_ms=now_ms)
        )

    def complete(self, transaction: Transaction, now_ms: int) -> Decision[Transaction]:
        """Store that every marker of the decided transaction is written."""
        return self._becomes(transaction.completed(now_ms=now_ms))

    def expire(self, updated_until_ms: int) -> Decision[None]:
        """Tombstones for transactional ids without a transaction that were not used since then."""
        expired = [
            transaction.transactional_id
            for transaction in self.transactions.values()
            if transaction.status in (_EMPTY, _COMPLETE_COMMIT, _COMPLETE_ABORT)
            and transaction.updated_ms <= updated_until_ms
        ]
        return Decision([transaction_tombstone(transactional_id) for transactional_id in expired], None)

    def timed_out(self, now_ms: int) -> list[Transaction]:
        """Transactions that have been open for longer than their timeout."""
        return [
            transaction
            for transaction in self.transactions.values()
            if transaction.status is _ONGOING and transaction.start_ms + transaction.timeout_ms < now_ms
        ]

    def _becomes(self, transaction: Transaction) -> Decision[Transaction]:
        value_version = 1 if self._transaction_version() else 0

        def remember_last_epoch() -> None:
            self._last_epoch = transaction.last_producer_epoch

        return Decision([transaction_record(transaction, value_version)], transaction, apply=remember_last_epoch)

    # -- replay

    def replay(self, record: CoordinatorRecord, producer_id: int, offset: int) -> None:  # noqa: ARG002 - of other topics
        read = read_record(record)
        if read is None:
            record_type = int.from_bytes(record.key[:2])
            self.unknown_records[record_type] = self.unknown_records.get(record_type, 0) + 1
        elif read.transaction is None:
            self.transactions.pop(read.transactional_id, None)
        elif self._last_epoch is None:
            self.transactions[read.transactional_id] = read.transaction
        else:
            self.transactions[read.transactional_id] = read.transaction._replace(last_producer_epoch=self._last_epoch)
            self._last_epoch = None

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        """Nothing in this topic is written in a transaction."""

    def loaded(self) -> None:
        """Nothing to do: the coordinator completes what was decided before, once that is committed."""

    def ending(self) -> list[Transaction]:
        """Transactions that are decided and not complete."""
        return [transaction for transaction in self.transactions.values() if transaction.status in ENDING]

    def resign(self) -> None:
        """The next coordinator writes the remaining markers. No request is parked here."""
        self._give_up(self.transactions.keys())


def _needed(spare_producer_id: int | None) -> int:
    if spare_producer_id is None:
        raise ProducerIdNeeded
    return spare_producer_id


def _may_be(transaction: Transaction, expected: ProducerIdAndEpoch) -> bool:
    """Whether `expected` may be the producer of this transactional id; its epoch is checked later.

    A new transactional id has no epoch yet: its producer comes back after a long time. The producer id before this one
    was given up when its epochs were used up, and the answer that said so may have been lost.
    """
    return (
        transaction.producer_epoch == NO_PRODUCER_EPOCH
        or expected.producer_id == transaction.producer_id
        or (expected.producer_id == transaction.previous_producer_id and is_exhausted(expected.epoch))
    )


def _is_current(transaction: Transaction, expected: ProducerIdAndEpoch) -> bool:
    return expected.epoch == transaction.producer_epoch


def _other_end(transaction: Transaction, *, commit: bool) -> KafkaError:
    logger.warning(
        "transactional id %s is %s and cannot be %s",
        transaction.transactional_id,
        transaction.status.text,
        "committed" if commit else "aborted",
    )
    return KafkaError(ErrorCode.INVALID_TXN_STATE)


def _refuse_while_ending(transaction: Transaction) -> None:
    """Raises KafkaError: CONCURRENT_TRANSACTIONS.

    Apache Kafka asks for this before it looks at the producer, but for verifications and EndTxn before version 5. It
    matters: a producer that was told its next epoch, and aborts its next transaction before the markers of the last one
    are written, must not be told that it is fenced.
    """
    if transaction.status in ENDING:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
