"""The transactional ids that this broker coordinates: what the handlers of the transaction APIs call.

Each transactional id lives in the shard of its partition of `__transaction_state`, and the leader of that partition
coordinates it: every other broker refuses requests about it with NOT_COORDINATOR. A transaction ends in three steps,
each of which may be the last one before a crash: PrepareCommit or PrepareAbort is stored and the end is decided;
markers go to every partition; CompleteCommit or CompleteAbort is stored. After a restart, decided transactions are
completed, and so they are by the next leader.

Each step waits until the one before it is committed. Where commits need not wait for a disk or for followers all three
are one turn of the event loop, so that no client ever meets a transaction between them, unless it has very many
partitions or a disk refuses a marker: see endings.py.

As long as `__transaction_state` does not exist every request about a transactional id is refused with NOT_COORDINATOR.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.runtime import CoordinatorRuntime, Decision, partition_for
from kafkapy.coordinators.transaction.endings import Endings
from kafkapy.coordinators.transaction.markers import Marker
from kafkapy.pending import Pending, attempt, settled
from kafkapy.turns import Turn
from kafkapy_controller.topic_names import TRANSACTION_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.clock import Clock
    from kafkapy.coordinators.ports import CoordinatorLog
    from kafkapy.coordinators.transaction.ports import Markers
    from kafkapy.coordinators.transaction.shard import TransactionShard
    from kafkapy.coordinators.transaction.transaction import (
        ProducerIdAndEpoch,
        TopicPartition,
        Transaction,
        TransactionStatus,
    )
    from kafkapy.metadata.ports import Metadata
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, TopicImage

logger = logging.getLogger("kafkapy.transactions")

TRANSACTION_VERSION = "transaction.version"
NO_SEQUENCE = -1


class TransactionCoordinator:
    """All transactional ids of this node. Errors are raised as KafkaError, unless said otherwise."""

    def __init__(
        self,
        settings: CurrentSettings,
        clock: Clock,
        log: CoordinatorLog,
        metadata: Metadata,
        next_producer_id: Callable[[], Pending[int]],
        markers: Markers,
        *,
        ending_ms: int = 0,
    ) -> None:
        """With `ending_ms` the markers of a transaction are written so long after it was decided how it ends."""
        self._settings = settings
        self._clock = clock
        self._metadata = metadata
        self._ending_ms = ending_ms
        self._next_producer_id = next_producer_id
        self._runtime: CoordinatorRuntime[TransactionShard] = CoordinatorRuntime(
            TRANSACTION_TOPIC,
            log,
            clock,
            lambda _: self._new_shard(),
            when_loaded=self._end_what_was_decided,
            base_sequence=NO_SEQUENCE,
        )
        self._endings = Endings(clock, markers, self._marker_of, self._complete)
        self._uncommitted: set[str] = set()  # decided transactions whose record was not committed at once
        self._topic: TopicImage | None = None  # `__transaction_state`, as it was when its leaders were last followed

    # -- life

    async def load(self) -> None:
        """Replay the topic and complete decided transactions. The group coordinator must be loaded before."""
        await self._runtime.load()
        await self._endings.try_all()

    def close(self) -> None:
        """Stop: nothing is appended any more."""
        self._runtime.resign()

    async def run(self) -> None:
        """Create `__transaction_state` when a request needs it, and load what this broker leads of it; until
        cancelled.
        """
        await self._runtime.run()

    def when_ready(self, transactional_id: str) -> Pending[None]:
        """Answered when `__transaction_state` exists, and the partition of the id is loaded if this broker leads it.
        Creates the topic if it is missing.

        Refused with COORDINATOR_NOT_AVAILABLE, or what the controller has said about the new topic.
        """
        return self._runtime.when_ready(transactional_id)

    def coordinator_of(self, transactional_id: str) -> int:
        """The broker that coordinates the transactional id; -1: none, now."""
        return self._runtime.leader_of(transactional_id)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Take over and give up transactional ids, as the leaders of their partitions change. The partitions must have
        followed the image before.
        """
        topic = image.topics.get(TRANSACTION_TOPIC)
        if topic is not self._topic or any(topic.name == TRANSACTION_TOPIC for topic in delta.deleted_topics):
            self._topic = topic
            self._runtime.follow_leadership()
        self._endings.follow_metadata()

    def _give_up(self, transactional_ids: Iterable[str]) -> None:
        self._uncommitted.difference_update(transactional_ids)
        self._endings.give_up(transactional_ids)

    @property
    def transaction_version(self) -> int:
        """The cluster's level of the feature."""
        return self._metadata.image.features.get(TRANSACTION_VERSION, 0)

    @property
    def verifies_partitions(self) -> bool:
        """transaction.partition.verification.enable"""
        return self._settings.now.transactions.transaction_partition_verification_enable

    # -- the producer's requests

    def init_producer_id(
        self, transactional_id: str, timeout_ms: int, expected: ProducerIdAndEpoch | None
    ) -> Pending[ProducerIdAndEpoch]:
        """Give the producer its id and next epoch; producers with older epochs are fenced.

        Raises KafkaError, or is refused with one: INVALID_REQUEST (empty id), INVALID_TRANSACTION_TIMEOUT,
        PRODUCER_FENCED; and CONCURRENT_TRANSACTIONS after it has aborted the open transaction: the client asks
        again.
        """
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        if not 0 < timeout_ms <= self._settings.now.transactions.transaction_max_timeout_ms:
            raise KafkaError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)

        def decide(spare_producer_id: int | None) -> Pending[Transaction]:
            partition, shard = self._find(transactional_id)
            decision = shard.init_producer_id(
                transactional_id, timeout_ms, expected, spare_producer_id, self._clock.now_ms()
            )
            return self._decided(partition, decision)

        def answer(transaction: Transaction) -> ProducerIdAndEpoch:
            if transaction.is_ending:
                self._finish(transaction)
                raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
            logger.info(
                "transactional id %s has producer id %d, epoch %d",
                transactional_id,
                transaction.producer_id,
                transaction.producer_epoch,
            )
            return transaction.producer

        return self._with_spare_producer_id(decide).map(answer)

    def add_partitions(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Iterable[TopicPartition],
        client_version: int,
    ) -> Pending[None]:
        """Raises KafkaError: INVALID_REQUEST (empty id), INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED,
        CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS.
        """
        partition, shard = self._find_named(transactional_id)
        decision = shard.add_partitions(transactional_id, producer, partitions, client_version, self._clock.now_ms())
        return self._runtime.execute(partition, decision)

    def missing_partitions(
        self, transactional_id: str, producer: ProducerIdAndEpoch, partitions: Iterable[TopicPartition]
    ) -> Pending[set[TopicPartition]]:
        """The partitions that are not in the producer's transaction. Raises KafkaError as `add_partitions` does."""
        partition, shard = self._find_named(transactional_id)
        return self._runtime.read(partition, shard.missing_partitions(transactional_id, producer, partitions))

    def end(
        self, transactional_id: str, producer: ProducerIdAndEpoch, *, commit: bool, client_version: int
    ) -> Pending[ProducerIdAndEpoch]:
        """Commit or abort. Answers the producer id and epoch for the next transaction (from client version 2 on).

        Raises KafkaError, or is refused with one: INVALID_REQUEST (empty id), INVALID_PRODUCER_ID_MAPPING,
        PRODUCER_FENCED, INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS; NOT_COORDINATOR, the
        topic was deleted meanwhile.
        """

        def decide(spare_producer_id: int | None) -> Pending[Transaction]:
            partition, shard = self._find_named(transactional_id)
            decision = shard.end(
                transactional_id,
                producer,
                commit=commit,
                client_version=client_version,
                spare_producer_id=spare_producer_id,
                now_ms=self._clock.now_ms(),
            )
            return self._decided(partition, decision)

        return self._with_spare_producer_id(decide).and_then(self._end)

    def _end(self, transaction: Transaction) -> Pending[ProducerIdAndEpoch]:
        """The decision is stored: write the markers."""
        if not transaction.is_ending:
            return settled(transaction.producer)
        completed = transaction.completed(now_ms=transaction.updated_ms)
        if self._ending_ms:
            self._finish(transaction)
            return settled(completed.producer)

        def answer(error: ErrorCode) -> ProducerIdAndEpoch:
            if error is not ErrorCode.NONE:
                raise KafkaError(error)
            return completed.producer

        return self._endings.begin(transaction).map(answer)

    def _with_spare_producer_id(self, decide: Callable[[int | None], Pending[Transaction]]) -> Pending[Transaction]:
        """Make a decision; if it needs a new producer id, get one and make the decision again."""
        from kafkapy.coordinators.transaction.shard import ProducerIdNeeded

        try:
            return decide(None)
        except ProducerIdNeeded:
            return self._next_producer_id().and_then(decide)

    # -- time

    async def abort_timed_out(self) -> None:
        """Abort transactions that are open for longer than their timeout, and fence their producers.

        Returns when all of that is decided; commits and markers may come later.
        """
        self._end_what_was_left()
        turn = Turn()
        for partition, shard in self._runtime.loaded_shards():
            for transaction in shard.timed_out(self._clock.now_ms()):
                self._abort_timed_out(partition, shard, transaction)
                await turn.share()

    def _end_what_was_decided(self, loaded: list[tuple[int, TransactionShard]]) -> None:
        """Complete the transactions that earlier coordinators have decided, once their records are committed: until
        then another leader may come that does not know of the decision.
        """
        for partition, shard in loaded:
            decided = shard.ending()
            if not decided:
                continue
            self._uncommitted.update([transaction.transactional_id for transaction in decided])
            committed = attempt(partial(self._runtime.read, partition, None))
            committed.when_settled(partial(self._end_what_was_loaded, partition, shard))

    def _end_what_was_loaded(self, partition: int, shard: TransactionShard, committed: Pending[None]) -> None:
        try:
            committed.result()
        except KafkaError:
            return  # it takes long, and `abort_timed_out` comes back to it; or the partition is led elsewhere
        self._end_what_was_committed(partition, shard)

    def _end_what_was_left(self) -> None:
        """Write the markers of decisions that were answered with an error and committed later all the same."""
        for partition, shard in self._runtime.loaded_shards():
            self._end_what_was_committed(partition, shard)

    def _end_what_was_committed(self, partition: int, shard: TransactionShard) -> None:
        if not self._runtime.serves(partition, shard):
            return
        for transactional_id in sorted(self._uncommitted & shard.transactions.keys()):
            transaction = shard.transactions[transactional_id]
            if self._runtime.is_committed(partition):
                self._uncommitted.discard(transactional_id)
                if transaction.is_ending and transactional_id not in self._endings:
                    self._finish(transaction)

    def _abort_timed_out(self, partition: int, shard: TransactionShard, transaction: Transaction) -> None:
        def decide(spare_producer_id: int | None) -> Pending[Transaction]:
            if not self._runtime.serves(partition, shard):
                raise KafkaError(ErrorCode.NOT_COORDINATOR)
            if shard.transactions.get(transaction.transactional_id) != transaction:
                return settled(transaction)  # the transaction has changed while this waited
            decision = shard.abort_unasked(transaction, spare_producer_id, self._clock.now_ms())
            return self._decided(partition, decision)

        def finish(aborted: Pending[Transaction]) -> None:
            try:
                decided = aborted.result()
            except KafkaError as error:
                level = logging.INFO if error.code.retriable else logging.ERROR
                logger.log(level, "cannot abort the transaction of %s: %s", transaction.transactional_id, error)
                return
            if decided.is_ending:
                logger.info(
                    "aborting the transaction of %s: open for more than %d ms",
                    transaction.transactional_id,
                    transaction.timeout_ms,
                )
                self._finish(decided)

        attempt(lambda: self._with_spare_producer_id(decide)).when_settled(finish)

    def remove_expired(self) -> None:
        """Forget transactional ids that nobody has used for transactional.id.expiration.ms."""
        updated_until_ms = self._clock.now_ms() - self._settings.now.transactions.transactional_id_expiration_ms
        for partition, shard in self._runtime.loaded_shards():
            self._execute_unasked(partition, shard.expire(updated_until_ms))

    # -- the end of a transaction

    def _decided(self, partition: int, decision: Decision[Transaction]) -> Pending[Transaction]:
        stored = self._runtime.execute(partition, decision)
        if decision.response.is_ending and not stored.settled:
            self._uncommitted.add(decision.response.transactional_id)
        return stored

    def _finish(self, transaction: Transaction) -> None:
        """Write the markers of a decided transaction, then its completion. This may return before that."""
        if not self._ending_ms:
            self._endings.begin(transaction)
            return

        def begin() -> None:
            # It may have been given up meanwhile, or ended when this broker led the partition again.
            with suppress(KafkaError):
                _, shard = self._find(transaction.transactional_id)
                is_open = shard.transactions.get(transaction.transactional_id) == transaction
                if is_open and transaction.transactional_id not in self._endings:
                    self._endings.begin(transaction)

        self._clock.call_later(self._ending_ms, begin)

    def _marker_of(self, transaction: Transaction) -> Marker:
        partition, _ = self._find(transaction.transactional_id)
        return Marker(
            transaction.producer_id,
            transaction.producer_epoch,
            transaction.is_committing,
            self._runtime.leader_epoch(partition),
            transaction.client_version,
        )

    def _complete(self, transaction: Transaction) -> Pending[Transaction]:
        partition, shard = self._find(transaction.transactional_id)
        return self._runtime.execute(partition, shard.complete(transaction, self._clock.now_ms()))

    # -- administration

    def describe(self, transactional_id: str) -> Pending[Transaction]:
        """Raises KafkaError: INVALID_REQUEST (empty id), TRANSACTIONAL_ID_NOT_FOUND, COORDINATOR_LOAD_IN_PROGRESS."""
        partition, shard = self._find_named(transactional_id)
        transaction = shard.transactions.get(transactional_id)
        if transaction is None:
            raise KafkaError(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
        return self._runtime.read(partition, transaction)

    async def list(
        self,
        statuses: frozenset[TransactionStatus] | None,
        producer_ids: frozenset[int],
        longer_than_ms: int,
        matches: Callable[[str], object] | None,
    ) -> list[Transaction]:
        """Transactional ids of this broker that match all filters: status, producer id, running time, pattern. No
        status, no producer id and a negative time match everything.

        Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS).
        """
        now_ms = self._clock.now_ms()
        found = []
        turn = Turn()
        for shard in self._runtime.shards:
            for transaction in [*shard.transactions.values()]:
                if (
                    (statuses is None or transaction.status in statuses)
                    and (not producer_ids or transaction.producer_id in producer_ids)
                    and (longer_than_ms < 0 or now_ms - transaction.start_ms >= longer_than_ms)
                    and (matches is None or matches(transaction.transactional_id))
                ):
                    found.append(transaction)
                if turn.is_over:
                    await turn.share()
        return await self._runtime.read_all(found).wait()

    # -- shards

    def _find_named(self, transactional_id: str) -> tuple[int, TransactionShard]:
        """Raises KafkaError: INVALID_REQUEST (empty), and as `_find`."""
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        return self._find(transactional_id)

    def _find(self, transactional_id: str) -> tuple[int, TransactionShard]:
        """Raises KafkaError: NOT_COORDINATOR, another broker leads the partition of the id, or there is no
        `__transaction_state`; COORDINATOR_LOAD_IN_PROGRESS.
        """
        partition_count = self._runtime.partition_count
        if not partition_count:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        partition = partition_for(transactional_id, partition_count)
        return partition, self._runtime.shard(partition)

    def _new_shard(self) -> TransactionShard:
        # With the record formats, what a fresh node saves until it has a transaction.
        from kafkapy.coordinators.transaction.shard import TransactionShard

        return TransactionShard(lambda: self.transaction_version, self._give_up)

    def _execute_unasked(self, partition: int, decision: Decision[None]) -> None:
        try:
            self._runtime.execute(partition, decision)
        except KafkaError as error:
            logger.error("cannot write to %s-%d: %s", TRANSACTION_TOPIC, partition, error)
