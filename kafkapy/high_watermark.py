"""The rule for every log: the high watermark releases.

A decision appends its records and replays them in one `def`. What it answers, and what else becomes visible by it, is
released when the high watermark passes its records. A log that is alone in its ISR advances at once, or after an fsync
where one is asked for; with followers, it is when all of the ISR have the records.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy_wire.errors import KafkaError


class HighWatermark:
    """How far a log is committed, and the answers that wait for more. One owner moves it by `advance`.

    `offset`: records below it are committed. It never falls, but for `restart`.
    """

    __slots__ = ("_sequence", "_waiting", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._waiting: list[tuple[int, int, Callable[[KafkaError | None], None]]] = []
        self._sequence = 0  # callbacks with equal offsets are released in the order in which they were added

    def advance(self, offset: int) -> None:
        """Everything below `offset` is committed: call the callbacks that waited for it, by offset."""
        assert offset >= self.offset, f"the high watermark falls from {self.offset} to {offset}"
        self.offset = offset
        # A callback may append and so advance the high watermark again, or refuse the remaining callbacks.
        while self._waiting and self._waiting[0][0] <= self.offset:
            heappop(self._waiting)[2](None)

    def release_at(self, end_offset: int, release: Callable[[KafkaError | None], None]) -> None:
        """Call `release(None)` once everything below `end_offset` is committed, at once if it is.

        `release(error)` instead when that cannot be known any more: see `refuse`. It must neither wait nor raise.
        """
        if end_offset <= self.offset:
            release(None)
            return
        self._sequence += 1
        heappush(self._waiting, (end_offset, self._sequence, release))

    def refuse(self, error: KafkaError) -> None:
        """Call every waiting callback with `error`: the log has failed, was deleted, or has another leader."""
        waiting, self._waiting = sorted(self._waiting), []
        for _, _, release in waiting:
            release(error)

    def restart(self, offset: int) -> None:
        """Begin anew at `offset`, which may be lower: a new leader has truncated the log. No callback waits then."""
        assert not self._waiting, "a log that is led elsewhere has nobody who waits for its commits"
        self.offset = offset
