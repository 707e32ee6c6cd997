"""How many bytes a second something has taken of late, as Apache Kafka measures it for its quotas."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock


class WindowedRate:
    """The rate of the last windows. `windows` says how long one is in milliseconds, and how many of them count."""

    def __init__(self, clock: Clock, windows: Callable[[], tuple[int, int]]) -> None:
        self._clock = clock
        self._windows = windows
        self._samples: deque[tuple[float, int]] = deque()  # (when the window began, bytes in it)

    def record(self, size: int) -> None:
        """So many bytes were taken now."""
        now_ms = self._clock.monotonic_ms()
        window_ms, _ = self._windows()
        if self._samples and now_ms - self._samples[-1][0] < window_ms:
            began_ms, before = self._samples.pop()
            self._samples.append((began_ms, before + size))
        else:
            self._samples.append((now_ms, size))

    @property
    def bytes_per_second(self) -> float:
        now_ms = self._clock.monotonic_ms()
        window_ms, count = self._windows()
        while self._samples and now_ms - self._samples[0][0] >= window_ms * count:
            self._samples.popleft()
        if not self._samples:
            return 0.0
        elapsed_ms = max(now_ms - self._samples[0][0], window_ms)
        return sum(size for _, size in self._samples) * 1_000 / elapsed_ms
