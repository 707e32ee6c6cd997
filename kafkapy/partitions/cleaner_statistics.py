"""Statistics of compaction: a snapshot, from `LogCleaning.statistics`."""

from __future__ import annotations

from typing import NamedTuple


class CleaningStatistics(NamedTuple):
    """A running cleaning: `bytes_done` of `bytes_total` are read, both passes together."""

    topic: str
    partition: int
    bytes_done: int
    bytes_total: int
    bytes_written: int
    keys: int


class CleanerStatistics(NamedTuple):
    """The running cleanings, and what compaction has done since the start."""

    cleanings: int
    bytes_read: int
    bytes_written: int
    dirty_ratio_max: float
    uncleanable: tuple[str, ...]
    under_way: tuple[CleaningStatistics, ...]
