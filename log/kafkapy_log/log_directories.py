"""The log directories of a node (log.dirs), one of which, or another one, has the metadata log (metadata.log.dir).

Each is a `LogStore`. This is the only one that knows which of them has a partition, where a new one goes, and which
directories have failed. A directory that fails is closed, and its partitions are offline; the others go on.

With one directory every method is the store's own. One thread owns it, as it owns the stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy_log.checkpoint_files import META_PROPERTIES, TopicPartition
from kafkapy_log.damage import Tell
from kafkapy_log.disk_errors import StorageError
from kafkapy_log.identity import StoreError, UnusableDirectory, read_identity
from kafkapy_log.log_store import LogStore, UnreadableFile
from kafkapy_log.partition_log import PartitionLog
from kafkapy_log.settings import LogSettings
from kafkapy_wire.uuid import Uuid, parse_uuid, random_uuid, uuid_text

METADATA: Final = TopicPartition("__cluster_metadata", 0)


PREFERENCES_MAX: Final = 10_000
"""Of replicas that this node does not have: clients may name any."""


class DirectoryOffline(StorageError):
    """The partition is, or may be, in a log directory that has failed."""


class FailedDirectory(NamedTuple):
    """A directory that cannot be used until the next start. `directory_id` None: its meta.properties was not read."""

    path: Path
    reason: str
    directory_id: Uuid | None


class LogDirectories:
    """The directories of one node, in the order of log.dirs. `stores`: those that can be used."""

    def __init__(self, stores: Sequence[LogStore], metadata: LogStore, failed: Sequence[FailedDirectory] = ()) -> None:
        self.stores = list(stores)
        self.metadata = metadata
        """The store with the metadata log. It may be none of `stores`."""
        self.failed = list(failed)
        self.paths = [store.directory for store in stores] + [each.path for each in failed]
        """Those of log.dirs, whether they can be used or not; `open` puts them in order."""
        self.cordoned: frozenset[Path] = frozenset()
        """They get no new replicas (KIP-1066)."""
        self._had_all = not failed
        self._has_several = len(self.paths) > 1 or self._is_apart
        self._places: dict[TopicPartition, LogStore] = {}  # of the replicas, stored or not, if there are several
        self._preferred: dict[TopicPartition, LogStore] = {}
        self._unused: dict[LogStore, int] = {}  # how many replicas have their place there, and no files yet
        self._duplicates: list[tuple[LogStore, TopicPartition]] = []
        if self._has_several:
            for store in self.stores:
                self._find_places(store)

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        metadata_path: Path,
        *,
        node_id: int,
        now_ms: int,
        cluster_id: str | None = None,
        settings_for: Callable[[TopicPartition], LogSettings] | None = None,
        tell: Tell | None = None,
        fsync: bool = True,
    ) -> LogDirectories:
        """Lock all directories; create them and their identities if none was used before. `recover` is to be called.

        The metadata log is in `metadata_path`, one of `paths` or not. See `LogStore.open`. Raises StoreError: the
        directory of the metadata cannot be used, or no other one; one that is new among others that are not: its disk
        may not be mounted.
        """

        def open_one(path: Path, cluster_id: str | None) -> LogStore:
            return LogStore.open(
                path,
                node_id=node_id,
                now_ms=now_ms,
                cluster_id=cluster_id,
                settings_for=settings_for,
                tell=tell,
                fsync=fsync,
                recover=False,
            )

        others = [path for path in dict.fromkeys(paths) if path != metadata_path]
        if not others:
            store = open_one(metadata_path, cluster_id)
            return cls([store], store)
        if cluster_id is None:
            cluster_id = _cluster_id_of([metadata_path, *others]) or uuid_text(random_uuid())
        is_used = (metadata_path / META_PROPERTIES).exists()
        failed: list[FailedDirectory] = []
        opened: dict[Path, LogStore] = {}
        try:
            # That of the metadata comes last: until it has its identity, a start that was interrupted begins anew.
            for path in (*others, metadata_path):
                if is_used and path != metadata_path:
                    _check_is_used(path, metadata_path)
                try:
                    opened[path] = open_one(path, cluster_id)
                except UnusableDirectory as error:
                    if path == metadata_path:
                        raise
                    failed.append(FailedDirectory(path, str(error), _directory_id(path)))
            _check_ids(opened)
            _check_metadata(opened, metadata_path)
            in_order = [opened[path] for path in dict.fromkeys(paths) if path in opened]
            if not in_order:
                raise StoreError(f"none of log.dirs can be used: {failed[0].reason}")
            directories = cls(in_order, opened[metadata_path], failed)
        except BaseException:
            for store in opened.values():
                store.close(clean=False)
            raise
        directories.paths = list(dict.fromkeys(paths))
        return directories

    @property
    def _is_apart(self) -> bool:
        return self.metadata not in self.stores

    @property
    def _all(self) -> list[LogStore]:
        return [*self.stores, self.metadata] if self._is_apart else self.stores

    # -- who the node is

    @property
    def cluster_id(self) -> str:
        return self.metadata.cluster_id

    @property
    def directory_id(self) -> str:
        """The id of the directory with the metadata log, by which this node votes."""
        return self.metadata.directory_id

    @property
    def directory_ids(self) -> list[Uuid]:
        """Those of the log directories that can be used, in their order."""
        return [parse_uuid(store.directory_id) for store in self.stores]

    @property
    def unreadable_files(self) -> list[UnreadableFile]:
        return [file for store in self._all for file in store.unreadable_files]

    @property
    def had_clean_shutdown(self) -> bool:
        return all(store.had_clean_shutdown for store in self._all)

    @property
    def previous_broker_epoch(self) -> int:
        """Of the last run, if it stopped in order and every directory is here; -1 otherwise (KIP-966)."""
        epochs = {store.previous_broker_epoch for store in self.stores}
        return epochs.pop() if len(epochs) == 1 and self._had_all else -1

    @property
    def has_several(self) -> bool:
        """Whether a replica may be in another directory than the only one."""
        return self._has_several

    @property
    def has_offline(self) -> bool:
        """Whether a directory has failed, now or at the start."""
        return bool(self.failed)

    # -- which directory

    def store_of(self, topic: str, partition: int) -> LogStore | None:
        """The store in which a replica is, or has its place; None if it has none yet."""
        if not self._has_several:
            return self.stores[0]
        return self._places.get(TopicPartition(topic, partition))

    def _with_id(self, directory_id: Uuid | None) -> LogStore | None:
        if directory_id is None:
            return None
        text = uuid_text(directory_id)
        return next((store for store in self.stores if store.directory_id == text), None)

    def at(self, path: str) -> LogStore | None:
        """The directory at this absolute path, if it can be used."""
        return next((store for store in self.stores if str(store.directory.absolute()) == path), None)

    def place(self, topic: str, partition: int, assigned: Uuid | None = None) -> LogStore:
        """Choose where a replica goes, if that is not known yet: into the directory that the metadata says, otherwise
        where the fewest are. Nothing is written before `create`. `assigned` None: the metadata leaves it to this node.

        Raises DirectoryOffline: it is assigned to a directory that is not here, and one of these has failed.
        """
        if not self._has_several:
            return self.stores[0]
        topic_partition = TopicPartition(topic, partition)
        store = self._places.get(topic_partition)
        if store is not None:
            return store
        store = self._preferred.pop(topic_partition, None)
        if store is None:  # and not `or`: an empty store is false
            store = self._with_id(assigned)
        if store is None or store not in self.stores:
            if self.has_offline and assigned is not None:
                raise DirectoryOffline(topic_partition, OSError("its log directory is offline"))
            store = self._emptiest()
        self._places[topic_partition] = store
        self._unused[store] = self._unused.get(store, 0) + 1
        return store

    def prefer(self, topic: str, partition: int, store: LogStore) -> None:
        """A replica that this node does not have yet goes there when it comes."""
        if self._has_several:
            self._preferred.pop(TopicPartition(topic, partition), None)
            self._preferred[TopicPartition(topic, partition)] = store
            if len(self._preferred) > PREFERENCES_MAX:
                del self._preferred[next(iter(self._preferred))]

    def _emptiest(self) -> LogStore:
        """As in Apache Kafka the first of those with the fewest logs, future ones included."""
        usable = [store for store in self.stores if store.directory not in self.cordoned] or self.stores[:1]
        return min(usable, key=lambda store: len(store) - (METADATA in store) + self._unused.get(store, 0))

    def _find_places(self, store: LogStore) -> None:
        for topic_partition in store:
            if topic_partition == METADATA or store.is_future(topic_partition):
                continue
            if topic_partition in self._places:
                self._duplicates.append((store, topic_partition))
            else:
                self._places[topic_partition] = store

    def _take_away(self, topic_partition: TopicPartition) -> LogStore | None:
        """Forget where the replica is."""
        store = self._places.pop(topic_partition, None)
        if store is not None and topic_partition not in store:
            self._unused[store] -= 1
        return store

    # -- partitions, as in `LogStore`

    def __contains__(self, topic_partition: object) -> bool:
        """Whether something is stored of the replica, in a directory that can be used."""
        if not self._has_several:
            return topic_partition in self.stores[0]
        store = self._places.get(topic_partition)  # type: ignore[call-overload]  # whatever it is
        return store is not None and topic_partition in store

    def __iter__(self) -> Iterator[TopicPartition]:
        """The replicas of which something is stored."""
        if not self._has_several:
            return iter(self.stores[0])
        return iter([each for each, store in self._places.items() if each in store])

    def topic_id(self, topic: str, partition: int) -> Uuid | None:
        store = self.store_of(topic, partition)
        return None if store is None else store.topic_id(topic, partition)

    def create(
        self,
        topic: str,
        partition: int,
        topic_id: Uuid,
        *,
        now_ms: int,
        settings: LogSettings | None = None,
        assigned: Uuid | None = None,
    ) -> PartitionLog:
        """See `place` and `LogStore.create`."""
        store = self.place(topic, partition, assigned)
        is_known = (topic, partition) in store
        log = store.create(topic, partition, topic_id, now_ms=now_ms, settings=settings)
        if not is_known and self._has_several:
            self._unused[store] -= 1
        return log

    def delete(self, topic: str, partition: int) -> None:
        if not self._has_several:
            self.stores[0].delete(topic, partition)
            return
        self._take_away(TopicPartition(topic, partition))
        for store in self.stores:  # it may be on its way from one to another
            store.delete(topic, partition)

    def set_aside(self, topic: str, partition: int) -> Path:
        if not self._has_several:
            return self.stores[0].set_aside(topic, partition)
        store = self._take_away(TopicPartition(topic, partition))
        assert store is not None, f"{topic}-{partition} is nowhere"
        return store.set_aside(topic, partition)

    def take_duplicates(self) -> list[tuple[LogStore, TopicPartition]]:
        """Replicas that a crash during a move has left in two directories. The one in this store is not used until
        `use_duplicate`, and the caller sets it aside otherwise.
        """
        duplicates, self._duplicates = self._duplicates, []
        return duplicates

    def use_duplicate(self, store: LogStore, topic_partition: TopicPartition) -> Path:
        """Use the replica of `store`, which `take_duplicates` has returned, and set the other one aside."""
        other = self._places[topic_partition]
        self._places[topic_partition] = store
        return other.set_aside(*topic_partition)

    def opened(self) -> list[tuple[TopicPartition, PartitionLog]]:
        """Every log that was opened since the start, also of replicas that are being copied."""
        if not self._has_several:
            return self.stores[0].opened()
        return [each for store in self._all for each in store.opened()]

    def take_deleted(self) -> list[Path]:
        return [path for store in self.stores for path in store.take_deleted()]

    def lost(self) -> list[TopicPartition]:
        """Partitions that had records at the last checkpoint of a directory, and are nowhere now."""
        return [each for store in self.stores for each in store.lost() if each not in self]

    def forget_offsets(self, topic_partition: TopicPartition) -> None:
        for store in self.stores:
            if topic_partition not in store:
                store.forget_offsets(topic_partition)

    def high_watermark(self, topic: str, partition: int) -> int:
        store = self.store_of(topic, partition)
        return 0 if store is None else store.high_watermark(topic, partition)

    # -- copying a replica to another directory

    def futures(self) -> list[tuple[LogStore, TopicPartition]]:
        """The replicas that are being copied, and where to; also those that the last run has begun to copy."""
        return [(store, each) for store in self.stores for each in store.futures()] if self._has_several else []

    def swap(self, store: LogStore, topic_partition: TopicPartition) -> None:
        """The replica that was copied to `store` is the replica from now on; the files of the other are to be deleted.

        A crash between the two renamings leaves both: see `take_duplicates`. Raises StorageError: nothing has changed.
        """
        store.promote(*topic_partition)
        before = self._places.get(topic_partition)
        self._places[topic_partition] = store
        if before is None:
            return
        if before is store or topic_partition not in before:
            self._unused[before] -= 1
            return
        with suppress(StorageError):  # its disk has failed: the next start finds a duplicate
            before.delete(*topic_partition)

    # -- failures

    def can_lose(self, store: LogStore) -> bool:
        """Whether the node can go on without the directory: it is neither the last one nor that of the metadata."""
        return store is not self.metadata and self.stores != [store]

    def take_offline(self, store: LogStore, reason: str) -> list[TopicPartition]:
        """A directory has failed: close its files without writing any. Returns the replicas that were there."""
        self.stores.remove(store)
        self.failed.append(FailedDirectory(store.directory, reason, parse_uuid(store.directory_id)))
        gone = [each for each, place in self._places.items() if place is store]
        for each in gone:
            del self._places[each]
        self._unused.pop(store, None)
        with suppress(StorageError, OSError):  # what it refuses is known
            store.close(clean=False)
        return gone

    def why_lost(self) -> tuple[LogStore, str] | None:
        """A directory that is no longer the one that was locked, and why, in words; None: all are."""
        for store in self._all:
            reason = store.why_lost()
            if reason is not None:
                return store, reason
        return None

    # -- recovery, checkpoints, the end

    @property
    def unrecovered_count(self) -> int:
        return sum(store.unrecovered_count for store in self._all)

    def recover(self, now_ms: int, is_enough: Callable[[], bool] = bool) -> None:
        """See `LogStore.recover`. A directory that cannot be recovered is taken offline. Raises StoreError: the node
        cannot be without it.
        """
        for store in list(self._all):
            try:
                store.recover(now_ms, is_enough)
            except StoreError as error:
                if not self.can_lose(store):
                    raise
                self.take_offline(store, str(error))
            if is_enough():
                return

    def checkpoints(
        self, high_watermarks: Mapping[TopicPartition, int]
    ) -> list[tuple[LogStore, list[tuple[str, bytes]]]]:
        """See `LogStore.checkpoints`, for each directory."""
        return [(store, store.checkpoints(self._of(store, high_watermarks))) for store in self._all]

    def _of(self, store: LogStore, high_watermarks: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Of a replica that is copied there, what it has of the committed records counts."""
        if not self._has_several:
            return high_watermarks
        ends = {each: log.log_end_offset for each, log in store.opened() if store.is_future(each)}
        return {each: min(offset, ends.get(each, offset)) for each, offset in high_watermarks.items() if each in store}

    def write_checkpoints(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Blocks. Raises OSError."""
        for store, files in self.checkpoints(high_watermarks):
            store.replace_checkpoints(files)

    def close(
        self, high_watermarks: Mapping[TopicPartition, int] | None = None, *, broker_epoch: int = -1, clean: bool = True
    ) -> None:
        """See `LogStore.close`: all are closed, then the first error is raised."""
        failures: list[OSError | StorageError] = []
        for store in self._all:
            try:
                store.close(self._of(store, high_watermarks or {}), broker_epoch=broker_epoch, clean=clean)
            except (OSError, StorageError) as error:
                failures.append(error)
        if failures:
            raise failures[0]


def _cluster_id_of(paths: Sequence[Path]) -> str | None:
    """The cluster that one of the directories says it belongs to. Raises StoreError."""
    for path in paths:
        with suppress(OSError):
            identity = read_identity(path)
            if identity is not None:
                return identity.cluster_id
    return None


def _directory_id(path: Path) -> Uuid | None:
    with suppress(OSError, StoreError):
        identity = read_identity(path)
        return None if identity is None else identity.directory_id
    return None


def _check_is_used(path: Path, metadata_path: Path) -> None:
    """Raises StoreError: nothing says that the directory is this node's, although another one was in use before."""
    try:
        (path / META_PROPERTIES).stat()
    except FileNotFoundError:
        raise StoreError(
            f"{path} has no {META_PROPERTIES}, although {metadata_path} was in use: mount its disk if that is missing; "
            "if the directory is new, run `kafkapy format --ignore-formatted` with these settings first"
        ) from None
    except OSError:
        return  # it cannot be used, which opening it tells


def _check_metadata(opened: Mapping[Path, LogStore], metadata_path: Path) -> None:
    """Raises StoreError: there is a metadata log elsewhere."""
    for path, store in opened.items():
        if path != metadata_path and METADATA in store:
            raise StoreError(
                f"found the metadata log of a node in {path}, and metadata.log.dir is {metadata_path}: set "
                f"metadata.log.dir={path}, or move {path / str(METADATA)} there"
            )


def _check_ids(opened: Mapping[Path, LogStore]) -> None:
    """Raises StoreError: one directory is a copy of another."""
    by_id: dict[str, Path] = {}
    for path, store in opened.items():
        if store.directory_id in by_id:
            raise StoreError(
                f"{path} and {by_id[store.directory_id]} have the same directory.id in {META_PROPERTIES}: one is a "
                "copy of the other; name only one of them in log.dirs"
            )
        by_id[store.directory_id] = path
