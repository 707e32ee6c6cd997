"""A decided transaction over many partitions: markers in turns of the event loop, and crashes between any two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from kafkapy import turns
from kafkapy.coordinators.transaction.markers import Marker
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.pending import Pending
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import MetadataImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import RemoveTopicRecord, TopicRecord
from kafkapy_wire.uuid import random_uuid
from tests.controller.clusters import replayed
from tests.coordinators.transaction_lab import ID, NotedMarkers, TransactionLab, error_of

PARTITIONS = range(5)


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn is over after one marker."""
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)


class Crash(Exception):
    """The process ends here."""


class CrashingMarkers(NotedMarkers):
    """Crashes instead of the write after so many."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_until_crash = -1

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]:
        if not self.writes_until_crash:
            raise Crash
        self.writes_until_crash -= 1
        return super().write(topic, index, marker)


class EndingLab(TransactionLab):
    """`ending()` has a commit of PARTITIONS under way; `turn()` gives it one more."""

    following: ProducerIdAndEpoch | None = None
    refused: ErrorCode = ErrorCode.NONE

    @asynccontextmanager
    async def ending(self, *, commit: bool = True) -> AsyncIterator[ProducerIdAndEpoch]:
        producer = await self.init()
        self.add(producer, *PARTITIONS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end, producer, commit)
            await trio.testing.wait_all_tasks_blocked()
            yield producer
            nursery.cancel_scope.cancel()

    async def _end(self, producer: ProducerIdAndEpoch, commit: bool) -> None:
        try:
            self.following = await self.end(producer, commit=commit)
        except KafkaError as error:
            self.refused = error.code

    async def turn(self) -> None:
        self.clock.advance(1)
        await trio.testing.wait_all_tasks_blocked()

    @property
    def marked(self) -> list[int]:
        return [index for _, index, _ in self.markers.written]


def error_of_add(lab: TransactionLab, producer: ProducerIdAndEpoch) -> ErrorCode:
    try:
        lab.add(producer, 0)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("commit", [True, False])
async def test_others_have_their_turns_between_the_markers(*, commit: bool) -> None:
    lab = EndingLab()
    async with lab.ending(commit=commit) as producer:
        for count in PARTITIONS:
            assert lab.marked == list(PARTITIONS[: count + 1])
            if count < PARTITIONS[-1]:
                assert lab.state() == ("PrepareCommit" if commit else "PrepareAbort")
                assert lab.following is None, "the answer comes with the last marker"
                next_epoch = ProducerIdAndEpoch(producer.producer_id, producer.epoch + 1)
                assert error_of_add(lab, next_epoch) is ErrorCode.CONCURRENT_TRANSACTIONS
                assert await error_of(lab.end(producer, commit=commit)) is ErrorCode.CONCURRENT_TRANSACTIONS
                assert await error_of(lab.end(producer, commit=not commit)) is ErrorCode.CONCURRENT_TRANSACTIONS
                assert await error_of(lab.init()) is ErrorCode.CONCURRENT_TRANSACTIONS
                await lab.transactions.abort_timed_out()
                lab.transactions.remove_expired()
                await lab.turn()
        assert lab.following == ProducerIdAndEpoch(1, 1)
        assert lab.state() == ("CompleteCommit" if commit else "CompleteAbort")
        assert lab.stored_states()[-2:] == (
            ["PrepareCommit", "CompleteCommit"] if commit else ["PrepareAbort", "CompleteAbort"]
        )
    assert len({marker for _, _, marker in lab.markers.written}) == 1
    assert error_of_add(lab, ProducerIdAndEpoch(1, 1)) is ErrorCode.NONE


@pytest.mark.usefixtures("short_turns")
async def test_a_small_transaction_does_not_wait_for_a_large_one() -> None:
    lab = EndingLab()
    async with lab.ending():
        other = await lab.init(name="other")
        lab.add(other, 7, name="other")
        with trio.testing.assert_no_checkpoints():
            await lab.end(other, name="other")
        assert lab.state("other") == "CompleteCommit"
        assert lab.state() == "PrepareCommit"


@pytest.mark.usefixtures("short_turns")
async def test_two_large_transactions_take_turns() -> None:
    lab = EndingLab()
    async with lab.ending(), trio.open_nursery() as nursery:
        other = await lab.init(name="other")
        lab.add(other, *range(100, 105), name="other")
        nursery.start_soon(lambda: lab.end(other, name="other"))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(8):
            await lab.turn()
        assert lab.marked == [0, 100, 1, 101, 2, 102, 3, 103, 4, 104]
        assert lab.state() == lab.state("other") == "CompleteCommit"


@pytest.mark.usefixtures("short_turns")
async def test_partitions_deleted_between_two_turns_need_no_marker() -> None:
    lab = EndingLab()
    async with lab.ending():
        for index in PARTITIONS:
            lab.markers.refuse["t", index] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        for _ in PARTITIONS:
            await lab.turn()
        assert lab.following is not None
    assert lab.marked == [0]
    assert lab.state() == "CompleteCommit"


@pytest.mark.usefixtures("short_turns")
async def test_what_disks_refuse_holds_up_neither_the_answer_nor_the_other_partitions() -> None:
    lab = EndingLab()
    lab.markers.refuse["t", 0] = lab.markers.refuse["t", 3] = ErrorCode.KAFKA_STORAGE_ERROR
    async with lab.ending():
        for _ in PARTITIONS:
            await lab.turn()
        assert lab.marked == [1, 2, 4]
        assert lab.following is not None
        assert lab.state() == "PrepareCommit"
        lab.markers.refuse.clear()
        lab.clock.advance(1_000)
        await lab.turn()
        assert lab.marked == [1, 2, 4, 0, 3]
        assert lab.state() == "CompleteCommit"


@pytest.mark.usefixtures("short_turns")
async def test_the_client_that_asked_may_go_away() -> None:
    lab = EndingLab()
    async with lab.ending():
        pass  # the request is cancelled here
    for _ in PARTITIONS:
        await lab.turn()
    assert lab.marked == list(PARTITIONS)
    assert lab.state() == "CompleteCommit"


@pytest.mark.usefixtures("short_turns")
async def test_nothing_is_written_once_the_coordinators_topic_is_deleted() -> None:
    lab = EndingLab()
    async with lab.ending():
        topic_id = random_uuid()
        topic = TopicRecord(name="__transaction_state", topic_id=topic_id)
        delta = MetadataDelta(replayed(MetadataImage(), [topic], 0))
        delta.replay(RemoveTopicRecord(topic_id=topic_id))
        lab.log.batches = []
        lab.transactions.follow_metadata(MetadataImage(), delta)
        for _ in PARTITIONS:
            await lab.turn()
        assert lab.refused is ErrorCode.NOT_COORDINATOR
    assert lab.marked == [0]


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("commit", [True, False])
async def test_a_crash_between_any_two_markers(*, commit: bool) -> None:
    """Also one while the start after it writes the rest: the next one finds the decision and carries it out."""
    for first in range(len(PARTITIONS) + 1):
        for second in range(len(PARTITIONS) + 1):
            lab = EndingLab()
            markers = lab.markers = CrashingMarkers()
            lab.transactions = lab._coordinator()
            producer = await lab.init()
            lab.add(producer, *PARTITIONS)
            markers.writes_until_crash = first
            await crash_in(lab, producer, commit=commit)
            assert lab.marked == list(PARTITIONS[:first])
            if first == len(PARTITIONS):
                lab.drop_last_batches(1)  # the crash came before the record that ends it
            markers.writes_until_crash = second
            if second < len(PARTITIONS):
                with pytest.raises(Crash):
                    await lab.restart()
                markers.writes_until_crash = -1
            await lab.restart()
            assert lab.state() == ("CompleteCommit" if commit else "CompleteAbort"), (first, second)
            assert set(lab.marked) == set(PARTITIONS)
            assert len({marker for _, _, marker in markers.written}) == 1, "each as it was the first time"
            assert await lab.end(producer, commit=commit) == ProducerIdAndEpoch(1, 1)


async def crash_in(lab: EndingLab, producer: ProducerIdAndEpoch, *, commit: bool) -> None:
    """Begin the end of the transaction, and go on until the crash, or until it is complete."""
    crashed = False

    async def end() -> None:
        nonlocal crashed
        try:
            await lab.end(producer, commit=commit)
        except Crash:
            crashed = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        await trio.testing.wait_all_tasks_blocked()
        while not crashed and lab.state(ID).startswith("Prepare"):
            try:
                await lab.turn()
            except Crash:
                break
        nursery.cancel_scope.cancel()
