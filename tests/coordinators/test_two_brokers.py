"""Transactions and offsets over two brokers: markers, verification, and what a producer hears of what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkapy.coordinators.transaction.endings import ANSWER_WAIT_MS, MARKER_RETRY_MS_MAX
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy_controller.topic_names import OFFSETS_TOPIC, TRANSACTION_TOPIC
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
)
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from kafkapy_wire.records import ControlRecordType
from tests.coordinators.two_brokers import (
    DATA_TOPIC,
    FIRST,
    SECOND,
    Fate,
    TwoBrokers,
    begin,
)
from tests.coordinators.two_brokers_producer import (
    GROUP,
    ID,
    LAST_PRODUCE_BY_NAME,
    NONE,
    OFFSET_OF_NOBODY,
    Producer,
    asked,
    committed,
    first_times,
    markers,
)


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_over_both_brokers(tmp_path: Path, commit: bool) -> None:
    """Partitions 0 and 2 are led by the coordinator, 1 by the other broker."""
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        assert await producer.init() is NONE
        assert [await producer.produce(index) for index in (0, 1, 2)] == [NONE] * 3
        assert await producer.end(commit=commit) is NONE
        expected = [ControlRecordType.COMMIT if commit else ControlRecordType.ABORT]
        assert [markers(lab, index) for index in range(3)] == [expected] * 3
        (request,) = asked(lab, WriteTxnMarkersRequest)
        (marker,) = request.markers
        assert (marker.producer_epoch, marker.transaction_result, marker.coordinator_epoch) == (1, commit, 0)
        assert [(topic.name, topic.partition_indexes) for topic in marker.topics] == [(DATA_TOPIC, [1])]
        assert marker.transaction_version == 2
        (added,) = asked(lab, AddPartitionsToTxnRequest)
        assert not added.transactions[0].verify_only

    begin(lab, test)


def test_an_older_producer_is_verified_by_the_coordinator_on_the_other_broker(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab, old=True)
        await producer.init()
        assert await producer.produce(1) is ErrorCode.TRANSACTION_ABORTABLE
        assert await producer.add(0, 1) == [NONE, NONE]
        assert await producer.produce(1) is NONE
        assert await producer.produce(1) is NONE, "in its open transaction nobody is asked again"
        assert [request.transactions[0].verify_only for request in asked(lab, AddPartitionsToTxnRequest)] == [True] * 2
        assert await producer.end() is NONE
        assert markers(lab, 1) == [ControlRecordType.COMMIT]

    begin(lab, test)


def test_offsets_of_a_transaction_whose_group_is_on_the_other_broker(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        assert await producer.commit_offset(7) is NONE
        assert await committed(producer) == -1
        assert await producer.end() is NONE
        assert await committed(producer) == 7
        assert markers(lab, 1, OFFSETS_TOPIC) == [ControlRecordType.COMMIT]

    begin(lab, test)


def test_an_older_producer_adds_its_group_first(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab, old=True)
        await producer.init()
        assert await producer.commit_offset(7, 3) is ErrorCode.INVALID_TXN_STATE
        request = AddOffsetsToTxnRequest(
            transactional_id=ID,
            producer_id=producer.identity.producer_id,
            producer_epoch=producer.identity.epoch,
            group_id=GROUP,
        )
        assert (await producer.ask(producer.coordinator, request)).error_code == NONE
        assert await producer.commit_offset(7, 3) is NONE
        assert await producer.end(commit=False) is NONE
        assert await committed(producer) == -1

    begin(lab, test)


@pytest.mark.parametrize(
    ("fate", "down", "error"),
    [
        (Fate.REQUEST_LOST, False, ErrorCode.NOT_ENOUGH_REPLICAS),
        (Fate.ANSWER_LOST, False, ErrorCode.NOT_ENOUGH_REPLICAS),
        (Fate.ANSWERED, True, ErrorCode.NOT_ENOUGH_REPLICAS),
    ],
)
def test_a_coordinator_that_cannot_be_asked(tmp_path: Path, fate: Fate, down: bool, error: ErrorCode) -> None:
    """Producers retry that error without asking for metadata. A group's consumer retries another one (KIP-890)."""
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        lab.fate = first_times(fate, AddPartitionsToTxnRequest)
        lab.down = {FIRST} if down else set()
        assert await producer.produce(1) is error
        lab.fate = first_times(fate, AddPartitionsToTxnRequest)
        expected = ErrorCode.COORDINATOR_NOT_AVAILABLE if down else ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        assert await producer.commit_offset(7) is expected
        lab.down = set()
        assert await producer.produce(1) is NONE

    begin(lab, test)


