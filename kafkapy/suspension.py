"""A node that is suspended, as SIGSTOP suspends a process: it neither reads nor sends, and none of its timers fire."""

from __future__ import annotations

import trio


class Suspension:
    """Whether a node is suspended now. Its parts look before they do anything by themselves."""

    __slots__ = ("_over", "is_on")

    def __init__(self) -> None:
        self.is_on = False
        self._over = trio.Event()

    def begin(self) -> None:
        self.is_on = True

    def end(self) -> None:
        self.is_on = False
        self._over.set()
        self._over = trio.Event()

    async def over(self) -> None:
        """Return when the node is not suspended."""
        while self.is_on:
            await self._over.wait()
