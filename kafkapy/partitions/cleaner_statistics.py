"""What can be seen of compaction: a snapshot, for who asks `LogCleaning.statistics`."""

from __future__ import annotations

from typing import NamedTuple


class CleaningStatistics(NamedTuple):
    """A cleaning under way. Of `bytes_total`, both passes together, `bytes_done` are read."""

    topic: str
    partition: int
    bytes_done: int
    bytes_total: int
    bytes_written: int
    keys: int


class CleanerStatistics(NamedTuple):
    """What compaction has done since the start, and does."""

    cleanings: int
    bytes_read: int
    bytes_written: int
    dirty_ratio_max: float
    uncleanable: tuple[str, ...]
    under_way: tuple[CleaningStatistics, ...]
