"""Aborted transactions: what readers of committed records are told, and what a crash may not take away (KIP-98)."""

from pathlib import Path

import pytest

from kafkapy_log import UNGUARDED, AbortedTransaction, LogSettings, PartitionLog, Verification, build_marker
from kafkapy_log.indexes import CorruptIndexError
from kafkapy_log.log_files import TRANSACTION_INDEXES_READ_MAX
from kafkapy_log.transaction_index import ABORTED_TRANSACTION_BYTES, TransactionIndex
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import ControlRecordType, NewRecord, build_batch

NOW_MS = 1_700_000_000_000
SMALL_SEGMENTS = LogSettings(segment_bytes=200)

ABORT, COMMIT = ControlRecordType.ABORT, ControlRecordType.COMMIT


def open_log(directory: Path, settings: LogSettings = SMALL_SEGMENTS, *, clean: bool = True) -> PartitionLog:
    return PartitionLog.open(directory, settings, now_ms=NOW_MS, clean=clean)


def produce(
    log: PartitionLog,
    producer_id: int,
    *,
    sequence: int = 0,
    epoch: int = 0,
    verification: Verification = Verification.IN_TRANSACTION,
    guard: object = UNGUARDED,
) -> int:
    batch = build_batch(
        [NewRecord(NOW_MS, None, b"value")],
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        is_transactional=True,
    )
    result = log.append_as_leader(batch, leader_epoch=0, now_ms=NOW_MS, verification=verification, guard=guard)
    return result.base_offset


def end(
    log: PartitionLog, producer_id: int, control_type: ControlRecordType, *, epoch: int = 0, version: int = 0
) -> int:
    marker = build_marker(
        control_type, timestamp=NOW_MS, producer_id=producer_id, producer_epoch=epoch, coordinator_epoch=0
    )
    return log.append_built(marker, leader_epoch=0, now_ms=NOW_MS, transaction_version=version).base_offset


def write_history(log: PartitionLog) -> list[AbortedTransaction]:
    """Three interleaved transactions, the first and the last of them aborted, over several segments."""
    assert [produce(log, 1), produce(log, 2), produce(log, 3)] == [0, 1, 2]
    assert end(log, 1, ABORT) == 3
    assert end(log, 2, COMMIT) == 4
    assert produce(log, 3, sequence=1) == 5
    assert end(log, 3, ABORT) == 6
    assert produce(log, 1, sequence=1) == 7
    assert len(log.segments()) > 2, "it takes several segments"
    return [AbortedTransaction(1, 0, 3, 1), AbortedTransaction(3, 2, 6, 7)]


