"""Closing many logs at a stop, in groups that are synced together."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kafkapy_log.checkpoint_files import TopicPartition
from kafkapy_log.disk_errors import StorageError
from kafkapy_log.durable_files import can_sync_file_systems
from kafkapy_log.flush import Flush, sync_all, sync_together, together_max
from kafkapy_log.partition_log import PartitionLog

SYNC_WHOLE_LOGS_MIN: Final = 64
"""From so many on, syncing the file system is faster, whatever else others have written to it lately."""
THOUSANDS_OF_LOGS: Final = 1_000
"""From so many on, closing them makes as few files as it can."""

NamedLogs = Sequence[tuple[TopicPartition, PartitionLog]]


def close_logs(logs: NamedLogs, lock_fd: int, *, clean: bool, fsync: bool) -> list[StorageError]:
    """Close all logs of a directory whose lock is `lock_fd`. Returns the errors that prevent a clean stop. Blocks."""
    failures: list[StorageError] = []
    is_one_of_thousands = len(logs) >= THOUSANDS_OF_LOGS
    if clean and fsync and len(logs) >= SYNC_WHOLE_LOGS_MIN and can_sync_file_systems():
        flushing = _begin(logs, failures, whole=True, is_one_of_thousands=is_one_of_thousands)
        # The lock was taken before any log was opened: what failed to be written since then is reported through it.
        errors = sync_together([flush for _, flush in flushing], lock_fd)
        _end(logs, flushing, errors, failures)
        return failures
    count = together_max()
    for first in range(0, len(logs), count):
        group = logs[first : first + count]
        flushing = _begin(group, failures, whole=False, is_one_of_thousands=is_one_of_thousands, clean=clean)
        _end(group, flushing, sync_all([flush for _, flush in flushing], fsync=fsync), failures)
    return failures


def _begin(
    logs: NamedLogs, failures: list[StorageError], *, whole: bool, is_one_of_thousands: bool, clean: bool = True
) -> list[tuple[PartitionLog, Flush]]:
    """With `whole` the file system is synced, not each file."""
    flushing: list[tuple[PartitionLog, Flush]] = []
    for topic_partition, log in logs:
        flush: Flush | None = None
        if log.failure is not None:
            failures.append(StorageError(f"{topic_partition} has failed before", log.failure))
        elif clean:
            try:
                flush = log.flushing.begin_close(held=not whole, one_of_thousands=is_one_of_thousands)
            except StorageError as error:
                failures.append(error)
                if not whole:
                    with suppress(StorageError):  # no room for its indexes: its records are synced all the same
                        flush = log.flushing.begin()
            if flush is not None:
                flushing.append((log, flush))
    return flushing


def _end(
    logs: NamedLogs,
    flushing: Sequence[tuple[PartitionLog, Flush]],
    errors: Sequence[OSError | None],
    failures: list[StorageError],
) -> None:
    for (log, flush), sync_error in zip(flushing, errors, strict=True):
        log.flushing.end(flush, sync_error)
        if sync_error is not None:
            failures.append(StorageError(log.topic_partition, sync_error))
    for _, log in logs:
        log.close(clean=False)
