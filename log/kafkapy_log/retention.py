"""Which of a log's oldest segments are to go: retention.ms, retention.bytes and the log start offset.

Segments are deleted whole, the oldest first, and never with records above the high watermark. With cleanup.policy
`delete` all three bounds hold, without it (compaction alone) only the log start offset.

The age of a segment is that of its largest timestamp; if no record has a timestamp, that of its last write. So records
that a test stamps 1970 are deleted by the next check, while the test runs. With `retention_from_last_write`, which
Apache Kafka does not have, a segment is deleted when both its largest timestamp and its last write are that old.
"""

from collections.abc import Callable, Sequence

from kafkapy_log.file_names import LOG_SUFFIX
from kafkapy_log.log_files import LogFiles
from kafkapy_log.segment import Segment
from kafkapy_log.settings import LogSettings


class LogRetention:
    """Of one log."""

    __slots__ = ("_files",)

    def __init__(self, files: LogFiles) -> None:
        self._files = files

    def delete_old_segments(self, *, high_watermark: int, now_ms: int) -> int:
        """Drop the segments that retention.ms, retention.bytes and the log start offset leave over; how many.

        When all of it has expired, the segment that was written to goes too, and an empty one begins.
        Raises StorageError.
        """
        files = self._files
        if files.is_closed or files.failure is not None:
            return 0
        with files.storage_errors:
            segments = list(files.segments)
            count = deletable_count(
                segments,
                files.settings,
                log_start_offset=files.log_start_offset,
                log_end_offset=files.log_end_offset,
                high_watermark=high_watermark,
                now_ms=now_ms,
                largest_timestamp=files.segments.max_timestamp,
            )
            if not count:
                return 0
            if count == len(segments):
                # Its file is there before the old ones go: it tells the next start where the log goes on. Nothing else
                # is written: the disk may be full, and this is what makes room.
                files.begin_segment(files.log_end_offset, now_ms, with_file=True)
            kept = list(files.segments)[count]
        if kept.base_offset > files.log_start_offset:
            files.start_at(kept.base_offset)
        with files.refusing_after_errors():
            files.drop(segments[:count], now_ms)
        return count


def deletable_count(
    segments: Sequence[Segment],
    settings: LogSettings,
    *,
    log_start_offset: int,
    log_end_offset: int,
    high_watermark: int,
    now_ms: int,
    largest_timestamp: Callable[[Segment], int],
) -> int:
    """How many of the first segments are to go; all of them when the last one, which is written to, has expired too.

    `largest_timestamp` tells a segment's, -1 without one: it may have to read for it. Raises OSError.
    """
    ends = [segment.base_offset for segment in segments[1:]] + [log_end_offset]
    # An empty last segment stays: what would take its place is just such a one.
    droppable = sum(end <= high_watermark for end in ends) - (
        not segments[-1].size and log_end_offset <= high_watermark
    )
    count = sum(end <= log_start_offset for end in ends[:-1])
    if settings.delete:
        count = max(count, _beyond_size(segments, settings.retention_bytes))
        while count < droppable and _is_too_old(segments[count], settings, now_ms, largest_timestamp):
            count += 1
    return min(count, droppable)


def _beyond_size(segments: Sequence[Segment], retention_bytes: int) -> int:
    """How many go so that no more than `retention_bytes` are left over beside the segment that reaches across."""
    if retention_bytes < 0:
        return 0
    surplus = sum(segment.size for segment in segments) - retention_bytes
    for count, segment in enumerate(segments):
        surplus -= segment.size
        if surplus < 0:
            return count
    return len(segments)


def _is_too_old(
    segment: Segment, settings: LogSettings, now_ms: int, largest_timestamp: Callable[[Segment], int]
) -> bool:
    if settings.retention_ms < 0:
        return False
    oldest_ms = now_ms - settings.retention_ms
    timestamp = largest_timestamp(segment)
    if timestamp >= oldest_ms:
        return False
    # A segment without a byte was never written: the last one, which begins where all others have gone.
    is_dated_by_write = timestamp < 0 or settings.retention_from_last_write
    return not (is_dated_by_write and segment.size) or last_write_ms(segment) < oldest_ms


def last_write_ms(segment: Segment) -> int:
    """When the segment's file was last written, by the system's clock. Raises OSError."""
    return segment.path(LOG_SUFFIX).stat().st_mtime_ns // 1_000_000