def test_a_fenced_producer_hears_it_from_the_other_broker(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        old = Producer(lab)
        await old.init()
        await Producer(lab).init()
        assert await old.produce(1) is ErrorCode.INVALID_PRODUCER_EPOCH
        assert await old.commit_offset(7) is ErrorCode.INVALID_PRODUCER_EPOCH

    begin(lab, test)


def test_verification_while_no_broker_coordinates(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        lab.move(TRANSACTION_TOPIC, 0, -1)
        lab.hear(SECOND)
        assert await producer.produce(1) is ErrorCode.NOT_ENOUGH_REPLICAS
        answer = await lab.brokers[SECOND].ask(FindCoordinatorRequest(coordinator_keys=[ID], key_type=1))
        assert answer.coordinators[0].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE

    begin(lab, test)


@pytest.mark.parametrize("fate", [Fate.REQUEST_LOST, Fate.ANSWER_LOST])
def test_markers_are_sent_until_they_are_written(tmp_path: Path, fate: Fate) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        await producer.produce(1)
        lab.fate = first_times(fate, WriteTxnMarkersRequest, count=3)
        assert await producer.end() is NONE, "the decision is stored, and every partition has been tried"
        for _ in range(4):
            lab.clock.advance(MARKER_RETRY_MS_MAX)
            for _ in range(4):
                await lab.quiet()
                lab.replicate_all()
        assert len(asked(lab, WriteTxnMarkersRequest)) == 4
        assert set(markers(lab, 1)) == {ControlRecordType.COMMIT}
        assert producer.coordinator.transactions.describe(ID).result().status.text == "CompleteCommit"

    begin(lab, test)


def test_a_marker_follows_its_partition_to_the_new_leader(tmp_path: Path) -> None:
    """The old leader refuses it, and the coordinator hears of the new one a little later."""
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        await producer.produce(1)
        lab.replicate_all()
        lab.move(DATA_TOPIC, 1)
        lab.hear(SECOND)
        assert await producer.end() is NONE
        lab.hear(FIRST)
        lab.clock.advance(MARKER_RETRY_MS_MAX)
        lab.replicate_all()
        lab.replicate_all()
        await lab.quiet()
        assert lab.leader(DATA_TOPIC, 1).node_id == FIRST
        assert markers(lab, 1) == [ControlRecordType.COMMIT]
        assert len(asked(lab, WriteTxnMarkersRequest)) == 1

    begin(lab, test)


def test_a_marker_that_is_not_committed_when_its_partition_is_handed_over_is_written_again(tmp_path: Path) -> None:
    """The coordinator leads the partition itself until a reassignment takes its replica away."""
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        await producer.produce(0)
        lab.replicate_all()
        coordinator = producer.coordinator
        lab.nursery.start_soon(coordinator.ask, producer.end_request(commit=True))
        await lab.quiet()
        for _ in range(2):
            lab.replicate(TRANSACTION_TOPIC, 0)
        await lab.quiet()
        lab.hand_over(DATA_TOPIC, 0)
        for node_id in (FIRST, SECOND):
            lab.hear(node_id)
        for _ in range(3):
            await lab.quiet()
            lab.clock.advance(MARKER_RETRY_MS_MAX)
            lab.replicate(TRANSACTION_TOPIC, 0)
        await lab.quiet()
        assert lab.leader(DATA_TOPIC, 0).node_id == SECOND
        assert markers(lab, 0) == [ControlRecordType.COMMIT]
        assert coordinator.transactions.describe(ID).result().status.text == "CompleteCommit"

    begin(lab, test)


def test_an_answer_does_not_wait_for_long_for_markers_on_other_brokers(tmp_path: Path) -> None:
    """Apache Kafka waits for none. While they are written, the next transaction has to wait."""
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        await producer.produce(1)
        answers: list[Any] = []
        coordinator = producer.coordinator

        async def end() -> None:
            answers.append(await coordinator.ask(producer.end_request(commit=True)))

        lab.nursery.start_soon(end)
        await lab.quiet()
        for _ in range(2):
            lab.replicate(TRANSACTION_TOPIC, 0)
        await lab.quiet()
        assert len(asked(lab, WriteTxnMarkersRequest)) == 1
        assert answers == [], "the marker is not committed: nobody fetches that partition"
        lab.clock.advance(ANSWER_WAIT_MS)
        await lab.quiet()
        assert answers[0].error_code == NONE
        assert coordinator.transactions.describe(ID).result().status.text == "PrepareCommit"
        producer.identity = ProducerIdAndEpoch(answers[0].producer_id, answers[0].producer_epoch)
        producer.sequences.clear()
        lab.replicate_all()
        lab.replicate_all()
        await lab.quiet()
        assert await producer.produce(1) is NONE

    begin(lab, test)


def test_a_produce_waits_a_little_for_the_end_of_the_transaction_before(tmp_path: Path) -> None:
    settings = {"add.partitions.to.txn.retry.backoff.ms": "30", "add.partitions.to.txn.retry.backoff.max.ms": "90"}
    lab = TwoBrokers(tmp_path, settings=settings)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        await producer.produce(1)
        lab.fate = first_times(Fate.REQUEST_LOST, WriteTxnMarkersRequest, count=1 << 30)
        assert await producer.end() is NONE
        before = len(asked(lab, AddPartitionsToTxnRequest))
        answers: list[Any] = []

        async def produce() -> None:
            answers.append(await lab.brokers[SECOND].ask(producer.produce_request(1), LAST_PRODUCE_BY_NAME))

        lab.nursery.start_soon(produce)
        for tries in range(1, 5):
            await lab.quiet()
            assert (len(asked(lab, AddPartitionsToTxnRequest)) - before, len(answers)) == (tries, tries == 4)
            lab.clock.advance(30)
        error = answers[0].responses[0].partition_responses[0].error_code
        assert error == ErrorCode.CONCURRENT_TRANSACTIONS

    begin(lab, test)


def test_markers_that_are_not_committed_in_time_are_answered(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path, settings={"request.timeout.ms": "70"})

    async def test() -> None:
        marker = WritableTxnMarker(
            producer_id=1, topics=[WritableTxnMarkerTopic(name=DATA_TOPIC, partition_indexes=[0])]
        )
        answers: list[Any] = []

        async def write() -> None:
            answers.append(await lab.brokers[FIRST].ask(WriteTxnMarkersRequest(markers=[marker])))

        lab.nursery.start_soon(write)
        await lab.quiet()
        lab.clock.advance(69)
        await lab.quiet()
        assert answers == []
        lab.clock.advance(1)
        await lab.quiet()
        assert answers[0].markers[0].topics[0].partitions[0].error_code == ErrorCode.REQUEST_TIMED_OUT

    begin(lab, test)


def test_a_marker_of_an_older_coordinator_is_refused(tmp_path: Path) -> None:
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)

        async def write(coordinator_epoch: int) -> ErrorCode:
            topics = [WritableTxnMarkerTopic(name=DATA_TOPIC, partition_indexes=[0])]
            marker = WritableTxnMarker(producer_id=1, coordinator_epoch=coordinator_epoch, topics=topics)
            answer = await producer.ask(lab.brokers[FIRST], WriteTxnMarkersRequest(markers=[marker]))
            return ErrorCode(answer.markers[0].topics[0].partitions[0].error_code)

        assert await write(3) is NONE
        assert await write(2) is ErrorCode.TRANSACTION_COORDINATOR_FENCED

    begin(lab, test)


def test_offsets_that_come_after_the_end_of_their_transaction(tmp_path: Path) -> None:
    """They were verified before; their transaction ends while the answer is on its way. No marker would come for them,
    so that readers would wait for ever (KIP-890)."""
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab, old=True)
        await producer.init()
        request = AddOffsetsToTxnRequest(
            transactional_id=ID,
            producer_id=producer.identity.producer_id,
            producer_epoch=producer.identity.epoch,
            group_id=GROUP,
        )
        await producer.ask(producer.coordinator, request)
        held = lab.hold(AddPartitionsToTxnRequest)
        answers: list[ErrorCode] = []

        async def commit() -> None:
            answers.append(await producer.commit_offset(7, 4))

        lab.nursery.start_soon(commit)
        await lab.quiet()
        assert await producer.end() is NONE
        held.set()
        await lab.quiet()
        lab.replicate_all()
        await lab.quiet()
        assert answers == [ErrorCode.INVALID_TXN_STATE]
        assert await committed(producer) == -1

    begin(lab, test)


