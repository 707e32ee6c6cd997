"""Transactional ids: epochs, fencing, ends and repeated ends, time, and what a crash at any step leaves (KIP-98, 890).

Each expectation that has an error code or an epoch in it was compared with Apache Kafka 4.4.0's answers.
"""

from __future__ import annotations

import pytest

from kafkapy.coordinators.transaction.transaction import EPOCH_MAX, ProducerIdAndEpoch
from kafkapy_wire.errors import ErrorCode, KafkaError
from tests.coordinators.transaction_lab import ID, NEW, OLD, TransactionLab, error_of


def error_of_verify(lab: TransactionLab, producer: ProducerIdAndEpoch) -> ErrorCode:
    try:
        lab.transactions.missing_partitions(ID, producer, [("t", 0)]).result()
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


def error_of_add(lab: TransactionLab, producer: ProducerIdAndEpoch) -> ErrorCode:
    try:
        lab.add(producer, 0)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


async def test_each_initialisation_raises_the_epoch() -> None:
    lab = TransactionLab()
    first = await lab.init()
    assert first == ProducerIdAndEpoch(1, 0)
    assert await lab.init() == ProducerIdAndEpoch(1, 1)
    assert error_of_add(lab, first) is ErrorCode.PRODUCER_FENCED
    assert lab.stored_states() == ["Empty", "Empty"]


async def test_what_initialisation_refuses() -> None:
    lab = TransactionLab(transaction_max_timeout_ms=1_000)
    assert await error_of(lab.init(name="")) is ErrorCode.INVALID_REQUEST
    for timeout_ms in (0, -1, 1_001):
        assert await error_of(lab.init(timeout_ms=timeout_ms)) is ErrorCode.INVALID_TRANSACTION_TIMEOUT
    assert await error_of(lab.init(timeout_ms=1_000)) is ErrorCode.NONE


async def test_a_producer_goes_on_after_an_error_unless_another_has_come() -> None:
    """KIP-360, and a request whose answer was lost gets it again."""
    lab = TransactionLab()
    first = await lab.init()
    second = await lab.init(first)
    assert second.epoch == 1
    assert await lab.init(first) == second, "repeated"
    assert await lab.init(second) == ProducerIdAndEpoch(1, 2)
    assert await error_of(lab.init(first)) is ErrorCode.PRODUCER_FENCED
    await lab.init()
    assert await error_of(lab.init(ProducerIdAndEpoch(1, 2))) is ErrorCode.PRODUCER_FENCED
    assert await error_of(lab.init(ProducerIdAndEpoch(99, 3))) is ErrorCode.PRODUCER_FENCED


async def test_a_new_producer_aborts_what_the_one_before_has_left_open() -> None:
    lab = TransactionLab()
    zombie = await lab.init()
    lab.add(zombie, 0, 1)
    assert await error_of(lab.init()) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert [(topic, index, marker.commit, marker.producer_epoch) for topic, index, marker in lab.markers.written] == [
        ("t", 0, False, 1),
        ("t", 1, False, 1),
    ]
    assert await lab.init() == ProducerIdAndEpoch(1, 2)
    assert await error_of(lab.end(zombie)) is ErrorCode.PRODUCER_FENCED


@pytest.mark.parametrize("commit", [True, False])
async def test_each_end_raises_the_epoch_under_version_2(*, commit: bool) -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0)
    lab.add(producer, 0)
    lab.add(producer, 1)
    following = await lab.end(producer, commit=commit)
    assert following == ProducerIdAndEpoch(1, 1)
    end = "Commit" if commit else "Abort"
    assert lab.stored_states() == ["Empty", "Ongoing", "Ongoing", f"Prepare{end}", f"Complete{end}"]
    assert [marker.producer_epoch for _, _, marker in lab.markers.written] == [1, 1]
    assert {(marker.coordinator_epoch, marker.transaction_version) for _, _, marker in lab.markers.written} == {(7, 2)}
    assert await lab.end(producer, commit=commit) == following, "repeated"
    assert await error_of(lab.end(producer, commit=not commit)) is ErrorCode.INVALID_TXN_STATE
    assert error_of_add(lab, producer) is ErrorCode.PRODUCER_FENCED, "late"
    assert error_of_add(lab, following) is ErrorCode.NONE


async def test_nothing_to_end_under_version_2() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    assert await error_of(lab.end(producer)) is ErrorCode.INVALID_TXN_STATE
    following = await lab.end(producer, commit=False)
    assert following.epoch == 1, "an abort in doubt raises the epoch"
    assert lab.markers.written == []
    assert await error_of(lab.end(following)) is ErrorCode.INVALID_TXN_STATE
    assert (await lab.end(following, commit=False)).epoch == 2


