"""Every system call that writes may fail: nothing acknowledged is lost, and nothing follows garbage.

`test_any_write_may_fail` walks the whole space: one workload of a store, with the error at its first call, at its
second, and so on, each as a disk that is full or broken, for a moment or from then on. After each the directory is
opened as a kill would leave it and as a stop leaves it. The short form takes every fifth call, another fifth for each
kind of failure; KAFKAPY_DISK_CALLS=all takes all.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, LogStore, PartitionLog, StorageError, StoreError, Verification, build_marker
from kafkapy_log.disk_errors import SyncFailed, passes, what_to_do
from kafkapy_log.durable_files import replace_file
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.records import (
    ControlRecordType,
    NewRecord,
    build_batch,
    decode_records,
    split_batches,
)
from kafkapy_wire.uuid import random_uuid
from tests.log.cleaning import clean_log
from tests.log.failing_disk import FailingDisk

NOW_MS = 1_700_000_000_000
ALL_CALLS = os.environ.get("KAFKAPY_DISK_CALLS") == "all"
LONG_AFTER_MS = 10 * NOW_MS  # whenever the test's files are written
TOPIC_ID = random_uuid()
SETTINGS = LogSettings(segment_bytes=700, index_interval_bytes=100, retention_bytes=1_500, file_delete_delay_ms=0)
IDEMPOTENT, TRANSACTIONAL = 7, 9


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingDisk]:
    with monkeypatch.context() as patch:
        yield FailingDisk(patch)


def open_store(directory: Path, settings: LogSettings = SETTINGS) -> LogStore:
    return LogStore.open(
        directory, node_id=1, cluster_id="cluster", now_ms=NOW_MS, settings_for=lambda _: settings, fsync=True
    )


def new_log(directory: Path, settings: LogSettings = SETTINGS) -> PartitionLog:
    return open_store(directory, settings).create("orders", 0, TOPIC_ID, now_ms=NOW_MS)


def append(log: PartitionLog, value: bytes = b"v" * 100, sequence: int = -1) -> int:
    producer_id, epoch = (-1, -1) if sequence < 0 else (IDEMPOTENT, 0)
    batch = build_batch(
        [NewRecord(NOW_MS, b"key", value)], producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence
    )
    return log.append_as_leader(batch, leader_epoch=1, now_ms=NOW_MS).base_offset


def values(log: PartitionLog, *, gaps: bool = False) -> dict[int, bytes | None]:
    """By offset, of everything that is in the log, markers left out; `gaps` are what compaction leaves."""
    found: dict[int, bytes | None] = {}
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 1 << 20)
        assert len(piece)
        for header, batch in split_batches(piece.read()):
            assert header.base_offset == offset or (gaps and header.base_offset > offset), "no gap, nothing twice"
            offset = header.next_offset
            if not header.is_control:
                found.update((record.offset, record.value) for record in decode_records(batch))
        piece.release()
    return found


# -- one error after the other


class Workload:
    """Appends, rolls, flushes, retention and checkpoints of one partition, and what must be left of them."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.log: PartitionLog | None = None
        self.acknowledged: dict[int, bytes] = {}
        self.sent: set[bytes] = set()
        self._sequences = {IDEMPOTENT: 0, TRANSACTIONAL: 0}

    def run(self) -> None:
        """Go on after errors that pass; end, as the broker does, after one that does not."""
        for number in range(30):
            with suppress(StorageError):
                self.log = self.log or self.store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
            if self.log is None:
                continue
            if self.log.has_failed:
                return
            self._append(number)
            self._other_work(number)

    def _append(self, number: int) -> None:
        assert self.log is not None
        value = b"%03d" % number * 40
        self.sent.add(value)
        with suppress(StorageError):
            if number % 7 == 6:
                marker = build_marker(
                    (ControlRecordType.ABORT, ControlRecordType.COMMIT)[number % 2],
                    timestamp=NOW_MS,
                    producer_id=TRANSACTIONAL,
                    producer_epoch=0,
                    coordinator_epoch=0,
                )
                self.log.append_built(marker, leader_epoch=1, now_ms=NOW_MS)
                return
            producer_id = TRANSACTIONAL if number % 7 > 3 else IDEMPOTENT
            batch = build_batch(
                [NewRecord(NOW_MS + number, b"key", value)],
                producer_id=producer_id,
                producer_epoch=0,
                base_sequence=self._sequences[producer_id],
                is_transactional=producer_id == TRANSACTIONAL,
            )
            result = self.log.append_as_leader(
                batch, leader_epoch=1 + number // 10, now_ms=NOW_MS, verification=Verification.IN_TRANSACTION
            )
            self.acknowledged[result.base_offset] = value
            self._sequences[producer_id] += 1

    def _other_work(self, number: int) -> None:
        assert self.log is not None
        with suppress(StorageError, OSError):
            if number % 5 == 4:
                self.log.flushing.flush()
            elif number % 8 == 7 and (flush := self.log.flushing.begin(rolled_only=True)):
                self.log.flushing.sync(flush, fsync=True)
            elif number % 9 == 8:
                self.store.write_checkpoints({})
            elif number == 20:
                self.log.delete_records_before(self.log.log_end_offset - 8, now_ms=NOW_MS)
            elif number == 25:
                self.log.retention.delete_old_segments(high_watermark=self.log.log_end_offset, now_ms=NOW_MS)

    def assert_kept(self, directory: Path, *, log_start_offset: int) -> None:
        """In a store that is opened on `directory` now, and it takes more."""
        store = open_store(directory)
        log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
        found = values(log)
        expected = {offset: value for offset, value in self.acknowledged.items() if offset >= log_start_offset}
        assert log.log_start_offset <= log_start_offset
        assert found.items() >= expected.items()
        assert set(found.values()) <= self.sent
        last_sequences = {entry.producer_id: entry.last_sequence for entry in log.producers.active_producers()}
        for producer_id, next_sequence in self._sequences.items():
            assert last_sequences.get(producer_id, -1) >= next_sequence - 1
        offset = append(log, b"more")
        assert values(log)[offset] == b"more"
        store.close()


