"""What a node does beside answering: checkpoints, removing what was deleted, forgetting idle producers, ending
transactions that take too long.

Kafka's settings say how often each chore runs. Disk work runs in a worker thread, on values that
were taken on the event loop; nothing else touches those files meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.partitions.disk_watch import LOSS_CHECK_INTERVAL_MS
from kafkapy.partitions.flushing import CHECK_INTERVAL_MS
from kafkapy.turns import Turn
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_log import StorageError
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from kafkapy.broker import Broker
    from kafkapy.bugs import Bugs
    from kafkapy.settings import Settings
    from kafkapy_log import LogDirectories

SEGMENT_DELETION_INTERVAL_MS_MAX = 1_000  # a topic's file.delete.delay.ms holds to within this
INTERVAL_MS_MIN = 100  # a setting may say 0, and a loop without a pause would leave nothing for the clients


class Housekeeping:
    """The chores of one broker, while `run` runs. Without `fsync` nothing is synced: the directory is thrown away."""

    def __init__(self, broker: Broker, directories: LogDirectories, bugs: Bugs, *, fsync: bool) -> None:
        self._broker = broker
        self._directories = directories
        self._bugs = bugs
        self._fsync = fsync
        self._deleted_is_useless = trio.Event()

    async def run(self) -> None:
        """Do every chore at its interval until cancelled."""
        async with trio.open_nursery() as nursery:
            for chore, interval_ms in (
                (self.write_checkpoints, _checkpoint_interval_ms),
                (self.settle_logs, _settling_interval_ms),
                (self.remove_deleted_segments, _segment_deletion_interval_ms),
                (self.expire_producers, _producer_expiration_interval_ms),
                (self.flush_what_is_due, _flush_interval_ms),
                (self.abort_timed_out_transactions, _transaction_timeout_interval_ms),
                (self.expire_transactional_ids, _transactional_id_expiration_interval_ms),
                (self.prune_share_state, _share_state_pruning_interval_ms),
                (self.make_share_snapshots, _share_snapshot_interval_ms),
                (self.look_for_lost_files, lambda _settings: LOSS_CHECK_INTERVAL_MS),
            ):
                nursery.start_soon(self._every, interval_ms, chore)
            nursery.start_soon(self._keep_removing_deleted)
            nursery.start_soon(self._keep_recovery_points)

    def remove_deleted_soon(self) -> None:
        """Do not wait for log.segment.delete.delay.ms: nobody needs what was deleted until now."""
        self._deleted_is_useless.set()

    async def _every(self, interval_ms: Callable[[Settings], int], chore: Callable[[], Awaitable[None]]) -> None:
        never = trio.Event()
        while True:
            await self._broker.clock.wait(never, max(interval_ms(self._broker.settings.now), INTERVAL_MS_MIN))
            await self._do(chore)

    async def _keep_removing_deleted(self) -> None:
        while True:
            interval_ms = max(_deletion_interval_ms(self._broker.settings.now), INTERVAL_MS_MIN)
            await self._broker.clock.wait(self._deleted_is_useless, interval_ms)
            self._deleted_is_useless = trio.Event()
            await self._do(self.remove_deleted)

    async def _do(self, chore: Callable[[], Awaitable[None]]) -> None:
        try:
            await chore()
        except (OSError, KafkaError) as error:
            self._broker.disk.put_off(chore.__name__, error)
        except Exception as error:
            # A bug in a chore must not end the node: clients go on, and the log has the traceback.
            self._bugs.report(f"in {chore.__name__}", error)

    async def _keep_recovery_points(self) -> None:
        """After an unclean stop, settle the logs that recovery read. Then write recovery points soon after they moved.

        Otherwise a node that is killed every few seconds would read the same bytes at each start. Runs until cancelled.
        """
        if not self._fsync:
            return
        flusher, never = self._broker.flusher, trio.Event()
        if not self._directories.had_clean_shutdown:
            await self._do(self.settle_logs)
        while True:
            await flusher.recovery_points_moved.wait()
            flusher.recovery_points_moved = trio.Event()
            await self._do(self.write_checkpoints)
            await self._broker.clock.wait(never, CHECK_INTERVAL_MS)

    # -- chores

    async def write_checkpoints(self) -> None:
        """Raises OSError."""
        await self._broker.checkpoints.write()

    async def settle_logs(self) -> None:
        """Settle the logs with the most unsettled bytes, so that a recovery would begin at their end.

        The metadata log syncs itself.
        """
        if self._fsync:
            await self._broker.flusher.settle(
                log
                for topic_partition, log in self._directories.opened()
                if topic_partition.topic != CLUSTER_METADATA_TOPIC
            )

    async def flush_what_is_due(self) -> None:
        """By flush.ms, and segments that were rolled: Apache Kafka syncs those in the background at once."""
        if self._fsync:
            partitions = self._broker.partitions.opened()
            for partition in partitions:
                partition.flush_if_due()
            self._broker.flusher.check(partition.log for partition in partitions)

    async def remove_deleted(self) -> None:
        """Delete the directories of deleted partitions, every log.segment.delete.delay.ms."""
        directories = self._directories.take_deleted()
        if directories:
            await trio.to_thread.run_sync(_remove, directories, [])

    async def remove_deleted_segments(self) -> None:
        """Delete the files of segments that retention and compaction have dropped, once their topic's
        file.delete.delay.ms is over.
        """
        now_ms = self._broker.clock.now_ms()
        partitions = self._broker.partitions.opened()
        segments = [path for partition in partitions for path in partition.log.take_deleted_files(now_ms)]
        if segments:
            await trio.to_thread.run_sync(_remove, [], segments)

    async def expire_producers(self) -> None:
        """Forget producers that wrote nothing for producer.id.expiration.ms."""
        now_ms = self._broker.clock.now_ms()
        for partition in self._broker.partitions.opened():
            partition.log.remove_expired_producers(now_ms)

    async def abort_timed_out_transactions(self) -> None:
        """Abort transactions that have been open for longer than their producer's transaction.timeout.ms."""
        await self._broker.transactions.abort_timed_out()

    async def look_for_lost_files(self) -> None:
        """Stop using a log directory that was deleted or replaced itself, or a file in it that is appended to.

        Writes to a deleted file succeed, and the records are lost when it is closed.
        """
        lost = self._directories.why_lost()
        if lost is not None:
            store, reason = lost
            self._broker.disk.lost(reason, store.directory)
            return
        turn = Turn()
        for _, log in self._directories.opened():
            try:
                log.flushing.check_in_place()
            except StorageError as error:
                self._broker.disk.note_disk_error(log, error)
            await turn.share()

    async def expire_transactional_ids(self) -> None:
        """Forget transactional ids that nobody has used for transactional.id.expiration.ms."""
        self._broker.transactions.remove_expired()

    async def prune_share_state(self) -> None:
        """Delete records of `__share_group_state` that later snapshots have made needless."""
        await self._broker.share_coordinator.prune()

    async def make_share_snapshots(self) -> None:
        """Store the state of share partitions again that do not change, so that older records can be deleted."""
        await self._broker.share_coordinator.make_snapshots()