async def test_an_end_keeps_the_epoch_before_version_2() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    assert await error_of(lab.end(producer, commit=False, client_version=OLD)) is ErrorCode.INVALID_TXN_STATE
    lab.add(producer, 0, client_version=OLD)
    assert await lab.end(producer, client_version=OLD) == producer
    assert await lab.end(producer, client_version=OLD) == producer, "repeated"
    assert await error_of(lab.end(producer, commit=False, client_version=OLD)) is ErrorCode.INVALID_TXN_STATE
    lab.add(producer, 0, client_version=OLD)
    assert await lab.end(producer, commit=False, client_version=OLD) == producer


async def test_who_is_not_the_producer_is_refused() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0)
    stranger, newer = producer._replace(producer_id=99), producer._replace(epoch=5)
    for version in (OLD, NEW):
        assert await error_of(lab.end(stranger, client_version=version)) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
        assert await error_of(lab.end(newer, client_version=version)) is ErrorCode.PRODUCER_FENCED
        assert await error_of(lab.end(producer, name="?", client_version=version)) is (
            ErrorCode.INVALID_PRODUCER_ID_MAPPING
        )
        assert await error_of(lab.end(producer, name="", client_version=version)) is ErrorCode.INVALID_REQUEST
    assert error_of_add(lab, stranger) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert error_of_add(lab, newer) is ErrorCode.PRODUCER_FENCED
    assert lab.transactions.missing_partitions("orders", producer, [("t", 0), ("t", 1)]).result() == {("t", 1)}


async def test_used_up_epochs_give_a_new_producer_id_at_the_end_of_a_transaction() -> None:
    lab = TransactionLab()
    producer = await lab.producer_with_epoch(EPOCH_MAX - 1)
    lab.add(producer, 0)
    following = await lab.end(producer)
    assert following == ProducerIdAndEpoch(2, 0)
    assert lab.markers.written[-1][2].producer_epoch == EPOCH_MAX
    assert lab.markers.written[-1][2].producer_id == 1
    assert await lab.end(producer) == following, "repeated"
    lab.add(following, 0)
    assert (await lab.end(following)).epoch == 1


async def test_used_up_epochs_give_a_new_producer_id_at_initialisation() -> None:
    lab = TransactionLab()
    producer = await lab.producer_with_epoch(EPOCH_MAX - 1)
    following = await lab.init(producer)
    assert following == ProducerIdAndEpoch(2, 0)
    assert await lab.init(producer) == following, "repeated"
    assert await lab.init() == ProducerIdAndEpoch(2, 1)


async def test_who_asks_again_for_the_last_epoch_is_refused_as_by_apache_kafka() -> None:
    lab = TransactionLab()
    producer = await lab.producer_with_epoch(EPOCH_MAX - 2)
    last = await lab.init(producer)
    assert last.epoch == EPOCH_MAX - 1
    assert await error_of(lab.init(producer)) is ErrorCode.UNKNOWN_SERVER_ERROR, "repeated"
    assert await error_of(lab.init(producer._replace(epoch=7))) is ErrorCode.UNKNOWN_SERVER_ERROR
    assert await error_of(lab.init(last._replace(producer_id=77))) is ErrorCode.PRODUCER_FENCED
    assert (await lab.init(last)).epoch == 0


async def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() -> None:
    lab = TransactionLab()
    producer = await lab.init(timeout_ms=5_000)
    lab.add(producer, 0)
    lab.clock.advance(4_000)
    lab.add(producer, 1)
    await lab.transactions.abort_timed_out()
    assert lab.state() == "Ongoing"
    lab.clock.advance(2_000)
    await lab.transactions.abort_timed_out()
    assert lab.state() == "CompleteAbort"
    assert [index for _, index, _ in lab.markers.written] == [0, 1]
    assert await error_of(lab.end(producer)) is ErrorCode.INVALID_TXN_STATE
    assert error_of_add(lab, producer) is ErrorCode.PRODUCER_FENCED


async def test_fencing_before_version_2_of_the_cluster() -> None:
    lab = TransactionLab(transaction_version=0)
    producer = await lab.init()
    lab.add(producer, 0, client_version=OLD)
    assert await error_of(lab.init()) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert lab.markers.written[0][2].producer_epoch == 1
    assert await lab.init() == ProducerIdAndEpoch(1, 2)
    values = {record.value[:2] for record in lab.log.records("orders") if record.value}
    assert values == {b"\0\0"}, "value version 0"


async def test_unused_transactional_ids_expire() -> None:
    lab = TransactionLab(transactional_id_expiration_ms=10_000)
    await lab.init()
    opened = await lab.init(name="open")
    lab.add(opened, 0, name="open")
    lab.clock.advance(9_000)
    lab.transactions.remove_expired()
    assert lab.state() == "Empty"
    lab.clock.advance(2_000)
    lab.transactions.remove_expired()
    with pytest.raises(KafkaError) as error:
        lab.transaction()
    assert error.value.code is ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
    assert lab.state("open") == "Ongoing"
    assert lab.stored_states()[-1] == "tombstone"
    await lab.restart()
    assert lab.state("open") == "Ongoing"


