"""A settled log: recovery begins where its records, indexes and producers were last synced together, and not before.

That a power failure at any moment does no harm is in `test_torn_writes.py`, whose workload settles, too.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import kafkapy_log.durable_files
import kafkapy_log.recovery
from kafkapy_log import LogSettings, PartitionLog, Verification, build_marker
from kafkapy_log.producer_state import ActiveProducer
from kafkapy_log.transaction_index import AbortedTransaction
from kafkapy_wire.records import ControlRecordType, NewRecord, build_batch

NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=20_000, index_interval_bytes=300)
SEEDS = 30


def open_log(directory: Path, *, recovery_point: int = 0, clean: bool = False) -> PartitionLog:
    directory.mkdir(exist_ok=True)
    return PartitionLog.open(directory, SETTINGS, now_ms=NOW_MS, clean=clean, recovery_point=recovery_point)


def append(log: PartitionLog, count: int = 1, *, producer_id: int = 7, sequence: int | None = None) -> None:
    """`count` batches of one producer, whose sequences are the offsets unless it is alone."""
    for _ in range(count):
        batch = build_batch(
            [NewRecord(NOW_MS + log.log_end_offset, b"key", b"value" * 10)],
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=log.log_end_offset if sequence is None else sequence,
        )
        log.append_as_leader(batch, leader_epoch=log.log_end_offset // 50, now_ms=NOW_MS)


def settle(log: PartitionLog) -> int:
    flush = log.flushing.begin(settle=True)
    assert flush is not None
    flush.sync()
    log.flushing.end(flush)
    return log.recovery_point


def crash(log: PartitionLog) -> Path:
    log.close(clean=False)
    return log.directory


def flip_a_bit(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


class State:
    """All that recovery has to find out."""

    def __init__(self, log: PartitionLog) -> None:
        self.end_offset = log.log_end_offset
        self.last_stable_offset = log.last_stable_offset
        self.segments = log.segments()
        self.epochs = [log.end_offset_for_epoch(epoch) for epoch in range(20)]
        self.producers: list[ActiveProducer] = sorted(log.producers.active_producers())
        self.aborted: list[AbortedTransaction] = log.aborted_transactions(0, log.log_end_offset)
        self.found = [
            log.times.offset_for_timestamp(NOW_MS + offset)
            for offset in range(log.log_start_offset, log.log_end_offset, 7)
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return repr(vars(self))


def test_recovery_begins_where_the_log_was_settled(tmp_path: Path) -> None:
    log = open_log(tmp_path / "orders-0")
    append(log, 60)
    settled = settle(log)
    assert (settled, log.flushing.unsettled_bytes) == (60, 0)
    append(log, 3)
    state, unsettled = State(log), log.flushing.unsettled_bytes
    directory = crash(log)
    first = directory / f"{0:020d}.log"
    flip_a_bit(first, 500)  # nobody looks there
    log = open_log(directory, recovery_point=settled)
    assert State(log) == state
    assert unsettled <= log.flushing.unsettled_bytes <= unsettled + 2 * SETTINGS.index_interval_bytes
    crash(log)
    flip_a_bit(first, first.stat().st_size - 1)
    log = open_log(directory, recovery_point=settled)
    assert log.log_end_offset == 62


def test_a_log_that_is_killed_again_and_again_is_read_once(tmp_path: Path) -> None:
    log = open_log(tmp_path / "orders-0")
    append(log, 100)
    read_bytes = []
    recovery_point = 0
    for _ in range(4):
        log = open_log(crash(log), recovery_point=recovery_point)
        read_bytes.append(log.flushing.unsettled_bytes)
        recovery_point = settle(log) if log.flushing.unsettled_bytes > 1_000 else recovery_point
    assert read_bytes[0] == log.size_bytes
    assert max(read_bytes[1:]) <= 2 * SETTINGS.index_interval_bytes


@pytest.mark.parametrize("without", ["snapshot", "index", "timeindex"])
def test_without_proof_the_whole_segment_is_read(tmp_path: Path, without: str) -> None:
    """Records may be on the disk, by flush.messages, and what is derived from them not."""
    log = open_log(tmp_path / "orders-0")
    append(log, 40)
    settle(log)
    append(log, 20)
    log.flushing.flush()
    recovery_point, state = log.recovery_point, State(log)
    assert recovery_point == 60
    directory = crash(log)
    for path in directory.glob(f"*.{without}"):
        path.unlink()
    log = open_log(directory, recovery_point=recovery_point)
    assert State(log) == state
    assert log.flushing.unsettled_bytes == log.size_bytes


def test_a_snapshot_above_the_recovery_point_proves_nothing(tmp_path: Path) -> None:
    """The checkpoint was not written any more, or another one is to be believed: that is Kafka's rule."""
    log = open_log(tmp_path / "orders-0")
    append(log, 60)
    settle(log)
    directory = crash(log)
    flip_a_bit(directory / f"{0:020d}.log", 500)
    log = open_log(directory, recovery_point=59)
    assert log.log_end_offset < 10


def test_only_the_last_snapshot_within_a_segment_is_kept(tmp_path: Path) -> None:
    log = open_log(tmp_path / "orders-0")
    offsets = []
    for _ in range(60):
        append(log, 10)
        offsets.append(settle(log))
    bases = {segment.base_offset for segment in log.segments()}
    assert len(bases) > 2
    found = {int(path.stem) for path in log.directory.glob("*.snapshot")}
    assert found == (bases - {0}) | {offsets[-1]}


