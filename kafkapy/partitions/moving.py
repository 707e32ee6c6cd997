"""Replicas that move to another log directory of this broker (KIP-113): copied while they are used, then swapped.

A copy (Kafka's future replica) is a log `TOPIC-PARTITION.<32 hex>-future` in the other directory. It follows the
replica as a follower follows its leader, by leader epochs where the replica was truncated. When it has everything:

1. it is synced,
2. the active controller is told that the replica is in the other directory, and the metadata says so (KIP-858),
3. what was appended meanwhile is copied, and the two directories are renamed, in one step of the event loop.

A crash leaves a copy that the next start goes on with. After step 2 the metadata has the new place already, and after
the first of the two renamings the replica is in both directories: see `log_placement.py`. As in Apache Kafka a replica
that moves is not compacted.

Differs: Apache Kafka's broker that is killed between the steps 2 and 3 takes the copy as it is at the next start, and
does not start at all when it finds both directories. Here the copy is completed first, and the metadata decides.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.partitions.copying import align, copy_piece
from kafkapy.partitions.flushing import Extent
from kafkapy.partitions.log_placement import assigned_directory
from kafkapy.partitions.windowed_rate import WindowedRate
from kafkapy.turns import Turn
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT
from kafkapy_log import StorageError, TopicPartition
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.partition import Partition
    from kafkapy.partitions.replica import Replica
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_log import LogDirectories, LogStore, PartitionLog
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.partitions")

PIECE_BYTES: Final = 1 << 18
"""Of a log that are copied in one turn of the event loop."""
LOOK_AGAIN_MS: Final = 100
"""A copy that has everything, or may not go on, is looked at again so soon."""
RETRY_MS: Final = 1_000
"""After the disk has refused a copy, for want of room."""


class Move:
    """One replica on its way to the directory `store`. `copy` is its log there."""

    __slots__ = ("copy", "is_aligned", "is_synced", "is_told", "not_before_ms", "partition", "store")

    def __init__(self, partition: Partition, store: LogStore, copy: PartitionLog, *, is_told: bool) -> None:
        self.partition = partition
        self.store = store
        self.copy = copy
        self.is_aligned = False
        """Whether the copy is known to have a beginning of the replica's records, and nothing else."""
        self.is_synced = False
        """Whether the copy once had everything, and was synced then."""
        self.is_told = is_told
        """Whether the replica counts as in the new directory for the controller."""
        self.not_before_ms = 0.0

    @property
    def directory_id(self) -> Uuid:
        return parse_uuid(self.store.directory_id)

    @property
    def has_everything(self) -> bool:
        return self.is_aligned and self.copy.log_end_offset == self.partition.log.log_end_offset


