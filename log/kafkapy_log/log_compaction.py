"""The part of a log's compaction that runs on the owner's thread: before a cleaning, and after it."""

from typing import TYPE_CHECKING

from kafkapy_log.log_files import LogFiles
from kafkapy_log.swap import CLEANED_SUFFIX, SWAP_SUFFIX, rename_all, undo_rename

if TYPE_CHECKING:
    from kafkapy_log.cleanable import Cleanable
    from kafkapy_log.cleaner import CleanedSegment, CleaningPlan


class LogCompaction:
    """`find_cleanable`, then `begin`, then `cleaner.clean` in any thread, which has `swap_in` called here."""

    __slots__ = ("_files",)

    def __init__(self, files: LogFiles) -> None:
        self._files = files

    def find_cleanable(self, checkpoint: int | None, *, high_watermark: int, now_ms: int) -> "Cleanable":
        """The range that compaction could clean now; `checkpoint` is where the last cleaning ended, or None.

        Raises StorageError.
        """
        from kafkapy_log.cleanable import find_cleanable  # nothing of it is needed to start

        files = self._files
        first_open = files.producers.first_open_transaction_offset
        with files.storage_errors:
            return find_cleanable(
                list(files.segments),
                files.settings,
                checkpoint=checkpoint,
                log_start_offset=files.log_start_offset,
                log_end_offset=files.log_end_offset,
                last_stable_offset=high_watermark if first_open < 0 else min(first_open, high_watermark),
                now_ms=now_ms,
                largest_timestamp=files.segments.max_timestamp,
            )

    def bounded_checkpoint(self, checkpoint: int) -> int:
        """The cleaner's checkpoint after a truncation: at most the base offset of the active segment.

        Write it before the next append, as Apache Kafka does: new records may be appended below the old checkpoint.
        """
        return min(checkpoint, self._files.segments.active.base_offset)

    def begin(self, cleanable: "Cleanable", *, high_watermark: int, now_ms: int) -> "CleaningPlan":
        """The plan for `cleaner.clean`; `close` it afterwards. Raises StorageError."""
        from kafkapy_log.cleaner import CleaningPlan  # nothing of it is needed to start

        files = self._files
        first_dirty, end_offset = cleanable.first_dirty_offset, cleanable.first_uncleanable_offset
        with files.storage_errors:
            sources = [segment for segment in files.segments if segment.base_offset < end_offset]
            dirty_segment = sources[files.segments.index_of(first_dirty)]
            return CleaningPlan(
                files.directory,
                sources,
                cleanable,
                files.settings,
                dirty_position=dirty_segment.position_before(first_dirty, files.settings.index_interval_bytes),
                aborted_transactions=files.aborted_transactions(files.segments.first.base_offset, end_offset),
                last_records=files.producers.last_records(),
                high_watermark=high_watermark,
                log_version=files.truncations,
                now_ms=now_ms,
            )

    def swap_in(self, cleaned: "CleanedSegment", *, now_ms: int) -> bool:
        """Replace segments by the cleaned one that was made from them. False: the log has changed meanwhile.

        Raises StorageError.
        """
        files = self._files
        if (
            files.is_closed
            or files.failure is not None
            or not files.settings.compact
            or cleaned.log_version != files.truncations
            or not set(files.segments).issuperset(cleaned.replaced)
        ):
            return False
        base_offset = cleaned.segment.base_offset
        with files.storage_errors:
            try:
                rename_all(files.directory, base_offset, CLEANED_SUFFIX, SWAP_SUFFIX)
            except OSError:  # the log is unchanged
                undo_rename(files.directory, base_offset)
                raise
        with files.refusing_after_errors():
            files.drop(cleaned.replaced, now_ms, keep_snapshot_at=base_offset)
            rename_all(files.directory, base_offset, SWAP_SUFFIX, "")
        cleaned.segment.forget_indexes()
        files.segments.insert(cleaned.segment)
        return True
