"""What a start shows that takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_SECONDS = 1.0


class RecoveryProgress:
    """How many partitions are recovered: a line each second, on a terminal always the same. Quick recoveries show none.

    `monotonic` tells seconds.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float]) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._next: float | None = None
        self._was_shown = False

    def tell(self, done: int, count: int) -> None:
        """`done` of `count` are recovered."""
        now = self._monotonic()
        if self._next is None:
            self._next = now + INTERVAL_SECONDS
        is_last = done >= count
        if now >= self._next or (is_last and self._was_shown):
            self._next = now + INTERVAL_SECONDS
            self._was_shown = True
            self._show(f"kafkapy: recovering after an unclean stop: {done:,} of {count:,} partitions", is_last=is_last)

    def _show(self, line: str, *, is_last: bool) -> None:
        if self._stream.isatty():
            line = f"\r{line}" + ("\n" if is_last else "")
        else:
            line += "\n"
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError:  # nobody reads it, or the disk is full: no reason not to start
            pass
