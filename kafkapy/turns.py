"""Turns on the event loop: long work is cut into turns, so that other clients wait only a moment.

Tasks with long work get their turns one after the other, one in each pass of trio's loop. So the network has its turn
after each of theirs, however many such tasks there are.

This reads the machine's clock, not the node's, which a test may move: a turn limits real time on the loop.
"""

from __future__ import annotations

import heapq
import sys
from collections import deque
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")

TURN_SECONDS: Final = 0.002
"""A few of them may lie between a request and its answer: one of the network, one of the timers, one of such work."""


THREAD_TURN_SECONDS: Final = 0.0001
"""Of a worker thread that has the interpreter, while the event loop waits for it."""


class _Queue:
    """The tasks that wait for their next turn."""

    def __init__(self) -> None:
        self._waiting: deque[trio.lowlevel.Task] = deque()
        self._goes_on = False

    async def wait(self) -> None:
        """Return when the calling task has its turn."""
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


class ShortTurns:
    """Within it threads take turns every `THREAD_TURN_SECONDS`. For several at once; in the end all is as it was."""

    def __init__(self) -> None:
        self._users = 0
        self._interval_before = 0.0

    def __enter__(self) -> None:
        if not self._users:
            self._interval_before = sys.getswitchinterval()
            sys.setswitchinterval(min(self._interval_before, THREAD_TURN_SECONDS))
        self._users += 1

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            sys.setswitchinterval(self._interval_before)


short_turns: Final = ShortTurns()
"""Of the process: all who have threads work beside the event loop share it."""


class Turn:
    """The time that one piece of work may have on the event loop, from now on."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = perf_counter() + TURN_SECONDS

    @property
    def is_over(self) -> bool:
        return perf_counter() > self._ends

    async def share(self) -> None:
        """If the turn is over, let other tasks run, then begin another turn; otherwise return at once."""
        if perf_counter() > self._ends:
            await _queue_of_this_run().wait()
            self._ends = perf_counter() + TURN_SECONDS


async def to_the_end(steps: Generator[None, None, T]) -> T:
    """Run the generator to its end and return its result; other tasks get turns meanwhile."""
    turn = Turn()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        await turn.share()


SORTED_AT_ONCE_MAX: Final = 2_000


async def each_in_turns(do: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results of `do(item)` for all items, in order; other tasks get turns meanwhile."""
    turn = Turn()
    results = []
    for item in items:
        results.append(do(item))
        if turn.is_over:
            await turn.share()
    return results


def has_more_than(count_max: int, counts: Iterable[int]) -> bool:
    """Whether the counts are more than `count_max` together. No more of them are asked for than needed to know."""
    total = 0
    for count in counts:
        total += count
        if total > count_max:
            return True
    return False


def drained(items: list[T]) -> Iterator[T]:
    """The items in order, taken out of the list: many of them are freed one by one, not all in one go in the end."""
    items.reverse()
    while items:
        yield items.pop()


async def unique_in_turns(items: Iterable[T]) -> list[T]:
    """The items without duplicates, in the order of their first occurrence."""
    turn = Turn()
    found: dict[T, None] = {}
    for item in items:
        found[item] = None
        if turn.is_over:
            await turn.share()
    return await each_in_turns(_itself, found)


async def sorted_in_turns(items: Iterable[str]) -> Iterator[str]:
    """The items in order. Each that is taken from the iterator costs some microseconds."""
    turn = Turn()
    left = iter(items)
    runs = []
    while run := sorted(islice(left, SORTED_AT_ONCE_MAX)):
        runs.append(run)
        await turn.share()
    return heapq.merge(*runs)


def _itself(item: T) -> T:
    return item
