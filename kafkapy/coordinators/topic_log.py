"""The internal topic of a coordinator (a `coordinators.runtime.CoordinatorLog`), created when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.ports import Position, Term
from kafkapy_controller.image import NO_LEADER
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import split_batches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kafkapy.clock import Clock
    from kafkapy.metadata.ports import Metadata
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition
    from kafkapy_log import FileSlice
    from kafkapy_wire.records.building import BuiltBatch

LOAD_READ_BYTES = 5 << 20


class TopicCoordinatorLog:
    """`__consumer_offsets`, or another topic of a coordinator. This broker reads and appends where it leads.

    Who leads is what the newest image says, which `partitions` has followed before anybody asks here.
    """

    def __init__(
        self,
        topic: str,
        partitions: PartitionManager,
        metadata: Metadata,
        clock: Clock,
        create_topic: Callable[[str], Awaitable[None]],
        *,
        node_id: int,
        below_min_isr: bool = False,
    ) -> None:
        """With `below_min_isr` batches are appended although too few replicas are in sync: their commits wait."""
        self._topic = topic
        self._partitions = partitions
        self._metadata = metadata
        self._clock = clock
        self._create_topic = create_topic
        self._node_id = node_id
        self._below_min_isr = below_min_isr

    @property
    def partition_count(self) -> int:
        return self._partitions.count(self._topic)

    def leader_id(self, partition: int) -> int:
        topic = self._metadata.image.topics.get(self._topic)
        return NO_LEADER if topic is None else topic.partitions[partition].leader

    def term(self, partition: int) -> Term | None:
        topic = self._metadata.image.topics.get(self._topic)
        if topic is None or partition >= len(topic.partitions):
            return None
        state = topic.partitions[partition]
        return Term(topic.topic_id, state.leader_epoch) if state.leader == self._node_id else None

    async def create_topic(self) -> None:
        if not self.partition_count:
            await self._create_topic(self._topic)

    def append(self, partition: int, batch: BuiltBatch) -> Position:
        """Raises KafkaError."""
        leader = self._leader(partition)
        appended = leader.append_internal(batch, now_ms=self._clock.now_ms(), below_min_isr=self._below_min_isr)
        return Position(appended.last_offset + 1, leader.committed)

    def position(self, partition: int) -> Position:
        """Raises KafkaError."""
        leader = self._leader(partition)
        return Position(leader.log.log_end_offset, leader.committed)

    def delete_records_before(self, partition: int, offset: int) -> None:
        """Delete the records before `offset`, as DeleteRecords does. Raises KafkaError."""
        self._leader(partition).delete_records_before(offset, now_ms=self._clock.now_ms())

    def read_batches(self, partition: int) -> Iterator[memoryview]:
        """Whole batches from the log start to the end, read in pieces of `LOAD_READ_BYTES`.

        Raises KafkaError; MalformedMessage: the bytes at a batch boundary are not a batch.
        """
        try:
            stored = self._partitions.stored(self._topic, partition)
            if stored is None:
                return
            offset = stored.log.log_start_offset
            while offset < stored.log.log_end_offset:
                piece = stored.log.read(offset, LOAD_READ_BYTES)  # it may move to another directory meanwhile
                if not piece.length:
                    return  # compaction has removed all batches after this offset
                next_offset = piece.next_offset
                yield from self._batches_in(piece, stored)
                if next_offset <= offset:
                    raise MalformedMessage(f"a batch at offset {offset} says that it ends before it")
                offset = next_offset
        except StorageError as error:
            if isinstance(error.cause, OSError):
                raise
            raise MalformedMessage(str(error.cause)) from error

    def _batches_in(self, piece: FileSlice, stored: Partition) -> Iterator[memoryview]:
        try:
            data = piece.read()
        except OSError as error:
            raise StorageError(stored, error) from error
        finally:
            piece.release()
        for _, batch in split_batches(data):
            yield batch

    def _leader(self, partition: int) -> Partition:
        try:
            return self._partitions.leader(self._topic, partition)
        except KafkaError as error:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER) from error
