"""Flushing one log: which files are synced, in which order, and how the recovery point moves.

flush.messages and flush.ms ask for a flush of the records. A flush that settles also syncs the files derived from
the records, so that recovery would begin where the flush ended; a log that is closed is settled, too.
"""

from collections.abc import Iterable

from kafkapy_log.checkpoint_files import leader_epoch_checkpoint
from kafkapy_log.disk_errors import StorageError, passes
from kafkapy_log.file_names import SNAPSHOT_SUFFIX, file_name
from kafkapy_log.flush import Flush
from kafkapy_log.log_files import LogFiles


class LogFlushing:
    """One flush at a time: `begin`, `Flush.sync` in any thread, then `end` on the owner's, whatever came of it."""

    __slots__ = ("_files", "_progress")

    def __init__(self, files: LogFiles) -> None:
        self._files = files
        self._progress = files.flush_progress

    @property
    def recovery_point(self) -> int:
        """Everything below it is on the disk."""
        return self._progress.recovery_point

    @property
    def recovery_point_to_note(self) -> int:
        """The recovery point for the checkpoint file; see `FlushProgress`."""
        return self._progress.recovery_point_to_note

    @property
    def unflushed_record_count(self) -> int:
        """For flush.messages: offsets above the recovery point."""
        return self._files.log_end_offset - self._progress.recovery_point

    @property
    def unsettled_bytes(self) -> int:
        """How many bytes of the active segment a recovery would read after a crash now."""
        return self._progress.unsettled_bytes(self._files.segments.active)

    def check_in_place(self) -> None:
        """If the log was appended to since the last check: check that the file is still in the log's directory.

        Raises StorageError: it was deleted, moved or replaced, and the log refuses further changes.
        """
        self._files.check_in_place()

    def begin(self, *, rolled_only: bool = False, settle: bool = False) -> Flush | None:
        """Begin a flush; None if there is nothing to sync, or another flush is running.

        With `rolled_only` the active segment is left out: what Kafka does on a roll, where flush.messages and flush.ms
        do not ask for more, so that recovery never has much to read. With `settle` come the indexes of the active one
        and a snapshot of the producers, so that recovery would begin where this flush ends.
        Raises StorageError.
        """
        files, progress = self._files, self._progress
        if progress.is_under_way or files.failure is not None:
            return None
        if settle:
            return self._begin_settling() if self.unsettled_bytes else None
        active = files.segments.active
        end_offset = active.base_offset if rolled_only else files.log_end_offset
        if end_offset <= progress.recovery_point:
            return None
        flush = self._flush_of(end_offset, [], rolled_only=rolled_only)
        progress.begin(active, end_offset, rolled_only=rolled_only, settles=False)
        return flush

    def begin_close(self, *, held: bool = True, one_of_thousands: bool = False) -> Flush | None:
        """Write the files that let the directory be opened without recovery; `sync` of the result syncs them.

        `held`: see `Flush`. When a log is `one_of_thousands`, and can be read with a read or two, it gets no files
        beside its records, but for its producers if it has any: making a file takes longer than all else. Apache Kafka
        makes indexes and epochs of such a log anew, too, with a line in its log. Then `end`, and `PartitionLog.close`.
        Raises StorageError.
        """
        files = self._files
        if files.is_closed or files.failure is not None:
            return None
        if one_of_thousands and self._is_read_at_once:
            is_flushed = files.log_end_offset <= self._progress.recovery_point
            if is_flushed and not (len(files.producers) and self._lacks_snapshot):
                return None
            return self._begin_settling(held=held, with_derived=False)
        # An epoch in which nothing was ever written need not be kept: who leads in it assigns it again.
        epochs_to_write = files.leader_epochs.changed and any(segment.size for segment in files.segments)
        is_settled = files.segments.active.indexes_written and not self._lacks_snapshot
        if is_settled and not epochs_to_write and files.log_end_offset <= self._progress.recovery_point:
            return None
        return self._begin_settling(held=held)

    @property
    def _is_read_at_once(self) -> bool:
        """Whether one or two reads of the batches give everything but the producers."""
        segments = self._files.segments
        return len(segments) == 1 and segments.active.needs_no_indexes and not self._files.leader_epochs.has_file

    def _begin_settling(self, *, held: bool = True, with_derived: bool = True) -> Flush:
        """Without `with_derived`: no indexes, no leader epochs, and no producer snapshot if there are no producers."""
        files = self._files
        active, end_offset = files.segments.active, files.log_end_offset
        names: list[str] = []
        if with_derived:
            with files.storage_errors:
                if not active.indexes_written:
                    active.write_indexes()
            names = active.index_names()
        snapshot = None
        if self._lacks_snapshot and (with_derived or len(files.producers)):
            snapshot = (file_name(end_offset, SNAPSHOT_SUFFIX), files.producers.to_snapshot())
        flush = self._flush_of(end_offset, names, snapshot=snapshot, held=held, with_epochs=with_derived)
        self._progress.begin(active, end_offset, rolled_only=False, settles=True)
        return flush

    @property
    def _lacks_snapshot(self) -> bool:
        """Whether the present producers are in no snapshot; a log that begins at its end needs none."""
        files = self._files
        end_offset = files.producers.end_offset
        return end_offset > files.segments.first.base_offset and not files.snapshots.covers(end_offset)

    def _flush_of(
        self,
        end_offset: int,
        index_names: Iterable[str],
        *,
        rolled_only: bool = False,
        snapshot: tuple[str, bytes] | None = None,
        held: bool = True,
        with_epochs: bool = True,
    ) -> Flush:
        files = self._files
        active = files.segments.active
        segments = self._progress.to_flush(active, rolled_only=rolled_only)
        names = list(index_names)
        for segment in segments:
            if segment is not active:
                names += segment.index_names()
        leader_epochs = files.leader_epochs
        epochs = leader_epoch_checkpoint(leader_epochs.entries) if leader_epochs.changed and with_epochs else None
        with files.storage_errors:
            log_files = [segment.file for segment in segments]
            try:
                flush = Flush(files.directory, log_files, names, epochs, end_offset, snapshot, held=held)
            except FileNotFoundError as error:  # the file with the appended records was deleted
                files.failure = error
                raise
        if epochs is not None:
            leader_epochs.changed = False
            leader_epochs.has_file = True
        return flush

    def end(self, flush: Flush, error: OSError | None = None) -> None:
        """To be called when `flush.sync` has ended. If it failed with `error`, the recovery point stays where it is.

        After a failed fsync the log takes no more appends; see `SyncFailed`. When it did not come so far, since the
        disk had no room for the checkpoint beside the log, the next flush takes the same segments again.
        """
        files, progress = self._files, self._progress
        flush.close()
        if error is not None:
            if not passes(error):
                files.failure = error
            files.leader_epochs.changed = True
            progress.failed(set(files.segments))
            return
        is_of_this_log = progress.succeeded(files.segments.active, flush.end_offset)
        if flush.snapshot_name and is_of_this_log:
            files.snapshots.note(flush.end_offset)
        elif flush.snapshot_name:  # the snapshot has records that were truncated
            files.snapshots.unlink(flush.end_offset)

    def flush(self) -> None:
        """Sync everything appended so far. Blocks; on the owner's thread. Raises StorageError."""
        flush = self.begin()
        if flush is not None:
            self.sync(flush, fsync=True)

    def sync(self, flush: Flush, *, fsync: bool) -> None:
        """`Flush.sync` here and now, then `end`. Blocks. Raises StorageError."""
        try:
            flush.sync(fsync=fsync)
        except OSError as error:
            self.end(flush, error)
            raise StorageError(self._files.topic_partition, error) from error
        self.end(flush)
