"""How long the event loop is held."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def longest_pass(work: Callable[[], Awaitable[None]]) -> float:
    """CPU seconds of this thread in the longest pass of the event loop while `work` runs."""
    longest = 0.0

    async def measure() -> None:
        nonlocal longest
        while True:
            started = time.thread_time()
            await trio.lowlevel.checkpoint()
            longest = max(longest, time.thread_time() - started)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(measure)
        await work()
        nursery.cancel_scope.cancel()
    return longest
