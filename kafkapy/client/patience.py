"""Telling the user what a command waits for, as soon as it takes longer than somebody waits without wondering."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TELL_AFTER_SECONDS = 0.7
LOOKS = 4  # in that time


class Patience:
    """Watches the operation that goes on, and calls `tell` once if it is slow.

    `tell` is called by a thread: who waits may be in a system call that nothing ends (connecting, resolving a name).
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._begun: float | None = None
        self._was_told = False
        self._doing: tuple[str, float] | None = None
        self._failure = ""
        self._seconds = 0.0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @contextmanager
    def operation(self, seconds: float) -> Iterator[None]:
        """One operation of the user's, of `seconds` at most; those within it are parts of it."""
        if self._begun is not None:
            yield
            return
        self._start()
        self._failure, self._seconds, self._was_told = "", seconds, False
        self._begun = time.monotonic()
        try:
            yield
        finally:
            self._begun = None

    @contextmanager
    def doing(self, what: str, seconds: float) -> Iterator[None]:
        """What is told while the block goes on: `what` may take `seconds`."""
        before = self._doing
        self._doing = (what, seconds)
        try:
            yield
        finally:
            self._doing = before

    def failed(self, why: str) -> None:
        """An attempt has failed and there will be another: that is what is told from now on."""
        self._failure = why

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while not self._closed.wait(TELL_AFTER_SECONDS / LOOKS):
            begun = self._begun
            if begun is None or self._was_told or time.monotonic() - begun < TELL_AFTER_SECONDS:
                continue
            doing = self._doing
            if self._failure:
                self._was_told = True
                self._tell(f"{self._failure}; trying again for up to {self._seconds:g} s")
            elif doing is not None:
                self._was_told = True
                self._tell(f"{doing[0]}, for up to {doing[1]:g} s")
