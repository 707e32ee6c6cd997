"""Finds records of a log by timestamp: first the batch, then (perhaps in a worker thread) the record."""

from kafkapy_log.log_files import LogFiles
from kafkapy_log.segment_list import TimestampAndOffset, TimestampedBatch


class LogTimes:
    """Part of a PartitionLog. Clients write the highest timestamp of a batch into its header, which may be wrong: the
    records are read only when a look-up needs them.
    """

    __slots__ = ("_files",)

    def __init__(self, files: LogFiles) -> None:
        self._files = files

    def batch_for(self, timestamp: int, start_offset: int = 0) -> TimestampedBatch | None:
        """The first batch with offsets at or above `start_offset` and the log start offset that has a record at least
        as late, as its header says; None without one. Raises StorageError.
        """
        files = self._files
        with files.storage_errors:
            return files.segments.first_with_timestamp(
                timestamp,
                start_offset=max(start_offset, files.log_start_offset),
                log_end_offset=files.log_end_offset,
                record_bytes_max=files.settings.max_decompressed_message_bytes,
            )

    def batch_of_max(self) -> TimestampedBatch | None:
        """The first batch with the highest timestamp of the log, as its header says. Raises StorageError."""
        files = self._files
        with files.storage_errors:
            return files.segments.latest(files.settings.max_decompressed_message_bytes)

    def offset_for_timestamp(self, timestamp: int) -> TimestampAndOffset | None:
        """The first record at or above the log start offset that is at least as late. Raises as `look_into`."""
        return self.first_record(self.batch_for(timestamp))

    def offset_of_max_timestamp(self) -> TimestampAndOffset | None:
        """The first record with the highest timestamp; None when there is no record (KIP-734). Raises likewise."""
        return self.first_record(self.batch_of_max())

    def look_into(self, batch: TimestampedBatch) -> TimestampAndOffset | None:
        """`batch.first_record()`, by any thread. Raises StorageError, KafkaError INVALID_RECORD."""
        with self._files.storage_errors:
            return batch.first_record()

    def next_batch(self, batch: TimestampedBatch, found: TimestampAndOffset | None) -> TimestampedBatch | None:
        """Where a look-up goes on that has `found` this in `batch`; None if it is over. Raises StorageError."""
        if found is not None or batch.is_only:
            return None
        return self.batch_for(batch.timestamp, batch.next_offset)

    def first_record(self, batch: TimestampedBatch | None) -> TimestampAndOffset | None:
        """The record that the header of `batch` promises, or the first one in a later batch. Raises as `look_into`."""
        found = None
        while batch is not None:
            found = self.look_into(batch)
            batch = self.next_batch(batch, found)
        return found
