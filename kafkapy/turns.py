"""Turns on the event loop: work over thousands of partitions is cut into them, so that other clients wait little.

Tasks that share their turns have them one after the other, one in each pass of trio's loop. So the network has its turn
after each of theirs, however many such tasks there are.

This asks the machine's clock, not the node's: it is about what the loop takes, which no test moves.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import Final

import trio

TURN_SECONDS: Final = 0.002
"""A few of them may lie between a request and its answer: one of the network, one of the timers, one of such work."""


class _Queue:
    """The tasks that wait for their next turn."""

    def __init__(self) -> None:
        self._waiting: deque[trio.lowlevel.Task] = deque()
        self._goes_on = False

    async def wait(self) -> None:
        """Return when it is the turn of the task that calls."""
        task = trio.lowlevel.current_task()

        def give_up(_: object) -> trio.lowlevel.Abort:
            self._waiting.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        self._waiting.append(task)
        if not self._goes_on:
            self._goes_on = True
            trio.lowlevel.spawn_system_task(self._wake)
        await trio.lowlevel.wait_task_rescheduled(give_up)

    async def _wake(self) -> None:
        """Wake one task in each pass of trio's loop, as long as any waits."""
        while self._waiting:
            trio.lowlevel.reschedule(self._waiting.popleft())
            await trio.lowlevel.checkpoint()
        self._goes_on = False


_queue: Final[trio.lowlevel.RunVar[_Queue]] = trio.lowlevel.RunVar("the queue of turns")


def _queue_of_this_run() -> _Queue:
    try:
        return _queue.get()
    except LookupError:
        queue = _Queue()
        _queue.set(queue)
        return queue


class Turn:
    """What one piece of work has of the event loop, from now on."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = perf_counter() + TURN_SECONDS

    @property
    def is_over(self) -> bool:
        return perf_counter() > self._ends

    async def share(self) -> None:
        """Once the turn is over, let the others have theirs and begin another. Until then nothing else runs."""
        if perf_counter() > self._ends:
            await _queue_of_this_run().wait()
            self._ends = perf_counter() + TURN_SECONDS