@pytest.mark.parametrize("what", ["offsets", "records"])
def test_a_late_marker_of_the_transaction_before_does_not_end_the_producer(tmp_path: Path, what: str) -> None:
    """It comes between the question whether the partition is in the next transaction and the answer, which it does not
    change: the coordinator is asked once more. Another broker's log may get it then, or a restarted coordinator writes
    it again.
    """
    lab = TwoBrokers(tmp_path)
    topic = OFFSETS_TOPIC if what == "offsets" else DATA_TOPIC

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        assert await (producer.commit_offset(7) if what == "offsets" else producer.produce(1)) is NONE
        assert await producer.end() is NONE
        leader = lab.brokers[SECOND]
        answers: list[int] = []

        async def next_transaction() -> None:
            if what == "offsets":
                committed = await leader.ask(producer.commit_request(8), 5)
                answers.append(committed.topics[0].partitions[0].error_code)
            else:
                produced = await leader.ask(producer.produce_request(1), LAST_PRODUCE_BY_NAME)
                answers.append(produced.responses[0].partition_responses[0].error_code)

        held = lab.hold(AddPartitionsToTxnRequest)
        lab.nursery.start_soon(next_transaction)
        await lab.quiet()
        late = WritableTxnMarker(
            producer_id=producer.identity.producer_id,
            producer_epoch=producer.identity.epoch,
            transaction_result=True,
            topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[1])],
            coordinator_epoch=0,
            transaction_version=2,
        )
        log = leader.replica(topic, 1).log
        end_offset = log.log_end_offset
        lab.nursery.start_soon(leader.ask, WriteTxnMarkersRequest(markers=[late]))
        await lab.quiet()
        assert log.log_end_offset == end_offset + 1
        asked = sum(isinstance(request, AddPartitionsToTxnRequest) for _, request in lab.asked)
        held.set()
        for _ in range(4):  # what is appended has to be replicated
            await lab.quiet()
            lab.replicate_all()
        await lab.quiet()
        assert answers == [NONE]
        assert sum(isinstance(request, AddPartitionsToTxnRequest) for _, request in lab.asked) == asked + 1
        assert await producer.end() is NONE

    begin(lab, test)


