"""The log of `__cluster_metadata-0` and the shell of the quorum that keeps it: it does what `Quorum.step` asks for.

What is appended is committed at once in a directory that is thrown away, otherwise when it is on the disk. One task
syncs (`run`): what is appended meanwhile shares its next trip. With each commit the images are published first, then
the high watermark releases the answers that wait for it.
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
        self._wanted: trio.Event | None = None  # set: something is to be synced. There while `run` runs

    def report_to(self, disk: DiskWatch) -> None:
        """Whom to tell what the disk refuses. Before that a refusal ends the start, which says so."""
        self._disk = disk

    @property
    def leader_id(self) -> int:
        return self._quorum.leader_id

    @property
    def epoch(self) -> int:
        """Of the quorum."""
        return self._quorum.epoch

    @property
    def end_offset(self) -> int:
        return self._quorum.log_end_offset

    @property
    def high_watermark(self) -> int:
        """Records below it are committed."""
        return self._high_watermark.offset

    def describe_quorum(self) -> QuorumDescription | None:
        """None: this node does not lead."""
        from kafkapy_controller.raft.description import describe

        return describe(self._quorum, self._clock.now_ms())

    # Appending

    def lead(self) -> None:
        """Become the leader of a new epoch. Raises KafkaError KAFKA_STORAGE_ERROR, OSError."""
        self._execute(self._quorum.step(Start(), self._clock.now_ms()))
        logger.debug("leads the quorum in epoch %d at offset %d", self._quorum.epoch, self._quorum.log_end_offset)

    def resign(self) -> None:
        """Nothing is appended any more."""
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
            # As it stands: the quorum has put offsets and epoch into the batch.
            self.log.append_as_follower(effects.batch, now_ms=self._clock.now_ms())
            assert self.log.log_end_offset == self._quorum.log_end_offset
        if effects.high_watermark is not None:
            self._loader.commit(effects.high_watermark)
            self._high_watermark.advance(effects.high_watermark)

    # Committing

    def when_committed(self, release: Callable[[KafkaError | None], None]) -> None:
        """Call `release(None)` once everything appended so far is committed, and see to it that it will be.

        `release(error)` with KAFKA_STORAGE_ERROR: the disk has not taken it. When the log has not failed for good, and
        a later flush succeeds, the records are committed nevertheless. It must neither wait nor raise.
        """
        end_offset = self._quorum.log_end_offset
        self._high_watermark.release_at(end_offset, release)
        if self._high_watermark.offset >= end_offset:
            return
        if self.log.failure is not None:
            # The kernel may have dropped what it could not write: another flush would prove nothing.
            self._high_watermark.refuse(StorageError(METADATA_DIRECTORY, self.log.failure))
        elif not self._fsync:
            self._flushed(end_offset)
        elif self._wanted is not None:
            self._wanted.set()
        else:
            self._flush_here()

    def flush(self) -> None:
        """Commit what is appended. Blocks, while nobody else is served. Raises KafkaError KAFKA_STORAGE_ERROR."""
        if self._fsync:
            self.log.flushing.flush()
        self._flushed(self._quorum.log_end_offset)

    def _flush_here(self) -> None:
        """At the start, before `run`: nobody waits for the event loop."""
        try:
            self.flush()
        except StorageError as error:
            self._not_flushed(error)

    async def run(self) -> None:
        """Sync what is appended, until cancelled. Before and afterwards `when_committed` syncs at once, and blocks."""
        self._wanted = trio.Event()
        try:
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                await self._flush_in_a_thread()
        finally:
            self._wanted = None

    async def _flush_in_a_thread(self) -> None:
        """Shielded: answers wait for it, and it ends with the disk's answer."""
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
            self._disk.tell(self.log, error)