def run_with_failure(
    directory: Path, disk: FailingDisk, call: int, number: int, *, recovers: bool
) -> tuple[Workload, list[str]]:
    workload = Workload(open_store(directory / "data"))
    disk.fail_at(call, number, recovers=recovers)
    workload.run()
    failed_calls = list(disk.failed_calls)
    disk.fail_never()
    return workload, failed_calls


@pytest.mark.parametrize(
    ("number", "recovers", "first_call"),
    [(errno.ENOSPC, True, 1), (errno.ENOSPC, False, 2), (errno.EIO, True, 3), (errno.EIO, False, 4)],
    ids=["full for a moment", "full", "broken for a moment", "broken"],
)
def test_any_write_may_fail(number: int, recovers: bool, first_call: int, tmp_path: Path, disk: FailingDisk) -> None:
    calls = range(1, 1_000) if ALL_CALLS else range(first_call, 1_000, 5)
    for call in calls:
        directory = tmp_path / str(call)
        directory.mkdir()
        workload, failed_calls = run_with_failure(directory, disk, call, number, recovers=recovers)
        if not failed_calls:
            break
        log = workload.log
        start = 0 if log is None else log.log_start_offset
        if log is not None:
            found = values(log)
            assert found.items() >= {o: v for o, v in workload.acknowledged.items() if o >= start}.items()
            assert set(found.values()) <= workload.sent
        shutil.copytree(directory / "data", directory / "killed")
        workload.assert_kept(directory / "killed", log_start_offset=start)
        has_failed = log is not None and log.has_failed
        if has_failed:
            with pytest.raises(StorageError, match="has failed before"):
                workload.store.close()
        else:
            if log is not None and number == errno.ENOSPC:
                append(log, b"goes on")
                workload.sent.add(b"goes on")
            workload.store.close()
        assert (directory / "data" / ".kafka_cleanshutdown").exists() is not has_failed
        workload.assert_kept(directory / "data", log_start_offset=start)
        shutil.rmtree(directory)
    assert call > 50, "the workload has fewer calls than it had: is it still one?"
    assert call < calls[-1]


