"""The state of one transactional id, and the transitions. Nothing here is mutable: a transition returns the
next state, which takes effect when its record is replayed.

```
          InitProducerId       add            EndTxn              every marker is written
 (nothing) ----------> Empty ------> Ongoing -------> PrepareCommit ----------------> CompleteCommit
                                        |  +--------> PrepareAbort -----------------> CompleteAbort
                                        +- timeout, InitProducerId: PrepareAbort
```
From CompleteCommit and CompleteAbort the next transaction goes to Ongoing, InitProducerId to Empty.

Epochs. InitProducerId gives the next epoch, so whoever had the one before is fenced. Under transaction version 2
(KIP-890) every end does: records and marker of a transaction then have epochs that no other transaction has, and a
late message has an older epoch than the next transaction. 32766 is the last epoch for clients: the one after it is
for fencing, and then the transactional id gets a new producer id.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

TopicPartition = tuple[str, int]

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_TIMESTAMP = -1
EPOCH_MAX = 32_767

EPOCH_BUMP_VERSION = 2
"""The transaction.version from which on each end of a transaction raises the epoch (KIP-890)."""


class TransactionStatus(IntEnum):
    """`transaction_status` of a stored value. Dead and PrepareEpochFence are never stored, but filters know them."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def text(self) -> str:
        """The name in DescribeTransactions: `PrepareCommit`."""
        return "".join(word.capitalize() for word in self.name.split("_"))


ENDING = frozenset({TransactionStatus.PREPARE_COMMIT, TransactionStatus.PREPARE_ABORT})
"""The states in which the decision is stored, but not every marker written."""


class ProducerIdAndEpoch(NamedTuple):
    producer_id: int
    epoch: int


class Transaction(NamedTuple):
    """One transactional id.

    `last_producer_epoch` is not stored, as in Apache Kafka: a retried InitProducerId whose first answer was lost is
    recognised by it until the coordinator is restarted. Timestamps in ms since the epoch; `start_ms` -1 before the
    first transaction.
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int = NO_PRODUCER_EPOCH
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID
    last_producer_epoch: int = NO_PRODUCER_EPOCH
    timeout_ms: int = 0
    status: TransactionStatus = TransactionStatus.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    start_ms: int = NO_TIMESTAMP
    updated_ms: int = NO_TIMESTAMP
    client_version: int = 0
    """The transaction.version that the producer works with: 2, or 0 for any before it."""

    @property
    def epoch_is_exhausted(self) -> bool:
        return is_exhausted(self.producer_epoch)

    @property
    def producer(self) -> ProducerIdAndEpoch:
        return ProducerIdAndEpoch(self.producer_id, self.producer_epoch)

    @property
    def is_ending(self) -> bool:
        """Whether the decision is stored, but not every marker written."""
        return self.status in ENDING

    @property
    def is_committing(self) -> bool:
        return self.status is TransactionStatus.PREPARE_COMMIT

    # -- InitProducerId

    def with_next_epoch(self, timeout_ms: int, *, keep_last_epoch: bool, now_ms: int) -> Transaction:
        """A producer initializes. With `keep_last_epoch` it is the same producer, which recovers from an error."""
        return self._initialised(
            timeout_ms,
            now_ms,
            producer_epoch=self.producer_epoch + 1,
            last_producer_epoch=self.producer_epoch if keep_last_epoch else NO_PRODUCER_EPOCH,
        )

    def with_same_epoch(self, timeout_ms: int, *, now_ms: int) -> Transaction:
        """A retry, as the first answer was lost: only the time changes."""
        return self._initialised(timeout_ms, now_ms)

    def with_new_producer_id(
        self, producer_id: int, timeout_ms: int, *, keep_last_epoch: bool, now_ms: int
    ) -> Transaction:
        """The epochs of the previous producer id are used up."""
        return self._initialised(
            timeout_ms,
            now_ms,
            producer_id=producer_id,
            producer_epoch=0,
            last_producer_epoch=self.producer_epoch if keep_last_epoch else NO_PRODUCER_EPOCH,
        )

    def _initialised(
        self,
        timeout_ms: int,
        now_ms: int,
        *,
        producer_id: int | None = None,
        producer_epoch: int | None = None,
        last_producer_epoch: int | None = None,
    ) -> Transaction:
        return self._replace(
            producer_id=self.producer_id if producer_id is None else producer_id,
            previous_producer_id=self.producer_id,
            producer_epoch=self.producer_epoch if producer_epoch is None else producer_epoch,
            last_producer_epoch=self.last_producer_epoch if last_producer_epoch is None else last_producer_epoch,
            timeout_ms=timeout_ms,
            status=TransactionStatus.EMPTY,
            partitions=frozenset(),
            start_ms=NO_TIMESTAMP,
            updated_ms=now_ms,
        )

    # -- the transaction

    def with_partitions(self, added: frozenset[TopicPartition], client_version: int, *, now_ms: int) -> Transaction:
        """Add these partitions; the first ones begin the transaction."""
        return self._replace(
            previous_producer_id=self.producer_id,
            status=TransactionStatus.ONGOING,
            partitions=self.partitions | added,
            start_ms=self.start_ms if self.status is TransactionStatus.ONGOING else now_ms,
            updated_ms=now_ms,
            client_version=client_version,
        )

    def fenced(self) -> Transaction:
        """The state with a raised epoch, for an abort without EndTxn (before transaction version 2)."""
        return self._replace(
            producer_epoch=min(self.producer_epoch + 1, EPOCH_MAX), last_producer_epoch=NO_PRODUCER_EPOCH
        )

    def ended(self, *, commit: bool, client_version: int, next_producer_id: int, now_ms: int) -> Transaction:
        """The decided state: it is stored first, then the markers are written with its producer id and epoch.

        `next_producer_id` is used after the markers if the epochs are used up, otherwise -1.
        """
        epoch, last_epoch = self.producer_epoch, self.last_producer_epoch
        if client_version >= EPOCH_BUMP_VERSION:
            epoch, last_epoch = min(self.producer_epoch + 1, EPOCH_MAX), self.producer_epoch
        return self._replace(
            previous_producer_id=self.producer_id,
            next_producer_id=next_producer_id,
            producer_epoch=epoch,
            last_producer_epoch=last_epoch,
            status=TransactionStatus.PREPARE_COMMIT if commit else TransactionStatus.PREPARE_ABORT,
            start_ms=self.start_ms if self.status is TransactionStatus.ONGOING else now_ms,
            updated_ms=now_ms,
            client_version=client_version,
        )

    def completed(self, *, now_ms: int) -> Transaction:
        """The state after every marker is written."""
        rotated = self.client_version >= EPOCH_BUMP_VERSION and self.next_producer_id != NO_PRODUCER_ID
        return self._replace(
            producer_id=self.next_producer_id if rotated else self.producer_id,
            previous_producer_id=self.producer_id,
            next_producer_id=NO_PRODUCER_ID,
            producer_epoch=0 if rotated else self.producer_epoch,
            status=TransactionStatus.COMPLETE_COMMIT if self.is_committing else TransactionStatus.COMPLETE_ABORT,
            partitions=frozenset(),
            updated_ms=now_ms,
        )


def is_exhausted(producer_epoch: int) -> bool:
    """Whether clients cannot get another epoch of this producer id."""
    return producer_epoch >= EPOCH_MAX - 1
