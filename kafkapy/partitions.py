"""The partitions that this broker leads: each one's log, its high watermark and who waits for it.

`PartitionManager` follows the metadata image: a partition that appears in it can be used before the answer of the
request that made it leaves, and one that disappears is renamed away at once and deleted later by a worker thread.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.controller_driver import METADATA_TOPIC
from kafkapy.settings.log_settings import log_settings
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResourceType
from kafkapy_log import StoreError, TopicPartition, Verification
from kafkapy_log.disk_errors import passes
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import trio

    from kafkapy.clock import Clock
    from kafkapy.disk_watch import DiskWatch
    from kafkapy.flushing import Flusher
    from kafkapy.settings import Settings, TopicSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
    from kafkapy_log import AppendResult, LogSettings, LogStore, PartitionLog
    from kafkapy_wire.message import RecordBytes
    from kafkapy_wire.records.building import BuiltBatch
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.partitions")

FLUSH_MESSAGES_NEVER = 2**63 - 1


class Partition:
    """One partition that this broker leads. With no followers, what is appended is committed."""

    __slots__ = ("_disk", "flusher", "index", "isr", "leader_epoch", "log", "settings", "topic", "topic_id", "waiters")

    def __init__(
        self,
        topic: TopicImage,
        index: int,
        state: PartitionImage,
        log: PartitionLog,
        settings: TopicSettings,
        disk: DiskWatch,
    ) -> None:
        self._disk = disk
        self.topic = topic.name
        self.topic_id = topic.topic_id
        self.index = index
        self.log = log
        self.settings = settings
        self.flusher: Flusher | None = None  # where flush.messages asks for it
        self.leader_epoch = -1
        self.isr: tuple[int, ...] = ()
        self.waiters: set[trio.Event] = set()  # set once when the high watermark moves or the partition goes away
        self.lead(state)

    def __str__(self) -> str:
        return f"{self.topic}-{self.index}"

    @property
    def high_watermark(self) -> int:
        """End of what the whole ISR has; consumers read strictly below it."""
        return self.log.log_end_offset

    @property
    def last_stable_offset(self) -> int:
        """Start of the earliest open transaction, else the high watermark."""
        return min(self.log.last_stable_offset, self.high_watermark)

    def append_produced(
        self,
        batches: RecordBytes,
        *,
        now_ms: int,
        request_version: int,
        verification: Verification = Verification.NONE,
    ) -> AppendResult:
        """Append what a client sent and wake who waits for it. Raises KafkaError; then nothing was stored."""
        try:
            result = self.log.append_as_leader(
                batches,
                leader_epoch=self.leader_epoch,
                now_ms=now_ms,
                api_version=request_version,
                verification=verification,
            )
        except KafkaError as error:
            if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
                self._disk.tell(self.log, error.__cause__)
            raise
        self._appended(awaited=True)
        return result

    def append_internal(self, batch: BuiltBatch, *, now_ms: int, transaction_version: int = 0) -> AppendResult:
        """Append a batch that a coordinator of this node built. Raises KafkaError; then nothing was stored.

        `transaction_version` is a marker's.
        """
        try:
            result = self.log.append_built(
                batch, leader_epoch=self.leader_epoch, now_ms=now_ms, transaction_version=transaction_version
            )
        except KafkaError as error:
            if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
                self._disk.tell(self.log, error.__cause__)
            raise
        self._appended(awaited=False)
        return result

    def _appended(self, *, awaited: bool) -> None:
        if self.flusher is not None:
            self.flusher.appended(self.log, awaited=awaited)
        if self._disk.refusing:
            self._disk.accepted(self.log.topic_partition)
        self.wake()

    def delete_records_before(self, offset: int, *, now_ms: int) -> None:
        """Move the log start offset forward to `offset`, which is at most the high watermark."""
        self.log.delete_records_before(offset, now_ms=now_ms)
        self.wake()

    def use_flusher(self, flusher: Flusher | None) -> None:
        """Who syncs what is appended, if the topic has flush.messages."""
        self.flusher = flusher if self.settings.flush_messages < FLUSH_MESSAGES_NEVER else None

    def wake(self) -> None:
        """Have every parked request look at this partition again."""
        if self.waiters:
            for waiter in self.waiters:
                waiter.set()
            self.waiters.clear()

    def lead(self, state: PartitionImage) -> None:
        """Lead in the leader epoch and with the ISR of `state`."""
        if state.leader_epoch > self.leader_epoch:
            self.leader_epoch = state.leader_epoch
            self.log.assign_leader_epoch(state.leader_epoch, self.log.log_end_offset)
        self.isr = state.isr
        self.wake()

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare what a client believes the leader epoch to be; -1 is no belief (KIP-320)."""
        if current_leader_epoch in (-1, self.leader_epoch):
            return
        if current_leader_epoch < self.leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)


