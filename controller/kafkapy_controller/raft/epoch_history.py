"""The start offset of each leader epoch in a log, by which Raft compares two logs (KIP-595, after KIP-101)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class EpochEnd(NamedTuple):
    """The end offset of `epoch` in a log."""

    epoch: int
    end_offset: int


class EpochHistory:
    """Epochs in the order of their first offsets; both only grow. It has no entries below the log start."""

    __slots__ = ("_epochs", "_starts", "end_offset")

    def __init__(self, entries: Iterable[tuple[int, int]] = (), *, end_offset: int = 0) -> None:
        """`entries`: (epoch, offset of its first record)."""
        self._epochs: list[int] = []
        self._starts: list[int] = []
        self.end_offset = 0
        for epoch, start_offset in entries:
            self.append(epoch, start_offset, start_offset)
        assert end_offset >= self.end_offset, (end_offset, self.end_offset)
        self.end_offset = end_offset

    @property
    def last_epoch(self) -> int:
        """0, the epoch before the first election, for an empty log."""
        return self._epochs[-1] if self._epochs else 0

    def append(self, epoch: int, base_offset: int, end_offset: int) -> None:
        """A batch of `epoch` covers `[base_offset, end_offset)`, at the log's end."""
        assert base_offset >= self.end_offset, (base_offset, self.end_offset)
        assert epoch >= self.last_epoch, (epoch, self.last_epoch)
        if not self._epochs or epoch > self._epochs[-1]:
            self._epochs.append(epoch)
            self._starts.append(base_offset)
        self.end_offset = end_offset

    def truncate(self, end_offset: int) -> None:
        """Remove epochs that begin at `end_offset` or above."""
        assert end_offset <= self.end_offset, (end_offset, self.end_offset)
        while self._starts and self._starts[-1] >= end_offset:
            self._starts.pop()
            self._epochs.pop()
        self.end_offset = end_offset

    def begin_after(self, end_offset: int, epoch: int) -> None:
        """A snapshot has replaced the log up to `end_offset`; its last record is of `epoch`."""
        self._epochs, self._starts = ([epoch], [end_offset - 1]) if end_offset else ([], [])
        self.end_offset = end_offset

    def end_of(self, epoch: int) -> EpochEnd:
        """The end of the largest epoch that is at most `epoch`. Epoch 0 ends at 0 where the log knows nothing below."""
        index = bisect_right(self._epochs, epoch)
        found = self._epochs[index - 1] if index else 0
        if index < len(self._starts):
            return EpochEnd(found, self._starts[index])
        return EpochEnd(found, self.end_offset if index else 0)
