"""How much of a log compaction could clean, and whether the log is due.

```
log start      first dirty offset          first uncleanable offset      active segment
|  clean: cleaned before  |  dirty: cleanable  |  not yet: min.compaction.lag.ms, open transactions  |
```
"""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from kafkapy_log.file_names import LOG_SUFFIX, file_name, parse_offset
from kafkapy_log.segment import Segment
from kafkapy_log.settings import INT64_MAX, LogSettings


class Cleanable(NamedTuple):
    """What `min.cleanable.dirty.ratio` and `max.compaction.lag.ms` are compared with.

    `first_uncleanable_offset` is the base offset of a segment: cleaning takes whole segments. `checkpoint_is_wrong`:
    the first dirty offset in the checkpoint lies outside the log.
    """

    first_dirty_offset: int
    first_uncleanable_offset: int
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool
    checkpoint_is_wrong: bool

    @property
    def dirty_ratio(self) -> float:
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0

    def is_due(self, min_dirty_ratio: float) -> bool:
        """Whether the log is to be cleaned now."""
        return self.dirty_bytes > 0 and (self.is_overdue or self.dirty_ratio > min_dirty_ratio)


def find_cleanable(
    segments: Sequence[Segment],
    settings: LogSettings,
    *,
    checkpoint: int | None,
    log_start_offset: int,
    log_end_offset: int,
    last_stable_offset: int,
    now_ms: int,
    largest_timestamp: Callable[[Segment], int],
) -> Cleanable:
    """`checkpoint`: where the last cleaning ended, None when there was none. `segments`: all, the last one active.

    `last_stable_offset` is bounded by the high watermark. `largest_timestamp` may read. Raises OSError.
    """
    first_dirty = log_start_offset if checkpoint is None else checkpoint
    checkpoint_is_wrong = not log_start_offset <= first_dirty <= log_end_offset
    if checkpoint_is_wrong:
        first_dirty = log_start_offset
    ends = [segment.base_offset for segment in segments[1:]]
    uncleanable = min(last_stable_offset, segments[-1].base_offset)
    if settings.min_compaction_lag_ms > 0:
        for segment, end in zip(segments[:-1], ends, strict=True):
            if end > first_dirty and largest_timestamp(segment) > now_ms - settings.min_compaction_lag_ms:
                uncleanable = min(uncleanable, segment.base_offset)
                break
    uncleanable = max(first_dirty, uncleanable)
    first_uncleanable = next(
        (segment.base_offset for segment, end in zip(segments[:-1], ends, strict=True) if end > uncleanable),
        segments[-1].base_offset,
    )
    clean_bytes = dirty_bytes = 0
    for segment, end in zip(segments[:-1], ends, strict=True):
        if segment.base_offset >= first_uncleanable:
            break
        if end > first_dirty:
            dirty_bytes += segment.size
        else:
            clean_bytes += segment.size
    return Cleanable(
        first_dirty,
        first_uncleanable,
        clean_bytes,
        dirty_bytes,
        _is_overdue(segments[:-1], ends, first_dirty, settings, now_ms),
        checkpoint_is_wrong,
    )


def _is_overdue(
    segments: Sequence[Segment],
    ends: Sequence[int],
    first_dirty: int,
    settings: LogSettings,
    now_ms: int,
) -> bool:
    """Whether the oldest dirty record has waited for longer than max.compaction.lag.ms (KIP-354)."""
    clean_until_ms = now_ms - settings.max_compaction_lag_ms
    if clean_until_ms < 0:
        return False
    for segment, end in zip(segments, ends, strict=True):
        if end > first_dirty and segment.size and 0 < segment.timestamp_of_first_batch() < clean_until_ms:
            return True
    return False


def may_be_due(directory: Path, settings: LogSettings, checkpoint: int | None) -> bool:
    """Whether a closed log may be due, judged by the names and sizes of its files.

    False only where `find_cleanable` would not find it due; true also of logs that open transactions or
    min.compaction.lag.ms hold back. Keeps nothing open. Blocks; any thread. Raises OSError.
    """
    segments: list[tuple[int, int]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            offset = parse_offset(entry.name.removesuffix(LOG_SUFFIX))
            if offset is not None and entry.name == file_name(offset, LOG_SUFFIX):
                segments.append((offset, entry.stat().st_size))
    segments.sort()
    clean_bytes = dirty_bytes = 0
    for (_, size), (end, _) in pairwise(segments):
        if checkpoint is None or end > checkpoint:
            dirty_bytes += size
        else:
            clean_bytes += size
    may_be_overdue = settings.max_compaction_lag_ms < INT64_MAX
    return Cleanable(0, 0, clean_bytes, dirty_bytes, may_be_overdue, False).is_due(settings.min_cleanable_dirty_ratio)
