"""A log that is appended to as leader, then as follower, then as leader again, and truncated between.

What such a log is afterwards is compared with an oracle: a new log that was only ever given the batches that are left.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from kafkapy_log import (
    AbortedTransaction,
    ActiveProducer,
    LogSettings,
    LogStore,
    PartitionLog,
    TimestampAndOffset,
    UnexpectedAppendOffset,
    Verification,
    build_marker,
)
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import ControlRecordType, NewRecord, build_batch, read_batch_header, split_batches
from kafkapy_wire.uuid import random_uuid
from tests.log.model_runs import MODEL_RUNS

NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=700, index_interval_bytes=100, file_delete_delay_ms=0)
ONE_SEGMENT = LogSettings(index_interval_bytes=100)
TRANSACTIONAL = 9
ABORT, COMMIT = ControlRecordType.ABORT, ControlRecordType.COMMIT


class LogView(NamedTuple):
    """What anybody can learn of a log."""

    log_start_offset: int
    log_end_offset: int
    last_stable_offset: int
    batches: list[bytes]
    producers: list[ActiveProducer]
    aborted: list[AbortedTransaction]
    epochs: list[tuple[int, int]]
    found_by_time: list[TimestampAndOffset | None]


def view(log: PartitionLog) -> LogView:
    # An epoch in which nothing was appended is known to its leader alone, until it stops.
    epochs = sorted({read_batch_header(batch).partition_leader_epoch for batch in batches_of(log)})
    times = range(NOW_MS - 1, NOW_MS + 60, 7)
    return LogView(
        log.log_start_offset,
        log.log_end_offset,
        log.last_stable_offset,
        batches_of(log),
        sorted(log.producers.active_producers()),
        log.aborted_transactions(log.log_start_offset, log.log_end_offset),
        [log.end_offset_for_epoch(epoch) for epoch in epochs],
        [log.times.offset_for_timestamp(time) for time in times] + [log.times.offset_of_max_timestamp()],
    )


def batches_of(log: PartitionLog, offset: int | None = None) -> list[bytes]:
    """Those from `offset` on, the log's start by default."""
    batches: list[bytes] = []
    offset = log.log_start_offset if offset is None else offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 300)
        batches += [bytes(batch) for _, batch in split_batches(piece.read())]
        offset = piece.next_offset
    return batches


def open_log(directory: Path, settings: LogSettings = SETTINGS, *, clean: bool = True) -> PartitionLog:
    directory.mkdir(exist_ok=True)
    return PartitionLog.open(directory, settings, now_ms=NOW_MS, clean=clean)


def produce(
    log: PartitionLog,
    *,
    epoch: int,
    sequence: int = -1,
    producer_id: int = -1,
    count: int = 2,
    transactional: bool = False,
) -> int:
    """As the leader in `epoch`; the timestamps are about the offsets."""
    end = log.log_end_offset
    batch = build_batch(
        [NewRecord(NOW_MS + end + n, b"key", b"v" * 40) for n in range(count)],
        producer_id=producer_id,
        producer_epoch=0 if producer_id >= 0 else -1,
        base_sequence=sequence,
        is_transactional=transactional,
    )
    verification = Verification.IN_TRANSACTION if transactional else Verification.NONE
    return log.append_as_leader(batch, leader_epoch=epoch, now_ms=NOW_MS, verification=verification).base_offset


def end_transaction(log: PartitionLog, control_type: ControlRecordType, *, epoch: int) -> int:
    marker = build_marker(
        control_type, timestamp=NOW_MS, producer_id=TRANSACTIONAL, producer_epoch=0, coordinator_epoch=0
    )
    return log.append_built(marker, leader_epoch=epoch, now_ms=NOW_MS).base_offset


def replicate(leader: PartitionLog, follower: PartitionLog) -> None:
    while follower.log_end_offset < leader.log_end_offset:
        piece = leader.read(follower.log_end_offset, 450)
        follower.append_as_follower(piece.read(), leader_epoch=leader.leader_epochs.latest_epoch, now_ms=NOW_MS)


