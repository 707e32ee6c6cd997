"""Writes snapshots of the published metadata when they are due, and deletes old ones with the log that they cover.

`SnapshotSchedule` and `expired_count` decide, `SnapshotFiles` keeps the files; here is the task between them. Records
are encoded in turns of the event loop, 200 at a time, and written by a worker thread: the image is immutable, so that
others go on meanwhile, and a snapshot takes as much memory as one write.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import trio

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.quorum import SnapshotStored
from kafkapy_controller.snapshot_schedule import SnapshotSchedule
from kafkapy_log import StorageError
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, read_batch_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.metadata.snapshots import SnapshotFiles, SnapshotWriter
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.settings import Settings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.snapshot_policy import StoredSnapshot
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import PartitionLog

logger = logging.getLogger("kafkapy.controller")

CLEANUP_INTERVAL_MS = 60_000
"""How often is looked for snapshots that have expired, as in Apache Kafka."""
WRITE_BYTES = 256 * 1024


class SnapshotGenerator:
    """The snapshots of one node, whatever its roles. `run` writes and deletes them."""

    def __init__(
        self,
        snapshots: SnapshotFiles,
        log: PartitionLog,
        publisher: MetadataPublisher,
        settings: Settings,
        clock: Clock,
        *,
        membership_at: Callable[[int], QuorumMembership],
        stored: Callable[[SnapshotStored], None],
    ) -> None:
        """`membership_at(offset)` tells who votes below that offset of the log; `stored` takes the event to the quorum,
        and neither waits nor raises.
        """
        node = settings.node
        self._snapshots = snapshots
        self._log = log
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._membership_at = membership_at
        self._stored = stored
        self._disk: DiskWatch | None = None
        self._schedule = SnapshotSchedule(
            node.metadata_log_max_record_bytes_between_snapshots,
            node.metadata_log_max_snapshot_interval_ms,
            clock.now_ms(),
        )
        self._seen_bytes = log.size_bytes
        self._due = trio.Event()
        self._refused: set[str] = set()  # files that the disk has refused since the last success
        self._looked_at: dict[SnapshotId, StoredSnapshot] = {}
        publisher.subscribe(self.follow_metadata)

    def report_to(self, disk: DiskWatch) -> None:
        """Tell it when the metadata log fails."""
        self._disk = disk

    def follow_metadata(self, image: MetadataImage, _: MetadataDelta) -> None:
        """Count what the log has grown by, uncommitted records included. An installed snapshot counts as written.

        What was counted with earlier records, or before a snapshot that has not got it, is new all the same: a byte.
        """
        newest = self._snapshots.newest
        if newest is not None and newest.end_offset > image.offset:
            self._restart_schedule()
            return
        size_bytes = self._log.size_bytes
        self._schedule.appended(max(size_bytes - self._seen_bytes, 1))
        self._seen_bytes = size_bytes
        if self._is_due():
            self._due.set()

    async def run(self, bugs: Bugs) -> None:
        """Until cancelled. A snapshot that cannot be written is no loss: the log has it all."""
        while True:
            await self._clock.wait(self._due, self._wait_ms())
            self._due = trio.Event()
            try:
                await self.check()
            except StorageError as error:
                self._note(error)
            except Exception as error:
                bugs.report("in the generation of metadata snapshots", error)

    async def check(self) -> None:
        """Write a snapshot if one is due, and delete what has expired. Raises StorageError."""
        if self._is_due():
            await self._write(self._publisher.image)
        await self._clean()

    # When

    def _is_due(self) -> bool:
        return self._schedule.is_due(self._clock.now_ms()) and self._has_more(self._publisher.image)

    def _has_more(self, image: MetadataImage) -> bool:
        """Whether the image has something that the newest snapshot has not. Apache Kafka, too, makes none while a
        metadata transaction is open: its records might not count.
        """
        newest = self._snapshots.newest
        is_newer = image.offset >= (newest.end_offset if newest is not None else 0)
        return is_newer and bool(image.metadata_version) and image.open_transaction is None

    def _wait_ms(self) -> float:
        deadline_ms = self._schedule.deadline_ms
        if deadline_ms is None or not self._has_more(self._publisher.image):
            return CLEANUP_INTERVAL_MS
        return min(max(deadline_ms - self._clock.now_ms(), 0), CLEANUP_INTERVAL_MS)

    def _restart_schedule(self) -> None:
        self._schedule.restart(self._clock.now_ms())
        self._seen_bytes = self._log.size_bytes

    # Writing

    async def _write(self, image: MetadataImage) -> None:
        """Raises StorageError."""
        self._restart_schedule()
        snapshot = SnapshotId(image.offset + 1, image.epoch)
        if snapshot in self._snapshots.known:
            return
        batches = self._batches(image, snapshot)
        writer = await trio.to_thread.run_sync(self._snapshots.writer, snapshot)
        try:
            await _write_in_turns(writer, batches)
            await trio.to_thread.run_sync(writer.finish)
        except BaseException:
            writer.abandon()
            raise
        newest = self._snapshots.newest
        if newest is not None and newest > snapshot:  # one of the leader's has replaced the log meanwhile
            self._snapshots.path(snapshot).unlink(missing_ok=True)
            return
        self._snapshots.add(snapshot)
        self._refused.clear()
        logger.debug("wrote the snapshot %s", snapshot.file_name)
        self._tell_quorum()

    def _batches(self, image: MetadataImage, snapshot: SnapshotId) -> Iterator[bytes]:
        from kafkapy_controller.image_records import image_records
        from kafkapy_controller.metadata_batches import snapshot_batches

        membership = self._membership_at(snapshot.end_offset)
        return snapshot_batches(
            image_records(image),
            membership if membership.kraft_version else None,
            image.metadata_version,
            now_ms=self._clock.now_ms(),
            last_contained_ms=self._time_of(image.offset),
            epoch=snapshot.epoch,
        )

    def _time_of(self, offset: int) -> int:
        """The timestamp of the batch with this offset. Raises StorageError."""
        piece = self._log.read(offset, 1)
        try:
            header = read_batch_header(os.pread(piece.fd, BATCH_HEADER_BYTES, piece.position))
        except (OSError, MalformedMessage) as error:
            raise StorageError(self._log.directory, error) from error
        finally:
            piece.release()
        return header.max_timestamp

    def _tell_quorum(self) -> None:
        known = self._snapshots.known
        self._stored(SnapshotStored(known[-1], known[0], self._log.log_start_offset))

    # Deleting

    async def _clean(self) -> None:
        """Delete the snapshots that have expired, and the log below the oldest that stays. Raises StorageError."""
        from kafkapy.metadata.snapshots import remove

        paths = []
        oldest = await self._oldest_to_keep()
        if oldest is not None:
            size_bytes = self._log.size_bytes
            self._log.delete_records_before(oldest.end_offset, now_ms=self._clock.now_ms())
            self._seen_bytes -= size_bytes - self._log.size_bytes
            paths = self._snapshots.forget_before(oldest)
            self._tell_quorum()
        paths += self._log.take_deleted_files(self._clock.now_ms())
        if paths:
            try:
                await trio.to_thread.run_sync(remove, paths)
            except OSError as error:
                raise StorageError(self._log.directory, error) from error

    async def _oldest_to_keep(self) -> SnapshotId | None:
        """The snapshot to which the log start moves; None if it stays. Raises StorageError."""
        from kafkapy_controller.snapshot_policy import SnapshotRetention, StoredSegment, expired_count

        known = list(self._snapshots.known)
        if len(known) < 2:
            return None
        stored = await trio.to_thread.run_sync(self._look_at, known)
        node = self._settings.node
        count = expired_count(
            stored,
            [StoredSegment(segment.next_offset, segment.size_bytes) for segment in self._log.segments()],
            SnapshotRetention(node.metadata_max_retention_bytes, node.metadata_max_retention_ms),
            self._clock.now_ms(),
        )
        is_unchanged = known == self._snapshots.known
        return known[count] if count and is_unchanged else None

    def _look_at(self, snapshots: list[SnapshotId]) -> list[StoredSnapshot]:
        """Size and time of each. Runs in a worker thread. Raises StorageError."""
        looked_at = self._looked_at
        self._looked_at = {
            snapshot: looked_at.get(snapshot) or self._snapshots.look_at(snapshot) for snapshot in snapshots
        }
        return list(self._looked_at.values())

    # Errors

    def _note(self, error: StorageError) -> None:
        """Log it, and end the node if it was the metadata log that has failed."""
        if self._log.has_failed and self._disk is not None:
            self._disk.note_disk_error(self._log, error)
        elif error.subject not in self._refused:
            self._refused.add(error.subject)
            reason = (error.cause.strerror if isinstance(error.cause, OSError) else None) or error.cause
            logger.warning(
                "%s cannot be written, read or deleted (%s): no metadata is lost, as the metadata log stays as it is, "
                "and it is tried again later; %s",
                error.subject,
                reason,
                error.what_to_do,
            )


async def _write_in_turns(writer: SnapshotWriter, batches: Iterator[bytes]) -> None:
    """Raises StorageError."""
    from kafkapy.turns import Turn

    turn, waiting = Turn(), bytearray()
    for batch in batches:
        waiting += batch
        if len(waiting) >= WRITE_BYTES:
            await trio.to_thread.run_sync(writer.write, bytes(waiting))
            waiting.clear()
        await turn.share()
    await trio.to_thread.run_sync(writer.write, bytes(waiting))
