"""How long the event loop was held at most, and where: for tests that say how long nobody else may have to wait.

It is the CPU time of the loop's thread, which a busy machine changes little. By how much is measured, see `cpu_speed`.

async with running_node(tmp_path) as node:
    with watching() as watch:
        ...
    assert watch.quiet_seconds < 0.02, watch
"""

from __future__ import annotations

import math
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time
from unittest.mock import patch

import trio

from kafkapy import collector
from tests.cpu_speed import Speed
from tests.garbage import no_garbage_collection

LOOKS_SECONDS = 0.002  # how often the stack of a step that goes on is looked at
LOOKED_AT_AFTER_SECONDS = 0.004


class LongestTurn(trio.abc.Instrument):
    """The longest step of any task between two waits. One turn of the task that serves all sockets is such a step.

    What a step waits for outside Python (a disk) does not count, nor do the garbage collector, which is off, and the
    steps of the task that watches: a test decodes what it is answered.
    """

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self.task_name = ""
        self.where = ""
        """The stack in the middle of it, unless it was too short to be seen."""
        self._speed = Speed()
        self._thread = threading.get_ident()
        self._watcher = trio.lowlevel.current_task()
        self._began = 0.0
        self._began_at = 0.0
        self._seen = ""
        self._over = threading.Event()

    def __str__(self) -> str:
        slowness = self._speed.slowness
        times = "" if slowness == 1 else f", by a CPU that is {slowness:.1f} times as slow as usual"
        return f"{self.longest_seconds * 1_000:.1f} ms in {self.task_name}{times}\n{self.where}"

    @property
    def quiet_seconds(self) -> float:
        """`longest_seconds`, as on a quiet machine."""
        return self._speed.quiet(self.longest_seconds)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._seen = ""
        self._began = thread_time()
        self._began_at = perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if not self._began:
            return  # the step that has begun to watch
        seconds = thread_time() - self._began
        self._began = self._began_at = 0.0
        if task is not self._watcher and seconds > self.longest_seconds:
            self.longest_seconds = seconds
            self.task_name = task.name
            self.where = self._seen

    def look(self) -> None:
        """In a thread of its own: keep the stack of a step that takes long."""
        while not self._over.wait(LOOKS_SECONDS):
            began = self._began_at
            if began and perf_counter() - began > LOOKED_AT_AFTER_SECONDS and not self._seen:
                frame = sys._current_frames().get(self._thread)
                if frame is not None:
                    self._seen = "".join(traceback.format_stack(frame)[-12:])

    def stop(self) -> None:
        self._over.set()


@contextmanager
def watching() -> Iterator[LongestTurn]:
    """Watch every step of every task within the block, from its next wait on. To be used within trio."""
    watch = LongestTurn()
    thread = threading.Thread(target=watch.look, name="longest turn", daemon=True)
    thread.start()
    try:
        with no_garbage_collection(), patch.object(collector, "PUT_OFF_SECONDS_MAX", math.inf):
            trio.lowlevel.add_instrument(watch)
            try:
                yield watch
            finally:
                trio.lowlevel.remove_instrument(watch)
    finally:
        watch.stop()
        thread.join()
