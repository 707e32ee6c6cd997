"""A partition of this broker, number 1, and a second replica that a test plays by hand: number 2."""

from __future__ import annotations

from pathlib import Path

from kafkapy.clock import ManualClock
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.flushing import Flusher
from kafkapy.partitions.followers import IsrProposal, Proposer
from kafkapy.partitions.partition import Partition
from kafkapy.partitions.replica import SharedParts
from kafkapy.settings import Settings
from kafkapy_controller.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from kafkapy_log import AppendResult, LogSettings, PartitionLog
from kafkapy_wire.records import NewRecord, Record, build_batch, decode_records, split_batches
from kafkapy_wire.uuid import random_uuid

HERE, OTHER = 1, 2
LAG_MS = 30_000


class PartitionLab:
    """`partition` leads in epoch 0 and both replicas are in sync, unless told otherwise."""

    def __init__(
        self,
        directory: Path,
        *,
        replicas: tuple[int, ...] = (HERE, OTHER),
        isr: tuple[int, ...] = (HERE, OTHER),
        leader: int = HERE,
        min_insync_replicas: int = 1,
        flush_messages: int | None = None,
    ) -> None:
        self.directory = directory
        self.clock = ManualClock(frozen=True)
        self.disk = DiskWatch(directory, self.clock)
        self.flusher = Flusher(self.clock, self.disk)
        self.now_ms = 1_000_000
        given = {"min.insync.replicas": str(min_insync_replicas)}
        if flush_messages is not None:
            given["log.flush.interval.messages"] = str(flush_messages)
        log = PartitionLog.open(directory, LogSettings(), now_ms=self.now_ms, clean=True)
        self.proposals: list[IsrProposal] = []
        self.shared = SharedParts(HERE, self.disk, lag_time_max_ms=LAG_MS, isr_changes=self)
        self.register()
        topic = TopicImage("orders", random_uuid(), ())
        self.partition = Partition(
            topic,
            0,
            state(replicas=replicas, isr=isr, leader=leader),
            log,
            Settings(given).topic_settings(),
            self.shared,
            now_ms=self.now_ms,
        )
        self.partition.use_flusher(self.flusher)
        self.released: list[str] = []

    def register(self, **changes: object) -> None:
        """Have the metadata say of the other broker what differs from: epoch 0, unfenced."""
        broker = BrokerImage(OTHER, 0, random_uuid(), {}, {}, fenced=False)._replace(**changes)  # type: ignore[arg-type]
        self.shared.brokers.use(MetadataImage(brokers={OTHER: broker}))

    def submit(self, partition: Proposer, proposal: IsrProposal) -> None:
        """The partition proposes an ISR."""
        assert partition is self.partition
        self.proposals.append(proposal)

    def produce(self, *values: bytes) -> AppendResult:
        return self.partition.append_produced(batch(*values), now_ms=self.now_ms, request_version=9)

    def fetch(self, offset: int) -> None:
        """The other replica asks for records from `offset`."""
        self.partition.follower_fetched(OTHER, offset, now_ms=self.now_ms)

    def become(self, **changes: object) -> None:
        self.partition.become(state(**changes), now_ms=self.now_ms)  # type: ignore[arg-type]

    def expect(self, name: str, end_offset: int) -> None:
        """Note in `released` when everything below is committed, or the error why it will not be."""
        self.partition.committed.release_at(
            end_offset, lambda error: self.released.append(name if error is None else f"{name}: {error.code.name}")
        )

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    @property
    def records(self) -> list[Record]:
        log = self.partition.log
        piece = log.read(log.log_start_offset, 1 << 20)
        data = piece.read()
        piece.release()
        return [record for _, one in split_batches(data) for record in decode_records(one)]


def state(
    *,
    leader: int = HERE,
    epoch: int = 0,
    isr: tuple[int, ...] = (HERE, OTHER),
    replicas: tuple[int, ...] = (HERE, OTHER),
    partition_epoch: int = 0,
) -> PartitionImage:
    return PartitionImage(replicas, isr, leader=leader, leader_epoch=epoch, partition_epoch=partition_epoch)


def batch(*values: bytes, base_offset: int = 0, leader_epoch: int = 0) -> bytes:
    """As a producer sends it, or with offset and epoch as a leader has stored it."""
    built = bytearray(build_batch([NewRecord(0, None, value) for value in values]))
    built[0:8] = base_offset.to_bytes(8, "big")
    built[12:16] = leader_epoch.to_bytes(4, "big")
    return bytes(built)
