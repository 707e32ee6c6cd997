"""How often connections come, measured as Apache Kafka's quotas are: over quota.window.num windows of
quota.window.size.seconds each (KIP-612).

A burst of as many connections as the limit allows in all windows but one is accepted at once. Further ones come
one by one, each after a wait of at most one window.
"""

from __future__ import annotations

from collections import deque


class ConnectionRate:
    """The connections of one listener, or of all, by window."""

    __slots__ = ("_count", "_windows")

    def __init__(self) -> None:
        self._windows: deque[list[float]] = deque()  # [begin_ms, connections], oldest first
        self._count = 0.0

    def record(self, now_ms: float, *, window_ms: float, window_count: int) -> None:
        """One more connection."""
        self._forget(now_ms, window_ms * window_count)
        if not self._windows or now_ms - self._windows[-1][0] >= window_ms:
            self._windows.append([now_ms, 0])
        self._windows[-1][1] += 1
        self._count += 1

    def delay_ms(self, limit: int, now_ms: float, *, window_ms: float, window_count: int) -> float:
        """How long the next connection must wait so that no more than `limit` a second have come; 0: not at all.

        At most a window: even with a limit of 0, one connection is accepted in each window.
        """
        self._forget(now_ms, window_ms * window_count)
        if limit == 0:
            return window_ms
        if not self._windows:
            return 0.0
        elapsed_ms = now_ms - self._windows[0][0]
        # The first windows count as complete: otherwise the rate of the very first connection would be far too high.
        missing_count = max(0, window_count - 1 - int(elapsed_ms / window_ms))
        elapsed_ms += missing_count * window_ms
        return min(max(0.0, (self._count + 1) / limit * 1_000 - elapsed_ms), window_ms)

    def _forget(self, now_ms: float, kept_ms: float) -> None:
        while self._windows and now_ms - self._windows[0][0] >= kept_ms:
            self._count -= self._windows.popleft()[1]
