"""The one task that serves all sockets of a server, by plain calls to the objects whose sockets are ready.

It waits for a poller of its own, inside trio, so no task has to be woken for a socket. Measured with a
server of forty lines and 500 connections: 80,000 requests/s instead of 38,000 with a task a connection.

A client often sends the next request at once after an answer. So if only one socket was ready, the loop tries it
again before it asks the poller (if both processes share a CPU, the request is there by then). And before it goes
to sleep in trio, it may wait in the poller for `LINGER_SECONDS` itself, which saves two passes through its scheduler.
It does either only while trio has nothing to do, and less often the more often it is in vain: while it lingers,
trio notices no other descriptor, and timers are late by that time.

Fairness is a matter of time. A socket has the loop for at most `SHARE_SECONDS` in a row, and then waits behind the
others that are ready. After `TURN_SECONDS` all other tasks and timers have their turn.

One call for a large request may take longer than that. So after each turn the poller is asked again, and sockets that
are newly ready are served before those that had a turn. Large frames (`SocketLoop.large`) are handled one in each
pass, after all others. So a small request waits for one or two large ones, not for all of them. Steps of handshakes
(`SocketLoop.last`) come after these, one in each pass, too: whoever has connected does not wait for those who want to.
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

import trio

from kafkapy.network.poller import READ, open_poller
from kafkapy.suspension import Suspension
from kafkapy.turns import TURN_SECONDS

if TYPE_CHECKING:
    from kafkapy.network.poller import Poller

SHARE_SECONDS: Final = 0.001
EVENTS_AT_ONCE: Final = 128
TRIED_AGAIN_MAX: Final = 8  # requests of one client in a row, before other sockets are checked
LINGER_SECONDS: Final = 0.0005  # epoll rounds up to a millisecond
PASSED_OVER_MAX: Final = 256
"""After n times in vain, the next 2^n chances to linger are passed over, at most so many."""


class Served(Protocol):
    """The object that a socket belongs to."""

    def ready(self, events: int, until: float, /) -> None:
        """Called when the socket is ready for `events` (see `poller`), or was a moment ago.

        Returns soon after `until`, a reading of `perf_counter`, and never raises.
        """


class GoesOn(Protocol):
    def go_on(self, until: float, /) -> None:
        """Called for the turn that `SocketLoop.later` or `large` asked for. As `Served.ready`."""


class SocketLoop:
    """Serves sockets until cancelled."""

    def __init__(self, poller: Poller | None = None, suspension: Suspension | None = None) -> None:
        self._poller = poller or open_poller()
        self._suspension = suspension or Suspension()
        self._served: dict[int, Served] = {}
        self._later: deque[GoesOn] = deque()
        self._behind: dict[int, int] = {}
        """Descriptors that were passed over when a turn ended, and their events."""
        self._large: deque[GoesOn] = deque()
        self._last: deque[GoesOn] = deque()
        self._asleep = False
        self._waker, self._awoken = socket.socketpair()
        self._waker.setblocking(False)
        self._awoken.setblocking(False)
        self.add(self._awoken.fileno(), _Awoken(self._awoken), READ)
        self._runnable = RunnableTasks()
        self._lingering = Chances()
        self._trying_again = Chances()
        self.has_answered = False
        """Set when an answer was sent: the client may send its next request at once, so the loop may linger."""
        self._lingers = True
        self.tasks = 0
        """How many tasks work for requests: while there are any, the loop does not linger."""

    def stop_lingering(self) -> None:
        """Neither linger nor try again any more. For a node that waits for answers of others: trio would notice those
        late, and every record that followers fetch is such an answer.
        """
        self._lingers = False
        self._runnable.end()

    def add(self, fd: int, served: Served, interest: int) -> None:
        self._served[fd] = served
        self._poller.register(fd, interest)

    def change(self, fd: int, interest: int) -> None:
        self._poller.modify(fd, interest)

    def remove(self, fd: int) -> None:
        """Call this before the descriptor is closed, as its number may be reused."""
        del self._served[fd]
        self._behind.pop(fd, None)
        self._poller.unregister(fd)

    def later(self, one: GoesOn) -> None:
        """Call its `go_on` when the sockets that are ready now have had their share."""
        self._later.append(one)
        self._wake()

    def large(self, one: GoesOn) -> None:
        """As `later`, for a connection with a large frame: one of these has its turn in each pass."""
        self._large.append(one)
        self._wake()

    def last(self, one: GoesOn) -> None:
        """As `large`, for what waits behind large frames, too: one of these has its turn in each pass."""
        self._last.append(one)
        self._wake()

    def _wake(self) -> None:
        if self._asleep:
            self._asleep = False
            self._waker.send(b"\0")

    def close(self) -> None:
        self._poller.close()
        self._waker.close()
        self._awoken.close()

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._lingers:
            self._runnable.begin()
        try:
            await self._run()
        finally:
            self._runnable.end()

    async def _run(self) -> None:
        poll, served, later, behind, large = self._poller.poll, self._served, self._later, self._behind, self._large
        last = self._last
        fd, suspension = self._poller.fileno(), self._suspension
        while True:
            self._asleep = True
            await trio.lowlevel.wait_readable(fd)
            self._asleep = False
            if suspension.is_on:
                await suspension.over()
            turn_ends = perf_counter() + TURN_SECONDS
            ready = poll(0, EVENTS_AT_ONCE)
            while ready or later or behind or large or last:
                if suspension.is_on:
                    await suspension.over()
                if behind:
                    ready = self._newly_ready(ready)
                now = perf_counter()
                left = iter(ready)
                for descriptor, events in left:
                    one = served.get(descriptor)
                    if one is None:  # closed meanwhile, while another was served
                        continue
                    one.ready(events, now + SHARE_SECONDS)
                    now = perf_counter()
                    if now > turn_ends:
                        behind.update(left)
                        await trio.lowlevel.checkpoint()
                        now = perf_counter()
                        turn_ends = now + TURN_SECONDS
                was_alone = len(ready) == 1 and not behind
                while behind:
                    descriptor = next(iter(behind))
                    events = behind.pop(descriptor)
                    passed_over = served.get(descriptor)
                    if passed_over is None:
                        continue
                    passed_over.ready(events, now + SHARE_SECONDS)
                    now = perf_counter()
                    if now > turn_ends:
                        await trio.lowlevel.checkpoint()
                        now = perf_counter()
                        turn_ends = now + TURN_SECONDS
                        break
                for _ in range(len(later)):
                    later.popleft().go_on(now + SHARE_SECONDS)
                    now = perf_counter()
                    if now > turn_ends:
                        await trio.lowlevel.checkpoint()
                        now = perf_counter()
                        turn_ends = now + TURN_SECONDS
                        break
                if large:
                    large.popleft().go_on(now + SHARE_SECONDS)
                    now = perf_counter()
                    if now > turn_ends:
                        await trio.lowlevel.checkpoint()
                        now = perf_counter()
                        turn_ends = now + TURN_SECONDS
                if last:
                    last.popleft().go_on(now + SHARE_SECONDS)
                    now = perf_counter()
                    if now > turn_ends:
                        await trio.lowlevel.checkpoint()
                        now = perf_counter()
                        turn_ends = now + TURN_SECONDS
                if (
                    was_alone
                    and one is not None
                    and not (later or large or last)
                    and self._may_expect(self._trying_again)
                ):
                    self._try_again(descriptor, one, now + SHARE_SECONDS)
                if later or behind or large or last or not self._may_expect(self._lingering):
                    ready = poll(0, EVENTS_AT_ONCE)
                else:
                    ready = poll(LINGER_SECONDS, EVENTS_AT_ONCE)
                    self._lingering.note(in_vain=not ready)
                self.has_answered = False

    def _newly_ready(self, ready: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of `ready` that are not waiting for their turn already."""
        behind = self._behind
        newly = []
        for descriptor, events in ready:
            if descriptor in behind:
                behind[descriptor] = events
            else:
                newly.append((descriptor, events))
        return newly

    def _may_expect(self, chances: Chances) -> bool:
        """Whether a request is likely to come now, and no other task would be kept waiting by the loop."""
        return self.has_answered and self._lingers and not self.tasks and not self._runnable.count and chances.take()

    def _try_again(self, descriptor: int, one: Served, until: float) -> None:
        """Serve a socket as long as its next request is there."""
        for _ in range(TRIED_AGAIN_MAX):
            if perf_counter() > until or self._served.get(descriptor) is not one or self._runnable.count:
                break
            self.has_answered = False
            one.ready(READ, until)
            self._trying_again.note(in_vain=not self.has_answered)
            if not self.has_answered:
                break
        self.has_answered = True


