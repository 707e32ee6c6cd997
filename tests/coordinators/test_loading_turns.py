"""Loading a coordinator's partition leaves turns to others, also within one batch of very many records."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from kafkapy.coordinators.ports import Term
from kafkapy.coordinators.serving import LOAD_TURN_RECORDS_MAX, Serving
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import ZERO_UUID


class OneBatch:
    """A log of one partition, which has one batch."""

    partition_count = 1

    def __init__(self, records: int) -> None:
        self.epoch = 0
        self._batch = memoryview(build_batch([NewRecord(0, b"key", b"") for _ in range(records)]))

    def term(self, _partition: int) -> Term:
        return Term(ZERO_UUID, self.epoch)

    def read_batches(self, _partition: int) -> Iterator[memoryview]:
        yield self._batch


class CountingShard:
    """Counts what it replays."""

    def __init__(self, _partition: int) -> None:
        self.replayed = 0
        self.unknown_records: dict[int, int] = {}

    def replay(self, _record: object, _producer_id: int, _offset: int) -> None:
        self.replayed += 1

    def loaded(self) -> None:
        pass


def loaded(log: OneBatch, meanwhile: int) -> list[CountingShard]:
    """The shards, when the term is over after so many turns of another task."""
    made: list[CountingShard] = []

    def new(partition: int) -> CountingShard:
        made.append(CountingShard(partition))
        return made[-1]

    async def other() -> None:
        for _ in range(meanwhile):
            await trio.lowlevel.checkpoint()
        log.epoch += 1

    async def play() -> None:
        serving: Serving[CountingShard] = Serving("t", log, new)  # type: ignore[type-var, arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await trio.lowlevel.checkpoint()
            await serving.load(raises=True, bugs=None, progress=lambda: None)

    trio.run(play)
    return made


def test_a_load_is_dropped_within_a_batch_when_its_term_is_over() -> None:
    first, second = loaded(OneBatch(10 * LOAD_TURN_RECORDS_MAX), 3)
    assert 0 < first.replayed < 10 * LOAD_TURN_RECORDS_MAX
    assert second.replayed == 10 * LOAD_TURN_RECORDS_MAX
