"""The log of `__cluster_metadata-0` and the shell of the quorum that keeps it: it does what `Quorum.step` asks for.

Records are committed after their fsync; in an ephemeral directory, at once. One task syncs (`run`): records appended
during one fsync share the next. At each commit the images are published first, then the high watermark releases the
answers that wait for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.high_watermark import HighWatermark
from kafkapy_controller.quorum_state import encode_quorum_state
from kafkapy_controller.raft.quorum import Append, AppendPrepared, Effects, Flushed, NotAppended, Start, Stop
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_log import StorageError
from kafkapy_log.durable_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kafkapy.clock import Clock
    from kafkapy.metadata.loader import MetadataLoader
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.raft.description import QuorumDescription
    from kafkapy_controller.raft.quorum import Quorum
    from kafkapy_log import Flush, PartitionLog
    from kafkapy_wire.errors import KafkaError

logger = logging.getLogger("kafkapy.controller")

METADATA_DIRECTORY = f"{CLUSTER_METADATA_TOPIC}-0"
QUORUM_STATE_FILE = "quorum-state"


class MetadataLog:
    """Appends what its leader decides and says when it is committed. The log store closes `log`."""

    def __init__(
        self, directory: Path, log: PartitionLog, quorum: Quorum, loader: MetadataLoader, clock: Clock, *, fsync: bool
    ) -> None:
        self.log = log
        """To be read only."""
        self._directory = directory
        self._quorum = quorum
        self._loader = loader
        self._clock = clock
        self._fsync = fsync
        self._high_watermark = HighWatermark(0)
        self._disk: DiskWatch | None = None
        self._wanted: trio.Event | None = None  # set when records wait for an fsync; not None while `run` runs

    def report_to(self, disk: DiskWatch) -> None:
        """Report disk errors to this from now on. Before, a disk error ends the start with its own message."""
        self._disk = disk

    @property
    def leader_id(self) -> int:
        return self._quorum.leader_id

    @property
    def epoch(self) -> int:
        """The epoch of the quorum."""
        return self._quorum.epoch

    @property
    def end_offset(self) -> int:
        return self._quorum.log_end_offset

    @property
    def high_watermark(self) -> int:
        """Records below it are committed."""
        return self._high_watermark.offset

    def describe_quorum(self) -> QuorumDescription | None:
        """The state of the quorum; None if this node does not lead."""
        from kafkapy_controller.raft.description import describe

        return describe(self._quorum, self._clock.now_ms())

    # Appending

    def lead(self) -> None:
        """Become the leader of a new epoch. Raises KafkaError KAFKA_STORAGE_ERROR, OSError."""
        self._execute(self._quorum.step(Start(), self._clock.now_ms()))
        logger.debug("leads the quorum in epoch %d at offset %d", self._quorum.epoch, self._quorum.log_end_offset)

    def resign(self) -> None:
        """Stop leading: further appends are refused."""
        self._quorum.step(Stop(), self._clock.now_ms())

    def append(self, records: Sequence[MetadataRecord], metadata_version: int) -> None:
        """Append the records as one batch. Raises KafkaError KAFKA_STORAGE_ERROR: then the log is as it was."""
        self._append(Append(records, metadata_version))

    def prepare(self, encoded_records: Sequence[bytes]) -> AppendPrepared:
        """A batch for `append_prepared`, good for as long as nothing else is appended."""
        return AppendPrepared(self._quorum.prepare(encoded_records, self._clock.now_ms()), len(encoded_records))

    def append_prepared(self, prepared: AppendPrepared) -> None:
        """As `append`."""
        self._append(prepared)

    def _append(self, event: Append | AppendPrepared) -> None:
        effects = self._quorum.step(event, self._clock.now_ms())
        try:
            self._execute(effects)
        except StorageError as error:
            self._quorum.step(NotAppended(self.log.log_end_offset), self._clock.now_ms())
            self._tell_disk(error)
            raise
        if self._disk is not None and self._disk.refusing:
            self._disk.accepted(self.log.topic_partition)

    def _execute(self, effects: Effects) -> None:
        if effects.quorum_state is not None:
            membership = self._quorum.membership
            content = encode_quorum_state(effects.quorum_state, membership.kraft_version, membership.voter_ids)
            replace_file(self._directory / QUORUM_STATE_FILE, content.encode(), fsync=self._fsync)
        if effects.batch is not None:
            # The batch is appended unchanged: the quorum has set its offsets and epoch.
            self.log.append_as_follower(effects.batch, now_ms=self._clock.now_ms())
            assert self.log.log_end_offset == self._quorum.log_end_offset
        if effects.high_watermark is not None:
            self._loader.commit(effects.high_watermark)
            self._high_watermark.advance(effects.high_watermark)

    # Committing

    def when_committed(self, release: Callable[[KafkaError | None], None]) -> None:
        """Ask for an fsync, and call `release(None)` once everything appended so far is committed.

        `release(error)` is called with KAFKA_STORAGE_ERROR if the flush has failed. If the error passes and a later
        flush succeeds, the records are committed nevertheless. `release` must neither wait nor raise.
        """
        end_offset = self._quorum.log_end_offset
        self._high_watermark.release_at(end_offset, release)
        if self._high_watermark.offset >= end_offset:
            return
        if self.log.failure is not None:
            # After a failed fsync the kernel may have dropped the data: a second fsync that succeeds proves nothing.
            self._high_watermark.refuse(StorageError(METADATA_DIRECTORY, self.log.failure))
        elif not self._fsync:
            self._flushed(end_offset)
        elif self._wanted is not None:
            self._wanted.set()
        else:
            self._flush_here()

    def flush(self) -> None:
        """Sync and commit all appended records. Blocks the event loop. Raises KafkaError KAFKA_STORAGE_ERROR."""
        if self._fsync:
            self.log.flushing.flush()
        self._flushed(self._quorum.log_end_offset)

    def _flush_here(self) -> None:
        """Flush on this thread: at the start, before `run`, the event loop has nothing else to do."""
        try:
            self.flush()
        except StorageError as error:
            self._not_flushed(error)

    async def run(self) -> None:
        """Sync appended records until cancelled. Before and afterwards `when_committed` syncs at once, and blocks."""
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
            flush = self.log.flushing.begin()
            if flush is not None:
                with trio.CancelScope(shield=True):
                    await self._sync(flush)
        except StorageError as error:
            self._not_flushed(error)
        else:
            self._flushed(self.log.recovery_point)

    async def _sync(self, flush: Flush) -> None:
        try:
            await trio.to_thread.run_sync(flush.sync)
        except OSError as error:
            self.log.flushing.end(flush, error)
            raise StorageError(METADATA_DIRECTORY, error) from error
        self.log.flushing.end(flush)

    def _flushed(self, end_offset: int) -> None:
        self._execute(self._quorum.step(Flushed(end_offset), self._clock.now_ms()))

    def _not_flushed(self, error: StorageError) -> None:
        self._tell_disk(error)
        self._high_watermark.refuse(error)

    def _tell_disk(self, error: StorageError) -> None:
        if self._disk is not None:
            self._disk.note_disk_error(self.log, error)
