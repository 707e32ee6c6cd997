"""What clients have pushed last. It is kept in memory, in bounded room, and is gone with the process."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy_wire.uuid import Uuid

PUSHES_MAX: Final = 1_000
BYTES_MAX: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One PushTelemetry that was accepted."""

    client_instance_id: Uuid
    client_id: str
    software: str
    address: str
    time_ms: int
    is_terminating: bool
    data: bytes
    """OTLP's MetricsData, decompressed."""

    @property
    def size(self) -> int:
        """About the memory that it takes: a client id may be as long as the client likes."""
        return len(self.data) + len(self.client_id) + len(self.software)


class ReceivedMetrics:
    """The newest pushes, PUSHES_MAX of them and BYTES_MAX bytes at most: the oldest go."""

    def __init__(self) -> None:
        self._pushes: deque[Push] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Push]:
        """In the order in which they came."""
        return iter(tuple(self._pushes))

    def add(self, push: Push) -> None:
        self._pushes.append(push)
        self._bytes += push.size
        while len(self._pushes) > PUSHES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= self._pushes.popleft().size

    def clear(self) -> None:
        self._pushes.clear()
        self._bytes = 0
