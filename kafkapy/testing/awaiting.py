"""Waiting for another thread: without a loop, and from trio and asyncio."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import trio

from kafkapy.testing.hanging import check_turning

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from kafkapy.testing.hanging import Turning

PATIENCE_SECONDS = 10.0
"""So long an answer may take before somebody looks whether there will be one: many operations wait for something."""

T = TypeVar("T")
P = ParamSpec("P")


def outcome_of(future: Future[T], run: Turning) -> T:
    """The result of a future that `run` settles. What it raises shows no frame of `concurrent.futures`.

    Raises HangingKafka: it will not.
    """
    __tracebackhide__ = True
    while True:
        with suppress(TimeoutError):
            error = future.exception(PATIENCE_SECONDS)
            break
        check_turning(run)
    if error is None:
        return future.result()
    try:
        raise error
    finally:
        del error, future  # they would hold this frame, and it them


async def result_of(future: Future[T], run: Turning) -> T:
    """As `outcome_of`. Cancelled, it does not wait for it."""
    __tracebackhide__ = True
    if not trio.lowlevel.in_trio_task():
        import asyncio

        wrapped = asyncio.wrap_future(future)
        while not (await asyncio.wait([wrapped], timeout=PATIENCE_SECONDS))[0]:
            await asyncio.to_thread(check_turning, run)
        return await wrapped
    token = trio.lowlevel.current_trio_token()
    settled = trio.Event()

    def tell(_future: Future[Any]) -> None:
        with suppress(trio.RunFinishedError):  # who waited was cancelled, and is gone
            token.run_sync_soon(settled.set)

    future.add_done_callback(tell)
    while not settled.is_set():
        with trio.move_on_after(PATIENCE_SECONDS):
            await settled.wait()
        if not settled.is_set():
            await trio.to_thread.run_sync(check_turning, run, abandon_on_cancel=True)
    return outcome_of(future, run)


async def in_worker(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that blocks in a thread, and wait for it to the end."""
    if trio.lowlevel.in_trio_task():
        with trio.CancelScope(shield=True):
            return await trio.to_thread.run_sync(lambda: function(*args, **kwargs))
    import asyncio

    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    cancelled = 0
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled += 1
    task = asyncio.current_task()
    assert task is not None
    for _ in range(cancelled):  # now it may be: whoever holds the result can end it
        task.uncancel()
        task.cancel()
    return work.result()