# -- what each of them means


def test_a_log_goes_on_when_there_is_room_again(tmp_path: Path, disk: FailingDisk) -> None:
    log = new_log(tmp_path)
    assert append(log, sequence=0) == 0
    size = log.size_bytes
    disk.fail_at(1, errno.ENOSPC, recovers=False)
    disk_full = pytest.raises(StorageError, match=r"orders-0: \[Errno 28\] No space left on device")
    with disk_full as refused:
        append(log, sequence=1)
    assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert (refused.value.passes, refused.value.what_to_do) == (True, "make room on the disk")
    disk.fail_never()
    assert log.has_failed, "what was written could not be cut off: nothing may come behind it"

    log = new_log(tmp_path / "second")
    append(log, sequence=0)
    for _ in range(3):
        disk.fail_at(1, errno.ENOSPC, recovers=True)
        with disk_full:
            append(log, sequence=1)
    assert (log.size_bytes, log.log_end_offset, log.has_failed) == (size, 1, False)
    assert (log.directory / f"{0:020d}.log").stat().st_size == size
    assert append(log, sequence=1) == 1, "its sequence was not used up"
    assert list(values(log)) == [0, 1]


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EBADF])
def test_a_log_that_a_broken_disk_has_refused_takes_no_more(number: int, tmp_path: Path, disk: FailingDisk) -> None:
    log = new_log(tmp_path)
    append(log)
    disk.fail_at(1, number, recovers=True)
    for _ in range(2):
        with pytest.raises(StorageError) as refused:
            append(log)
        assert isinstance(refused.value.cause, OSError)
        assert refused.value.cause.errno == number
        assert not refused.value.passes
    assert log.has_failed
    assert list(values(log)) == [0], "what it has can be read"
    assert log.flushing.begin() is None


def test_too_many_open_files_pass(tmp_path: Path, disk: FailingDisk) -> None:
    log = new_log(tmp_path)
    disk.fail_at(1, errno.EMFILE, recovers=True)
    with pytest.raises(StorageError):
        append(log)
    assert disk.failed_calls == ["open"]
    assert append(log) == 0


def test_a_roll_without_room_is_tried_again(tmp_path: Path, disk: FailingDisk) -> None:
    log = new_log(tmp_path)
    while log.size_bytes < 550:
        append(log)
    end = log.log_end_offset
    for call in (1, 2, 3, 4):  # a part of the first index file, the second, ...
        disk.fail_at(call, errno.ENOSPC, recovers=True)
        with pytest.raises(StorageError):
            append(log)
        assert not log.has_rolled
    disk.fail_never()
    assert append(log) == end
    assert log.has_rolled
    assert len(values(log)) == end + 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_failed_fsync_is_not_tried_again(number: int, tmp_path: Path, disk: FailingDisk) -> None:
    """Not even when the disk was full: the kernel has forgotten which pages it could not write."""
    log = new_log(tmp_path)
    append(log)
    disk.fail_at(1, number, recovers=True)
    with pytest.raises(StorageError) as failed:
        log.flushing.flush()
    assert disk.failed_calls == ["fdatasync"]
    assert isinstance(failed.value.cause, SyncFailed)
    assert not failed.value.passes, "an fsync is never asked for again"
    assert (log.has_failed, log.recovery_point) == (True, 0)
    log.flushing.flush()
    assert log.recovery_point == 0


def test_a_flush_that_had_no_room_for_a_checkpoint_is_tried_again(tmp_path: Path, disk: FailingDisk) -> None:
    log = new_log(tmp_path)
    while not log.has_rolled:
        append(log)
    flush = log.flushing.begin()
    assert flush is not None
    disk.fail_at(len(flush.files) + len(flush.names) + 1, errno.ENOSPC, recovers=True)
    with pytest.raises(OSError, match="No space left") as full:
        flush.sync()
    assert disk.failed_calls == ["open"], "of leader-epoch-checkpoint.tmp"
    log.flushing.end(flush, full.value)
    assert (log.has_failed, log.recovery_point) == (False, 0)
    again = log.flushing.begin()
    assert again is not None
    assert (again.names, len(again.files)) == (flush.names, len(flush.files))
    again.sync()
    log.flushing.end(again)
    assert log.recovery_point == log.log_end_offset
    assert (log.directory / "leader-epoch-checkpoint").exists()
    log.close()