def truncate_as_the_leader_says(follower: PartitionLog, leader: PartitionLog) -> None:
    """KIP-101 and KIP-279: to where the logs part, in as many questions as it takes."""
    while follower.leader_epochs.latest_epoch >= 0:
        asked = follower.leader_epochs.latest_epoch
        epoch, end = leader.end_offset_for_epoch(asked)
        if epoch < 0:
            follower.truncate_to(0)
            return
        follower.truncate_to(min(end, follower.end_offset_for_epoch(epoch)[1]))
        if epoch == asked:
            return


def oracle(directory: Path, batches: Iterable[bytes], settings: LogSettings = SETTINGS, *, start: int = 0) -> LogView:
    log = open_log(directory, settings)
    for batch in batches:
        log.append_as_follower(batch, now_ms=NOW_MS)
    if log.log_end_offset >= start:
        log.delete_records_before(start)
    return view(log)


def reopened_both_ways(log: PartitionLog, expected: LogView) -> PartitionLog:
    """After a crash it is what it was, and after a clean stop."""
    directory, settings = log.directory, log.settings
    log.close(clean=False)
    log = PartitionLog.open(directory, settings, now_ms=NOW_MS, clean=False, log_start_offset=expected.log_start_offset)
    assert view(log) == expected
    log.close()
    log = PartitionLog.open(directory, settings, now_ms=NOW_MS, clean=True, log_start_offset=expected.log_start_offset)
    assert view(log) == expected
    return log


def history(log: PartitionLog) -> None:
    """Two epochs, an idempotent producer, one aborted, one committed and one open transaction: offsets 0 to 40."""
    for n in range(6):
        produce(log, epoch=0, producer_id=1, sequence=2 * n)
    produce(log, epoch=0, producer_id=TRANSACTIONAL, sequence=0, transactional=True)
    end_transaction(log, ABORT, epoch=0)
    for _ in range(4):
        produce(log, epoch=2)
    produce(log, epoch=2, producer_id=TRANSACTIONAL, sequence=2, transactional=True)
    end_transaction(log, COMMIT, epoch=2)
    produce(log, epoch=2, producer_id=TRANSACTIONAL, sequence=4, transactional=True)
    for n in range(6, 11):
        produce(log, epoch=2, producer_id=1, sequence=2 * n)
    assert (log.log_end_offset, log.last_stable_offset) == (38, 26)


@pytest.mark.parametrize("settings", [SETTINGS, ONE_SEGMENT])
@pytest.mark.parametrize("flushes", ["never", "everything", "settled"])
def test_truncated_anywhere_a_log_is_what_is_left_of_it(tmp_path: Path, settings: LogSettings, flushes: str) -> None:
    """At every offset: within a batch, at a segment's boundary, below the recovery point, in a transaction, at 0."""
    whole = open_log(tmp_path / "whole", settings)
    history(whole)
    batches = batches_of(whole)
    boundaries = {segment.base_offset for segment in whole.segments()}
    assert len(boundaries) == 1 or len(boundaries) > 3
    for offset in range(whole.log_end_offset + 2):
        log = open_log(tmp_path / f"log-{offset}", settings)
        history(log)
        if flushes == "everything":
            log.flushing.flush()
        elif flush := log.flushing.begin(settle=True) if flushes == "settled" else None:
            log.flushing.sync(flush, fsync=False)
        checkpoint = log.active_base_offset
        assert log.truncate_to(offset) is (offset < whole.log_end_offset)
        left = [batch for batch in batches if read_batch_header(batch).next_offset <= offset]
        end = read_batch_header(left[-1]).next_offset if left else 0
        expected = oracle(tmp_path / f"oracle-{offset}", left, settings)
        assert view(log) == expected
        assert (log.log_end_offset, log.recovery_point <= end) == (end, True)
        assert log.compaction.bounded_checkpoint(checkpoint) == min(checkpoint, log.active_base_offset)
        log = reopened_both_ways(log, expected)
        # It leads again, and what it appends comes at once behind what is left.
        assert produce(log, epoch=5) == end
        assert log.end_offset_for_epoch(5) == (5, end + 2)
        log.close()


