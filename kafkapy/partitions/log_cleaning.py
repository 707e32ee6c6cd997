"""Retention and compaction of a node's logs: when, how fast, and what of it can be seen.

Retention checks every log each log.retention.check.interval.ms, first after log.initial.task.delay.ms, and a topic's
logs at once when the topic's settings change. Compaction has log.cleaner.threads workers. Each takes the log with the
highest dirty ratio among those that are due, and cleans it in a thread; if none is due, it sleeps for
log.cleaner.backoff.ms. The event loop chooses the log and swaps in the cleaned segments; a thread reads, filters and
writes, while clients read and append. Logs that have not been opened since the start are judged by their files first:
those that may be due are opened.

Differs: a change of log.cleaner.dedupe.buffer.size, .io.max.bytes.per.second or .io.buffer.load.factor takes effect
with the next cleaning; in Apache Kafka at once, as it restarts its cleaner.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.partitions.cleaner_checkpoints import CleanerCheckpoints
from kafkapy.turns import Turn, short_turns
from kafkapy_controller.image import ConfigResourceType
from kafkapy_log.checkpoint_files import TopicPartition
from kafkapy_log.disk_errors import StorageError
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.partitions.cleaner_statistics import CleanerStatistics
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_log import LogDirectories, PartitionLog
    from kafkapy_log.cleanable import Cleanable
    from kafkapy_log.cleaner import CleanedSegment, CleaningPlan
    from kafkapy_log.settings import LogSettings

logger = logging.getLogger("kafkapy.log_cleaning")

# A worker computes in Python, and the interpreter would leave it 5 ms before the event loop gets a turn, at each system
# call of the loop anew. A produce beside a cleaning has its median at 1.3 ms then, at 0.3 ms with this, at 0.2 without
# a cleaning; the cleaning itself is as fast.
_UNPAID_BYTES_MAX: Final = 1 << 16
_THROTTLE_SLEEP_SECONDS_MAX: Final = 0.1
_INTERVAL_MS_MIN: Final = 10
_LOOKED_AT_TOGETHER: Final = 200  # closed logs that a thread checks in a row: 20 ms, for which a stop has to wait


class LogCleaning:
    """Retention and compaction of one node, while `run` runs."""

    def __init__(
        self,
        settings: CurrentSettings,
        clock: Clock,
        partitions: PartitionManager,
        directories: LogDirectories,
        disk: DiskWatch,
        bugs: Bugs,
        *,
        fsync: bool,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._partitions = partitions
        self._directories = directories
        self._disk = disk
        self._bugs = bugs
        self._fsync = fsync
        self._checkpoints = CleanerCheckpoints(directories, disk)
        partitions.when_truncated(self._checkpoints.note_truncation)
        self._choosing = trio.Lock()  # held while a worker chooses a log, so that no other worker chooses the same
        self._under_way: dict[Partition, CleaningPlan] = {}
        self._uncleanable: dict[Partition, str] = {}
        self._changed_topics: set[str] = set()
        self._changed = trio.Event()
        self._wake_workers = trio.Event()
        self._throttle = IoThrottle()
        self._turns = short_turns
        self._cleanings = 0
        self._bytes_read = 0
        self._bytes_written = 0
        self._dirty_ratio_max = 0.0

    def statistics(self) -> CleanerStatistics:
        """A snapshot."""
        from kafkapy.partitions.cleaner_statistics import CleanerStatistics, CleaningStatistics

        under_way = [
            CleaningStatistics(
                partition.topic,
                partition.index,
                plan.progress.bytes_mapped + plan.progress.bytes_read,
                plan.progress.bytes_to_map + (plan.progress.bytes_to_clean or sum(s.size for s in plan.sources)),
                plan.progress.bytes_written,
                plan.progress.keys,
            )
            for partition, plan in self._under_way.items()
        ]
        return CleanerStatistics(
            self._cleanings,
            self._bytes_read,
            self._bytes_written,
            self._dirty_ratio_max,
            tuple(str(partition) for partition in self._uncleanable),
            tuple(under_way),
        )

    async def run(self) -> None:
        """Run retention and compaction until cancelled. A cleaning that is interrupted leaves its log unchanged."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retain_regularly)
            nursery.start_soon(self._retain_what_changed)
            nursery.start_soon(self._checkpoints.run)
            if self._settings.now.log.log_cleaner_enable:
                nursery.start_soon(self._compact)

    def follow_metadata(self, _image: MetadataImage, delta: MetadataDelta) -> None:
        """Apply changed settings at once; stop the cleaning of replicas that were deleted or moved away."""
        for topic in delta.deleted_topics:
            self._checkpoints.forget_topic(topic.name)
        for name, index in delta.changed_partitions:
            known = TopicPartition(name, index)
            if known not in self._directories:  # moved away
                self._checkpoints.forget(known)
        for partition in [partition for partition in self._uncleanable if not self._is_there(partition)]:
            del self._uncleanable[partition]
        for resource_type, name in delta.changed_configs:
            if resource_type == ConfigResourceType.TOPIC:
                self._changed_topics.add(name)
            elif resource_type == ConfigResourceType.BROKER:
                self._changed_topics.update(topic for topic, _ in self._partitions.names())
        for partition, plan in self._under_way.items():
            if not self._is_there(partition) or not partition.log.settings.compact:
                plan.abort()
        if self._changed_topics:
            self._changed.set()

    def _is_there(self, partition: Partition) -> bool:
        return self._partitions.is_current(partition)

    # -- retention

    async def _retain_regularly(self) -> None:
        never = trio.Event()
        await self._clock.wait(never, self._settings.now.log.log_initial_task_delay_ms)
        while True:
            for topic, index in list(self._partitions.names()):
                self._retain(topic, index)
                await trio.lowlevel.checkpoint()
            interval_ms = self._settings.now.log.log_retention_check_interval_ms
            await self._clock.wait(never, max(interval_ms, _INTERVAL_MS_MIN))

    async def _retain_what_changed(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            topics, self._changed_topics = self._changed_topics, set()
            for topic in sorted(topics):
                for index in range(self._partitions.count(topic)):
                    self._retain(topic, index)
                    await trio.lowlevel.checkpoint()
            wake, self._wake_workers = self._wake_workers, trio.Event()
            wake.set()

    def _retain(self, topic: str, index: int) -> None:
        """Apply retention to one partition; if it is being cleaned, after the cleaning."""
        try:
            partition = self._partitions.stored(topic, index)
        except KafkaError:  # deleted since it was listed, or its log cannot be opened, which its clients see
            return
        if partition is not None and partition not in self._under_way:
            self._delete_old_segments(partition)

    def _delete_old_segments(self, partition: Partition) -> None:
        try:
            count = partition.log.retention.delete_old_segments(
                high_watermark=partition.high_watermark, now_ms=self._clock.now_ms()
            )
        except StorageError as error:
            self._disk.note_disk_error(partition.log, error)
            logger.info("retention of %s failed: %s", partition, error.message)
            return
        except Exception as error:
            # A bug in retention must not end the node: clients go on, and the log has the traceback.
            self._bugs.report(f"in the retention of {partition}", error)
            return
        if count:
            logger.info(
                "retention of %s: segments deleted: %d, log start offset: %d",
                partition,
                count,
                partition.log.log_start_offset,
            )
            partition.log_start_moved()

    # -- compaction

    async def _compact(self) -> None:
        await self._open_what_may_be_due()
        await self._keep_workers()

    async def _open_what_may_be_due(self) -> None:
        """Open compacted logs that have had no request since the start and may be due. The others get no appends:
        they cannot become due before retention opens them.
        """
        topics: dict[str, LogSettings] = {}
        closed: list[tuple[TopicPartition, Path, LogSettings, int | None]] = []
        for known in self._partitions.unopened():
            settings = topics.get(known.topic)
            if settings is None:
                settings = topics[known.topic] = self._partitions.settings_for(known)
            store = self._directories.store_of(*known)
            if settings.compact and store is not None:
                closed.append((known, store.directory / str(known), settings, self._checkpoints.of(known)))

        def look_at(some: list[tuple[TopicPartition, Path, LogSettings, int | None]]) -> list[TopicPartition]:
            from kafkapy_log.cleanable import may_be_due

            found = []
            for known, directory, settings, checkpoint in some:
                with suppress(OSError):  # deleted, or its log cannot be opened, which its clients see
                    if may_be_due(directory, settings, checkpoint):
                        found.append(known)
            return found

        turn = Turn()
        for start in range(0, len(closed), _LOOKED_AT_TOGETHER):
            some = closed[start : start + _LOOKED_AT_TOGETHER]
            for known in await trio.to_thread.run_sync(look_at, some):
                with suppress(KafkaError):  # deleted, or its log cannot be opened, which its clients see
                    self._partitions.stored(*known)
                await turn.share()

    async def _keep_workers(self) -> None:
        """Start as many workers as log.cleaner.threads says; a surplus worker ends by itself."""
        running: set[int] = set()
        async with trio.open_nursery() as nursery:
            while True:
                woken = self._wake_workers
                for number in range(self._settings.now.log.log_cleaner_threads):
                    if number not in running:
                        running.add(number)
                        nursery.start_soon(self._work, number, running)
                await woken.wait()

    async def _work(self, number: int, running: set[int]) -> None:
        while number < self._settings.now.log.log_cleaner_threads:
            woken = self._wake_workers
            async with self._choosing:
                chosen = await self._dirtiest()
                plan = None if chosen is None else self._begin(*chosen)
            if chosen is not None and plan is None:
                continue  # it is not cleaned again until the next start
            if chosen is None or plan is None or not await self._clean(chosen[0], plan):
                backoff_ms = self._settings.now.log.log_cleaner_backoff_ms
                await self._clock.wait(woken, max(backoff_ms, _INTERVAL_MS_MIN))
        running.remove(number)

    async def _dirtiest(self) -> tuple[Partition, Cleanable] | None:
        """The log to clean now, if one is due, and its cleanable range. Checks all logs in turns of the event loop."""
        while True:
            best: Partition | None = None
            best_ratio = ratio_max = 0.0
            turn = Turn()
            for partition in self._partitions.opened():
                await turn.share()
                cleanable = self._look_at(partition)
                if cleanable is None:
                    continue
                ratio = cleanable.dirty_ratio
                ratio_max = max(ratio_max, ratio)
                if _is_due(partition, cleanable) and (best is None or ratio > best_ratio):
                    best, best_ratio = partition, ratio
            self._dirty_ratio_max = ratio_max
            if best is None:
                return None
            cleanable = self._look_at(best)  # it may have changed since it was checked
            if cleanable is not None and _is_due(best, cleanable):
                return best, cleanable

    def _look_at(self, partition: Partition) -> Cleanable | None:
        """The range of the log that could be cleaned now; None if none."""
        log = partition.log
        if not log.settings.compact or partition in self._under_way or partition in self._uncleanable:
            return None
        if log.has_failed or not log.has_rolled or not self._is_there(partition):
            return None
        if self._partitions.is_moving(partition):  # as in Apache Kafka: the copy is of what is there now
            return None
        known = TopicPartition(partition.topic, partition.index)
        checkpoint = self._checkpoints.of(known)
        try:
            cleanable = log.compaction.find_cleanable(
                checkpoint, high_watermark=partition.high_watermark, now_ms=self._clock.now_ms()
            )
        except StorageError as error:
            if error.passes:
                self._disk.put_off("compaction", error)
            else:
                self._leave_alone(partition, error.message or error.code.name)
            return None
        if cleanable.checkpoint_is_wrong and checkpoint is not None:
            # The same holds when retention has moved the log start past it, as in each log of `compact,delete`.
            self._checkpoints.forget(known)
            if not log.settings.delete:
                logger.warning(
                    "%s: cleaner checkpoint %d is outside the log: cleaning starts over", partition, checkpoint
                )
        return cleanable

    def _begin(self, partition: Partition, cleanable: Cleanable) -> CleaningPlan | None:
        """Begin to clean the log, and return the plan; None if it cannot be cleaned."""
        try:
            plan = partition.log.compaction.begin(
                cleanable, high_watermark=partition.high_watermark, now_ms=self._clock.now_ms()
            )
        except StorageError as error:
            if error.passes:
                self._disk.put_off("compaction", error)
            else:
                self._leave_alone(partition, error.message or error.code.name)
            return None
        logger.info(
            "cleaning %s: dirty bytes: %d, from offset %d to %d, clean bytes before them: %d",
            partition,
            cleanable.dirty_bytes,
            cleanable.first_dirty_offset,
            cleanable.first_uncleanable_offset,
            cleanable.clean_bytes,
        )
        self._under_way[partition] = plan
        return plan

    async def _clean(self, partition: Partition, plan: CleaningPlan) -> bool:
        """Clean the log once. Returns False if it should be tried again later."""
        from kafkapy_log.cleaner import CleaningAborted, UncleanableLog

        began, log = time.monotonic(), partition.log
        try:
            end_offset = await self._clean_in_thread(partition, plan)
        except CleaningAborted:
            logger.info("cleaning of %s aborted: the log or its settings have changed", partition)
            return True
        except OSError as error:  # usually the disk is full
            self._disk.put_off("compaction", error)
            logger.info("cleaning of %s failed and will be tried again: %s", partition, error)
            return False
        except StorageError as error:
            if partition.log is not log:
                logger.info("cleaning of %s aborted: it has moved to another log directory", partition)
                return True
            if error.passes and not partition.log.has_failed:
                self._disk.put_off("compaction", error)
                return False
            self._disk.note_disk_error(partition.log, error)
            self._leave_alone(partition, str(error))
            return True
        except UncleanableLog as error:
            self._leave_alone(partition, str(error))
            return True
        except Exception as error:
            self._bugs.report(f"in cleaning {partition}", error)
            self._leave_alone(partition, repr(error))
            return True
        finally:
            del self._under_way[partition]
            plan.close()
        progress = plan.progress
        self._cleanings += 1
        self._bytes_read += progress.bytes_mapped + progress.bytes_read
        self._bytes_written += progress.bytes_written
        logger.info(
            "cleaned %s up to offset %d in %.1f s: keys: %d, records left: %d of %d, bytes left: %d of %d",
            partition,
            end_offset,
            time.monotonic() - began,
            progress.keys,
            progress.records_written,
            progress.records_read,
            progress.bytes_written,
            progress.bytes_read,
        )
        if self._is_there(partition):
            self._delete_old_segments(partition)
            self._checkpoints.cleaned(partition, end_offset)
            await self._checkpoints.write()
        return True

    async def _clean_in_thread(self, partition: Partition, plan: CleaningPlan) -> int:
        """Clean in a thread. When this is cancelled, the thread is asked to end and is waited for.

        Raises CleaningAborted, UncleanableLog, OSError, KafkaError.
        """
        from kafkapy_log.cleaner import clean
        from kafkapy_log.offset_map import OffsetMap

        settings, log = self._settings.now.log, partition.log
        memory_bytes = settings.log_cleaner_dedupe_buffer_size // max(1, settings.log_cleaner_threads)
        self._throttle.bytes_per_second = settings.log_cleaner_io_max_bytes_per_second
        work = partial(
            clean,
            plan,
            OffsetMap(memory_bytes, settings.log_cleaner_io_buffer_load_factor),
            swap_in=lambda cleaned: trio.from_thread.run_sync(self._swap_in, log, cleaned),
            pace=Pace(self._throttle, plan.check).spend,
            fsync=self._fsync,
        )
        end_offset = -1
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_abort_when_cancelled, plan)
            try:
                with self._turns:
                    end_offset = await trio.to_thread.run_sync(work)
            except Exception as error:
                failure = error  # an exception raised inside the nursery would be wrapped in a group
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return end_offset

    def _swap_in(self, log: PartitionLog, cleaned: CleanedSegment) -> bool:
        """Raises StorageError: the log was deleted, or has moved to another directory."""
        return log.compaction.swap_in(cleaned, now_ms=self._clock.now_ms())

    def _leave_alone(self, partition: Partition, reason: str) -> None:
        """Do not clean the log again until the next start. Apache Kafka, too, marks such a partition as uncleanable."""
        self._uncleanable[partition] = reason
        logger.error("cannot clean %s, leaving it as it is: %s", partition, reason)


