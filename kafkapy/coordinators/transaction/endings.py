"""Decided transactions on their way to their end: a marker into every partition, then the record that says so.

A transaction may have thousands of partitions, so its markers are written in turns of the event loop, and other clients
are answered between them. Most transactions need one turn, that of the EndTxn request: then no other request
sees them unfinished. Until the last marker is written a transaction stays PrepareCommit or PrepareAbort. So after
a crash the next start writes all markers again, also those that were written before.

A marker counts when it is committed. If the disk refuses a marker, it is tried again every MARKER_RETRY_MS.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import trio

from kafkapy.pending import Pending
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.clock import Clock, Timer
    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.coordinators.transaction.ports import Markers
    from kafkapy.coordinators.transaction.transaction import TopicPartition, Transaction

logger = logging.getLogger("kafkapy.transactions")

MARKER_RETRY_MS = 1_000

_WRITTEN_OR_GONE = (ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
_FENCED = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)


class Ending:
    """One decided transaction. `tried` is answered when every partition has been tried once, and if no marker was
    refused, when the transaction is complete: NONE, whatever the disks said; NOT_COORDINATOR, when this node gave the
    transaction up before.
    """

    __slots__ = ("is_fenced", "refused", "transaction", "tried", "uncommitted_count", "untried")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.untried = sorted(transaction.partitions, reverse=True)  # taken from the end
        self.refused: list[TopicPartition] = []
        self.uncommitted_count = 0
        """Markers that are appended, and not committed yet."""
        self.is_fenced = False
        """Another coordinator leads the partition now, and writes the remaining markers, as in Apache Kafka."""
        self.tried: Pending[ErrorCode] = Pending()


class Endings:
    """All decided transactions of a coordinator that are not complete.

    `marker_of` makes the marker of a transaction, `complete` stores its completion; both may raise KafkaError.
    """

    def __init__(
        self,
        clock: Clock,
        markers: Markers,
        marker_of: Callable[[Transaction], Marker],
        complete: Callable[[Transaction], Pending[Transaction]],
    ) -> None:
        self._clock = clock
        self._markers = markers
        self._marker_of = marker_of
        self._complete = complete
        self._endings: dict[str, Ending] = {}
        self._next_turn: Timer | None = None
        self._retry: Timer | None = None

    def __contains__(self, transactional_id: str) -> bool:
        return transactional_id in self._endings

    def begin(self, transaction: Transaction) -> Pending[ErrorCode]:
        """Write markers for one turn; further turns write the rest. Returns `Ending.tried`."""
        ending = self._endings[transaction.transactional_id] = Ending(transaction)
        self._write(ending)
        self._go_on()
        return ending.tried

    async def try_all(self) -> None:
        """Return when every partition has been tried once. The clock need not run yet."""
        while any(ending.untried for ending in self._endings.values()):
            await trio.lowlevel.checkpoint()
            self._take_turn()

    def give_up(self, transactional_ids: Iterable[str]) -> None:
        """This broker no longer coordinates these: the new coordinator writes the remaining markers."""
        for transactional_id in transactional_ids:
            ending = self._endings.pop(transactional_id, None)
            if ending is not None and not ending.tried.settled:
                ending.tried.answer(ErrorCode.NOT_COORDINATOR)
        if not self._endings:
            for timer in (self._next_turn, self._retry):
                if timer is not None:
                    timer.cancel()
            self._next_turn = self._retry = None

    # -- turns

    def _take_turn(self) -> None:
        """Go on with the transaction that has waited longest."""
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        ending = next((ending for ending in self._endings.values() if ending.untried), None)
        if ending is not None:
            transactional_id = ending.transaction.transactional_id
            self._endings[transactional_id] = self._endings.pop(transactional_id)
            self._write(ending)
        self._go_on()

    def _go_on(self) -> None:
        if self._next_turn is None and any(ending.untried for ending in self._endings.values()):
            self._next_turn = self._clock.call_later(0, self._take_turn)

    def _try_again(self) -> None:
        self._retry = None
        for ending in list(self._endings.values()):
            if not ending.untried and not ending.uncommitted_count:
                ending.untried, ending.refused = sorted(ending.refused, reverse=True), []
                self._write(ending)
        self._go_on()

    def _write(self, ending: Ending) -> None:
        """Write markers for one turn. When the last one is committed, store that the transaction is complete."""
        transaction = ending.transaction
        try:
            self._write_markers(ending)
        except KafkaError as error:
            logger.log(_level(error.code), "cannot end the transaction of %s: %s", transaction.transactional_id, error)
            ending.refused += ending.untried
            ending.untried.clear()
        if not ending.untried and not ending.uncommitted_count:
            self._after_the_last(ending)

    def _write_markers(self, ending: Ending) -> None:
        """Write markers until the turn is over. Raises KafkaError: the marker cannot be made."""
        marker = self._marker_of(ending.transaction)
        turn = Turn()
        while ending.untried:
            partition = ending.untried.pop()
            written = self._markers.write(*partition, marker)
            if written.settled:
                self._note(ending, partition, written.result())
            else:
                ending.uncommitted_count += 1
                written.when_settled(partial(self._committed, ending, partition))
            if turn.is_over:
                return

    def _committed(self, ending: Ending, partition: TopicPartition, written: Pending[ErrorCode]) -> None:
        ending.uncommitted_count -= 1
        if self._endings.get(ending.transaction.transactional_id) is not ending:
            return  # given up meanwhile
        self._note(ending, partition, written.result())
        if not ending.untried and not ending.uncommitted_count:
            self._after_the_last(ending)

    def _note(self, ending: Ending, partition: TopicPartition, error: ErrorCode) -> None:
        if error in _WRITTEN_OR_GONE:
            return
        logger.log(
            _level(error),
            "cannot write the marker of %s into %s-%d: %s",
            ending.transaction.transactional_id,
            *partition,
            error.name,
        )
        if error in _FENCED:
            ending.is_fenced = True
            ending.untried.clear()
        else:
            ending.refused.append(partition)

    def _after_the_last(self, ending: Ending) -> None:
        """Every partition has been tried."""
        transactional_id = ending.transaction.transactional_id
        if not ending.is_fenced and not ending.refused:
            try:
                completed = self._complete(ending.transaction)
            except KafkaError as error:
                logger.log(_level(error.code), "cannot end the transaction of %s: %s", transactional_id, error)
            else:
                del self._endings[transactional_id]
                completed.when_settled(lambda _: self._has_tried(ending))
                return
        if ending.is_fenced:
            del self._endings[transactional_id]
        elif self._retry is None:
            self._retry = self._clock.call_later(MARKER_RETRY_MS, self._try_again)
        self._has_tried(ending)

    def _has_tried(self, ending: Ending) -> None:
        if not ending.tried.settled:
            ending.tried.answer(ErrorCode.NONE)


def _level(error: ErrorCode) -> int:
    """The log level: the disk watch has logged a full disk already, and each marker is retried every second."""
    waits_for_disk = error in (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR)
    return logging.INFO if waits_for_disk else logging.ERROR
