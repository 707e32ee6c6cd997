"""Idempotent producers: duplicates, sequences, epochs, and the snapshots that survive a restart (KIP-98, KIP-185)."""

from pathlib import Path

import pytest

from kafkapy_log import LogSettings, PartitionLog, Verification, build_marker
from kafkapy_log.producer_entry import BATCHES_KEPT, SEQUENCE_MAX
from kafkapy_log.producer_state import CorruptSnapshotError, ProducerState
from kafkapy_log.transaction_markers import BuiltMarker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import (
    BatchHeader,
    ControlRecordType,
    NewRecord,
    build_batch,
    read_batch_header,
)
from kafkapy_wire.records.building import BuiltBatch, build_batch_and_header

NOW_MS = 1_700_000_000_000


def make_batch(
    sequence: int, record_count: int = 1, *, epoch: int = 0, producer_id: int = 9, is_transactional: bool = False
) -> bytes:
    return build_batch(
        [NewRecord(NOW_MS + n, None, b"v") for n in range(record_count)],
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        is_transactional=is_transactional,
    )


def header_of(sequence: int, record_count: int = 1, *, producer_id: int) -> BatchHeader:
    return read_batch_header(make_batch(sequence, record_count, producer_id=producer_id))


@pytest.fixture
def log(tmp_path: Path) -> PartitionLog:
    return PartitionLog.open(tmp_path, LogSettings(), now_ms=NOW_MS, clean=True)


def append(log: PartitionLog, batch: bytes | BuiltBatch) -> int:
    """As a client sends it, or as a coordinator of this process has built it."""
    if isinstance(batch, BuiltBatch):
        return log.append_built(batch, leader_epoch=0, now_ms=NOW_MS).base_offset
    return log.append_as_leader(
        batch, leader_epoch=0, now_ms=NOW_MS, verification=Verification.IN_TRANSACTION
    ).base_offset


def refused(log: PartitionLog, batch: bytes | BuiltBatch) -> ErrorCode:
    size, end = log.size_bytes, log.log_end_offset
    with pytest.raises(KafkaError) as error:
        append(log, batch)
    assert (log.size_bytes, log.log_end_offset) == (size, end), "nothing is stored"
    return error.value.code


def test_a_duplicate_gets_the_offsets_and_the_timestamp_of_the_first(log: PartitionLog) -> None:
    append(log, make_batch(0, 3))
    append(log, make_batch(3, 2))
    again = log.append_as_leader(make_batch(0, 3), leader_epoch=0, now_ms=NOW_MS)
    assert (again.base_offset, again.last_offset, again.log_append_time_ms) == (0, 2, NOW_MS + 2)
    assert log.log_end_offset == 5


def test_the_last_five_batches_are_known(log: PartitionLog) -> None:
    for sequence in range(BATCHES_KEPT + 1):
        append(log, make_batch(sequence))
    for sequence in range(1, BATCHES_KEPT + 1):
        assert append(log, make_batch(sequence)) == sequence
    assert refused(log, make_batch(0)) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_batch_of_another_size_is_no_duplicate(log: PartitionLog) -> None:
    append(log, make_batch(0, 3))
    assert refused(log, make_batch(0, 2)) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


@pytest.mark.parametrize("sequence", [0, 1, 4, 100])
def test_a_sequence_must_follow_the_last(log: PartitionLog, sequence: int) -> None:
    append(log, make_batch(0, 3))
    assert refused(log, make_batch(sequence)) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert append(log, make_batch(3)) == 3


def test_an_unknown_producer_may_begin_anywhere(log: PartitionLog) -> None:
    """KIP-360: its records may have been deleted."""
    assert append(log, make_batch(17)) == 0
    assert append(log, make_batch(18)) == 1


def test_a_new_epoch_begins_at_sequence_zero(log: PartitionLog) -> None:
    append(log, make_batch(0, 3))
    assert refused(log, make_batch(3, epoch=1)) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert append(log, make_batch(0, epoch=1)) == 3
    assert refused(log, make_batch(3, epoch=0)) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert refused(log, make_batch(0, 3, epoch=0)) is ErrorCode.INVALID_PRODUCER_EPOCH


def test_after_the_largest_sequence_comes_zero(log: PartitionLog) -> None:
    append(log, make_batch(SEQUENCE_MAX - 1, 2))
    assert append(log, make_batch(0)) == 2
    append(log, make_batch(1, 1))
    log2 = log.producers.active_producers()[0]
    assert log2.last_sequence == 1


def test_a_batch_may_wrap_around(log: PartitionLog) -> None:
    append(log, make_batch(SEQUENCE_MAX, 3))
    assert log.producers.active_producers()[0].last_sequence == 1
    assert append(log, make_batch(SEQUENCE_MAX, 3)) == 0, "a duplicate"
    assert append(log, make_batch(2)) == 3


def test_producers_do_not_meet(log: PartitionLog) -> None:
    append(log, make_batch(0, producer_id=1))
    append(log, make_batch(0, producer_id=2))
    assert append(log, make_batch(1, producer_id=1)) == 2
    assert {producer.producer_id for producer in log.producers.active_producers()} == {1, 2}


