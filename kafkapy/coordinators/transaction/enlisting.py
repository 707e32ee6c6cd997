"""Is this partition in the producer's transaction? Asked before anything transactional is stored (KIP-890).

A transactional record outside a transaction gets no marker, so the last stable offset would stay before it for ever.
This happened with messages that arrived after their transaction had ended. So the leader of a partition asks the
transaction coordinator before the first batch of a transaction, not before later ones. For newer clients
the leader also adds the partition to the transaction; older ones have done so with AddPartitionsToTxn.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.pending import Pending, attempt, settled
from kafkapy_controller.image import NO_LEADER
from kafkapy_log import Verification
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.clock import Clock
    from kafkapy.coordinators.transaction.coordinator import TransactionCoordinator
    from kafkapy.coordinators.transaction.remote_enlisting import Errors, RemoteEnlister
    from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch, TopicPartition
    from kafkapy.partitions.partition import Partition
    from kafkapy.settings.current import CurrentSettings

NOT_ADDED = "Partition was not added to the transaction"
ASKED_MAX: Final = 3
"""How often the coordinator is asked about a partition in which something of the producer was stored meanwhile."""


class Enlisted(NamedTuple):
    """The coordinator has said that the partition is in the transaction. `ProducerState.guard` was `guard` then."""

    verification: Verification
    guard: object


Outcome = dict["Partition", "Enlisted | KafkaError"]


class Enlisting(Enum):
    """What the version of a client's request tells about its transactions."""

    CHECK_FOR_OLD_CLIENT = auto()  # Produce up to 10, TxnOffsetCommit up to 3: does not know TRANSACTION_ABORTABLE
    CHECK = auto()  # Produce 11, TxnOffsetCommit 4
    ADD = auto()  # Produce 12 on, TxnOffsetCommit 5 on: the request itself adds the partition


class PartitionEnlister:
    """Asks the transaction coordinator: the one here, or through `remote` one on another broker.

    `remote` is None where no other broker can come.
    """

    def __init__(
        self,
        transactions: TransactionCoordinator,
        remote: RemoteEnlister | None,
        clock: Clock,
        settings: CurrentSettings,
        *,
        node_id: int,
    ) -> None:
        self._transactions = transactions
        self._remote = remote
        self._clock = clock
        self._settings = settings
        self._node_id = node_id

    def enlist(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Iterable[Partition],
        enlisting: Enlisting,
        asked_max: int = ASKED_MAX,
    ) -> Pending[Outcome]:
        """For each partition: the `Verification` for its log, or the error.

        A marker that comes meanwhile may be that of the producer's transaction before: who adds a partition (ADD) asks
        again. Apache Kafka refuses the batch with INVALID_TXN_STATE, which ends the producer.

        Errors: INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, CONCURRENT_TRANSACTIONS, INVALID_REQUEST (empty
        transactional id), COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, NETWORK_EXCEPTION;
        TRANSACTION_ABORTABLE, for old clients INVALID_TXN_STATE.
        """
        outcome: Outcome = {}
        unknown: dict[tuple[str, int], Partition] = {}
        guards: dict[Partition, object] = {}
        asks = enlisting is Enlisting.ADD or self._transactions.verifies_partitions
        for partition in partitions:
            producers = partition.log.producers
            guard = guards[partition] = producers.guard(producer.producer_id)
            if producers.has_open_transaction(producer.producer_id, producer.epoch) or not asks:
                outcome[partition] = Enlisted(Verification.IN_TRANSACTION, guard)
            else:
                unknown[partition.topic, partition.index] = partition
        if not unknown:
            return settled(outcome)

        def conclude(errors: Errors) -> Pending[Outcome]:
            verified = Verification.ADDED if enlisting is Enlisting.ADD else Verification.IN_TRANSACTION
            outdated: list[Partition] = []
            for key, partition in unknown.items():
                error = errors.get(key, ErrorCode.NONE)
                if error is not ErrorCode.NONE:
                    outcome[partition] = _as_seen_by_writers(error, enlisting)
                    continue
                outcome[partition] = Enlisted(verified, guards[partition])
                if partition.log.producers.guard(producer.producer_id) is not guards[partition]:
                    outdated.append(partition)
            if not outdated or enlisting is not Enlisting.ADD or asked_max == 1:
                return settled(outcome)
            again = self.enlist(transactional_id, producer, outdated, enlisting, asked_max - 1)
            return again.map(lambda newer: outcome | newer)

        def refuse(error: KafkaError) -> Outcome:
            code = error.code
            return outcome | {partition: _as_seen_by_writers(code, enlisting) for partition in unknown.values()}

        return (
            attempt(lambda: self._ask(transactional_id, producer, list(unknown), enlisting))
            .and_then(conclude)
            .otherwise(refuse)
        )

    def _ask(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: list[TopicPartition],
        enlisting: Enlisting,
    ) -> Pending[Errors]:
        """The errors of partitions that have some. Raises KafkaError, or is refused with one, for all of them."""
        coordinator = self._transactions.coordinator_of(transactional_id)
        if coordinator == NO_LEADER:  # or no `__transaction_state`, and so no transaction
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        if coordinator != self._node_id:
            assert self._remote is not None, f"broker {coordinator} coordinates, and there is no other broker"
            verify_only = enlisting is not Enlisting.ADD
            return self._remote.ask(coordinator, transactional_id, producer, partitions, verify_only=verify_only)
        if enlisting is Enlisting.ADD:
            from kafkapy.coordinators.transaction.transaction import EPOCH_BUMP_VERSION  # not needed at start

            added = self._transactions.add_partitions(transactional_id, producer, partitions, EPOCH_BUMP_VERSION)
            return added.map(lambda _: {})
        missing = self._transactions.missing_partitions(transactional_id, producer, partitions)
        return missing.map(lambda names: dict.fromkeys(names, ErrorCode.TRANSACTION_ABORTABLE))

    def again_while_ending(self, ask: Callable[[], Pending[Outcome]]) -> Pending[Outcome]:
        """`ask()`, which enlists; and again as long as the producer's previous transaction is being completed: its
        markers may be on their way to other brokers. As in Apache Kafka, every add.partitions.to.txn.retry.backoff.ms
        for add.partitions.to.txn.retry.backoff.max.ms.
        """
        settings = self._settings.now.transactions
        until_ms = self._clock.monotonic_ms() + settings.add_partitions_to_txn_retry_backoff_max_ms

        def go_on(outcome: Outcome) -> Pending[Outcome]:
            if not any(_is_ending(said) for said in outcome.values()) or self._clock.monotonic_ms() >= until_ms:
                return settled(outcome)
            later: Pending[Outcome] = Pending()
            self._clock.call_later(
                settings.add_partitions_to_txn_retry_backoff_ms, lambda: later.follow(attempt(ask).and_then(go_on))
            )
            return later

        return ask().and_then(go_on)


def _is_ending(said: Enlisted | KafkaError) -> bool:
    return isinstance(said, KafkaError) and said.code is ErrorCode.CONCURRENT_TRANSACTIONS


def _as_seen_by_writers(code: ErrorCode, enlisting: Enlisting) -> KafkaError:
    match code:
        case ErrorCode.PRODUCER_FENCED:  # fatal to a producer; a produce that comes late need not be
            return KafkaError(ErrorCode.INVALID_PRODUCER_EPOCH)
        case ErrorCode.TRANSACTION_ABORTABLE if enlisting is Enlisting.CHECK_FOR_OLD_CLIENT:
            return KafkaError(ErrorCode.INVALID_TXN_STATE, NOT_ADDED)
        case _:
            return KafkaError(code)
