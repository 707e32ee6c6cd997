"""Decided transactions on their way to their end: a marker into every partition, then the record that says so.

A transaction may have thousands of partitions, so its markers are written in turns of the event loop, and other clients
are answered between them. Most transactions need one turn, which is that of the request that ends them: then nobody
meets them half way. Until the last marker is written a transaction stays PrepareCommit or PrepareAbort, so a crash
between two turns leaves it as one before the first: the next start writes the markers, again where they are already.

What a disk refuses is tried again every MARKER_RETRY_MS.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.coordinators.runtime import Parked
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock, Timer
    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.coordinators.transaction.ports import Markers
    from kafkapy.coordinators.transaction.transaction import TopicPartition, Transaction

logger = logging.getLogger("kafkapy.transactions")

MARKER_RETRY_MS = 1_000

_WRITTEN_OR_GONE = (ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
_FENCED = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)


class Ending:
    """One decided transaction. `tried` is answered when every partition has been tried once: NONE, whatever the disks
    said; NOT_COORDINATOR, when this node gave the transaction up before.
    """

    __slots__ = ("refused", "transaction", "tried", "untried")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.untried = sorted(transaction.partitions, reverse=True)  # taken from the end
        self.refused: list[TopicPartition] = []
        self.tried: Parked[ErrorCode] = Parked()


class Endings:
    """All decided transactions of a coordinator that are not complete.

    `marker_of` gives the marker of a transaction, `complete` stores that all are written; both may raise KafkaError.
    """

    def __init__(
        self,
        clock: Clock,
        markers: Markers,
        marker_of: Callable[[Transaction], Marker],
        complete: Callable[[Transaction], None],
    ) -> None:
        self._clock = clock
        self._markers = markers
        self._marker_of = marker_of
        self._complete = complete
        self._endings: dict[str, Ending] = {}
        self._next_turn: Timer | None = None
        self._retry: Timer | None = None

    def begin(self, transaction: Transaction) -> Parked[ErrorCode]:
        """Write markers for one turn; what is left follows in further ones. Returns `Ending.tried`."""
        ending = self._endings[transaction.transactional_id] = Ending(transaction)
        self._write(ending)
        self._go_on()
        return ending.tried

    async def try_all(self) -> None:
        """Return when every partition has been tried once, also while the clock does not run yet."""
        while any(ending.untried for ending in self._endings.values()):
            await trio.lowlevel.checkpoint()
            self._take_turn()

    def give_up(self) -> None:
        """This node is not in charge any more: who is writes the rest."""
        for timer in (self._next_turn, self._retry):
            if timer is not None:
                timer.cancel()
        self._next_turn = self._retry = None
        endings, self._endings = self._endings, {}
        for ending in endings.values():
            if not ending.tried.answered:
                ending.tried.answer(ErrorCode.NOT_COORDINATOR)

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
            if not ending.untried:
                ending.untried, ending.refused = sorted(ending.refused, reverse=True), []
                self._write(ending)
        self._go_on()

    def _write(self, ending: Ending) -> None:
        """Write markers for one turn, and after the last one that the transaction is complete."""
        transactional_id = ending.transaction.transactional_id
        try:
            is_fenced = self._write_markers(ending)
            if ending.untried:
                return
            if not is_fenced and not ending.refused:
                self._complete(ending.transaction)
            is_over = is_fenced or not ending.refused
        except KafkaError as error:
            logger.log(_level(error.code), "cannot end the transaction of %s: %s", transactional_id, error)
            ending.refused += ending.untried
            ending.untried.clear()
            is_over = False
        if is_over:
            del self._endings[transactional_id]
        elif self._retry is None:
            self._retry = self._clock.call_later(MARKER_RETRY_MS, self._try_again)
        if not ending.tried.answered:
            ending.tried.answer(ErrorCode.NONE)

    def _write_markers(self, ending: Ending) -> bool:
        """For one turn; True: somebody else is in charge, and who that is sees to the rest, as in Apache Kafka.

        Raises KafkaError: there is no marker to write.
        """
        marker = self._marker_of(ending.transaction)
        turn = Turn()
        while ending.untried:
            topic, index = ending.untried.pop()
            error = self._markers.write(topic, index, marker)
            if error not in _WRITTEN_OR_GONE:
                logger.log(
                    _level(error),
                    "cannot write the marker of %s into %s-%d: %s",
                    ending.transaction.transactional_id,
                    topic,
                    index,
                    error.name,
                )
                if error in _FENCED:
                    ending.untried.clear()
                    return True
                ending.refused.append((topic, index))
            if turn.is_over:
                return False
        return False


def _level(error: ErrorCode) -> int:
    """A disk that is full has its line in the log already, and a marker is tried again every second."""
    waits_for_disk = error in (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR)
    return logging.INFO if waits_for_disk else logging.ERROR