def _is_due(partition: Partition, cleanable: Cleanable) -> bool:
    return cleanable.is_due(partition.log.settings.min_cleanable_dirty_ratio)


async def _abort_when_cancelled(plan: CleaningPlan) -> None:
    try:
        await trio.sleep_forever()
    finally:
        plan.abort()


class IoThrottle:
    """log.cleaner.io.max.bytes.per.second: the reads and writes of all workers together.

    It uses the machine's clock, not the node's, which a test may move: it limits real disk traffic.
    """

    def __init__(self) -> None:
        self.bytes_per_second = float("inf")
        self._paid_until = 0.0

    def seconds_for(self, byte_count: int, now: float) -> float:
        """How long to wait so that the rate allows so many more bytes."""
        # Two threads may read the same `_paid_until` here: one of them then runs a little ahead, once.
        self._paid_until = max(self._paid_until, now) + byte_count / self.bytes_per_second
        return self._paid_until - now


class Pace:
    """Makes one worker wait as the throttle demands."""

    def __init__(self, throttle: IoThrottle, check: Callable[[], None]) -> None:
        self._throttle = throttle
        self._check = check
        self._unpaid_bytes = 0

    def spend(self, byte_count: int) -> None:
        """`byte_count` were read or written. May wait. Raises what `check` raises."""
        self._unpaid_bytes += byte_count
        if self._unpaid_bytes < _UNPAID_BYTES_MAX:
            return
        wait_seconds = self._throttle.seconds_for(self._unpaid_bytes, time.monotonic())
        self._unpaid_bytes = 0
        while wait_seconds > _THROTTLE_SLEEP_SECONDS_MAX:
            time.sleep(_THROTTLE_SLEEP_SECONDS_MAX)
            wait_seconds -= _THROTTLE_SLEEP_SECONDS_MAX
            self._check()
        if wait_seconds > 0:
            time.sleep(wait_seconds)