def test_offsets_that_come_to_a_coordinator_which_has_moved_meanwhile(tmp_path: Path) -> None:
    """It has asked whether they belong to the transaction, and follows, its log cut, when it is answered.

    That says nothing of the transaction: the client is to ask the new coordinator, not to give the transaction up.
    """
    lab = TwoBrokers(tmp_path)

    async def test() -> None:
        producer = Producer(lab)
        await producer.init()
        assert await producer.commit_offset(7) is NONE
        assert await producer.end() is NONE
        old_coordinator = lab.brokers[SECOND]
        answers: list[ErrorCode] = []

        async def commit_in_transaction() -> None:
            request = producer.commit_request(8)
            answer = await old_coordinator.ask(request, 5)
            answers.append(ErrorCode(answer.topics[0].partitions[0].error_code))

        async def commit_what_nobody_replicates() -> None:
            await old_coordinator.ask(OffsetCommitRequest(group_id=GROUP, topics=[OFFSET_OF_NOBODY]), 9)

        held = lab.hold(AddPartitionsToTxnRequest)
        lab.nursery.start_soon(commit_in_transaction)
        lab.nursery.start_soon(commit_what_nobody_replicates)
        await lab.quiet()
        lab.replicate(TRANSACTION_TOPIC, 0)
        await lab.quiet()
        log = old_coordinator.replica(OFFSETS_TOPIC, 1).log
        end_offset = log.log_end_offset
        lab.move(OFFSETS_TOPIC, 1)
        for node_id in (FIRST, SECOND):
            lab.hear(node_id)
        await lab.quiet()
        lab.replicate_all()
        assert log.log_end_offset < end_offset
        held.set()
        await lab.quiet()
        assert answers == [ErrorCode.NOT_COORDINATOR]
        assert await producer.commit_offset(8) is NONE
        assert await producer.end() is NONE
        assert await committed(producer) == 8

    begin(lab, test)
