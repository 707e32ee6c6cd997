"""Decided transactions on their way to their end: a marker into every partition, then the record that says so.

A transaction may have thousands of partitions, so its markers are written in turns of the event loop, and other clients
are answered between them. Most transactions need one turn, that of the EndTxn request: then no other request
sees them unfinished. Until the last marker is written a transaction stays PrepareCommit or PrepareAbort. So after
a crash, or when the coordinator moves, the next one writes all markers again, also those that were written before.

A marker counts when it is committed. One that was refused (by a full disk, by a broker that does not lead the partition
any more) is tried again after MARKER_RETRY_MS, and then ever more rarely.
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

MARKER_RETRY_MS = 50
MARKER_RETRY_MS_MAX = 1_000
ANSWER_WAIT_MS = 200
"""How long the answer to an EndTxn waits for markers that other brokers write, or followers do not have yet."""

_WRITTEN_OR_GONE = (ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
_FENCED = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)


class Ending:
    """One decided transaction. `tried` is answered when every partition has been tried once, and if no marker was
    refused, when the transaction is complete: NONE, whatever the disks said; NOT_COORDINATOR, when this node gave the
    transaction up before. It does not wait for other brokers for longer than ANSWER_WAIT_MS.
    """

    __slots__ = ("is_fenced", "patience", "refused", "told", "transaction", "tried", "unknown", "untried")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.untried = sorted(transaction.partitions, reverse=True)  # taken from the end
        self.refused: list[TopicPartition] = []
        self.unknown: dict[TopicPartition, Pending[ErrorCode]] = {}
        """Markers that are sent to other brokers, or appended and not committed yet."""
        self.is_fenced = False
        """Another coordinator leads the partition now, and writes the remaining markers, as in Apache Kafka."""
        self.tried: Pending[ErrorCode] = Pending()
        self.patience: Timer | None = None
        self.told: set[ErrorCode] = set()
        """The errors that the log has a line about."""

    def give_up(self) -> None:
        """Another coordinator writes the remaining markers: those that were not sent yet are not sent any more."""
        if self.patience is not None:
            self.patience.cancel()
        for written in self.unknown.values():
            written.abandon()
        if not self.tried.settled:
            self.tried.answer(ErrorCode.NOT_COORDINATOR)


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
        self._retry_ms = MARKER_RETRY_MS

    def __contains__(self, transactional_id: str) -> bool:
        return transactional_id in self._endings

    def begin(self, transaction: Transaction) -> Pending[ErrorCode]:
        """Write markers for one turn; further turns write the rest. Returns `Ending.tried`."""
        self.give_up([transaction.transactional_id])
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
            if ending is not None:
                ending.give_up()
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

    def follow_metadata(self) -> None:
        """Other brokers lead some partitions now: what was refused is tried again soon."""
        if self._retry is not None and self._retry_ms > MARKER_RETRY_MS:
            self._retry.cancel()
            self._retry_ms = MARKER_RETRY_MS
            self._retry = self._clock.call_later(MARKER_RETRY_MS, self._try_again)

    def _try_later(self) -> None:
        if self._retry is None:
            self._retry = self._clock.call_later(self._retry_ms, self._try_again)
            self._retry_ms = min(self._retry_ms * 2, MARKER_RETRY_MS_MAX)

    def _try_again(self) -> None:
        self._retry = None
        for ending in list(self._endings.values()):
            if not ending.untried and (ending.refused or not ending.unknown):
                ending.untried, ending.refused = sorted(ending.refused, reverse=True), []
                self._write(ending)
        if self._retry is None:
            self._retry_ms = MARKER_RETRY_MS  # nothing was refused
        self._go_on()

    def _write(self, ending: Ending) -> None:
        """Write markers for one turn. When the last one is committed, store that the transaction is complete."""
        try:
            self._write_markers(ending)
        except KafkaError as error:
            _tell(ending, error.code, "write the markers")
            ending.refused += ending.untried
            ending.untried.clear()
        if not ending.untried:
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
                ending.unknown[partition] = written
                written.when_settled(partial(self._committed, ending, partition))
            if turn.is_over:
                return

    def _committed(self, ending: Ending, partition: TopicPartition, written: Pending[ErrorCode]) -> None:
        ending.unknown.pop(partition, None)
        if self._endings.get(ending.transaction.transactional_id) is not ending:
            return  # given up meanwhile
        self._note(ending, partition, written.result())
        if not ending.untried and not ending.unknown:
            self._after_the_last(ending)

    def _note(self, ending: Ending, partition: TopicPartition, error: ErrorCode) -> None:
        if error in _WRITTEN_OR_GONE:
            return
        _tell(ending, error, f"write the marker into {partition[0]}-{partition[1]}")
        if error in _FENCED:
            ending.is_fenced = True
            ending.untried.clear()
        else:
            ending.refused.append(partition)

    def _after_the_last(self, ending: Ending) -> None:
        """Every partition has been tried; what became of some markers may be unknown yet."""
        if ending.unknown:
            if ending.refused:
                self._try_later()
            if ending.patience is None:
                ending.patience = self._clock.call_later(ANSWER_WAIT_MS, partial(self._has_tried, ending))
            return
        transactional_id = ending.transaction.transactional_id
        if not ending.is_fenced and not ending.refused:
            try:
                completed = self._complete(ending.transaction)
            except KafkaError as error:
                _tell(ending, error.code, "complete the transaction")
            else:
                del self._endings[transactional_id]
                completed.when_settled(lambda _: self._has_tried(ending))
                return
        if ending.is_fenced:
            del self._endings[transactional_id]
        else:
            self._try_later()
        self._has_tried(ending)

    def _has_tried(self, ending: Ending) -> None:
        if ending.patience is not None:
            ending.patience.cancel()
        if not ending.tried.settled:
            ending.tried.answer(ErrorCode.NONE)


def _tell(ending: Ending, error: ErrorCode, what: str) -> None:
    """Log the error once for each ending, which is tried again and again.

    One that passes is no more than information: the disk watch has logged a full disk already, and leaders move.
    """
    if error not in ending.told:
        ending.told.add(error)
        level = logging.INFO if error.retriable else logging.ERROR
        logger.log(level, "%s: cannot %s: %s", ending.transaction.transactional_id, what, error.name)
