"""Signals that ask for a clean stop, from the first moment of a start to the last one of the process."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_NEVER_ASKED: Final = frozenset(
    {
        # These cannot be caught, or do not end a process.
        *("SIGKILL", "SIGSTOP", "SIGCHLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH", "SIGINFO"),
        # Python has them fail the write in question instead.
        *("SIGPIPE", "SIGXFSZ"),
        # The mark of a crash: a handler would return to the instruction that has failed.
        *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP", "SIGEMT"),
    }
)
_ALWAYS_ASKED: Final = (signal.SIGINT, signal.SIGTERM)
"""A shell starts commands in the background with SIGINT ignored; a broker is to be stopped all the same."""


def stop_signals() -> list[int]:
    """Every signal that would end this process without a word: SIGINT and SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, ...

    Without those that whoever started the process has it ignore: `nohup` is for that.
    """
    numbers = []
    for number in signal.valid_signals():
        is_ignored = signal.getsignal(number) is signal.SIG_IGN
        if getattr(number, "name", "") not in _NEVER_ASKED and (not is_ignored or number in _ALWAYS_ASKED):
            numbers.append(int(number))
    return numbers


class StopSignals:
    """Within the block a signal sets `asked` and calls whoever `tell` was given last. After it they are ignored: the
    process ends. Impatient repetitions change nothing: the stop is under way, and bounded.
    """

    def __init__(self) -> None:
        self.asked = False
        self._numbers: list[int] = []
        self._tell: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        self._numbers = stop_signals()
        for number in self._numbers:
            self._handle(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        self.ignore()

    def ignore(self) -> None:
        """From now on a signal changes nothing."""
        self._tell = None
        for number in self._numbers:
            self._handle(number, signal.SIG_IGN)

    def tell(self, tell: Callable[[], object]) -> None:
        """Have `tell` called for each signal, from within whatever runs then; at once if one has come before."""
        self._tell = tell
        if self.asked:
            tell()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        if self._tell is not None:
            self._tell()

    def _handle(self, number: int, handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
        with suppress(OSError, ValueError):  # the system keeps some real-time signals for itself
            signal.signal(number, handler)
