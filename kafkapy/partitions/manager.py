"""Every partition that this broker has a replica of, by topic name and by topic id.

`PartitionManager` follows the metadata image: a partition that appears in it can be used before the answer of the
request that made it leaves, and one that disappears is renamed away at once and deleted later by a worker thread.

Three questions about a partition have three answers: whether it exists (UNKNOWN_TOPIC_OR_PARTITION), whether it is
assigned to this broker, and whether this broker leads it (NOT_LEADER_OR_FOLLOWER).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from kafkapy.partitions.log_placement import assigned_directory, set_strays_aside
from kafkapy.partitions.partition import Partition
from kafkapy.partitions.replica import SharedParts
from kafkapy.partitions.role_changes import RoleChanges
from kafkapy_controller.image import EMPTY_IMAGE, NO_LEADER, ConfigResourceType
from kafkapy_log import DirectoryOffline, StorageError, StoreError, TopicPartition
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from kafkapy.clock import Clock
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.followers import IsrChanges
    from kafkapy.partitions.moving import ReplicaMoves
    from kafkapy.partitions.replica import Replica
    from kafkapy.partitions.topic_settings import TopicSettingsSource
    from kafkapy.settings import Settings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
    from kafkapy_log import LogDirectories, LogSettings, LogStore
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.partitions")

REOPEN_DELAY_MS = 1_000
"""After which a log is opened again that the disk refused, for a replica that follows."""


class PartitionManager:
    """The replicas of this broker. `flusher` syncs topics with flush.messages; without it no append waits."""

    def __init__(
        self,
        directories: LogDirectories,
        node_id: int,
        settings: TopicSettingsSource,
        clock: Clock,
        disk: DiskWatch,
        flusher: Flusher | None = None,
        *,
        keeps_fenced_fetches: bool = False,
    ) -> None:
        self._directories = directories
        self._node_id = node_id
        self._settings = settings
        self._clock = clock
        self._disk = disk
        self._flusher = flusher
        self._image = EMPTY_IMAGE
        self._shared = SharedParts(node_id, disk, lag_time_max_ms=settings.replica_lag_time_max_ms)
        self._shared.keeps_fenced_fetches = keeps_fenced_fetches
        self._roles = RoleChanges(clock, self._apply_role)
        self._on_role: Callable[[Partition], None] = _ignore_role
        self._on_offline: Callable[[], None] = _ignore_failure
        self._moves: ReplicaMoves | None = None
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_id: dict[tuple[Uuid, int], Partition] = {}
        # A log is opened, or made, when it is first asked for: thousands of partitions start, and are created, at once.
        # The metadata log decides whether a partition exists, not its directory.
        self._unopened: set[tuple[str, int]] = set()

    def keep_out_of_isrs(self, kept_out: Collection[tuple[str, int, int]]) -> None:
        """Let no replica join its ISR that is in `kept_out` then: (topic, partition, broker)."""
        self._shared.kept_out = kept_out

    # -- one partition

    def leader(self, topic: str, index: int, current_leader_epoch: int = -1) -> Partition:
        """The partition, which this broker leads, in the leader epoch that the client knows (-1: it knows none).

        Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
        NOT_LEADER_OR_FOLLOWER. As in Apache Kafka a follower looks at the epoch before it says that it does not lead:
        a client whose metadata is older learns that it is.
        """
        partition = self._by_name.get((topic, index))
        if partition is None:
            partition = self._open(topic, index)
        if current_leader_epoch != -1:
            partition.check_leader_epoch(current_leader_epoch)
        if not partition.leads:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return partition

    def leader_by_id(self, topic_id: Uuid, index: int, current_leader_epoch: int = -1) -> Partition:
        """As `leader`, but UNKNOWN_TOPIC_ID, or UNKNOWN_TOPIC_OR_PARTITION if only the partition is unknown."""
        partition = self._by_id.get((topic_id, index))
        if partition is None:
            partition = self.replica_by_id(topic_id, index)
        if current_leader_epoch != -1:
            partition.check_leader_epoch(current_leader_epoch)
        if not partition.leads:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return partition

    def replica(self, topic: str, index: int) -> Partition:
        """The partition, whether this broker leads it or follows.

        Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER (it has no replica), KAFKA_STORAGE_ERROR.
        """
        partition = self._by_name.get((topic, index))
        return self._open(topic, index) if partition is None else partition

    def replica_by_id(self, topic_id: Uuid, index: int) -> Partition:
        """As `replica`, but UNKNOWN_TOPIC_ID, or UNKNOWN_TOPIC_OR_PARTITION if only the partition is unknown."""
        partition = self._by_id.get((topic_id, index))
        if partition is not None:
            return partition
        topic = self._image.topics_by_id.get(topic_id)
        if topic is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        return self._open(topic.name, index)

    def stored(self, topic: str, index: int) -> Partition | None:
        """The replica if something was ever stored in it: for readers that need not make an empty log.

        Raises KafkaError as `replica` does.
        """
        if (topic, index) in self._unopened and self._has_nothing(topic, index):
            return None
        return self.replica(topic, index)

    def _has_nothing(self, topic: str, index: int) -> bool:
        """Whether nothing is stored of a replica. What is in a directory that has failed is not known: False."""
        directories = self._directories
        if (topic, index) in directories:
            return False
        return not directories.has_offline or directories.store_of(topic, index) is not None

    def directory_id(self, topic: str, index: int) -> Uuid | None:
        """The id of the log directory where this broker's replica is, or soon will be; None: it is offline."""
        if self._moves is not None and (destination := self._moves.destination(topic, index)) is not None:
            return destination
        store = self._directories.store_of(topic, index)
        return None if store is None else parse_uuid(store.directory_id)

    def is_current(self, partition: Partition) -> bool:
        """Whether this broker still has the partition: it was not deleted, created anew, or moved to other brokers."""
        return self._by_id.get((partition.topic_id, partition.index)) is partition

    # -- many

    def count(self, topic: str) -> int:
        """How many partitions the topic has, wherever they are; 0 when there is no such topic."""
        found = self._image.topics.get(topic)
        return 0 if found is None else len(found.partitions)

    def topic_name(self, topic_id: Uuid) -> str:
        """The name of the topic that has this id now; "" without one."""
        found = self._image.topics_by_id.get(topic_id)
        return "" if found is None else found.name

    def names(self) -> Iterator[tuple[str, int]]:
        """(topic, partition) of every replica, in the order in which the topics came."""
        for topic in list(self._image.topics.values()):
            for index in range(len(topic.partitions)):
                if (topic.name, index) in self._by_name or (topic.name, index) in self._unopened:
                    yield topic.name, index

    def opened(self) -> list[Partition]:
        """The partitions whose logs are open; the others have had no request since the start."""
        return list(self._by_name.values())

    @property
    def has_unopened(self) -> bool:
        """Whether any partition has had no request since the start, stored or new; a produce asks this first."""
        return bool(self._unopened)

    def unopened(self) -> list[TopicPartition]:
        """The partitions that have something stored and have had no request since the start."""
        return [TopicPartition(*key) for key in self._unopened if key in self._directories]

    def unopened_among(self, wanted: Iterable[tuple[str | Uuid, int]]) -> list[tuple[str, int]]:
        """Those of the partitions (by topic name or id) whose logs are not open yet."""
        unopened = self._unopened
        if not unopened:
            return []
        found = []
        for named, index in wanted:
            if isinstance(named, str):
                name = named
            elif (topic := self._image.topics_by_id.get(named)) is not None:
                name = topic.name
            else:
                continue
            if (name, index) in unopened:
                found.append((name, index))
        return found

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """The high watermarks of opened partitions, for replication-offset-checkpoint."""
        return {TopicPartition(*key): partition.high_watermark for key, partition in self._by_name.items()}

    def is_live(self, broker_id: int) -> bool:
        """Whether the broker is registered and unfenced."""
        return self._shared.brokers.is_alive(broker_id)

    def settings_for(self, topic_partition: TopicPartition) -> LogSettings:
        """The settings for the logs of a topic."""
        return self._settings.of_log(topic_partition)

    # -- following the metadata

    def replicate(self, isr_changes: IsrChanges, on_role: Callable[[Partition], None]) -> None:
        """From now on ask for other ISRs by `isr_changes`, and call `on_role` with each replica that gets a role or
        whose role changes; at once with those that are open. To be called before `load`.
        """
        self._shared.isr_changes = isr_changes
        self._on_role = on_role

    def when_truncated(self, note: Callable[[Replica], None]) -> None:
        """From now on call `note` with each replica whose log was truncated."""
        self._shared.on_truncated.append(note)

    def load(self, image: MetadataImage) -> None:
        """Add the replicas that the image assigns to this broker, and rename logs that have no topic."""
        self._use(image)
        followed = []
        for topic in image.topics.values():
            for index, state in enumerate(topic.partitions):
                if self._node_id in state.replicas:
                    self._expect(topic.name, index, state)
                    if self._is_followed(state):
                        followed.append((topic.name, index))
        set_strays_aside(self._directories, image, self._unopened, self._node_id)
        self._roles.add_later(followed)

    def _expect(self, topic: str, index: int, state: PartitionImage) -> None:
        """A replica is to be here; where, is known from now on."""
        self._unopened.add((topic, index))
        if self._directories.has_several:
            with suppress(DirectoryOffline):  # whoever asks for the replica is told
                self._directories.place(topic, index, assigned_directory(state, self._node_id))

    def _is_followed(self, state: PartitionImage) -> bool:
        """Whether this replica has a leader elsewhere: then it fetches, whether anybody asks for it or not."""
        return state.leader not in (self._node_id, NO_LEADER)

    def _use(self, image: MetadataImage) -> None:
        self._image = image
        self._shared.brokers.use(image)
        self._settings.use(image)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Create, change and remove replicas as in `delta`; `image` is the state after it."""
        self._use(image)
        for topic in delta.deleted_topics:
            logger.info("topic %s deleted", topic.name)
            for index in range(len(topic.partitions)):
                self._remove(topic, index)
        for name in delta.created_topics:
            logger.info("topic %s created, partitions: %d", name, len(image.topics[name].partitions))
        changed = []
        for name, index in delta.changed_partitions:
            topic = image.topics[name]
            state = topic.partitions[index]
            if self._node_id not in state.replicas:
                self._remove(topic, index)
            elif (topic.topic_id, index) in self._by_id:
                changed.append((name, index))
            else:
                self._expect(name, index, state)
                if self._is_followed(state):
                    changed.append((name, index))
        self._roles.add(changed)
        for resource_type, name in delta.changed_configs:
            if resource_type == ConfigResourceType.TOPIC:
                self._update_settings(name)

    def _apply_role(self, name: str, index: int) -> None:
        """Give an open replica the role that the newest image says; open one that is followed."""
        topic = self._image.topics.get(name)
        if topic is None:
            return
        partition = self._by_id.get((topic.topic_id, index))
        if partition is not None:
            partition.become(topic.partitions[index], now_ms=self._clock.now_ms())
            self._on_role(partition)
        elif (name, index) in self._unopened and self._is_followed(topic.partitions[index]):
            try:
                self._open(name, index)
            except DirectoryOffline:
                pass  # its log directory has failed, which was told
            except StorageError as error:
                if error.passes:
                    again = partial(self._roles.add_later, [(name, index)])
                    self._clock.call_later(REOPEN_DELAY_MS, again)
                else:
                    logger.error("cannot open the log of %s-%d, which is not replicated here: %s", name, index, error)
            except KafkaError as error:
                logger.error("cannot open the log of %s-%d, which is not replicated here: %s", name, index, error)

    def follow_settings(self, _settings: Settings) -> None:
        """The broker's settings changed: the topics' defaults with them."""
        for name in {partition.topic for partition in self._by_name.values()}:
            self._update_settings(name)

    def _update_settings(self, topic: str) -> None:
        partitions = [self._by_name.get((topic, index)) for index in range(self.count(topic))]
        settings = self._settings.of_topic(topic)
        for_logs = self._settings.of_logs(settings)
        logger.debug("topic %s follows its changed settings", topic)
        for partition in partitions:
            if partition is not None:
                partition.settings = settings
                partition.log.update_settings(for_logs)
                partition.use_flusher(self._flusher)

    # -- log directories

    def use_moves(self, moves: ReplicaMoves) -> None:
        """From now on replicas can move to other log directories."""
        self._moves = moves

    def move(self, topic: str, index: int, store: LogStore) -> None:
        """Move this broker's replica to a log directory. Raises KafkaError as `replica` does; KAFKA_STORAGE_ERROR."""
        if self._moves is None:  # there is no other directory
            self.stored(topic, index)
        else:
            self._moves.move(self.replica(topic, index), store)

    def is_moving(self, partition: Partition) -> bool:
        """Whether the replica is being copied to another log directory."""
        return self._moves is not None and self._moves.is_moving(partition)

    def when_offline(self, tell: Callable[[], None]) -> None:
        """From now on call `tell` after a log directory has failed."""
        self._on_offline = tell

    def directory_failed(self, directory: Path, reason: str) -> bool:
        """The disk under a log directory has failed: its replicas are offline from now on. Returns False if this
        broker cannot go on without it.
        """
        store = next((store for store in self._directories.stores if store.directory == directory), None)
        if store is None:
            return any(failed.path == directory for failed in self._directories.failed)
        if not self._directories.can_lose(store):
            return False
        gone = self._directories.take_offline(store, reason)
        if self._moves is not None:
            self._moves.directory_failed(store)
        logger.error("the log directory %s is offline, with %d replicas: %s", directory, len(gone), reason)
        for key in gone:
            partition = self._by_name.pop(key, None)
            if partition is not None:
                del self._by_id[partition.topic_id, partition.index]
                self._unopened.add(key)
                partition.retire(ErrorCode.KAFKA_STORAGE_ERROR)
                self._on_role(partition)
            if self._moves is not None:
                self._moves.forget(*key)
            self._disk.gone(str(key))
        self._on_offline()
        return True

    # -- opening and removing

    def _open(self, topic: str, index: int) -> Partition:
        """Open or make the log. Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER (not assigned to
        this broker), KAFKA_STORAGE_ERROR.
        """
        if (topic, index) not in self._unopened:
            if 0 <= index < self.count(topic):
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        image = self._image.topics[topic]
        settings = self._settings.of_topic(topic)
        for_log = self._settings.of_logs(settings)
        now_ms = self._clock.now_ms()
        directories = self._directories
        assigned = assigned_directory(image.partitions[index], self._node_id) if directories.has_several else None
        try:
            log = directories.create(topic, index, image.topic_id, now_ms=now_ms, settings=for_log, assigned=assigned)
        except StoreError as error:  # the log of a deleted topic of this name could not be renamed
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error
        except DirectoryOffline:
            raise
        except StorageError as error:
            if error.passes:
                self._disk.refused(f"{topic}-{index}", error)
            else:
                self._disk.unreadable(error)
            raise
        log.update_settings(for_log)  # recovery has opened the log before the topic's own settings were known
        high_watermark = directories.high_watermark(topic, index)
        if high_watermark > log.log_end_offset:
            is_empty = log.log_start_offset == log.log_end_offset
            if is_empty or directories.had_clean_shutdown:  # otherwise recovery has said what it cut off
                self._disk.lost_records(log, high_watermark)
        self._unopened.remove((topic, index))
        partition = Partition(
            image,
            index,
            image.partitions[index],
            log,
            settings,
            self._shared,
            now_ms=now_ms,
            high_watermark=high_watermark,
        )
        partition.use_flusher(self._flusher)
        logger.debug("opened %s, offsets %d to %d", partition, log.log_start_offset, log.log_end_offset)
        self._by_name[topic, index] = self._by_id[image.topic_id, index] = partition
        self._on_role(partition)
        return partition

    def _remove(self, topic: TopicImage, index: int) -> None:
        """The topic was deleted, or the replica was moved to another broker: rename the log, to be deleted later."""
        key = (topic.name, index)
        partition = self._by_id.pop((topic.topic_id, index), None)
        if partition is None and key not in self._unopened:
            return
        self._unopened.discard(key)
        self._by_name.pop(key, None)
        if self._moves is not None:
            self._moves.forget(topic.name, index)
        try:
            self._directories.delete(topic.name, index)
        except KafkaError as error:
            logger.error("cannot delete the log of %s-%d: %s", topic.name, index, error)
        if partition is not None:
            # Only of a deleted one do they hear that it does not exist: who waits for a marker would take the
            # transaction for ended.
            is_moved = topic.topic_id in self._image.topics_by_id
            partition.retire(ErrorCode.NOT_LEADER_OR_FOLLOWER if is_moved else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            self._on_role(partition)
        self._disk.gone(f"{topic.name}-{index}")


def _ignore_failure() -> None:
    """Without a controller elsewhere nobody need know."""


def _ignore_role(_: Partition) -> None:
    """Without other brokers, roles are nobody's business."""
