"""Worker threads for one kind of work. trio's own forty are for the disks: logins and handshakes, of which clients may
begin as many as they like, must not stand before an append that waits for its fsync.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Workers:
    """At most `count` threads at a time, in each run of trio by itself: a process may have several."""

    def __init__(self, work: str, count: int) -> None:
        self._count = count
        self._limiter: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar(work)

    async def run(self, function: Callable[[], T], *, abandon_on_cancel: bool = False) -> T:
        """Call it in a thread. One that is abandoned counts until it ends."""
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = trio.CapacityLimiter(self._count)
            self._limiter.set(limiter)
        return await trio.to_thread.run_sync(function, limiter=limiter, abandon_on_cancel=abandon_on_cancel)