class PartitionManager:
    """Every partition that this broker leads, by topic name and by topic id."""

    def __init__(self, store: LogStore, node_id: int, settings: Settings, clock: Clock, disk: DiskWatch) -> None:
        self._store = store
        self._disk = disk
        self._node_id = node_id
        self._settings = settings
        self._clock = clock
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_id: dict[tuple[Uuid, int], Partition] = {}
        # A log is opened, or made, when it is first asked for: thousands of partitions start, and are created, at once.
        # What says that a partition exists is the metadata log, not its directory.
        self._unopened: dict[tuple[str, int], tuple[TopicImage, PartitionImage]] = {}
        self._counts: dict[str, int] = {}
        self._names: dict[Uuid, str] = {}
        self._image = EMPTY_IMAGE
        self.flusher: Flusher | None = None

    @property
    def directory(self) -> Path:
        """Where the logs are."""
        return self._store.directory

    def by_name(self, topic: str, index: int) -> Partition:
        """Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR."""
        partition = self._by_name.get((topic, index))
        return self._open(topic, index) if partition is None else partition

    def by_id(self, topic_id: Uuid, index: int) -> Partition:
        """Raises KafkaError: UNKNOWN_TOPIC_ID, or UNKNOWN_TOPIC_OR_PARTITION when only the partition is unknown;
        KAFKA_STORAGE_ERROR.
        """
        partition = self._by_id.get((topic_id, index))
        if partition is not None:
            return partition
        name = self._names.get(topic_id)
        if name is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        return self._open(name, index)

    def stored(self, topic: str, index: int) -> Partition | None:
        """The partition if something was ever stored in it: for readers that need not make an empty log.

        Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR.
        """
        if (topic, index) in self._unopened and (topic, index) not in self._store:
            return None
        return self.by_name(topic, index)

    def count(self, topic: str) -> int:
        """How many partitions of the topic are led here; 0 when there is no such topic."""
        return self._counts.get(topic, 0)

    def names(self) -> Iterator[tuple[str, int]]:
        """(topic, partition) of every partition, in the order in which the topics came."""
        for topic, count in list(self._counts.items()):
            for index in range(count):
                yield topic, index

    def opened(self) -> list[Partition]:
        """The partitions whose logs are open; the others have had no request since the start."""
        return list(self._by_name.values())

    @property
    def has_unopened(self) -> bool:
        """Whether there is any that nobody has asked for since the start, stored or new; a produce asks this first."""
        return bool(self._unopened)

    def unopened(self) -> list[TopicPartition]:
        """The partitions that have something stored and that nobody has asked for since the start."""
        return [TopicPartition(*key) for key in self._unopened if key in self._store]

    def unopened_among(self, wanted: Iterable[tuple[str | Uuid, int]]) -> list[tuple[str | Uuid, int]]:
        """Those of them, each with its topic's name or id, that `by_name` and `by_id` would have to open."""
        if not self._unopened:
            return []
        return [
            (topic, index)
            for topic, index in wanted
            if (topic if isinstance(topic, str) else self._names.get(topic, ""), index) in self._unopened
        ]

    def load(self, image: MetadataImage) -> None:
        """Take over the partitions of an image that this broker leads; logs without a topic are set aside."""
        self._image = image
        for topic in image.topics.values():
            for index, state in enumerate(topic.partitions):
                if state.leader == self._node_id:
                    self._know(topic, index, state)
        self._set_strays_aside()

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """For the replication checkpoint: of the partitions that have been opened."""
        return {TopicPartition(*key): partition.high_watermark for key, partition in self._by_name.items()}

    def settings_for(self, topic_partition: TopicPartition) -> LogSettings:
        """What the log of a partition follows."""
        return self._log_settings(self._topic_settings(topic_partition.topic))

    def _set_strays_aside(self) -> None:
        """Rename the logs of topics that the metadata does not have: as a rule they were deleted, and the node was
        killed at once. Kept all the same, since metadata that has lost its end looks just like that.
        """
        for topic, index in self._store:
            if topic == METADATA_TOPIC:
                continue
            known = self._image.topics.get(topic)
            if known is not None and self._store.topic_id(topic, index) in (None, known.topic_id):
                continue
            stray = self._store.set_aside(topic, index)
            logger.warning("the metadata has no topic for %s-%d: its log is now %s", topic, index, stray)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Make, change and remove partitions as `delta` says; `image` is the state after it."""
        self._image = image
        for topic in delta.deleted_topics:
            self._remove(topic)
        for name, index in delta.changed_partitions:
            topic = image.topics[name]
            state = topic.partitions[index]
            if state.leader != self._node_id:
                continue
            if (partition := self._by_id.get((topic.topic_id, index))) is not None:
                partition.lead(state)
                continue
            self._know(topic, index, state)
        for resource_type, name in delta.changed_configs:
            if resource_type == ConfigResourceType.TOPIC and name in self._counts:
                self._update_settings(name)

    def use_settings(self, settings: Settings) -> None:
        """The broker's settings changed: the topics' defaults with them."""
        self._settings = settings
        for name in self._counts:
            self._update_settings(name)

    def _know(self, topic: TopicImage, index: int, state: PartitionImage) -> None:
        if (topic.name, index) not in self._unopened:
            self._counts[topic.name] = self._counts.get(topic.name, 0) + 1
        self._names[topic.topic_id] = topic.name
        self._unopened[topic.name, index] = (topic, state)

    def _open(self, topic: str, index: int) -> Partition:
        """Open or make the log. Raises KafkaError: UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR."""
        unopened = self._unopened.get((topic, index))
        if unopened is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        image, state = unopened
        settings = self._topic_settings(topic)
        for_log = self._log_settings(settings)
        try:
            log = self._store.create(topic, index, image.topic_id, now_ms=self._clock.now_ms(), settings=for_log)
        except StoreError as error:  # the log of a deleted topic of this name could not be renamed
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error
        except KafkaError as error:
            if passes(error.__cause__):
                self._disk.refused(f"{topic}-{index}", error.__cause__)
            raise
        log.update_settings(for_log)  # a recovery has opened it before anyone knew the topic's own
        return self._take_in(image, index, state, log, settings)

    def _take_in(
        self, topic: TopicImage, index: int, state: PartitionImage, log: PartitionLog, settings: TopicSettings
    ) -> Partition:
        del self._unopened[topic.name, index]
        partition = Partition(topic, index, state, log, settings, self._disk)
        partition.use_flusher(self.flusher)
        self._by_name[topic.name, index] = self._by_id[topic.topic_id, index] = partition
        return partition

    def _remove(self, topic: TopicImage) -> None:
        self._names.pop(topic.topic_id, None)
        for index in range(self._counts.pop(topic.name, 0)):
            self._unopened.pop((topic.name, index), None)
            partition = self._by_id.pop((topic.topic_id, index), None)
            if partition is not None:
                del self._by_name[topic.name, index]
            try:
                self._store.delete(topic.name, index)
            except KafkaError as error:
                logger.error("cannot delete the log of %s-%d: %s", topic.name, index, error)
            if partition is not None:
                partition.wake()

    def _topic_settings(self, topic: str) -> TopicSettings:
        return self._settings.topic_defaults.resolve(self._image.resource_configs(ConfigResourceType.TOPIC, topic))

    def _log_settings(self, settings: TopicSettings) -> LogSettings:
        return log_settings(settings, producer_id_expiration_ms=self._settings.transactions.producer_id_expiration_ms)

    def _update_settings(self, topic: str) -> None:
        settings = self._topic_settings(topic)
        for_logs = self._log_settings(settings)
        for index in range(self._counts[topic]):
            partition = self._by_name.get((topic, index))
            if partition is not None:
                partition.settings = settings
                partition.log.update_settings(for_logs)
                partition.use_flusher(self.flusher)