def test_what_was_recovered_is_synced_before_the_recovery_point_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of the process leaves it in the page cache, from where a power failure may still take it."""
    log = open_log(tmp_path / "orders-0")
    append(log, 400)
    assert len(log.segments()) > 2
    log = open_log(crash(log))
    synced: set[str] = set()
    fdatasync = os.fdatasync

    def watched(fd: int) -> None:
        synced.add(Path(f"/proc/self/fd/{fd}").readlink().name)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", watched)
    flush = log.flushing.begin(rolled_only=True)
    assert flush is not None
    flush.sync()
    log.flushing.end(flush)
    assert log.recovery_point == log.active_base_offset
    assert synced == {path.name for path in log.directory.glob("*.log")} - {f"{log.active_base_offset:020d}.log"}


def test_what_is_appended_after_a_truncation_is_not_taken_for_flushed(tmp_path: Path) -> None:
    log = open_log(tmp_path / "orders-0")
    append(log, 60)
    flush = log.flushing.begin(settle=True)
    assert flush is not None
    log.truncate_to(30)
    append(log, 60)
    flush.sync()
    log.flushing.end(flush)
    assert log.recovery_point == 30
    assert not list(log.directory.glob("*60.snapshot"))


class Workload:
    """Producers, transactions, epochs, rolls and flushes by one seed."""

    def __init__(self, log: PartitionLog, chance: random.Random) -> None:
        self.log = log
        self.chance = chance
        self.sequences = {entry.producer_id: entry.last_sequence for entry in log.producers.active_producers()}
        self.recovery_point = log.recovery_point
        self.epoch = max(log.leader_epochs.latest_epoch, 0)

    def run(self) -> None:
        for _ in range(self.chance.randrange(120)):
            match self.chance.randrange(20):
                case 0:
                    self.log.flushing.flush()
                case 1 | 2:
                    if flush := self.log.flushing.begin(settle=True):
                        flush.sync()
                        self.log.flushing.end(flush)
                case 3:
                    self.epoch += 1
                case 4 | 5 | 6:
                    self._append(9, Verification.IN_TRANSACTION)
                case 7 | 8:
                    self._end_transaction()
                case _:
                    self._append(self.chance.choice((7, 8)), Verification.NONE)
            if self.chance.random() < 0.3:
                self.recovery_point = self.log.recovery_point  # as a checkpoint has it

    def _append(self, producer_id: int, verification: Verification) -> None:
        sequence = self.sequences.get(producer_id, -1) + 1
        timestamp = NOW_MS + self.log.log_end_offset + self.chance.randint(-5, 5)
        batch = build_batch(
            [NewRecord(timestamp, b"key", self.chance.randbytes(self.chance.choice((10, 100, 700))))],
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=sequence,
            is_transactional=verification is Verification.IN_TRANSACTION,
        )
        self.log.append_as_leader(batch, leader_epoch=self.epoch, now_ms=NOW_MS, verification=verification)
        self.sequences[producer_id] = sequence

    def _end_transaction(self) -> None:
        marker = build_marker(
            self.chance.choice((ControlRecordType.ABORT, ControlRecordType.COMMIT)),
            timestamp=NOW_MS,
            producer_id=9,
            producer_epoch=0,
            coordinator_epoch=0,
        )
        self.log.append_built(marker, leader_epoch=self.epoch, now_ms=NOW_MS)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_recovery_begins_at_it_finds_the_same(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    log = open_log(tmp_path / "orders-0")
    for crash_number in range(4):
        workload = Workload(log, chance)
        workload.run()
        state = State(log)
        directory = crash(log)
        thorough = tmp_path / f"thorough-{crash_number}" / "orders-0"
        shutil.copytree(directory, thorough)
        for path in thorough.iterdir():
            if path.suffix != ".log":
                path.unlink()
        assert State(open_log(thorough)) == state
        log = open_log(directory, recovery_point=workload.recovery_point)
        assert State(log) == state


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The `number`-th change of a file while a log is opened is the last thing that happens."""
    count = 0

    def counted(function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **keywords: object) -> None:
            nonlocal count
            count += 1
            if count > number:
                raise Killed
            function(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", counted(os.ftruncate))
        patch.setattr(os, "unlink", counted(os.unlink))
        patch.setattr(kafkapy_log.durable_files, "_write_all", counted(kafkapy_log.durable_files._write_all))
        yield


@pytest.mark.parametrize("settled", [True, False])
def test_a_recovery_that_is_killed_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: bool) -> None:
    log = open_log(tmp_path / "orders-0")
    append(log, 300)
    recovery_point = settle(log) if settled else 0
    append(log, 250)
    state = State(log)
    directory = crash(log)
    with (directory / f"{log.active_base_offset:020d}.log").open("ab") as file:
        file.write(b"torn")
    for number in range(1000):
        left = tmp_path / f"{number}" / "orders-0"
        shutil.copytree(directory, left)
        try:
            with killed_at(number, monkeypatch):
                crash(open_log(left, recovery_point=recovery_point))
        except Killed:
            assert State(open_log(left, recovery_point=recovery_point)) == state
        else:
            break
    assert 5 < number < 100
