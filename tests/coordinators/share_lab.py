"""A share coordinator with a log in memory and a clock moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.clock import ManualClock
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import partition_for
from kafkapy.coordinators.share import ShareCoordinator, SharePartitionKey
from kafkapy.coordinators.share.records import SnapshotRecord, UpdateRecord, read_record
from kafkapy.coordinators.share.share_state import ShareStateUpdate
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy.settings import Settings
from kafkapy.settings.broker import ShareSettings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import decode_records
from kafkapy_wire.uuid import Uuid
from tests.coordinators.group_lab import NODE_ID, PARTITION_COUNT, MemoryLog, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.coordinators.share.share_state import ShareState
    from kafkapy.pending import Pending

TOPIC_ID = Uuid(b"t" * 16)
KEY = SharePartitionKey("readers", TOPIC_ID, 0)
AVAILABLE, ACKNOWLEDGED, ARCHIVED = 0, 2, 4


class PrunedLog(MemoryLog):
    """A log in memory whose batches can be deleted from the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: dict[int, int] = {}

    def delete_records_before(self, partition: int, offset: int) -> None:
        start = self.starts.get(partition, 0)
        kept = []
        for batch in self.batches[partition]:
            start += len(list(decode_records(memoryview(batch))))
            if start > offset:
                kept.append(batch)
        self.batches[partition] = kept
        self.starts[partition] = offset


class ShareLab:
    def __init__(self, **settings: int) -> None:
        self.clock = ManualClock(frozen=True)
        self.log = PrunedLog()
        self.metadata = Metadata()
        partitions = tuple(PartitionImage(replicas=(NODE_ID,), isr=(NODE_ID,), leader=NODE_ID) for _ in range(4))
        topic = TopicImage("t", TOPIC_ID, partitions)
        self.metadata.image = MetadataImage(topics={"t": topic}, topics_by_id={TOPIC_ID: topic})
        given = Settings({})
        given.share = ShareSettings().replace(settings)
        self.settings = CurrentSettings(given)
        self.coordinator = self._coordinator()

    def _coordinator(self) -> ShareCoordinator:
        return ShareCoordinator(self.settings, self.clock, self.log, self.metadata)

    async def start(self) -> None:
        await self.log.create_topic()
        await self.coordinator.load()

    async def restart(self) -> None:
        """What a killed node does: a new coordinator loads what the log has."""
        self.coordinator.close()
        self.coordinator = self._coordinator()
        await self.coordinator.load()

    # -- requests

    def initialize(self, state_epoch: int = 0, start_offset: int = 0, key: SharePartitionKey = KEY) -> None:
        self.coordinator.initialize(key, state_epoch, start_offset).result()

    def read(self, leader_epoch: int = 0, key: SharePartitionKey = KEY) -> ShareState:
        return self.coordinator.read(key, leader_epoch).result()

    def write(
        self,
        start_offset: int,
        *batches: tuple[int, int, int, int],
        complete: int = 0,
        state_epoch: int = 0,
        leader_epoch: int = 0,
        key: SharePartitionKey = KEY,
    ) -> None:
        update = ShareStateUpdate(start_offset, complete, tuple(StateBatch(*batch) for batch in batches))
        self.coordinator.write(key, update, state_epoch=state_epoch, leader_epoch=leader_epoch).result()

    def summary(self, key: SharePartitionKey = KEY) -> ShareState | None:
        return self.coordinator.read_summary(key).result()

    # -- what tests look at

    def stored(self, key: SharePartitionKey = KEY) -> list[SnapshotRecord | UpdateRecord]:
        """The records of the share partition, in order."""
        found = []
        for batch in self.log.batches[partition_for(key.text, PARTITION_COUNT)]:
            for record in decode_records(memoryview(batch)):
                assert record.key is not None
                read = read_record(CoordinatorRecord(record.key, record.value))
                if read is not None and read.key == key:
                    found.append(read)
        return found


def error_of(ask: Callable[[], Pending[object] | object]) -> tuple[ErrorCode, str | None]:
    try:
        ask()
    except KafkaError as error:
        return error.code, error.message
    return ErrorCode.NONE, None
