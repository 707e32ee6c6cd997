"""What a coordinator is made of and needs: its records, its internal topic, and the shards of its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.high_watermark import HighWatermark
    from kafkapy_wire.records.building import BuiltBatch
    from kafkapy_wire.uuid import Uuid


class CoordinatorRecord(NamedTuple):
    """One record of a coordinator's topic. Two bytes of type begin a key, of version a value; no value deletes."""

    key: bytes
    value: bytes | None


class Position(NamedTuple):
    """The log end offset and the high watermark of a partition."""

    end_offset: int
    committed: HighWatermark


class Term(NamedTuple):
    """One leadership of a partition. A topic that is created anew begins with epoch 0 again, and has another id."""

    topic_id: Uuid
    leader_epoch: int

    @property
    def following(self) -> Term:
        return self._replace(leader_epoch=self.leader_epoch + 1)


class CoordinatorLog(Protocol):
    """What a coordinator needs of its internal topic. Partitions are `[0, partition_count)`."""

    @property
    def partition_count(self) -> int:
        """0 as long as the topic does not exist."""

    def leader_id(self, partition: int) -> int:
        """The broker that leads the partition, so that it is the coordinator of what is in it; -1: none."""

    def term(self, partition: int) -> Term | None:
        """The term in which this broker leads the partition; None: it does not."""

    async def create_topic(self) -> None:
        """Create the topic if it does not exist. This broker may learn a little later that it does.

        Raises KafkaError.
        """

    def append(self, partition: int, batch: BuiltBatch) -> Position:
        """Append a batch and return the position after it. Raises KafkaError: NOT_LEADER_OR_FOLLOWER,
        NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR.
        """

    def position(self, partition: int) -> Position:
        """The position of the log. Raises KafkaError(NOT_LEADER_OR_FOLLOWER)."""

    def read_batches(self, partition: int) -> Iterator[memoryview]:
        """Whole batches from the log start to the end. A view is valid until the next one is asked for.

        Raises KafkaError; MalformedMessage: the bytes after the last batch are not a batch.
        """


class Shard(Protocol):
    """State held by one partition of a coordinator's topic."""

    unknown_records: dict[int, int]
    """Type of record -> how many of it were replayed without effect: a later Kafka wrote them."""

    def replay(self, record: CoordinatorRecord, producer_id: int, offset: int) -> None:
        """Apply the record at `offset` of the partition, written by a transaction of `producer_id` when that is not -1.

        Raises MalformedMessage, UnsupportedVersion: the record is invalid, and nothing has changed. Records of this
        coordinator's own decisions never raise.
        """

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        """Apply a transaction marker."""

    def loaded(self) -> None:
        """The whole log is replayed: the shard is in charge from now on."""

    def resign(self) -> None:
        """The shard is no longer in charge: stop its timers, answer parked requests with NOT_COORDINATOR."""