def test_retention_makes_room_on_a_full_disk(tmp_path: Path, disk: FailingDisk) -> None:
    """It may not even have room for the longer names of files that are to be deleted."""
    log = new_log(tmp_path, LogSettings(segment_bytes=700, retention_ms=1_000))
    for _ in range(20):
        append(log)
    in_use = log.read(0, 200)
    refusing = FullForNewBytes(disk)
    with refusing:
        assert log.retention.delete_old_segments(high_watermark=20, now_ms=LONG_AFTER_MS) > 1
    assert refusing.renames_refused
    assert (log.log_start_offset, log.log_end_offset, log.has_failed) == (20, 20, False)
    assert not list(log.directory.glob("*.deleted"))
    assert next(split_batches(in_use.read()))[0].base_offset == 0, "who was reading reads on"
    in_use.release()
    assert append(log) == 20


class FullForNewBytes:
    """Renames and writes fail, files can be made: what a full ext4 may do."""

    def __init__(self, disk: FailingDisk) -> None:
        self._disk = disk
        self._patch = pytest.MonkeyPatch()
        self.renames_refused = 0

    def __enter__(self) -> None:
        def refuse(*_: object, **__: object) -> None:
            self.renames_refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for name in ("rename", "write"):
            self._patch.setattr(os, name, refuse)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_cleaning_that_fails_leaves_the_log_as_it_was_or_cleaned(
    number: int, tmp_path: Path, disk: FailingDisk
) -> None:
    settings = LogSettings(segment_bytes=700, index_interval_bytes=100, compact=True, delete=False)
    for call in range(1, 100):
        directory = tmp_path / str(call)
        store = open_store(directory, settings)
        log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
        for count in range(24):
            append(log, b"%03d" % count * 40)
        log.flushing.flush()
        store.write_checkpoints({})  # so that the next start trusts the indexes
        disk.fail_at(call, number, recovers=True)
        with suppress(StorageError, OSError):
            clean_log(log)
        if not disk.failed_calls:
            break
        disk.fail_never()
        assert values(log, gaps=True)[23] == b"023" * 40
        shutil.copytree(directory, tmp_path / "killed")
        if not log.has_failed:
            assert not list(log.directory.glob("*.cleaned")), "their bytes are of use to others"
            clean_log(log)
            assert len(values(log, gaps=True)) < 24
        killed = new_log(tmp_path / "killed", settings)
        found = values(killed, gaps=True)
        assert found[23] == b"023" * 40
        assert all(value == b"%03d" % offset * 40 for offset, value in found.items())
        shutil.rmtree(tmp_path / "killed")
        for each in (log, killed):
            each.close(clean=False)
    assert 10 < call < 99


def test_the_index_of_a_cleaning_that_came_to_nothing_is_not_taken(tmp_path: Path) -> None:
    """A disk error between the renames of a swap, and then none to clear it away."""
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    while not log.has_rolled:
        append(log)
    store.close()
    index = tmp_path / "orders-0" / f"{0:020d}.index"
    before = index.read_bytes()
    swap = index.with_name(index.name + ".swap")
    swap.write_bytes(bytes([0, 0, 0, 1, 0, 0, 0, 5]))
    log = new_log(tmp_path)
    assert len(values(log)) == log.log_end_offset
    assert index.read_bytes() == before
    assert not swap.exists()


def test_a_partition_that_could_not_be_made_leaves_nothing(tmp_path: Path, disk: FailingDisk) -> None:
    store = open_store(tmp_path)
    for call in (1, 2, 3):
        disk.fail_at(call, errno.ENOSPC, recovers=True)
        with pytest.raises(StorageError) as refused:
            store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
        assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
        assert ("orders", 0) not in store
        assert not (tmp_path / "orders-0").exists()
    disk.fail_never()
    append(store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS))
    store.close()