def test_a_leader_that_comes_back_as_follower_takes_what_the_new_leader_has(tmp_path: Path) -> None:
    first, second = open_log(tmp_path / "first"), open_log(tmp_path / "second")
    history(first)
    replicate(first, second)
    # The first one appends what the second never gets, and loses its leadership.
    for _ in range(5):
        produce(first, epoch=2)
    end_transaction(first, ABORT, epoch=2)
    second.leader_epochs.assign(3, second.log_end_offset)
    assert second.leader_epochs.latest_epoch == 3
    end_transaction(second, COMMIT, epoch=3)
    produce(second, epoch=3, count=3)
    truncate_as_the_leader_says(first, second)
    assert first.log_end_offset == 38
    replicate(second, first)
    assert view(first) == view(second)
    # And back again.
    first.leader_epochs.assign(4, first.log_end_offset)
    produce(first, epoch=4, producer_id=1, sequence=22)
    truncate_as_the_leader_says(second, first)
    replicate(first, second)
    assert view(first) == view(second)
    reopened_both_ways(first, view(second))


def test_an_epoch_in_which_nothing_was_appended_is_forgotten(tmp_path: Path) -> None:
    """Else two replicas would say of the same epoch that it begins at different offsets."""
    log = open_log(tmp_path)
    produce(log, epoch=0)
    log.leader_epochs.assign(7, 2)
    assert log.leader_epochs.latest_epoch == 7
    assert not log.truncate_to(5)
    assert (log.leader_epochs.latest_epoch, log.end_offset_for_epoch(7)) == (0, (-1, -1))