class ReplicaMoves:
    """The replicas of one broker that move, while `run` runs. `replica` opens one. `look_again` tells the controller
    where a replica is, if the metadata says otherwise; without a `flusher` nothing is synced.
    """

    def __init__(
        self,
        directories: LogDirectories,
        replica: Callable[[str, int], Partition],
        settings: CurrentSettings,
        clock: Clock,
        disk: DiskWatch,
        flusher: Flusher | None,
        bugs: Bugs,
        *,
        node_id: int,
        liveness_clock: Clock,
        look_again: Callable[[str, int], None],
        write_checkpoints: Callable[[], Awaitable[None]],
    ) -> None:
        self._directories = directories
        self._replica = replica
        self._settings = settings
        self._clock = clock
        self._disk = disk
        self._flusher = flusher
        self._bugs = bugs
        self._node_id = node_id
        self._liveness_clock = liveness_clock
        self._look_again = look_again
        self._write_checkpoints = write_checkpoints
        self._moves: dict[TopicPartition, Move] = {}
        self._image: MetadataImage | None = None
        self._news = trio.Event()
        self._rate = WindowedRate(liveness_clock, self._windows)
        settings.subscribe(self._note_settings)

    # -- what others ask

    def is_moving(self, partition: Partition) -> bool:
        """Whether the replica is being copied."""
        return TopicPartition(partition.topic, partition.index) in self._moves

    def destination(self, topic: str, index: int) -> Uuid | None:
        """The directory that the controller is to know of a replica that has been copied there; None: it is not."""
        move = self._moves.get(TopicPartition(topic, index))
        return move.directory_id if move is not None and move.is_told else None

    def move(self, partition: Partition, store: LogStore) -> None:
        """Move a replica to the directory; if it is there already, it stays, and is not moved elsewhere.

        Raises KafkaError KAFKA_STORAGE_ERROR: no copy can be made there, or another directory is offline.
        """
        key = TopicPartition(partition.topic, partition.index)
        present = self._moves.get(key)
        if present is not None and present.store is not store:
            self.cancel(partition.topic, partition.index)
            present = None
        if present is not None or self._directories.store_of(*key) is store:
            return
        if self._directories.has_offline:  # as in Apache Kafka: the copy of another run may be there
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"{partition} cannot move while a directory is offline")
        copy = store.create(
            *key, partition.topic_id, now_ms=self._clock.now_ms(), settings=partition.log.settings, future=True
        )
        self._begin(partition, store, copy)
        logger.info("%s moves to %s", partition, store.directory)

    def cancel(self, topic: str, index: int) -> None:
        """The replica stays where it is."""
        move = self._moves.pop(TopicPartition(topic, index), None)
        if move is None:
            return
        move.partition.unwatch(self)
        try:
            move.store.delete(topic, index)
        except StorageError as error:
            logger.error("cannot delete the copy of %s in %s: %s", move.partition, move.store.directory, error)
        if move.is_told:
            self._look_again(topic, index)

    def forget(self, topic: str, index: int) -> None:
        """The replica is gone, or its directory is offline."""
        move = self._moves.pop(TopicPartition(topic, index), None)
        if move is not None:
            move.partition.unwatch(self)

    def directory_failed(self, store: LogStore) -> None:
        """Nothing moves to a directory that is offline."""
        for key, move in list(self._moves.items()):
            if move.store is store:
                self.forget(*key)
                if move.is_told:
                    self._look_again(*key)

    def follow_metadata(self, image: MetadataImage, _delta: MetadataDelta | None = None) -> None:
        self._image = image
        if self._moves:
            self._news.set()

    # -- the work

    async def run(self) -> None:
        """Copy and swap until cancelled."""
        await self._resume()
        while True:
            if not self._moves:
                await self._news.wait()
            self._news = trio.Event()
            if not await self._pass():
                await self._liveness_clock.wait(self._news, LOOK_AGAIN_MS)

    async def _resume(self) -> None:
        """Go on with the copies that the last run has begun."""
        turn = Turn()
        for store, key in self._directories.futures():
            try:
                partition, copy = (
                    self._replica(*key),
                    store.get(*key, now_ms=self._clock.now_ms()),
                )
            except KafkaError as error:
                logger.error("%s does not go on moving to %s: %s", key, store.directory, error)
                continue
            if copy is not None and key not in self._moves:
                self._begin(partition, store, copy)
                logger.info("%s goes on moving to %s", partition, store.directory)
            await turn.share()

    def _begin(self, partition: Partition, store: LogStore, copy: PartitionLog) -> None:
        key = TopicPartition(partition.topic, partition.index)
        move = Move(partition, store, copy, is_told=False)
        move.is_told = self._is_assigned(move)
        self._moves[key] = move
        partition.watch(self, self._note_records)
        self._news.set()

    def _note_settings(self, _settings: Settings) -> None:
        """The throttle may be another."""
        self._news.set()

    def _note_records(self, _partition: Partition, _at_once: bool) -> None:
        self._news.set()

    def note_truncation(self, replica: Replica) -> None:
        """Records were cut off a replica: its copy may have them."""
        move = self._moves.get(TopicPartition(replica.topic, replica.index))
        if move is not None:
            move.is_aligned = False

    async def _pass(self) -> bool:
        """Copy a piece of each; whether any has got more."""
        turn, has_copied, has_swapped = Turn(), False, False
        for key, move in list(self._moves.items()):
            if self._moves.get(key) is not move or self._liveness_clock.monotonic_ms() < move.not_before_ms:
                continue
            if self._is_throttled():
                break
            try:
                has_copied |= self._copy_piece(move)
                if move.has_everything and self._may_swap(move):
                    self._swap(key, move)
                    has_swapped = True
            except StorageError as error:
                self._put_off(move, error)
            except Exception as error:
                self._bugs.report(f"in moving {move.partition}", error)
                self.cancel(*key)
            await turn.share()
        if has_swapped:
            try:
                await self._write_checkpoints()
            except OSError as error:
                self._disk.put_off("writing checkpoints", error)
        return has_copied

    def _put_off(self, move: Move, error: StorageError) -> None:
        """The disk of the replica, or that of its copy, has refused something."""
        move.not_before_ms = self._liveness_clock.monotonic_ms() + RETRY_MS
        self._disk.put_off(f"moving {move.partition} to {move.store.directory}", error)
        for log in (move.copy, move.partition.log):
            if log.has_failed:
                self._disk.note_disk_error(log, error)

    # -- copying

    def _copy_piece(self, move: Move) -> bool:
        """Copy some batches; whether there were any. Raises StorageError."""
        log, copy, now_ms = move.partition.log, move.copy, self._clock.now_ms()
        if not move.is_aligned:
            align(log, copy, now_ms=now_ms)
            move.is_aligned = True
        size = copy_piece(log, copy, PIECE_BYTES, now_ms=now_ms)
        if size:
            self._rate.record(size)
        return size > 0

    def _is_throttled(self) -> bool:
        return (
            self._rate.bytes_per_second > self._settings.now.replication.replica_alter_log_dirs_io_max_bytes_per_second
        )

    def _windows(self) -> tuple[int, int]:
        quotas = self._settings.now.quotas
        return (
            quotas.alter_log_dirs_replication_quota_window_size_seconds * 1_000,
            quotas.alter_log_dirs_replication_quota_window_num,
        )

    # -- swapping

    def _may_swap(self, move: Move) -> bool:
        """Do what comes before the swap, for a copy that has everything; whether that is done."""
        if not move.is_synced:
            if self._flusher is None:
                move.is_synced = True
            else:
                self._flusher.ask(move.copy, Extent.SETTLED, then=lambda error: self._synced(move, error))
                move.not_before_ms = float("inf")  # `_synced` looks at it again
                return False
        if self._image is not None and self._image.metadata_version < DIRECTORY_ASSIGNMENT:
            return True
        if not move.is_told:
            move.is_told = True
            self._look_again(move.partition.topic, move.partition.index)
        return self._is_assigned(move)

    def _synced(self, move: Move, error: KafkaError | None) -> None:
        move.is_synced = error is None
        move.not_before_ms = 0.0 if error is None else self._liveness_clock.monotonic_ms() + RETRY_MS
        self._news.set()

    def _is_assigned(self, move: Move) -> bool:
        """Whether the metadata has the replica in the new directory."""
        topic = None if self._image is None else self._image.topics_by_id.get(move.partition.topic_id)
        if topic is None:
            return False
        return assigned_directory(topic.partitions[move.partition.index], self._node_id) == move.directory_id

    def _swap(self, key: TopicPartition, move: Move) -> None:
        """Raises StorageError: nothing has changed."""
        log, copy = move.partition.log, move.copy
        if self._flusher is not None and copy.recovery_point < log.recovery_point:
            copy.flushing.flush()  # what came since it was synced is in no place less safe than before
        copy.update_settings(log.settings)
        for epoch, start_offset in log.leader_epochs.entries:  # also those without records
            copy.leader_epochs.assign(epoch, start_offset)
        self._directories.swap(move.store, key)
        self.forget(*key)
        if self._flusher is not None:
            self._flusher.forget(log)
        move.partition.use_log(copy)
        logger.info("%s has moved to %s", move.partition, move.store.directory)
