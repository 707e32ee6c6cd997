"""Work of groups that takes too long for the event loop, done by a worker thread, a piece at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Background:
    """A queue of work, and the task that has it done."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], Callable[[], None]]] = deque()
        self._there_is_work = trio.Event()

    def do(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Call `work` in a worker thread, later `then` with its result in the event loop."""

        def both() -> Callable[[], None]:
            result = work()
            return lambda: then(result)

        self._waiting.append(both)
        self._there_is_work.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._there_is_work.wait()
            self._there_is_work = trio.Event()
            while self._waiting:
                finish = await trio.to_thread.run_sync(self._waiting.popleft(), abandon_on_cancel=True)
                finish()