def test_a_file_that_could_not_be_replaced_is_as_it_was(tmp_path: Path, disk: FailingDisk) -> None:
    file = tmp_path / "checkpoint"
    replace_file(file, b"before", fsync=True)
    for call in range(1, 5):
        disk.fail_at(call, errno.ENOSPC, recovers=True)
        with pytest.raises(OSError, match="No space left"):
            replace_file(file, b"after", fsync=True)
        assert file.read_bytes() == b"before"
        assert list(tmp_path.iterdir()) == [file], "the bytes beside are of use to others"


@pytest.mark.parametrize("call", range(1, 6))
def test_a_stop_on_a_full_disk_keeps_everything_for_the_next_start(
    call: int, tmp_path: Path, disk: FailingDisk
) -> None:
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    for sequence in range(3):
        append(log, sequence=sequence)
    disk.fail_at(call, errno.ENOSPC, recovers=False)
    with pytest.raises((StorageError, OSError), match="No space left"):
        store.close()
    disk.fail_never()
    assert not (tmp_path / ".kafka_cleanshutdown").exists()
    log = open_store(tmp_path).create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    assert list(values(log)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EROFS, "make its file system writable, or name another directory"),
        (errno.EACCES, r"give it to the user of this process \(`chown -R \d+:\d+`\), or name another directory"),
        (errno.EINVAL, "check its owner and permissions, or name another directory"),
        (errno.EIO, r"see what the system's log \(`dmesg`\) says of the disk"),
        (errno.EMFILE, r"raise the limit of open files \(`ulimit -n`\)"),
        (errno.EFBIG, r"raise the limit of the size of files \(`ulimit -f`\)"),
    ],
)
def test_a_directory_that_cannot_be_opened_says_what_to_do(
    number: int, advice: str, tmp_path: Path, disk: FailingDisk
) -> None:
    disk.fail_at(2, number, recovers=False)
    with pytest.raises(StoreError, match=rf"cannot use the data directory .* \({os.strerror(number)}\): {advice}$"):
        open_store(tmp_path / "data")
    disk.fail_never()
    open_store(tmp_path / "data").close()


def test_a_recovery_without_room_can_be_repeated(tmp_path: Path, disk: FailingDisk) -> None:
    store = open_store(tmp_path / "data")
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    for sequence in range(12):
        append(log, sequence=sequence)
    store.close(clean=False)
    with (tmp_path / "data" / "orders-0" / f"{log.active_base_offset:020d}.log").open("ab") as file:
        file.write(b"torn")
    for call in range(1, 200):
        directory = tmp_path / f"copy-{call}"
        shutil.copytree(tmp_path / "data", directory)
        disk.fail_at(call, errno.ENOSPC, recovers=False)
        refusal = ""
        try:
            open_store(directory).close(clean=False)
        except StoreError as error:
            refusal = str(error)
        if not disk.failed_calls:
            break
        assert not refusal or refusal.endswith("No space left on device): make room on the disk")
        disk.fail_never()
        log = open_store(directory).create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
        assert list(values(log)) == list(range(12))
    assert 2 < call < 199


def test_what_passes() -> None:
    assert passes(OSError(errno.ENOSPC, "full"))
    assert not passes(SyncFailed(errno.ENOSPC, "full"))
    assert not passes(OSError(errno.EIO, "broken"))
    assert not passes(None)
    assert what_to_do(OSError("without a number")) == what_to_do(OSError(errno.EINVAL, "not allowed"))
    assert what_to_do(ValueError("garbage")) == "restore it from a copy, or name another directory"


def test_bytes_that_cannot_be_right_are_a_storage_error_that_does_not_pass() -> None:
    error = StorageError("orders-0", MalformedMessage("magic 7"))
    assert (error.code, error.message) == (ErrorCode.KAFKA_STORAGE_ERROR, "orders-0: magic 7")
    assert not error.passes
    assert (passes(error), what_to_do(error)) == (error.passes, error.what_to_do)
    assert error.what_to_do == "restore it from a copy, or name another directory"
