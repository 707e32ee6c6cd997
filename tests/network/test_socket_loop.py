"""Sockets that are ready take turns, and every other task has its own."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from kafkapy.network.poller import READ, Poller, SelectorPoller, open_poller
from kafkapy.network.socket_loop import SHARE_SECONDS, SocketLoop
from kafkapy.suspension import Suspension
from kafkapy.turns import TURN_SECONDS


class Reader:
    """Takes one byte at a time, and as long for each as it is told."""

    def __init__(self, loop: SocketLoop, order: list[str], name: str, seconds: float = 0.0) -> None:
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self._loop = loop
        self._order = order
        self._name = name
        self._seconds = seconds
        self.shares: list[float] = []
        loop.add(self.ours.fileno(), self, READ)

    def ready(self, _events: int, until: float, /) -> None:
        try:
            self.ours.recv(1)
        except BlockingIOError:  # the loop has tried again
            return
        self.shares.append(until - time.perf_counter())
        self._order.append(self._name)
        ends = time.perf_counter() + self._seconds
        while time.perf_counter() < ends:
            pass

    def go_on(self, until: float, /) -> None:
        self._order.append(f"{self._name} goes on")

    def close(self) -> None:
        self._loop.remove(self.ours.fileno())
        self.ours.close()
        self.peer.close()


@asynccontextmanager
async def running_loop(poller: Poller | None = None) -> AsyncIterator[SocketLoop]:
    loop = SocketLoop(poller)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.run)
        await trio.testing.wait_all_tasks_blocked()
        yield loop
        nursery.cancel_scope.cancel()
    loop.close()


@pytest.mark.parametrize("make_poller", [open_poller, SelectorPoller])
def test_a_socket_is_served_once_it_is_ready(make_poller: type[SelectorPoller]) -> None:
    async def main() -> None:
        order: list[str] = []
        async with running_loop(make_poller()) as loop:
            first, second = Reader(loop, order, "first"), Reader(loop, order, "second")
            first.peer.send(b"ab")
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["first", "first"]
            second.peer.send(b"a")
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["first", "first", "second"]
            assert all(0 < share <= SHARE_SECONDS for share in first.shares)
            first.close()
            second.close()

    trio.run(main)


def test_those_with_more_to_do_wait_behind_those_that_are_ready() -> None:
    async def main() -> None:
        order: list[str] = []
        async with running_loop() as loop:
            one, other = Reader(loop, order, "one"), Reader(loop, order, "other")
            loop.later(one)
            loop.later(other)
            other.peer.send(b"a")
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["other", "one goes on", "other goes on"]
            one.close()
            other.close()

    trio.run(main)


def test_who_becomes_ready_later_is_served_before_those_whose_turn_was_over() -> None:
    async def main() -> None:
        order: list[str] = []
        async with running_loop() as loop:
            late = Reader(loop, order, "late")

            class Slow(Reader):
                def ready(self, events: int, until: float, /) -> None:
                    super().ready(events, until)
                    if len(order) == 1:
                        late.peer.send(b"a")

            slow = [Slow(loop, order, "slow", seconds=2 * TURN_SECONDS) for _ in range(5)]
            for one in slow:
                one.peer.send(b"a")
            await trio.testing.wait_all_tasks_blocked()
            assert sorted(order) == ["late"] + 5 * ["slow"], "all are served"
            assert order.index("late") <= 2, "after one of those that were passed over, at most"
            late.close()
            for one in slow:
                one.close()

    trio.run(main)


def test_large_frames_are_handled_one_in_each_pass_after_all_others() -> None:
    async def main() -> None:
        order: list[str] = []
        async with running_loop() as loop:
            busy, large, other = (Reader(loop, order, name) for name in ("small", "large", "other"))
            busy.peer.send(b"aa")
            loop.large(large)
            loop.large(other)
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["small", "large goes on", "small", "other goes on"]
            for one in (busy, large, other):
                one.close()

    trio.run(main)


def test_steps_of_handshakes_come_behind_large_frames_one_in_each_pass() -> None:
    async def main() -> None:
        order: list[str] = []
        async with running_loop() as loop:
            first, second, large, other = (Reader(loop, order, name) for name in ("first", "second", "large", "other"))
            for one in (first, second):
                loop.last(one)
            for one in (large, other):
                loop.large(one)
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["large goes on", "first goes on", "other goes on", "second goes on"]
            for one in (first, second, large, other):
                one.close()

    trio.run(main)


def test_other_tasks_have_their_turn_while_sockets_never_pause() -> None:
    """How long the other task waited at most, in turns of the loop: it is about time, not about requests."""

    async def main() -> None:
        order: list[str] = []
        async with running_loop() as loop:
            busy = Reader(loop, order, "busy", seconds=TURN_SECONDS / 4)
            busy.peer.send(b"x" * 100)
            turns = 0
            while len(order) < 100:
                await trio.lowlevel.checkpoint()
                turns += 1
            assert turns >= 100 / 6, "at most five or six shares between two turns of this task"
            busy.close()

    trio.run(main)


def test_one_that_was_closed_by_another_is_not_served() -> None:
    async def main() -> None:
        order: list[str] = []
        async with running_loop() as loop:
            victim = Reader(loop, order, "victim")

            class Closer(Reader):
                def ready(self, events: int, until: float, /) -> None:
                    super().ready(events, until)
                    if victim.ours.fileno() != -1:
                        victim.close()

            closer = Closer(loop, order, "closer")
            other = Closer(loop, order, "closer")
            for one in (closer, other):
                one.peer.send(b"a")
            victim.peer.send(b"a")
            await trio.testing.wait_all_tasks_blocked()
            assert order.count("closer") == 2
            assert order.count("victim") <= 1
            closer.close()
            other.close()

    trio.run(main)


def test_lingering_pays_off_for_a_client_that_comes_back_at_once_and_gives_up_when_in_vain() -> None:
    """A client in a thread gets its answers without a pass through trio; the loop sleeps in trio once it is quiet."""

    async def main() -> None:
        order: list[str] = []

        class Echo(Reader):
            def ready(self, events: int, until: float, /) -> None:
                before = len(order)
                super().ready(events, until)
                if len(order) > before:
                    self.ours.send(b"!")
                    self._loop.has_answered = True

        def ask(sock: socket.socket) -> None:
            sock.settimeout(5)
            for _ in range(200):
                sock.send(b"?")
                assert sock.recv(1) == b"!"

        async with running_loop() as loop:
            echo = Echo(loop, order, "echo")
            await trio.to_thread.run_sync(ask, echo.peer)
            await trio.testing.wait_all_tasks_blocked()
            assert order == ["echo"] * 200
            began = time.perf_counter()
            for _ in range(100):  # never two requests in a row without a pause
                echo.peer.setblocking(False)
                echo.peer.send(b"?")
                await trio.testing.wait_all_tasks_blocked()
            assert time.perf_counter() - began < 1, "a millisecond for each would be lost if it lingered every time"
            echo.close()

    trio.run(main)


def test_a_suspended_node_serves_no_socket_until_it_goes_on() -> None:
    async def main() -> None:
        suspension = Suspension()
        loop = SocketLoop(suspension=suspension)
        order: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(loop.run)
            await trio.testing.wait_all_tasks_blocked()
            reader = Reader(loop, order, "a")
            suspension.begin()
            reader.peer.send(b"12")
            loop.later(reader)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert order == []
            suspension.end()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert sorted(order) == ["a", "a", "a goes on"]
            reader.close()
            nursery.cancel_scope.cancel()
        loop.close()

    trio.run(main)
