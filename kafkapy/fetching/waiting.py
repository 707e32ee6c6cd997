"""One fetch that could not be answered at once: parked until there is enough or its time is up, read again, answered.

`Reading` decides when there is enough. Then all partitions are read again, and the answer is sent even if it has fewer
bytes, as in Apache Kafka. When a partition changes, a parked fetch looks at that partition only. A fetch of very many
partitions is read, parked and answered in turns of the event loop, never within the call of an append.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.fetching.reading import READ_AT_ONCE_MAX, TURN_PARTITIONS
from kafkapy.pending import LongPending, Pending
from kafkapy.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from kafkapy.clock import Clock, Timer
    from kafkapy.fetching.reading import Reading
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.fetch import FetchResponse


class Fetching:
    """One waiting fetch. `answer` makes the response from the latest reading."""

    __slots__ = (
        "_answer",
        "_clock",
        "_deadline",
        "_is_due",
        "_is_given_up",
        "_max_wait_ms",
        "_next_turn",
        "_parking",
        "_reading",
        "_reads_news",
        "_took_turns",
        "_watched",
        "pending",
    )

    def __init__(self, reading: Reading, clock: Clock, max_wait_ms: int, answer: Callable[[], FetchResponse]) -> None:
        self._reading = reading
        self._clock = clock
        self._answer = answer
        self._max_wait_ms = max_wait_ms
        self._deadline: Timer | None = None
        self._next_turn: Timer | None = None
        self._watched: list[Partition] = []
        self._parking: Iterator[Partition] | None = None  # partitions that are still to be watched
        self._is_due = max_wait_ms <= 0  # the next reading is the answer
        self._reads_news = False  # to read one partition costs no more than a look at it
        self._took_turns = False
        self._is_given_up = False
        self.pending: Pending[FetchResponse] = Pending(self._give_up)

    def begin(self, *, is_read: bool) -> Pending[FetchResponse]:
        """Begin; returns the pending answer. `is_read`: all partitions have been read; False: a turn ended before."""
        if is_read:
            self._park()
        else:
            self._go_on_later()
        return self.pending

    # -- reading

    def _go_on_later(self) -> None:
        self._took_turns = True
        self._next_turn = self._clock.call_in_turn(self._go_on)

    def _go_on(self) -> None:
        self._next_turn = None
        if not self._reading.go_on():
            self._go_on_later()
            return
        follows = self._finish if self._is_due or self._reading.is_enough else self._park
        if self._took_turns:
            self._next_turn = self._clock.call_in_turn(follows)
        else:
            follows()

    def _read_again(self) -> None:
        self._next_turn = None
        self._unwatch()
        self._reading.begin_anew()
        self._go_on()

    # -- parked

    def _park(self) -> None:
        self._next_turn = None
        self._watched = list(self._reading.found)
        if self._deadline is None:
            self._deadline = self._clock.call_later(self._max_wait_ms, self.end_wait)
        counts_bytes = self._reading.begin_to_wait()
        self._reading.wait(self._news)
        if self._took_turns:
            self._reading.release()  # reading them again takes long: the file ranges are not kept meanwhile
            self._reads_news = False
            self._parking = iter(self._watched)
            self._go_on_parking()
            return
        self._reads_news = len(self._watched) == 1 and not counts_bytes and self._reading.follower_id < 0
        # A follower's fetch commits records, and a client that is answered may have appended others meanwhile.
        looks_again = counts_bytes or self._reading.follower_id >= 0
        for partition in self._watched:
            self._reading.watch(partition, self, self._news)
            if looks_again:
                self._reading.park(partition)
        if looks_again and self._reading.is_enough:
            self._answer_soon(at_once=False)

    def _go_on_parking(self) -> None:
        """Watch some partitions and look at them again: they may have changed since the first turns read them."""
        self._next_turn = None
        turn = Turn()
        assert self._parking is not None
        for count, partition in enumerate(self._parking, 1):
            self._reading.watch(partition, self, self._news)
            self._reading.park(partition)
            if not count % TURN_PARTITIONS and turn.is_over:
                self._next_turn = self._clock.call_in_turn(self._go_on_parking)
                return
        self._parking = None
        self._took_turns = False
        if self._is_due or self._reading.is_enough:
            self._answer_soon(at_once=False)

    def _news(self, partition: Partition, at_once: bool) -> None:
        if self._parking is None and self._next_turn is not None:
            return  # all partitions will be read anyway
        if self._reads_news:
            self._read_again_soon(at_once=at_once)
            return
        self._reading.look_again(partition)
        if self._parking is None and self._reading.is_enough:  # not before all partitions are watched
            self._answer_soon(at_once=at_once)

    @property
    def is_waiting(self) -> bool:
        """Whether it is neither answered nor given up."""
        return not self._is_given_up and not self.pending.settled

    def end_wait(self) -> None:
        """Answer with what there is."""
        if self._next_turn is None:
            self._answer_soon(at_once=True)
        else:
            self._is_due = True

    def _answer_soon(self, *, at_once: bool) -> None:
        self._is_due = True
        self._read_again_soon(at_once=at_once)

    def _read_again_soon(self, *, at_once: bool) -> None:
        """Read again, within this call if `at_once` allows it and one turn is enough."""
        if at_once and len(self._reading.found) <= READ_AT_ONCE_MAX:
            self._read_again()
        else:
            self._next_turn = self._clock.call_in_turn(self._read_again)

    def _unwatch(self) -> None:
        self._reading.wait(None)
        for partition in self._watched:
            partition.unwatch(self)
        self._watched = []

    # -- the end

    def _finish(self) -> None:
        """Answer with the latest reading; nothing was watched during it."""
        self._next_turn = None
        if self._deadline is not None:
            self._deadline.cancel()
        self.pending.answer(self._answer())

    def _give_up(self) -> None:
        """The client has disconnected."""
        self._is_given_up = True
        self._unwatch()
        for timer in (self._deadline, self._next_turn):
            if timer is not None:
                timer.cancel()
        self._reading.release()


class LongFetching(Fetching):
    """A fetch of so many partitions that its answer is made in turns; `answering` is `answer` in steps."""

    __slots__ = ("_answering", "_steps")

    def __init__(
        self,
        reading: Reading,
        clock: Clock,
        max_wait_ms: int,
        answer: Callable[[], FetchResponse],
        answering: Callable[[], Generator[None, None, FetchResponse]],
    ) -> None:
        super().__init__(reading, clock, max_wait_ms, answer)
        self.pending = LongPending(self._give_up)
        self._answering = answering
        self._steps: Generator[None, None, FetchResponse] | None = None

    def _finish(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._steps = self._answering()
        self._go_on_answering()

    def _go_on_answering(self) -> None:
        self._next_turn = None
        turn = Turn()
        assert self._steps is not None
        try:
            next(self._steps)
            while not turn.is_over:
                next(self._steps)
        except StopIteration as end:
            self.pending.answer(end.value)
        else:
            self._next_turn = self._clock.call_in_turn(self._go_on_answering)
