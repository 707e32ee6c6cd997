"""A data directory (one of log.dirs): its lock and identity, its partitions, and its checkpoint files.

```
.lock                              held while the store is open, in the way Apache Kafka holds it too
meta.properties                    cluster.id, node.id, directory.id
.kafka_cleanshutdown               written last of all on a clean stop, removed as soon as it was read
recovery-point-offset-checkpoint   all records below it are on the disk
log-start-offset-checkpoint        log start offsets that are above the log's first segment
replication-offset-checkpoint      high watermarks
TOPIC-PARTITION/                   a partition log
TOPIC-PARTITION.<32 hex>-future/   a replica that is being copied here from another directory of the node
TOPIC-PARTITION.<32 hex>-delete/   a deleted partition whose files are still to be removed
TOPIC-PARTITION.<32 hex>-stray/    a partition without a topic, or damaged records, for the user to examine
```
After a clean stop a log is opened when it is first used, so that a store with thousands of logs opens fast. After any
other stop every log is recovered, when it is first used or when `recover` reaches it. One thread owns the
store; methods that may run in another thread say so.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from kafkapy_log.checkpoint_files import (
    CLEAN_SHUTDOWN,
    LOG_START_OFFSET_CHECKPOINT,
    PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT,
    REPLICATION_CHECKPOINT,
    CorruptFileError,
    TopicPartition,
    clean_shutdown_marker,
    offset_checkpoint,
    parse_clean_shutdown_marker,
    parse_offset_checkpoint,
    parse_partition_metadata,
    partition_metadata,
)
from kafkapy_log.damage import STRAY_SUFFIX, Tell, renamed_directory
from kafkapy_log.disk_errors import StorageError, what_to_do
from kafkapy_log.durable_files import fsync_path, read_file, replace_file, write_file
from kafkapy_log.file_names import FUTURE_DIRECTORY, FUTURE_SUFFIX
from kafkapy_log.file_pool import FilePool
from kafkapy_log.identity import Identity, StoreError, UnusableDirectory, lock_directory, take_identity, why_lost
from kafkapy_log.log_closing import close_logs
from kafkapy_log.partition_log import PartitionLog
from kafkapy_log.settings import DEFAULT_SETTINGS, LogSettings
from kafkapy_wire.uuid import Uuid, uuid_text

_DELETE_SUFFIX: Final = "-delete"
_PARTITION_DIRECTORY = re.compile(r"([a-zA-Z0-9._-]{1,249})-(\d+)")
_DELETED_DIRECTORY = re.compile(r".*\.[0-9a-f]{32}-delete")


class UnreadableFile(NamedTuple):
    """A small file that is damaged, and the consequence."""

    path: Path
    reason: str
    consequence: str


class LogStore:
    """The partitions of one data directory.

    `had_clean_shutdown` and `previous_broker_epoch` (-1 when unknown) are what the last user left behind (KIP-966).
    """

    def __init__(
        self,
        directory: Path,
        *,
        lock_fd: int,
        identity: Identity,
        previous_broker_epoch: int | None,
        settings_for: Callable[[TopicPartition], LogSettings],
        pool: FilePool,
        tell: Tell | None,
        fsync: bool,
    ) -> None:
        self.directory = directory
        self.cluster_id = identity.cluster_id
        self.node_id = identity.node_id
        self.directory_id = uuid_text(identity.directory_id)
        self.unreadable_files: list[UnreadableFile] = []
        """Checkpoints that the start could not use."""
        self.had_clean_shutdown = previous_broker_epoch is not None
        self.previous_broker_epoch = -1 if previous_broker_epoch is None else previous_broker_epoch
        self._lock_fd = lock_fd
        self._settings_for = settings_for
        self._pool = pool
        self._tell = tell
        self._fsync = fsync
        self._logs: dict[TopicPartition, PartitionLog] = {}
        self._known: dict[TopicPartition, None] = {}
        self._futures: dict[TopicPartition, str] = {}  # those of `_known` that are copied here, and their directories
        self._topic_ids: dict[TopicPartition, Uuid | None] = {}
        self._recovery_points: dict[TopicPartition, int] = {}
        self._log_start_offsets: dict[TopicPartition, int] = {}
        self._high_watermarks: dict[TopicPartition, int] = {}
        self._deleted: list[Path] = []
        self._unrecovered: dict[TopicPartition, None] = {}
        self._checkpoints_written: dict[str, bytes] = {}
        self._writes_checkpoints = Lock()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        node_id: int,
        now_ms: int,
        cluster_id: str | None = None,
        settings_for: Callable[[TopicPartition], LogSettings] | None = None,
        pool: FilePool | None = None,
        tell: Tell | None = None,
        fsync: bool = True,
        recover: bool = True,
    ) -> "LogStore":
        """Lock the directory, create it and its identity where there is none, and recover it after an unclean stop.

        Without `recover`, the caller must call `LogStore.recover`.

        `cluster_id` None: the directory's, or a new one. `settings_for` is called when a partition is opened;
        `tell` is called with damage that was cut out of its log, and later with missing records.
        Without `fsync` nothing waits for the disk: for directories that are thrown away.
        Blocks while an unclean directory is recovered. Raises StoreError; UnusableDirectory: the disk has an error.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock_fd = lock_directory(directory)
            try:
                identity = take_identity(directory, cluster_id, node_id, fsync=fsync)
                store = cls(
                    directory,
                    lock_fd=lock_fd,
                    identity=identity,
                    previous_broker_epoch=_take_clean_shutdown_marker(directory, fsync=fsync),
                    settings_for=settings_for or (lambda _: DEFAULT_SETTINGS),
                    pool=FilePool() if pool is None else pool,
                    tell=tell,
                    fsync=fsync,
                )
                store._load()
                if recover:
                    store.recover(now_ms)
            except BaseException:
                os.close(lock_fd)
                raise
        except FileExistsError as error:
            raise UnusableDirectory(
                f"cannot use the data directory {directory} (is a file, not a directory): name another directory"
            ) from error
        except OSError as error:
            raise UnusableDirectory(
                f"cannot use the data directory {directory} ({error.strerror or error}): {what_to_do(error)}"
            ) from error
        return store

    def why_lost(self) -> str | None:
        """Why the directory is no longer the one that this store has locked, in words; None if it still is."""
        return why_lost(self.directory, self._lock_fd)

    # -- partitions

    def __contains__(self, topic_partition: object) -> bool:
        return topic_partition in self._known

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[TopicPartition]:
        return iter(list(self._known))

    def get(self, topic: str, partition: int, *, now_ms: int) -> PartitionLog | None:
        """The log, which is opened if it was not; None if this store has no such partition.

        Raises StorageError.
        """
        topic_partition = TopicPartition(topic, partition)
        log = self._logs.get(topic_partition)
        if log is None and topic_partition in self._known:
            log = self._open_log(topic_partition, now_ms)
        return log

    def is_future(self, topic_partition: TopicPartition) -> bool:
        """Whether the replica is being copied here, and is another directory's until `promote`."""
        return topic_partition in self._futures

    def futures(self) -> list[TopicPartition]:
        """The replicas that are being copied here."""
        return list(self._futures)

    def opened(self) -> list[tuple[TopicPartition, PartitionLog]]:
        """The logs that were opened since the start: only these can need a flush or an expiration."""
        return list(self._logs.items())

    def topic_id(self, topic: str, partition: int) -> Uuid | None:
        """The topic id in partition.metadata; None if the file is missing or damaged.

        Raises StorageError.
        """
        topic_partition = TopicPartition(topic, partition)
        if topic_partition not in self._topic_ids and topic_partition in self._known:
            try:
                data = read_file(self._path(topic_partition) / PARTITION_METADATA)
                self._topic_ids[topic_partition] = parse_partition_metadata(data)
            except (FileNotFoundError, CorruptFileError):
                self._topic_ids[topic_partition] = None
            except OSError as error:
                raise StorageError(topic_partition, error) from error
        return self._topic_ids.get(topic_partition)

    def create(
        self,
        topic: str,
        partition: int,
        topic_id: Uuid,
        *,
        now_ms: int,
        settings: LogSettings | None = None,
        future: bool = False,
    ) -> PartitionLog:
        """Create a log, or return the existing one if its topic id is the same. `future`: one that is copied here.

        Creates the directory and partition.metadata; the first record creates a segment file. Kafka, too, starts an
        empty log if it finds no segment. Raises StorageError; StoreError: another topic's
        partition has the name.
        """
        topic_partition = TopicPartition(topic, partition)
        if topic_partition in self._known:
            existing = self.topic_id(topic, partition)
            if existing is not None and existing != topic_id:
                raise StoreError(
                    f"{self._path(topic_partition)} belongs to topic id {uuid_text(existing)}, not to "
                    f"{uuid_text(topic_id)}: delete the partition first"
                )
            log = self.get(topic, partition, now_ms=now_ms)
            assert log is not None
            if existing is None:  # missing or damaged: Apache Kafka does not start without the file
                self._write_topic_id(topic_partition, topic_id)
            return log
        path = self._path(topic_partition)
        if future:
            path = renamed_directory(path, topic, str(partition), FUTURE_SUFFIX)
        try:
            _make_directory(path, topic_id)
        except OSError as error:
            raise StorageError(topic_partition, error) from error
        self._known[topic_partition] = None
        if future:
            self._futures[topic_partition] = path.name
        self._topic_ids[topic_partition] = topic_id
        return self._open_log(topic_partition, now_ms, settings=settings)

    def _write_topic_id(self, topic_partition: TopicPartition, topic_id: Uuid) -> None:
        try:
            replace_file(self._path(topic_partition) / PARTITION_METADATA, partition_metadata(topic_id), fsync=False)
        except OSError as error:
            raise StorageError(topic_partition, error) from error
        self._topic_ids[topic_partition] = topic_id

    def promote(self, topic: str, partition: int) -> None:
        """A replica that was copied here is this directory's from now on. Raises StorageError: then nothing changed."""
        topic_partition = TopicPartition(topic, partition)
        future = self._path(topic_partition)
        path = self.directory / str(topic_partition)
        try:
            future.rename(path)
            if self._fsync:
                fsync_path(self.directory)
        except OSError as error:
            raise StorageError(topic_partition, error) from error
        del self._futures[topic_partition]
        log = self._logs.get(topic_partition)
        if log is not None:
            log.renamed(path)

    def delete(self, topic: str, partition: int) -> None:
        """Remove the partition; its name is free at once. `take_deleted` later returns the directory to delete.

        Slices on their way to clients stay readable. Raises StorageError.
        """
        topic_partition = TopicPartition(topic, partition)
        if topic_partition in self._known:
            self._deleted.append(self._rename_away(topic_partition, _DELETE_SUFFIX))

    def set_aside(self, topic: str, partition: int) -> Path:
        """Remove the partition but keep its files as a stray. Returns their directory. Its name is free at once.

        Raises StorageError.
        """
        return self._rename_away(TopicPartition(topic, partition), STRAY_SUFFIX)

    def _rename_away(self, topic_partition: TopicPartition, reason: str) -> Path:
        path = self._path(topic_partition)
        renamed = renamed_directory(path, topic_partition.topic, str(topic_partition.partition), reason)
        try:
            path.rename(renamed)
        except OSError as error:
            raise StorageError(topic_partition, error) from error
        log = self._logs.pop(topic_partition, None)
        if log is not None:
            log.moved(renamed)
        del self._known[topic_partition]
        self._futures.pop(topic_partition, None)
        self._unrecovered.pop(topic_partition, None)
        self._topic_ids.pop(topic_partition, None)
        self.forget_offsets(topic_partition)
        return renamed

    def take_deleted(self) -> list[Path]:
        """Directories for `remove_directories`, each returned once. Kafka waits file.delete.delay.ms."""
        deleted, self._deleted = self._deleted, []
        return deleted

    # -- checkpoints

    def high_watermark(self, topic: str, partition: int) -> int:
        """The high watermark in the last checkpoint; 0 if it has no entry."""
        return self._high_watermarks.get(TopicPartition(topic, partition), 0)

    def write_checkpoints(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Write recovery points, log start offsets and `high_watermarks` to the checkpoint files. Blocks.

        Raises OSError.
        """
        self.replace_checkpoints(self.checkpoints(high_watermarks))

    def replace_checkpoints(self, files: list[tuple[str, bytes]]) -> None:
        """Write the files of `checkpoints` whose content has changed. Blocks; any thread. Raises OSError."""
        with self._writes_checkpoints:
            for name, content in files:
                if self._checkpoints_written.pop(name, None) != content:
                    replace_file(self.directory / name, content, fsync=self._fsync)
                self._checkpoints_written[name] = content

    def checkpoints(self, high_watermarks: Mapping[TopicPartition, int]) -> list[tuple[str, bytes]]:
        """(file name, content) of the three files, to be written by `replace_checkpoints` in a worker thread."""
        for topic_partition, log in self._logs.items():
            self._recovery_points[topic_partition] = log.flushing.recovery_point_to_note
            self._log_start_offsets[topic_partition] = log.log_start_offset
        self._high_watermarks.update(high_watermarks)
        # As Kafka does: only log start offsets that differ from the first segment's name.
        starts = {
            topic_partition: start
            for topic_partition, start in self._log_start_offsets.items()
            if topic_partition not in self._logs or start > self._logs[topic_partition].segments_base_offset
        }
        return [
            (RECOVERY_POINT_CHECKPOINT, offset_checkpoint(self._recovery_points)),
            (LOG_START_OFFSET_CHECKPOINT, offset_checkpoint(starts)),
            (REPLICATION_CHECKPOINT, offset_checkpoint(self._high_watermarks)),
        ]

    # -- the end

    def close(
        self, high_watermarks: Mapping[TopicPartition, int] | None = None, *, broker_epoch: int = -1, clean: bool = True
    ) -> None:
        """Close every log, then write the checkpoints, then the clean shutdown marker; if not `clean`, only close.

        A store that was not recovered as a whole is closed without the marker. Blocks. Raises OSError and StorageError
        after every log is closed that can be, also for a log that has failed before: then the next start recovers.
        """
        try:
            failures = close_logs(list(self._logs.items()), self._lock_fd, clean=clean, fsync=self._fsync)
            if clean:
                self.write_checkpoints(high_watermarks or {})
            if clean and not failures and not self._unrecovered:
                write_file(self.directory / CLEAN_SHUTDOWN, clean_shutdown_marker(broker_epoch), fsync=self._fsync)
                if self._fsync:
                    fsync_path(self.directory)
        finally:
            self._logs.clear()
            os.close(self._lock_fd)
        if failures:
            raise failures[0]

    # -- opening

    @property
    def unrecovered_count(self) -> int:
        """How many partitions are not recovered yet."""
        return len(self._unrecovered)

    def recover(self, now_ms: int, is_enough: Callable[[], bool] = bool) -> None:
        """Recover logs after an unclean stop, until none remains or `is_enough` returns True after one of them.

        Blocks. Raises StoreError.
        """
        while self._unrecovered:
            topic_partition = next(iter(self._unrecovered))
            try:
                self._open_log(topic_partition, now_ms)
            except StorageError as error:
                raise StoreError(
                    f"cannot recover {self._path(topic_partition)} ({error.message}): {error.what_to_do}"
                ) from error
            if is_enough():
                return

    def _load(self) -> None:
        read = partial(_read_checkpoint, self.directory, self.unreadable_files)
        self._recovery_points = read(
            RECOVERY_POINT_CHECKPOINT, "after an unclean stop every log is recovered from its beginning"
        )
        self._log_start_offsets = read(
            LOG_START_OFFSET_CHECKPOINT, "records that DeleteRecords has deleted may be readable again"
        )
        self._high_watermarks = read(REPLICATION_CHECKPOINT, "high watermarks are found anew")
        names: list[str] = []
        with os.scandir(self.directory) as entries:
            names.extend(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        for name in sorted(names):
            if _DELETED_DIRECTORY.fullmatch(name):
                self._deleted.append(self.directory / name)
            elif match := _PARTITION_DIRECTORY.fullmatch(name):
                self._known[TopicPartition(match[1], int(match[2]))] = None
            elif match := FUTURE_DIRECTORY.fullmatch(name):
                self._load_future(TopicPartition(match[1], int(match[2])), name)
        if not self.had_clean_shutdown:
            self._unrecovered = dict(self._known)

    def _load_future(self, topic_partition: TopicPartition, name: str) -> None:
        if topic_partition in self._known:  # names come in order: the replica itself, or another copy of it
            self._deleted.append(self.directory / name)
        else:
            self._known[topic_partition], self._futures[topic_partition] = None, name

    def lost(self) -> list[TopicPartition]:
        """Partitions that had records at the last checkpoint, and have no directory any more."""
        had_records = {each: offset for each, offset in self._high_watermarks.items() if offset}
        had_records |= {each: offset for each, offset in self._recovery_points.items() if offset}
        return [each for each in had_records if each not in self._known]

    def forget_offsets(self, topic_partition: TopicPartition) -> None:
        """The partition is not this broker's any more: the next checkpoints are without it."""
        for offsets in (self._recovery_points, self._log_start_offsets, self._high_watermarks):
            offsets.pop(topic_partition, None)

    def _open_log(
        self, topic_partition: TopicPartition, now_ms: int, *, settings: LogSettings | None = None
    ) -> PartitionLog:
        log = PartitionLog.open(
            self._path(topic_partition),
            self._settings_for(topic_partition) if settings is None else settings,
            now_ms=now_ms,
            recovery_point=self._recovery_points.get(topic_partition, 0),
            log_start_offset=self._log_start_offsets.get(topic_partition, 0),
            clean=topic_partition not in self._unrecovered,
            pool=self._pool,
            tell=self._tell,
        )
        self._unrecovered.pop(topic_partition, None)
        self._logs[topic_partition] = log
        return log

    def _path(self, topic_partition: TopicPartition) -> Path:
        future = self._futures.get(topic_partition) if self._futures else None
        return self.directory / (f"{topic_partition.topic}-{topic_partition.partition}" if future is None else future)


def remove_directories(directories: list[Path]) -> None:
    """Delete the directories of `LogStore.take_deleted`. Blocks; any thread. The next start deletes what is left."""
    import shutil  # brings half a dozen archive modules with it, for a moment that many runs never see

    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _make_directory(path: Path, topic_id: Uuid) -> None:
    """Raises OSError: then nothing of it is there for the next start to find."""
    try:
        path.mkdir(exist_ok=True)
        # Not synced: when the power fails and the directory is lost, metadata has the partition made again.
        write_file(path / PARTITION_METADATA, partition_metadata(topic_id), fsync=False)
    except OSError:
        with suppress(OSError):
            (path / PARTITION_METADATA).unlink(missing_ok=True)
            path.rmdir()
        raise


def _read_checkpoint(
    directory: Path, unreadable_files: list[UnreadableFile], name: str, without_it: str
) -> dict[TopicPartition, int]:
    """The entries of a checkpoint; none if it is missing or damaged: then recovery reads more."""
    path = directory / name
    try:
        return parse_offset_checkpoint(read_file(path))
    except FileNotFoundError:
        return {}
    except CorruptFileError as error:
        unreadable_files.append(UnreadableFile(path, str(error), without_it))
        return {}


def _take_clean_shutdown_marker(directory: Path, *, fsync: bool) -> int | None:
    """Read the broker epoch in the marker and remove the marker, so that a crash from now on is an unclean stop.

    The removal is synced: if a power failure brought the marker back, torn logs would be opened without recovery.
    """
    path = directory / CLEAN_SHUTDOWN
    try:
        data = read_file(path)
    except FileNotFoundError:
        return None
    path.unlink()
    if fsync:
        fsync_path(directory)
    return parse_clean_shutdown_marker(data)