class Chances:
    """Decides which of many chances are taken: fewer and fewer while they are in vain."""

    __slots__ = ("_passed_over", "_to_pass_over")

    def __init__(self) -> None:
        self._passed_over = 0
        self._to_pass_over = 0

    def take(self) -> bool:
        if self._passed_over < self._to_pass_over:
            self._passed_over += 1
            return False
        return True

    def note(self, *, in_vain: bool) -> None:
        """How one went that was taken."""
        self._passed_over = 0
        self._to_pass_over = min(2 * self._to_pass_over + 1, PASSED_OVER_MAX) if in_vain else 0


class _Awoken:
    """A socket pair that wakes the sleeping loop, for `SocketLoop.later`."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def ready(self, _events: int, _until: float, /) -> None:
        with suppress(BlockingIOError):
            self._socket.recv(64)


class RunnableTasks(trio.abc.Instrument):
    """How many tasks of trio could run now, apart from the one that runs.

    `trio.lowlevel.current_statistics()` tells that, too, in a tenth of the time that a small request takes.
    """

    def __init__(self) -> None:
        self.count = 0

        self._counts = False

    def begin(self) -> None:
        self.count = 1  # correct from trio's first wait on
        self._counts = True
        trio.lowlevel.add_instrument(self)

    def end(self) -> None:
        """May be called again."""
        if self._counts:
            self._counts = False
            trio.lowlevel.remove_instrument(self)

    def before_io_wait(self, timeout: float) -> None:
        if timeout:  # trio would not wait if a task could run
            self.count = 0

    def task_scheduled(self, _task: trio.lowlevel.Task) -> None:
        self.count += 1

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        self.count -= 1
