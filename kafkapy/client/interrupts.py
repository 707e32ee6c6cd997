"""How a signal ends a command: by an exception, so that what the command has begun is put in order first.

    with interruptible():               # SIGINT, SIGTERM and SIGHUP raise Interrupted, once
        try:
            with uninterrupted():       # a signal waits until the end of this block
                ...
        finally:
            leave_the_group()           # no later signal breaks into it: what comes after Interrupted must be short

Signal handlers belong to the process, and so does the state here. Only the main thread may use it; elsewhere (a command
that a test runs in a thread) signals stay as they are.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal has asked the command to end. No Exception, so that only the end of the command handles it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell reports of a process that the signal has killed: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.number


class _State:
    __slots__ = ("holders", "waiting", "was_raised")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """For the next command of this process."""
        self.holders = 0  # `uninterrupted` blocks that we are in
        self.waiting: int | None = None  # a signal that came in one of them
        self.was_raised = False


_state = _State()


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal raises Interrupted within the block; later ones change nothing.

    A signal that is ignored when the command starts (`nohup`, a background job of a shell) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.reset()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # a handler that Python has not set cannot be set back
                signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal within the block raises Interrupted at its end. The block must be short, whatever a broker does."""
    _state.holders += 1
    try:
        yield
    finally:
        _state.holders -= 1
    if _state.waiting is not None and not _state.holders:
        _raise(_state.waiting)


def _handle(number: int, _frame: FrameType | None) -> None:
    if _state.was_raised:
        return
    if _state.holders:
        _state.waiting = number
        return
    _raise(number)


def _raise(number: int) -> None:
    _state.was_raised = True
    _state.waiting = None
    raise Interrupted(number)
