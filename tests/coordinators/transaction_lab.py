"""A transaction coordinator with a log in memory, markers noted instead of written, and a clock moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

from kafkapy.clock import ManualClock
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import partition_for
from kafkapy.coordinators.transaction import TransactionCoordinator
from kafkapy.coordinators.transaction.records import read_record
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.pending import Pending, settled
from kafkapy.settings import Settings
from kafkapy.settings.broker import TransactionSettings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.image import MetadataImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from tests.coordinators.group_lab import PARTITION_COUNT, MemoryLog, Metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.coordinators.transaction.transaction import Transaction

T = TypeVar("T")

ID = "orders"
TIMEOUT_MS = 60_000
OLD, NEW = 0, 2  # client versions


class NotedMarkers:
    """`written` in order; `refuse` has the error for a partition."""

    def __init__(self) -> None:
        self.written: list[tuple[str, int, Marker]] = []
        self.refuse: dict[tuple[str, int], ErrorCode] = {}

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]:
        error = self.refuse.get((topic, index), ErrorCode.NONE)
        if error is ErrorCode.NONE:
            self.written.append((topic, index, marker))
        return settled(error)


class TransactionLab:
    def __init__(self, *, transaction_version: int = 2, **settings: int | bool) -> None:
        self.clock = ManualClock(frozen=True)
        self.log = MemoryLog()
        self.metadata = Metadata()
        self.metadata.image = MetadataImage(features={"transaction.version": transaction_version})
        given = Settings({})
        given.transactions = TransactionSettings().replace(settings)
        self.settings = CurrentSettings(given)
        self.markers = NotedMarkers()
        self.producer_ids = 0
        self.transactions = self._coordinator()

    def _coordinator(self) -> TransactionCoordinator:
        return TransactionCoordinator(
            self.settings, self.clock, self.log, self.metadata, self._next_producer_id, self.markers
        )

    def _next_producer_id(self) -> Pending[int]:
        self.producer_ids += 1
        return settled(self.producer_ids)

    async def restart(self) -> None:
        """What a killed node does: a new coordinator loads what the log has."""
        self.transactions.close()
        self.transactions = self._coordinator()
        await self.transactions.load()

    # -- requests

    async def _outcome(self, pending: Pending[T]) -> T:
        """The answer, once the coordinator has done what it does in the background."""
        if not pending.settled:
            there = trio.Event()
            pending.when_settled(lambda _: there.set())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.transactions.run)
                await there.wait()
                nursery.cancel_scope.cancel()
        return pending.result()

    async def init(
        self, expected: ProducerIdAndEpoch | None = None, *, name: str = ID, timeout_ms: int = TIMEOUT_MS
    ) -> ProducerIdAndEpoch:
        await self._outcome(self.transactions.when_ready(name))  # as clients do, which look for the coordinator first
        return await self._outcome(self.transactions.init_producer_id(name, timeout_ms, expected))

    def add(self, producer: ProducerIdAndEpoch, *indexes: int, name: str = ID, client_version: int = NEW) -> None:
        self.transactions.add_partitions(name, producer, [("t", index) for index in indexes], client_version).result()

    async def end(
        self, producer: ProducerIdAndEpoch, *, commit: bool = True, name: str = ID, client_version: int = NEW
    ) -> ProducerIdAndEpoch:
        return await self._outcome(self.transactions.end(name, producer, commit=commit, client_version=client_version))

    async def producer_with_epoch(self, epoch: int) -> ProducerIdAndEpoch:
        producer = await self.init()
        while producer.epoch < epoch:
            producer = await self.init(producer)
        return producer

    # -- what tests look at

    def transaction(self, name: str = ID) -> Transaction:
        return self.transactions.describe(name).result()

    def state(self, name: str = ID) -> str:
        return self.transaction(name).status.text

    def stored_states(self, name: str = ID) -> list[str]:
        """The states of the transactional id in the log, in order."""
        states = []
        for record in self.log.records(name):
            assert record.key is not None
            read = read_record(CoordinatorRecord(record.key, record.value))
            if read is not None and read.transactional_id == name:
                states.append("tombstone" if read.transaction is None else read.transaction.status.text)
        return states

    def drop_last_batches(self, count: int, name: str = ID) -> None:
        """What a crash before they were written would have left."""
        del self.log.batches[partition_for(name, PARTITION_COUNT)][-count:]


async def error_of(asked: Awaitable[object]) -> ErrorCode:
    try:
        await asked
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE
