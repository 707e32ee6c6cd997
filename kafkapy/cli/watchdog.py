"""Ends a process whose event loop has stopped turning, after saying where it was.

A signal is obeyed by the loop, so a loop that does not turn obeys none. A thread asks it for a sign of life now and
then and counts how often it has waited in vain. It counts, and reads no clock: while a machine sleeps, a process is
stopped (SIGSTOP) or a debugger holds all its threads, this thread does not count either. Where a debugger holds the
loop's thread only, the loop is left alone.

Not done: a call that never gives up the interpreter's lock (GIL) stops this thread, too.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    import trio

    from kafkapy.cli.stop_signals import StopSignals

TICK_SECONDS: Final = 2.0
TICKS_MAX: Final = 30
"""Without a turn while the node serves: a minute. No work of it holds the loop for a hundredth of that."""
TICKS_ASKED_MAX: Final = 5
"""After a signal that asks for a stop; also at the start, where a recovery may take a large log in one turn."""

_FRAMES_TOLD_MAX: Final = 12
_LOOP: Final = "trio._core._run"
_DEBUGGERS: Final = frozenset({"bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy", "ipdb", "pudb"})


class Watchdog:
    """Watches the thread that makes it, and the loop there once it is told of one; from `start` on by itself."""

    def __init__(self, signals: StopSignals, end: Callable[[str], object] | None = None) -> None:
        """`end(line)` is called in the watching thread, once; by default it ends the process with that line."""
        self.is_serving = False
        """Whether a loop that does not turn is to be ended although nobody has asked for a stop."""
        self.last_act: Callable[[], object] = _nothing
        """Done before the process ends."""
        self._signals = signals
        self._end = self._end_process if end is None else end
        self._thread_id = threading.get_ident()
        self._token: trio.lowlevel.TrioToken | None = None
        self._done = threading.Event()
        self._missed = 0

    def start(self) -> None:
        """Begin to tick."""
        threading.Thread(target=self._run, name="kafkapy-watchdog", daemon=True).start()

    def watch(self, token: trio.lowlevel.TrioToken) -> None:
        """That is the loop."""
        self._token = token

    def rest(self) -> None:
        """The loop has obeyed, or is no more: what follows may take its time."""
        self._done.set()

    def _run(self) -> None:
        while not self._done.wait(TICK_SECONDS):
            self.tick()

    def tick(self) -> None:
        """End it if it has not turned for long; else ask it for a sign of life."""
        self._missed += 1
        limit = TICKS_ASKED_MAX if self._signals.asked else TICKS_MAX
        if self._missed > limit and (self._signals.asked or self.is_serving):
            frame = sys._current_frames()[self._thread_id]
            if _is_debugged(frame):
                self._missed = 0
            else:
                self.rest()
                self._end(self._line(frame))
                return
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._turned, idempotent=True)
            except RuntimeError:  # trio.RunFinishedError: there is no loop any more
                self.rest()

    def _turned(self) -> None:
        self._missed = 0

    def _end_process(self, line: str) -> None:
        try:
            # Not by the log, whose lock the loop may hold; and not if nobody reads, which may be why it hangs.
            if select.select([], [2], [], 1.0)[1]:
                os.write(2, line.encode(errors="backslashreplace")[: select.PIPE_BUF - 1] + b"\n")
        finally:
            try:
                self.last_act()
            finally:
                os._exit(1)

    def _line(self, frame: FrameType) -> str:
        seconds = round((self._missed - 1) * TICK_SECONDS)
        why = "was told to stop, but" if self._signals.asked else "ends itself:"
        # Before it serves, it may be busy with a recovery, and the next start begins that anew.
        advice = "The next start recovers the logs. Please report this line" if self.is_serving else "Start it again"
        return f"kafkapy: {why} its event loop has not turned for {seconds} seconds; it is in {_where(frame)}. {advice}"


def _nothing() -> None:
    """The last act of a process whose data stays."""


def _where(frame: FrameType) -> str:
    """`function (file:line)`, the innermost first."""
    told: list[str] = []
    current: FrameType | None = frame
    while current is not None and len(told) < _FRAMES_TOLD_MAX and current.f_globals.get("__name__") != _LOOP:
        code = current.f_code
        told.append(f"{code.co_name} ({Path(code.co_filename).name}:{current.f_lineno})")
        current = current.f_back
    return " < ".join(told) or "its own code"


def _is_debugged(frame: FrameType) -> bool:
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
    if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        return True
    current: FrameType | None = frame
    while current is not None:
        if current.f_trace is not None or str(current.f_globals.get("__name__")).partition(".")[0] in _DEBUGGERS:
            return True
        current = current.f_back
    return False