@pytest.mark.parametrize("commit", [True, False])
async def test_what_was_decided_before_a_crash_is_carried_out_after_it(*, commit: bool) -> None:
    """The crash comes after PrepareCommit was written: the markers are written again, as they were the first time."""
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0, 1)
    following = await lab.end(producer, commit=commit)
    first = list(lab.markers.written)
    lab.drop_last_batches(1)
    await lab.restart()
    assert lab.markers.written == first * 2
    assert lab.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert await lab.end(producer, commit=commit) == following


async def test_a_crash_before_the_decision_leaves_the_transaction_open() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0)
    await lab.end(producer)
    lab.markers.written.clear()
    lab.drop_last_batches(2)
    await lab.restart()
    assert lab.state() == "Ongoing"
    assert lab.markers.written == []
    assert (await lab.end(producer, commit=False)).epoch == 1


async def test_markers_that_a_disk_refuses_are_tried_again() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0, 1)
    lab.markers.refuse["t", 0] = ErrorCode.KAFKA_STORAGE_ERROR
    following = await lab.end(producer)
    assert lab.state() == "PrepareCommit"
    assert [index for _, index, _ in lab.markers.written] == [1]
    assert error_of_add(lab, following) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert await error_of(lab.init()) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert await error_of(lab.end(producer)) is ErrorCode.CONCURRENT_TRANSACTIONS
    lab.clock.advance(1_000)
    assert lab.state() == "PrepareCommit"
    lab.markers.refuse.clear()
    lab.clock.advance(1_000)
    assert lab.state() == "CompleteCommit"
    assert [index for _, index, _ in lab.markers.written] == [1, 0]


@pytest.mark.parametrize("client_version", [OLD, NEW])
async def test_while_markers_are_missing_everybody_is_to_ask_again(client_version: int) -> None:
    """Apache Kafka looks at the producer afterwards; first only in an EndTxn before version 5, and to verify.

    So a producer that was told its next epoch and aborts its next transaction at once is not told that it is fenced.
    """
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0)
    lab.markers.refuse["t", 0] = ErrorCode.KAFKA_STORAGE_ERROR
    following = await lab.end(producer, client_version=client_version)
    stranger = ProducerIdAndEpoch(producer.producer_id + 7, following.epoch)
    later = ProducerIdAndEpoch(producer.producer_id, following.epoch + 1)
    again, fenced = ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.PRODUCER_FENCED
    for each in (producer, following, later, stranger):
        assert error_of_add(lab, each) is again, each
        assert await error_of(lab.init(each)) is again, each
    for commit in (True, False):
        codes = [
            await error_of(lab.end(each, commit=commit, client_version=client_version))
            for each in (following, later, stranger)
        ]
        if client_version == NEW:
            assert codes == [again, again, again]
            assert await error_of(lab.end(producer, commit=commit)) is again
        else:
            assert codes == [again, fenced, ErrorCode.INVALID_PRODUCER_ID_MAPPING]
    assert error_of_verify(lab, following) is again
    assert error_of_verify(lab, later) is fenced
    assert error_of_verify(lab, stranger) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    lab.markers.refuse.clear()
    lab.clock.advance(1_000)
    assert lab.state() == "CompleteCommit"
    if client_version == NEW:
        assert (await lab.end(following, commit=False)).epoch == following.epoch + 1


async def test_a_deleted_topic_needs_no_marker() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    lab.add(producer, 0, 1)
    lab.markers.refuse["t", 0] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    await lab.end(producer)
    assert lab.state() == "CompleteCommit"


async def test_listing_filters() -> None:
    lab = TransactionLab()
    producer = await lab.init()
    await lab.init(name="idle")
    lab.add(producer, 0)
    lab.clock.advance(500)
    everything = await lab.transactions.list(None, frozenset(), -1, None)
    assert {transaction.transactional_id for transaction in everything} == {"orders", "idle"}
    ongoing = frozenset({lab.transaction().status})
    assert [
        transaction.transactional_id for transaction in await lab.transactions.list(ongoing, frozenset(), -1, None)
    ] == ["orders"]
    assert [t.transactional_id for t in await lab.transactions.list(None, frozenset({2}), -1, None)] == ["idle"]
    assert len(await lab.transactions.list(ongoing, frozenset(), 400, None)) == 1
    assert len(await lab.transactions.list(ongoing, frozenset(), 10_000, None)) == 0
    assert len(await lab.transactions.list(None, frozenset(), -1, lambda name: name == "idle")) == 1
