"""Commit and abort markers: control batches that end a transaction in each partition it has written to.

What a marker changes: in a data partition the last stable offset, and the index of aborted transactions; in
`__consumer_offsets` also the offsets that the transaction has committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkapy.pending import Pending, settled
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_log import build_marker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import ControlRecordType

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.partitions.manager import PartitionManager


class Marker(NamedTuple):
    """How one producer's transaction ends. `transaction_version` decides which epochs the partition accepts."""

    producer_id: int
    producer_epoch: int
    commit: bool
    coordinator_epoch: int
    transaction_version: int


class TransactionalOffsets(Protocol):
    """The group coordinator's offsets of open transactions."""

    def end_transaction(self, partition: int, producer_id: int, *, committed: bool) -> None:
        """A marker was appended to this partition of `__consumer_offsets`."""


_WRITTEN = settled(ErrorCode.NONE)


class MarkerWriter:
    """Writes markers into the partitions that this broker leads."""

    def __init__(self, partitions: PartitionManager, offsets: TransactionalOffsets, clock: Clock) -> None:
        self._partitions = partitions
        self._offsets = offsets
        self._clock = clock

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]:
        """Once the marker is committed: NONE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS,
        INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED or KAFKA_STORAGE_ERROR.

        The marker is written even if the partition has no open transaction of the producer.
        """
        now_ms = self._clock.now_ms()
        batch = build_marker(
            ControlRecordType.COMMIT if marker.commit else ControlRecordType.ABORT,
            timestamp=now_ms,
            producer_id=marker.producer_id,
            producer_epoch=marker.producer_epoch,
            coordinator_epoch=marker.coordinator_epoch,
        )
        try:
            partition = self._partitions.leader(topic, index)
            appended = partition.append_internal(batch, now_ms=now_ms, transaction_version=marker.transaction_version)
        except KafkaError as error:
            return settled(error.code)
        if topic == OFFSETS_TOPIC:
            self._offsets.end_transaction(index, marker.producer_id, committed=marker.commit)
        if partition.committed.offset > appended.last_offset:
            return _WRITTEN
        pending: Pending[ErrorCode] = Pending()
        partition.committed.release_at(
            appended.last_offset + 1,
            lambda error: pending.answer(ErrorCode.NONE if error is None else error.code),
        )
        return pending
