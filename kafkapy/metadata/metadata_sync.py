"""Syncs the metadata log: records that are appended during one fsync share the next. In an ephemeral directory there
is nothing to sync, and records count at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy_log import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy_log import Flush, PartitionLog


class MetadataSync:
    """`flushed(end_offset)` is called when everything below is durable, `not_flushed(error)` when a sync has failed."""

    def __init__(
        self,
        log: PartitionLog,
        flushed: Callable[[int], None],
        not_flushed: Callable[[StorageError], None],
        *,
        fsync: bool,
    ) -> None:
        self._log = log
        self._flushed = flushed
        self._not_flushed = not_flushed
        self._fsync = fsync
        self._wanted: trio.Event | None = None  # set when records wait for an fsync; not None while `run` runs

    def ask(self) -> None:
        """Sync what is appended: soon while `run` runs, otherwise at once, which blocks."""
        if self._log.failure is not None:
            # After a failed fsync the kernel may have dropped the data: a second fsync that succeeds proves nothing.
            self._not_flushed(StorageError(self._log.topic_partition, self._log.failure))
        elif not self._fsync:
            self._flushed(self._log.log_end_offset)
        elif self._wanted is not None:
            self._wanted.set()
        else:
            try:  # at the start the event loop has nothing else to do
                self.flush()
            except StorageError as error:
                self._not_flushed(error)

    def flush(self) -> None:
        """Sync all appended records. Blocks the event loop. Raises StorageError."""
        if self._fsync:
            self._log.flushing.flush()
        self._flushed(self._log.log_end_offset)

    async def run(self) -> None:
        """Sync what is asked for, until cancelled."""
        self._wanted = trio.Event()
        try:
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                await self._flush_in_a_thread()
        finally:
            self._wanted = None

    async def _flush_in_a_thread(self) -> None:
        """Shielded: a flush that has begun must end, as answers wait for it."""
        try:
            flush = self._log.flushing.begin()
            if flush is not None:
                with trio.CancelScope(shield=True):
                    await self._sync(flush)
        except StorageError as error:
            self._not_flushed(error)
        else:
            self._flushed(self._log.recovery_point)

    async def _sync(self, flush: Flush) -> None:
        try:
            await trio.to_thread.run_sync(flush.sync)
        except OSError as error:
            self._log.flushing.end(flush, error)
            raise StorageError(self._log.topic_partition, error) from error
        self._log.flushing.end(flush)