def test_an_idle_producer_expires(tmp_path: Path) -> None:
    log = PartitionLog.open(tmp_path, LogSettings(producer_id_expiration_ms=1000), now_ms=NOW_MS, clean=True)
    append(log, make_batch(0))
    log.remove_expired_producers(NOW_MS + 999)
    assert len(log.producers.active_producers()) == 1
    log.remove_expired_producers(NOW_MS + 1000)
    assert not log.producers.active_producers()


def from_coordinator(*, epoch: int) -> BuiltBatch:
    record = NewRecord(NOW_MS, b"key", b"v")
    return build_batch_and_header([record], producer_id=9, producer_epoch=epoch)


def test_a_coordinator_has_no_sequences_but_an_epoch(log: PartitionLog) -> None:
    append(log, from_coordinator(epoch=3))
    assert append(log, from_coordinator(epoch=3)) == 1
    assert refused(log, from_coordinator(epoch=2)) is ErrorCode.INVALID_PRODUCER_EPOCH


def marker(control_type: ControlRecordType, *, epoch: int = 0, coordinator_epoch: int = 0) -> BuiltMarker:
    return build_marker(
        control_type, timestamp=NOW_MS, producer_id=9, producer_epoch=epoch, coordinator_epoch=coordinator_epoch
    )


def test_an_open_transaction_holds_the_last_stable_offset(log: PartitionLog, tmp_path: Path) -> None:
    append(log, make_batch(0, producer_id=1))
    append(log, make_batch(0, 2, is_transactional=True))
    append(log, make_batch(1, producer_id=1))
    assert (log.last_stable_offset, log.log_end_offset) == (1, 4)
    assert log.producers.active_producers()[1].current_transaction_first_offset == 1
    log.remove_expired_producers(NOW_MS * 2)
    assert [producer.producer_id for producer in log.producers.active_producers()] == [9], (
        "an open transaction does not expire"
    )
    log.close()
    log = PartitionLog.open(tmp_path, LogSettings(), now_ms=NOW_MS, clean=True)
    assert log.last_stable_offset == 1
    assert append(log, marker(ControlRecordType.COMMIT)) == 4
    assert log.last_stable_offset == log.log_end_offset == 5
    log.close(clean=False)
    log = PartitionLog.open(tmp_path, LogSettings(), now_ms=NOW_MS, clean=False)
    assert log.last_stable_offset == 5


def test_a_plain_batch_inside_a_transaction_is_refused(log: PartitionLog) -> None:
    append(log, make_batch(0, is_transactional=True))
    assert refused(log, make_batch(1)) is ErrorCode.INVALID_TXN_STATE


def test_markers_are_fenced(log: PartitionLog) -> None:
    append(log, make_batch(0, epoch=1, is_transactional=True))
    stale = marker(ControlRecordType.ABORT, epoch=0)
    assert refused(log, stale) is ErrorCode.INVALID_PRODUCER_EPOCH
    append(log, marker(ControlRecordType.ABORT, epoch=1, coordinator_epoch=5))
    zombie = marker(ControlRecordType.COMMIT, epoch=1, coordinator_epoch=4)
    assert refused(log, zombie) is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    assert refused(log, marker(ControlRecordType.COMMIT, epoch=1).data) is ErrorCode.INVALID_RECORD, "not from clients"


# Written by Apache Kafka 4.3.1: one idempotent producer, last batch of one record at offset 299, sequence 299; and one
# transactional producer after a commit and an abort, whose epoch the coordinator has raised.
IDEMPOTENT_SNAPSHOT = bytes.fromhex(
    "0001ddfc18cc00000001"
    "000000000000000000000000012b000000000000012b00000008000001a1fe2207e7ffffffffffffffffffffffff"
)  # fmt: skip
TRANSACTIONAL_SNAPSHOT = bytes.fromhex(
    "000147378ca700000001"
    "0000000000000001000000000001000000000000000200000000000001a1fe220a6500000000ffffffffffffffff"
)  # fmt: skip


@pytest.mark.parametrize("snapshot", [IDEMPOTENT_SNAPSHOT, TRANSACTIONAL_SNAPSHOT], ids=["idempotent", "transactional"])
def test_a_snapshot_of_kafka_reads_and_writes_back_the_same(snapshot: bytes) -> None:
    state = ProducerState()
    state.load_snapshot(snapshot, 300)
    assert state.end_offset == 300
    assert state.to_snapshot() == snapshot


def test_the_last_batch_of_a_kafka_snapshot_is_a_duplicate() -> None:
    state = ProducerState()
    state.load_snapshot(IDEMPOTENT_SNAPSHOT, 300)
    duplicate = state.check_produced(header_of(291, 9, producer_id=0), Verification.NONE, 300)
    assert duplicate is not None
    assert (duplicate.first_offset, duplicate.last_offset) == (291, 299)
    assert state.check_produced(header_of(300, producer_id=0), Verification.NONE, 300) is None


def test_no_damaged_snapshot_is_taken() -> None:
    state = ProducerState(5)
    for position in range(len(IDEMPOTENT_SNAPSHOT)):
        flipped = bytearray(IDEMPOTENT_SNAPSHOT)
        flipped[position] ^= 0x10
        for damaged in (bytes(flipped), IDEMPOTENT_SNAPSHOT[:position], IDEMPOTENT_SNAPSHOT + b"\0"):
            with pytest.raises(CorruptSnapshotError):
                state.load_snapshot(damaged, 300)
    assert (len(state), state.end_offset) == (0, 5)
