"""Is this partition in the producer's transaction? Asked before anything transactional is stored (KIP-890).

A transactional record outside a transaction gets no marker, so the last stable offset would stay before it for ever.
This happened with messages that arrived after their transaction had ended. So the leader of a partition asks the
transaction coordinator before the first batch of a transaction, not before later ones. For newer clients
the leader also adds the partition to the transaction; older ones have done so with AddPartitionsToTxn.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt, settled
from kafkapy_log import Verification
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.coordinators.transaction.coordinator import TransactionCoordinator
    from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
    from kafkapy.partitions.partition import Partition

NOT_ADDED = "Partition was not added to the transaction"


class Enlisting(Enum):
    """What the version of a client's request tells about its transactions."""

    CHECK_FOR_OLD_CLIENT = auto()  # Produce up to 10, TxnOffsetCommit up to 3: does not know TRANSACTION_ABORTABLE
    CHECK = auto()  # Produce 11, TxnOffsetCommit 4
    ADD = auto()  # Produce 12 on, TxnOffsetCommit 5 on: the request itself adds the partition


class PartitionEnlister:
    """Asks the transaction coordinator of this node, which is the only one."""

    def __init__(self, transactions: TransactionCoordinator) -> None:
        self._transactions = transactions

    def enlist(
        self, transactional_id: str, producer: ProducerIdAndEpoch, partitions: Iterable[Partition], enlisting: Enlisting
    ) -> Pending[dict[Partition, Verification | KafkaError]]:
        """For each partition: the `Verification` for its log, or the error.

        Errors: INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, CONCURRENT_TRANSACTIONS, INVALID_REQUEST (empty
        transactional id), COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE; TRANSACTION_ABORTABLE, for old
        clients INVALID_TXN_STATE.
        """
        outcome: dict[Partition, Verification | KafkaError] = {}
        unknown: dict[tuple[str, int], Partition] = {}
        for partition in partitions:
            if partition.log.producers.has_open_transaction(producer.producer_id, producer.epoch):
                outcome[partition] = Verification.IN_TRANSACTION
            else:
                unknown[partition.topic, partition.index] = partition
        if not unknown:
            return settled(outcome)
        if enlisting is not Enlisting.ADD and not self._transactions.verifies_partitions:
            return settled(outcome | dict.fromkeys(unknown.values(), Verification.IN_TRANSACTION))

        def ask() -> Pending[dict[Partition, Verification | KafkaError]]:
            if enlisting is Enlisting.ADD:
                from kafkapy.coordinators.transaction.transaction import EPOCH_BUMP_VERSION  # not needed at start

                added = self._transactions.add_partitions(transactional_id, producer, unknown, EPOCH_BUMP_VERSION)
                return added.map(lambda _: outcome | dict.fromkeys(unknown.values(), Verification.ADDED))
            return self._transactions.missing_partitions(transactional_id, producer, unknown).map(check)

        def check(missing: set[tuple[str, int]]) -> dict[Partition, Verification | KafkaError]:
            for key, partition in unknown.items():
                outcome[partition] = _not_in_transaction(enlisting) if key in missing else Verification.IN_TRANSACTION
            return outcome

        def refuse(error: KafkaError) -> dict[Partition, Verification | KafkaError]:
            return outcome | dict.fromkeys(unknown.values(), _as_seen_by_writers(error))

        return attempt(ask).otherwise(refuse)


def _not_in_transaction(enlisting: Enlisting) -> KafkaError:
    if enlisting is Enlisting.CHECK_FOR_OLD_CLIENT:
        return KafkaError(ErrorCode.INVALID_TXN_STATE, NOT_ADDED)
    return KafkaError(ErrorCode.TRANSACTION_ABORTABLE)


def _as_seen_by_writers(error: KafkaError) -> KafkaError:
    match error.code:
        case ErrorCode.PRODUCER_FENCED:  # fatal to a producer; a produce that comes late need not be
            return KafkaError(ErrorCode.INVALID_PRODUCER_EPOCH)
        case ErrorCode.NOT_COORDINATOR:  # there is no `__transaction_state`, so no transaction
            return KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        case _:
            return error