def test_no_log_is_truncated_to_a_negative_offset(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    history(log)
    before = view(log)
    with pytest.raises(KafkaError) as refused:
        log.truncate_to(-1)
    assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    assert view(log) == before


def test_a_follower_far_behind_begins_where_the_leader_starts(tmp_path: Path) -> None:
    leader, follower = open_log(tmp_path / "leader"), open_log(tmp_path / "follower")
    history(leader)
    for _ in range(3):
        produce(follower, epoch=0)
    leader.delete_records_before(19)
    follower.truncate_fully_and_start_at(leader.log_start_offset)
    assert (follower.log_start_offset, follower.log_end_offset, follower.recovery_point) == (19, 19, 0)
    follower.close()
    follower = open_log(tmp_path / "follower")
    assert (follower.log_start_offset, follower.log_end_offset) == (19, 19), "a stop does not lose where it begins"
    replicate(leader, follower)
    assert batches_of(follower) == batches_of(leader)
    assert follower.log_start_offset == 19


def test_a_follower_may_begin_within_a_batch_of_the_leader(tmp_path: Path) -> None:
    """DeleteRecords has moved the leader's log start there: what it sends begins before."""
    leader, follower = open_log(tmp_path / "leader"), open_log(tmp_path / "follower")
    history(leader)
    leader.delete_records_before(20)
    follower.truncate_fully_and_start_at(20)
    piece = leader.read(20, 1).read()
    with pytest.raises(UnexpectedAppendOffset) as unexpected:
        follower.append_as_follower(piece)
    assert (unexpected.value.first_offset, unexpected.value.last_offset) == (19, 20)
    follower.truncate_fully_and_start_at(unexpected.value.first_offset)
    follower.append_as_follower(piece)
    replicate(leader, follower)
    follower.delete_records_before(leader.log_start_offset)
    assert view(follower).batches == view(leader).batches
    assert (follower.log_start_offset, follower.log_end_offset) == (20, leader.log_end_offset)


def test_the_log_start_of_a_follower_follows(tmp_path: Path) -> None:
    leader, follower = open_log(tmp_path / "leader"), open_log(tmp_path / "follower")
    history(leader)
    replicate(leader, follower)
    for start in (3, 17, 27, 38):
        leader.delete_records_before(start)
        follower.delete_records_before(start)
        assert view(follower) == view(leader)
    with pytest.raises(KafkaError) as refused:
        follower.delete_records_before(39)
    assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    reopened_both_ways(follower, view(leader))


def test_truncation_below_the_log_start_takes_the_log_start_along(tmp_path: Path) -> None:
    log = open_log(tmp_path, ONE_SEGMENT)
    history(log)
    log.delete_records_before(20)
    log.truncate_to(10)
    assert (log.log_start_offset, log.log_end_offset) == (10, 10)
    assert produce(log, epoch=5) == 10


# -- what a peer may send


def at_offset(offset: int, *, epoch: int = 0, size: int = 40) -> bytes:
    return build_batch([NewRecord(NOW_MS, b"key", b"v" * size)], base_offset=offset, partition_leader_epoch=epoch)


def test_records_of_a_later_epoch_than_the_fetch_are_left_out(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    sent = at_offset(0, epoch=1) + at_offset(1, epoch=3) + at_offset(2, epoch=1)
    log.append_as_follower(sent, leader_epoch=2)
    assert (log.log_end_offset, log.leader_epochs.latest_epoch) == (1, 1)
    assert log.append_as_follower(at_offset(1, epoch=3), leader_epoch=2) is None


def test_a_fetch_that_ends_anywhere_gives_its_whole_batches(tmp_path: Path) -> None:
    batches = [at_offset(n) for n in range(3)]
    sent = b"".join(batches)
    for cut in range(len(sent) + 1):
        log = open_log(tmp_path / str(cut))
        log.append_as_follower(sent[:cut])
        assert log.log_end_offset == cut // len(batches[0])
        log.close(clean=False)


def test_offsets_that_are_far_apart_take_a_segment_each(tmp_path: Path) -> None:
    """Compaction has removed what lay between; a relative offset has 32 bits."""
    far = [0, RELATIVE_OFFSET_MAX, RELATIVE_OFFSET_MAX + 1, 5 * 2**32, 2**62]
    log = open_log(tmp_path / "log", ONE_SEGMENT)
    log.append_as_follower(b"".join(map(at_offset, far)))
    assert [segment.base_offset for segment in log.segments()] == [0, RELATIVE_OFFSET_MAX + 1, 5 * 2**32, 2**62]
    assert [read_batch_header(batch).base_offset for batch in batches_of(log)] == far
    assert log.log_start_offset == 0, "also where the first record lies higher: the leader's log starts there"
    reopened_both_ways(log, view(log))


def test_what_the_leader_took_with_larger_segments_is_taken(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append_as_follower(b"".join(at_offset(n, size=size) for n, size in enumerate((40, 3000, 40, 40, 300, 300))))
    assert [segment.base_offset for segment in log.segments()] == [0, 1, 2, 5]
    assert log.log_end_offset == 6


@pytest.mark.parametrize(
    "field",
    [
        (8, b"\x00\x00\x00\x00"),
        (8, b"\x80\x00\x00\x00"),
        (16, b"\x03"),
        (23, b"\xff\xff\xff\xff"),
        (0, b"\x7f" + b"\xff" * 7),
    ],
    ids=["length 0", "negative length", "magic 3", "negative delta", "last offset of all"],
)
def test_batches_that_cannot_be_right_are_refused(tmp_path: Path, field: tuple[int, bytes]) -> None:
    position, value = field
    damaged = bytearray(at_offset(1))
    damaged[position : position + len(value)] = value
    log = open_log(tmp_path)
    with pytest.raises(KafkaError) as refused:
        log.append_as_follower(at_offset(0) + damaged)
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE
    assert (log.log_end_offset, log.size_bytes) == (0, 0)


@pytest.mark.parametrize("seed", range(MODEL_RUNS // 20))
def test_no_bytes_of_a_peer_do_harm(tmp_path: Path, seed: int) -> None:
    """Flipped anywhere: refused, or what was whole before; the log can be read, closed and opened."""
    chance = random.Random(seed)
    leader = open_log(tmp_path / "leader")
    history(leader)
    sent = b"".join(batches_of(leader))
    refusals: set[ErrorCode] = set()
    for n in range(30):
        log = open_log(tmp_path / str(n))
        changed = bytearray(sent)
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            log.append_as_follower(changed, leader_epoch=2)
        except KafkaError as error:
            refusals.add(error.code)
        except UnexpectedAppendOffset:
            pass
        reopened_both_ways(log, view(log)).close()
    assert refusals == {ErrorCode.CORRUPT_MESSAGE}


# -- a crash after a truncation


def test_what_is_appended_after_a_truncation_is_not_believed_to_be_on_the_disk(tmp_path: Path) -> None:
    """The recovery point that was noted before lies above it."""
    store = LogStore.open(tmp_path, node_id=1, now_ms=NOW_MS, settings_for=lambda _: SETTINGS)
    log = store.create("orders", 0, random_uuid(), now_ms=NOW_MS)
    history(log)
    log.flushing.flush()
    store.write_checkpoints({})
    log.truncate_to(8)
    store.write_checkpoints({})
    left = batches_of(log)
    for _ in range(15):
        produce(log, epoch=3)
    # The power fails: nothing of what was appended has reached the disk, all of the checkpoint has.
    torn = log.directory / f"{log.segments()[1].base_offset:020d}.log"
    torn.write_bytes(bytes(torn.stat().st_size))
    first = log.directory / f"{0:020d}.log"
    kept = sum(map(len, left))
    first.write_bytes(first.read_bytes()[:kept] + bytes(first.stat().st_size - kept))
    store.close(clean=False)
    store = LogStore.open(tmp_path, node_id=1, now_ms=NOW_MS, settings_for=lambda _: SETTINGS)
    recovered = store.get("orders", 0, now_ms=NOW_MS)
    assert recovered is not None
    assert batches_of(recovered) == left
    assert recovered.leader_epochs.latest_epoch == 0
    store.close({})


# -- any history of roles


class Replicas:
    """Two logs that take turns at leading.

    Either records are deleted or there are transactions: of a producer whose records are deleted a log that was opened
    anew knows nothing, in Apache Kafka, too.
    """

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self.chance = chance
        self.logs = [open_log(directory / "a"), open_log(directory / "b")]
        self.leader = 0
        self.epoch = 0
        self.special = chance.choice(["transaction", "delete"])
        self.logs[0].leader_epochs.assign(0, 0)

    def step(self) -> None:
        leader, follower = self.logs[self.leader], self.logs[1 - self.leader]
        match self.chance.choice(["data", "data", "data", "replicate", "fail over", "restart", self.special]):
            case "data":
                produce(leader, epoch=self.epoch, count=self.chance.randint(1, 5))
            case "transaction":
                self._step_transaction(leader)
            case "replicate":
                replicate(leader, follower)
                follower.delete_records_before(leader.log_start_offset)
            case "fail over":
                self._fail_over(leader, follower)
            case "restart":
                index = self.chance.randrange(2)
                self.logs[index] = reopened_both_ways(self.logs[index], view(self.logs[index]))
            case "delete":
                both_have = min(leader.log_end_offset, follower.log_end_offset)
                start = self.chance.randint(0, both_have)
                if self.chance.random() < 0.3 and start >= follower.log_start_offset:
                    leader.delete_records_before(start)

    def _step_transaction(self, leader: PartitionLog) -> None:
        if leader.producers.has_open_transaction(TRANSACTIONAL, 0):
            end_transaction(leader, self.chance.choice([ABORT, COMMIT]), epoch=self.epoch)
            return
        known = {producer.producer_id: producer.last_sequence for producer in leader.producers.active_producers()}
        produce(
            leader,
            epoch=self.epoch,
            producer_id=TRANSACTIONAL,
            sequence=known.get(TRANSACTIONAL, -1) + 1,
            transactional=True,
        )

    def _fail_over(self, leader: PartitionLog, follower: PartitionLog) -> None:
        """The follower leads from what it has; the former leader truncates and catches up."""
        self.leader, self.epoch = 1 - self.leader, self.epoch + 1
        follower.leader_epochs.assign(self.epoch, follower.log_end_offset)
        if self.chance.random() < 0.5:
            produce(follower, epoch=self.epoch)
        truncate_as_the_leader_says(leader, follower)
        replicate(follower, leader)
        leader.delete_records_before(follower.log_start_offset)
        assert batches_of(follower, leader.log_start_offset) == batches_of(leader)


@pytest.mark.parametrize("seed", range(MODEL_RUNS // 6))
def test_whoever_has_led_replicas_agree(tmp_path: Path, seed: int) -> None:
    replicas = Replicas(tmp_path, random.Random(seed))
    for _ in range(40):
        replicas.step()
    leader, follower = replicas.logs[replicas.leader], replicas.logs[1 - replicas.leader]
    replicate(leader, follower)
    start = max(leader.log_start_offset, follower.log_start_offset)
    for log in (leader, follower):
        log.delete_records_before(start)
    assert view(leader) == view(follower)
