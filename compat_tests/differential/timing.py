"""When an answer comes, as far as two brokers can be compared: at once, when something happened, after the wait, never.

A request that may wait says how long. No milliseconds are compared, since no two brokers on a busy machine are equally
quick: an answer is `after the wait` if nearly all of that time has passed, else `at once`, or it came `when` the last
thing happened that the scenario did before it arrived. No broker answers too early by itself, so only one that is held
up for seconds can be misjudged: waits below COMPARED_SECONDS_MIN are not compared.
"""

from __future__ import annotations

import select
import socket
import threading
import time

from kafkapy_wire.message import Message

COMPARED_SECONDS_MIN = 2.0
NEARLY_ALL = 0.9
SETTLING_SECONDS = 0.8
"""How long a scenario lets requests wait before it does something: what is answered at once has arrived by then."""

NOT_COMPARED = "answered"
AT_ONCE = "at once"
AFTER_THE_WAIT = "after the wait"
NEVER = "never"


def wait_seconds(request: Message) -> float:
    """How long the request may wait; 0.0 if it does not say."""
    for name in ("max_wait_ms", "rebalance_timeout_ms", "timeout_ms"):
        wait_ms = getattr(request, name, None)
        if wait_ms is not None:
            return max(0.0, float(wait_ms) / 1_000)
    return 0.0


class Timing:
    """Of one request, from before it is sent. `watch` notes the arrival while the scenario does something else."""

    def __init__(self, request: Message) -> None:
        self._wait_seconds = wait_seconds(request)
        self._begun = time.monotonic()
        self._arrived: float | None = None
        self._events: list[tuple[float, str]] = []
        self._watcher: threading.Thread | None = None

    def watch(self, sock: socket.socket) -> None:
        """Note when `sock` becomes readable; it must have nothing else to read."""
        self._watcher = threading.Thread(target=self._note_arrival, args=(sock.fileno(),), daemon=True)
        self._watcher.start()

    def _note_arrival(self, descriptor: int) -> None:
        readable = select.poll()
        readable.register(descriptor, select.POLLIN)
        readable.poll()
        self._arrived = time.monotonic()

    def settle(self, deadline: float) -> None:
        """Return at `deadline`, or when the answer is there."""
        assert self._watcher is not None, "watch it first"
        self._watcher.join(max(0.0, deadline - time.monotonic()))

    def happens(self, what: str) -> None:
        """An answer that arrives from now on came when this happened."""
        self._events.append((time.monotonic(), what))

    def await_arrival(self, seconds: float) -> None:
        """Before what has arrived is read: else the watcher would not see it. Raises TimeoutError."""
        if self._watcher is not None:
            self._watcher.join(seconds)
            if self._arrived is None:
                raise TimeoutError

    def answered(self) -> str:
        """When the answer came that has just been received."""
        if self._arrived is None:
            self._arrived = time.monotonic()
        return classified(self._arrived - self._begun, self._wait_seconds, self._event_before(self._arrived))

    def _event_before(self, moment: float) -> str | None:
        return next((what for happened, what in reversed(self._events) if happened < moment), None)


def classified(seconds: float, may_wait_seconds: float, event: str | None) -> str:
    """What is compared of an answer that took `seconds`; `event` is the last thing that happened before it."""
    if may_wait_seconds < COMPARED_SECONDS_MIN:
        return NOT_COMPARED
    if seconds >= NEARLY_ALL * may_wait_seconds:
        return AFTER_THE_WAIT
    return AT_ONCE if event is None else f"when {event}"
