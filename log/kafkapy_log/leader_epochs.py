"""The start offset of each leader epoch (KIP-101, KIP-279), by which replicas find where their logs diverge."""

from bisect import bisect_right
from typing import Final

UNDEFINED_EPOCH: Final = -1
UNDEFINED_EPOCH_OFFSET: Final = -1


class LeaderEpochCache:
    """(epoch, start offset) pairs, both strictly ascending. `changed` until the owner has written them to disk.

    `has_file`: there is a file already, valid or not.
    """

    __slots__ = ("_epochs", "_start_offsets", "changed", "has_file")

    def __init__(self, entries: list[tuple[int, int]]) -> None:
        self._epochs = [epoch for epoch, _ in entries]
        self._start_offsets = [start_offset for _, start_offset in entries]
        self.changed = False
        self.has_file = False

    @property
    def entries(self) -> list[tuple[int, int]]:
        return list(zip(self._epochs, self._start_offsets, strict=True))

    @property
    def latest_epoch(self) -> int:
        """-1 when no epoch is known."""
        return self._epochs[-1] if self._epochs else UNDEFINED_EPOCH

    def assign(self, epoch: int, start_offset: int) -> None:
        """`epoch` begins at `start_offset`; entries with later epochs or offsets are removed."""
        if epoch < 0 or start_offset < 0:
            return
        epochs, start_offsets = self._epochs, self._start_offsets
        if epochs and epochs[-1] == epoch and start_offset >= start_offsets[-1]:
            return
        while epochs and (epochs[-1] >= epoch or start_offsets[-1] >= start_offset):
            epochs.pop()
            start_offsets.pop()
        epochs.append(epoch)
        start_offsets.append(start_offset)
        self.changed = True

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(epoch, its end offset) of the highest known epoch that is not above `epoch`; (-1, -1) if there is none.

        An epoch ends where the next one starts, the latest one at the log end. An epoch before all known ones
        ends where the first known one starts.
        """
        epochs = self._epochs
        if epoch == UNDEFINED_EPOCH or not epochs or epoch > epochs[-1]:
            return UNDEFINED_EPOCH, UNDEFINED_EPOCH_OFFSET
        if epoch == epochs[-1]:
            return epoch, log_end_offset
        higher = bisect_right(epochs, epoch)
        if not higher:
            return epoch, self._start_offsets[0]
        return epochs[higher - 1], self._start_offsets[higher]

    def epoch_for_offset(self, offset: int) -> int:
        """The epoch in which the record at `offset` was written; -1 when unknown."""
        entry = bisect_right(self._start_offsets, offset) - 1
        return self._epochs[entry] if entry >= 0 else UNDEFINED_EPOCH

    def truncate_from_end(self, end_offset: int) -> None:
        """The log now ends at `end_offset`: remove epochs that start there or later."""
        while self._start_offsets and self._start_offsets[-1] >= end_offset:
            self._start_offsets.pop()
            self._epochs.pop()
            self.changed = True

    def truncate_from_start(self, start_offset: int) -> None:
        """The log now starts at `start_offset`: remove earlier epochs, and let the epoch of that offset start there."""
        entry = bisect_right(self._start_offsets, start_offset) - 1
        if entry < 0 or (entry == 0 and self._start_offsets[0] == start_offset):
            return
        del self._epochs[:entry]
        del self._start_offsets[:entry]
        self._start_offsets[0] = start_offset
        self.changed = True

    def clear(self) -> None:
        if self._epochs:
            self._epochs.clear()
            self._start_offsets.clear()
            self.changed = True
