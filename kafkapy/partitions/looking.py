"""Looking into batches of very many records: in a worker thread, one at a time, while the event loop goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import trio

from kafkapy.turns import short_turns

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# More at a time would not be faster, as they share one interpreter, and would take as many times the memory.
_worker: Final[trio.lowlevel.RunVar[trio.CapacityLimiter]] = trio.lowlevel.RunVar("who looks into batches")


async def look_beside(look: Callable[[], T]) -> T:
    """What `look` returns or raises; it must not touch what the event loop changes."""
    try:
        worker = _worker.get()
    except LookupError:
        worker = trio.CapacityLimiter(1)
        _worker.set(worker)
    with short_turns:
        return await trio.to_thread.run_sync(look, limiter=worker)