def test_a_reader_hears_of_the_aborted_transactions_in_its_range(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    first, last = write_history(log)
    assert log.aborted_transactions(0, 7) == [first, last]
    assert log.aborted_transactions(0, 1) == [first], "the last stable offset of the first covers it"
    assert log.aborted_transactions(0, 2) == [first]
    assert log.aborted_transactions(4, 7) == [last]
    assert log.aborted_transactions(7, 8) == []
    assert log.last_stable_offset == 7


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("settings", [SMALL_SEGMENTS, LogSettings()], ids=["several segments", "one segment"])
def test_the_aborted_transactions_survive_a_restart(tmp_path: Path, *, clean: bool, settings: LogSettings) -> None:
    log = open_log(tmp_path, LogSettings(segment_bytes=200) if settings is SMALL_SEGMENTS else settings)
    if settings is SMALL_SEGMENTS:
        aborted = write_history(log)
    else:
        produce(log, 1)
        end(log, 1, ABORT)
        produce(log, 2)
        aborted = [AbortedTransaction(1, 0, 1, 2)]
    log.close(clean=clean)
    log = open_log(tmp_path, settings, clean=clean)
    assert log.aborted_transactions(0, log.log_end_offset) == aborted
    log.close()
    log = open_log(tmp_path, settings)
    assert log.aborted_transactions(0, log.log_end_offset) == aborted


def test_index_files_that_a_crash_has_lost_or_torn_are_made_anew(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    aborted = write_history(log)
    log.close()
    files = sorted(tmp_path.glob("*.txnindex"))
    assert files
    for damage in (b"", b"\0" * (ABORTED_TRANSACTION_BYTES - 1)):
        files[0].write_bytes(damage)
        files[-1].unlink(missing_ok=True)
        log = open_log(tmp_path, clean=False)
        assert log.aborted_transactions(0, 7) == aborted
        log.close()
        assert sorted(tmp_path.glob("*.txnindex")) == files


def test_a_damaged_index_file_is_made_anew_without_a_crash(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    aborted = write_history(log)
    log.close()
    for file in tmp_path.glob("*.txnindex"):
        file.write_bytes(file.read_bytes()[:-1])
    log = open_log(tmp_path)
    assert log.aborted_transactions(0, 7) == aborted


def test_truncation_forgets_the_markers_it_cuts_off(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    first, _ = write_history(log)
    log.truncate_to(6)
    assert log.aborted_transactions(0, 6) == [first]
    assert log.last_stable_offset == 2, "the transaction is open again"
    log.truncate_to(3)
    assert log.aborted_transactions(0, 3) == []
    log.close()
    assert open_log(tmp_path).aborted_transactions(0, 3) == []


def test_a_transactional_batch_that_nobody_has_verified_is_refused(tmp_path: Path) -> None:
    """No marker would ever come, and the last stable offset would stay where it is (KIP-890)."""
    log = open_log(tmp_path)
    with pytest.raises(KafkaError) as error:
        produce(log, 1, verification=Verification.NONE)
    assert error.value.code is ErrorCode.INVALID_TXN_STATE
    produce(log, 1)
    produce(log, 1, sequence=1, verification=Verification.NONE)
    assert log.producers.has_open_transaction(1, 0)
    assert not log.producers.has_open_transaction(1, 1)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_batch_whose_transaction_ended_after_it_was_verified_is_refused(is_known: bool, tmp_path: Path) -> None:
    """It would come behind the marker, and no other one would follow."""
    log = open_log(tmp_path)
    sequence = 0
    if is_known:
        produce(log, 1)
        end(log, 1, COMMIT)
        sequence = 1
    guard = log.producers.guard(1)
    end(log, 1, COMMIT)
    with pytest.raises(KafkaError) as error:
        produce(log, 1, sequence=sequence, guard=guard)
    assert error.value.code is ErrorCode.INVALID_TXN_STATE
    guard = log.producers.guard(1)
    produce(log, 1, sequence=sequence, guard=guard)
    produce(log, 1, sequence=sequence + 1, guard=guard)


def test_a_producer_that_a_batch_has_added_begins_with_sequence_0(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(KafkaError) as error:
        produce(log, 1, sequence=3, verification=Verification.ADDED)
    assert error.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    produce(log, 1, sequence=3, verification=Verification.IN_TRANSACTION)


def test_a_late_marker_of_the_second_protocol_is_refused_but_for_a_repeated_one(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    produce(log, 1, epoch=4)
    with pytest.raises(KafkaError) as error:
        end(log, 1, ABORT, epoch=4, version=2)
    assert error.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    end(log, 1, ABORT, epoch=5, version=2)
    assert end(log, 1, ABORT, epoch=5, version=2) == 2, "a coordinator that was restarted writes it again"
    assert log.aborted_transactions(0, 3) == [AbortedTransaction(1, 0, 1, 2)]


def test_an_index_of_another_version_or_out_of_order_is_corrupt() -> None:
    index = TransactionIndex()
    index.append(AbortedTransaction(1, 10, 12, 13))
    index.append(AbortedTransaction(2, 13, 14, 15))
    data = index.to_bytes()
    assert list(TransactionIndex.from_bytes(data, 10).ending_at_or_after(13)) == [AbortedTransaction(2, 13, 14, 15)]
    half = ABORTED_TRANSACTION_BYTES
    for corrupt in (b"\0\1" + data[2:], data[half:] + data[:half], data[:-1]):
        with pytest.raises(CorruptIndexError):
            TransactionIndex.from_bytes(corrupt, 10)
    with pytest.raises(CorruptIndexError):
        TransactionIndex.from_bytes(data, 13)


# -- what is in memory


def indexes_in_memory(log: PartitionLog) -> int:
    """Of closed segments with aborted transactions."""
    return sum(bool(segment._transaction_index) for segment in list(log._segments)[:-1])


def abort_often(log: PartitionLog, count: int) -> list[AbortedTransaction]:
    return [
        AbortedTransaction(1, produce(log, 1, sequence=sequence), end(log, 1, ABORT), log.log_end_offset)
        for sequence in range(count)
    ]


def test_few_indexes_of_closed_segments_are_in_memory(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    aborted = abort_often(log, 40)
    assert len(log.segments()) > 20
    assert indexes_in_memory(log) == 0
    for _ in range(2):
        for position, transaction in enumerate(aborted):
            found = log.aborted_transactions(transaction.first_offset, log.log_end_offset)
            assert found == aborted[position:]
            assert indexes_in_memory(log) <= TRANSACTION_INDEXES_READ_MAX
    log.truncate_to(aborted[30].first_offset)
    assert log.aborted_transactions(0, log.log_end_offset) == aborted[:30]
    assert set(log._files._read_transactions) <= set(log._segments)
    log.close()


def test_an_index_that_was_lost_or_cut_meanwhile_is_made_anew(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_bytes=600))
    aborted = abort_often(log, 20)
    first, second, *_ = sorted(tmp_path.glob("*.txnindex"))
    assert first.stat().st_size > ABORTED_TRANSACTION_BYTES
    first.write_bytes(first.read_bytes()[:-ABORTED_TRANSACTION_BYTES])
    second.unlink()
    assert log.aborted_transactions(0, log.log_end_offset) == aborted
    log.close()


def test_a_flush_takes_the_index_of_a_rolled_segment_along(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    abort_often(log, 3)
    flush = log.flushing.begin()
    assert flush is not None
    written = {path.name for path in tmp_path.glob("*.txnindex")}
    assert written
    assert written <= set(flush.names)
    flush.sync()
    log.flushing.end(flush)
    log.close()