def _checkpoint_interval_ms(settings: Settings) -> int:
    return settings.replication.replica_high_watermark_checkpoint_interval_ms


def _settling_interval_ms(settings: Settings) -> int:
    return settings.log.log_flush_offset_checkpoint_interval_ms


def _deletion_interval_ms(settings: Settings) -> int:
    return settings.topic_defaults.file_delete_delay_ms


def _segment_deletion_interval_ms(settings: Settings) -> int:
    return min(settings.topic_defaults.file_delete_delay_ms, SEGMENT_DELETION_INTERVAL_MS_MAX)


def _flush_interval_ms(settings: Settings) -> int:
    return min(settings.log.log_flush_scheduler_interval_ms, CHECK_INTERVAL_MS)


def _producer_expiration_interval_ms(settings: Settings) -> int:
    return settings.transactions.producer_id_expiration_check_interval_ms


def _transaction_timeout_interval_ms(settings: Settings) -> int:
    return settings.transactions.transaction_abort_timed_out_transaction_cleanup_interval_ms


def _transactional_id_expiration_interval_ms(settings: Settings) -> int:
    return settings.transactions.transaction_remove_expired_transaction_cleanup_interval_ms


def _share_state_pruning_interval_ms(settings: Settings) -> int:
    return settings.share.share_coordinator_state_topic_prune_interval_ms


def _share_snapshot_interval_ms(settings: Settings) -> int:
    return settings.share.share_coordinator_cold_partition_snapshot_interval_ms


def _remove(directories: list[Path], files: list[Path]) -> None:
    from kafkapy_log.log_store import remove_directories

    remove_directories(directories)
    for file in files:
        file.unlink(missing_ok=True)
