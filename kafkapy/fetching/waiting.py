"""One fetch that could not be answered at once: parked until there is enough or its time is up, read again, answered.

News of a partition costs a parked fetch a look at that partition only. A fetch of very many partitions is read in turns
of the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock, Timer
    from kafkapy.fetching.reading import Reading
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.fetch import FetchResponse


class Fetching:
    """`answer` makes the response of what was read last."""

    __slots__ = (
        "_answer",
        "_clock",
        "_deadline",
        "_max_wait_ms",
        "_next_turn",
        "_reading",
        "_time_is_up",
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
        self._time_is_up = max_wait_ms <= 0
        self._took_turns = False
        self.pending: Pending[FetchResponse] = Pending(self._give_up)

    def begin(self, *, is_read: bool) -> Pending[FetchResponse]:
        """The answer. `is_read`: all partitions have been read, else a turn has ended before."""
        if is_read:
            self._park()
        else:
            self._go_on_later()
        return self.pending

    # -- reading

    def _go_on_later(self) -> None:
        self._took_turns = True
        self._next_turn = self._clock.call_later(0, self._go_on)

    def _go_on(self) -> None:
        self._next_turn = None
        if not self._reading.go_on():
            self._go_on_later()
        elif self._time_is_up or self._reading.is_enough:
            self._finish()
        else:
            self._park()

    def _read_again(self) -> None:
        self._next_turn = None
        self._unwatch()
        self._reading.begin_anew()
        self._go_on()

    # -- parked

    def _park(self) -> None:
        self._watched = list(self._reading.found)
        for partition in self._watched:
            partition.watch(self, self._news)
        if self._deadline is None:
            self._deadline = self._clock.call_later(self._max_wait_ms, self._end_wait)
        if self._took_turns:  # there may have been news of what was read in the first ones
            self._took_turns = False
            for partition in self._watched:
                self._reading.look_again(partition)
            if self._reading.is_enough:
                self._read_again()

    def _news(self, partition: Partition, at_once: bool) -> None:
        if self._next_turn is not None:
            return  # it will be read in any case
        reading = self._reading
        if not reading.is_as_quick_as_a_look:
            reading.look_again(partition)
            if not reading.is_enough:
                return
            self._time_is_up = reading.urgent  # if it is that the partition is gone, reading anew would wait for others
        if at_once:
            self._read_again()
        else:
            self._next_turn = self._clock.call_later(0, self._read_again)

    def _end_wait(self) -> None:
        self._time_is_up = True
        if self._next_turn is None:
            self._read_again()

    def _unwatch(self) -> None:
        for partition in self._watched:
            partition.unwatch(self)
        self._watched = []

    # -- the end

    def _finish(self) -> None:
        """What was read last is the answer; while it was read nothing was watched."""
        if self._deadline is not None:
            self._deadline.cancel()
        self.pending.answer(self._answer())

    def _give_up(self) -> None:
        """The client is gone."""
        self._unwatch()
        for timer in (self._deadline, self._next_turn):
            if timer is not None:
                timer.cancel()
        self._reading.release()
