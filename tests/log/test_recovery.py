"""What a crash leaves: recovery keeps what is whole, drops the rest, and can append again."""

import os
import shutil
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, PartitionLog
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import NewRecord, build_batch, split_batches

NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=600, index_interval_bytes=100)


def make_batch(record_count: int = 1, *, producer_id: int = -1, sequence: int = -1, timestamp: int = NOW_MS) -> bytes:
    return build_batch(
        [NewRecord(timestamp + n, b"key", b"value") for n in range(record_count)],
        producer_id=producer_id,
        producer_epoch=0 if producer_id >= 0 else -1,
        base_sequence=sequence,
    )


def open_log(
    directory: Path, *, clean: bool = False, recovery_point: int = 0, settings: LogSettings = SETTINGS
) -> PartitionLog:
    directory.mkdir(exist_ok=True)
    return PartitionLog.open(directory, settings, now_ms=NOW_MS, clean=clean, recovery_point=recovery_point)


def append(log: PartitionLog, batch: bytes, leader_epoch: int = 0) -> int:
    return log.append_as_leader(batch, leader_epoch=leader_epoch, now_ms=NOW_MS).base_offset


def crash(log: PartitionLog) -> None:
    log.close(clean=False)


def all_bytes(log: PartitionLog) -> bytes:
    content, offset = b"", log.log_start_offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 1 << 20)
        content += piece.read()
        offset = piece.next_offset
    return content


def filled(directory: Path, batch_count: int) -> PartitionLog:
    """Several segments, two leader epochs, one idempotent producer."""
    log = open_log(directory)
    for n in range(batch_count):
        append(log, make_batch(2, producer_id=7, sequence=2 * n, timestamp=NOW_MS + 10 * n), leader_epoch=n // 10)
    return log


def test_recovery_keeps_whole_batches_at_every_cut(tmp_path: Path) -> None:
    batches = [make_batch(n) for n in (1, 3, 2)]
    whole = tmp_path / "orders-0"
    log = open_log(whole)
    for batch in batches:
        append(log, batch)
    crash(log)
    stored = (whole / f"{0:020d}.log").read_bytes()
    ends = [0]
    for header, _ in split_batches(stored):
        ends.append(ends[-1] + header.size_bytes)
    for cut in range(len(stored) + 1):
        directory = tmp_path / f"cut-{cut}"
        directory.mkdir()
        (directory / f"{0:020d}.log").write_bytes(stored[:cut])
        log = open_log(directory)
        kept = sum(end <= cut for end in ends) - 1
        assert log.log_end_offset == (0, 1, 4, 6)[kept]
        assert log.size_bytes == ends[kept] == (directory / f"{0:020d}.log").stat().st_size
        assert append(log, make_batch()) == log.log_end_offset - 1
        crash(log)


@pytest.mark.parametrize(
    "garbage", [b"\0" * 4096, b"\xff" * 100, bytes(range(256)) * 8], ids=["zeros", "ones", "bytes"]
)
def test_recovery_cuts_off_garbage(tmp_path: Path, garbage: bytes) -> None:
    log = open_log(tmp_path / "orders-0")
    append(log, make_batch(3))
    crash(log)
    path = tmp_path / "orders-0" / f"{0:020d}.log"
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(garbage)
    log = open_log(tmp_path / "orders-0")
    assert (log.log_end_offset, path.stat().st_size) == (3, size)


def test_a_flipped_bit_ends_the_log_where_its_batch_began(tmp_path: Path) -> None:
    log = filled(tmp_path / "orders-0", 20)
    crash(log)
    first, second, *later = sorted((tmp_path / "orders-0").glob("*.log"))
    assert later
    content = bytearray(second.read_bytes())
    content[-1] ^= 1
    second.write_bytes(content)
    log = open_log(tmp_path / "orders-0")
    assert sorted((tmp_path / "orders-0").glob("*.log")) == [first, second]
    assert log.log_end_offset == int(later[0].stem) - 2
    assert append(log, make_batch()) == log.log_end_offset - 1


def test_below_the_recovery_point_nothing_is_read(tmp_path: Path) -> None:
    """That part was on the disk: only the segment that holds the recovery point, and later ones, are walked."""
    log = filled(tmp_path / "orders-0", 20)
    crash(log)
    first = min((tmp_path / "orders-0").glob("*.log"))
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    log = open_log(tmp_path / "orders-0", recovery_point=30)
    assert log.log_end_offset == 40
    crash(log)
    log = open_log(tmp_path / "orders-0", recovery_point=0)
    assert log.log_end_offset == 10


def test_everything_derived_is_rebuilt(tmp_path: Path) -> None:
    """Without indexes, snapshots and epochs, or with nonsense in them, an unclean log opens the same."""
    directory = tmp_path / "orders-0"
    log = filled(directory, 30)
    content, producers = all_bytes(log), log.producers.active_producers()
    epochs = [log.end_offset_for_epoch(epoch) for epoch in range(4)]
    infos = log.segments()
    log.close()
    indexes = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix.endswith("index")}
    for damage in ("missing", "empty", "torn", "noise"):
        damaged = tmp_path / damage / "orders-0"
        shutil.copytree(directory, damaged)
        for path in damaged.iterdir():
            if path.suffix == ".log":
                continue
            match damage:
                case "missing":
                    path.unlink()
                case "empty":
                    path.write_bytes(b"")
                case "torn":
                    path.write_bytes(path.read_bytes()[:-3])
                case "noise":
                    path.write_bytes(b"\xff\x00\x80" * 50)
        log = open_log(damaged)
        assert all_bytes(log) == content
        assert [log.end_offset_for_epoch(epoch) for epoch in range(4)] == epochs
        assert log.producers.active_producers() == producers
        assert log.segments() == infos
        log.close()
        rebuilt = {path.name: path.read_bytes() for path in damaged.iterdir() if path.suffix.endswith("index")}
        assert rebuilt == indexes


def test_a_crash_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    """Whatever prefix of an unflushed file is left, the log is a prefix too, and has all that was flushed.

    Cuts between two batches are left out: there, as in Apache Kafka, the later segments stay, since a gap before a
    segment may also be compaction's.
    """
    directory = tmp_path / "orders-0"
    log = filled(directory, 8)
    log.flushing.flush()
    recovery_point = log.recovery_point
    flushed = {path.name: path.stat().st_size for path in directory.iterdir()}
    for n in range(8, 20):
        append(log, make_batch(2, producer_id=7, sequence=2 * n, timestamp=NOW_MS + 10 * n), leader_epoch=n // 10)
    content = all_bytes(log)
    crash(log)
    for victim in sorted(directory.glob("*.log")):
        stored = victim.read_bytes()
        ends = {0}
        for header, _ in split_batches(stored):
            ends.add(max(ends) + header.size_bytes)
        for kept in set(range(flushed.get(victim.name, 0), len(stored), 13)) - ends:
            left = tmp_path / f"{victim.stem}-{kept}" / "orders-0"
            shutil.copytree(directory, left)
            os.truncate(left / victim.name, kept)
            for path in left.iterdir():
                if path.suffix.endswith("index") and path.name not in flushed:
                    path.write_bytes(b"")
            log = open_log(left, recovery_point=recovery_point)
            assert log.log_end_offset >= recovery_point
            assert content.startswith(all_bytes(log))
            assert log.producers.active_producers()[0].last_sequence == log.log_end_offset - 1
            follows = make_batch(1, producer_id=7, sequence=log.log_end_offset)
            assert append(log, follows, leader_epoch=5) == log.log_end_offset - 1
            log.close(fsync=False)
            assert open_log(left, clean=True).end_offset_for_epoch(5) == (5, log.log_end_offset)


@pytest.mark.parametrize("suffix", [".index", ".timeindex", ".snapshot"])
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_clean_log_with_a_damaged_file_still_opens(tmp_path: Path, suffix: str, damage: str) -> None:
    directory = tmp_path / "orders-0"
    log = filled(directory, 30)
    content, producers, infos = all_bytes(log), log.producers.active_producers(), log.segments()
    log.close()
    for path in directory.glob(f"*{suffix}"):
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1])
    log = open_log(directory, clean=True)
    assert all_bytes(log) == content
    assert (log.producers.active_producers(), log.segments()) == (producers, infos)
    assert append(log, make_batch(2, producer_id=7, sequence=60)) == 60


def test_a_clean_log_that_ends_in_a_torn_batch_is_cut(tmp_path: Path) -> None:
    log = filled(tmp_path / "orders-0", 3)
    log.close()
    path = tmp_path / "orders-0" / f"{0:020d}.log"
    os.truncate(path, path.stat().st_size - 1)
    log = open_log(tmp_path / "orders-0", clean=True)
    assert log.log_end_offset == 4


def test_a_clean_open_does_not_walk_the_log(tmp_path: Path) -> None:
    """Bytes before the last index entry may be anything: they are not looked at."""
    settings = LogSettings(index_interval_bytes=100)
    log = open_log(tmp_path / "orders-0", settings=settings)
    for _ in range(50):
        append(log, make_batch())
    log.close()
    path = tmp_path / "orders-0" / f"{0:020d}.log"
    content = path.read_bytes()
    path.write_bytes(b"\xff" * (len(content) // 2) + content[len(content) // 2 :])
    log = open_log(tmp_path / "orders-0", clean=True, settings=settings)
    assert log.log_end_offset == 50


def test_duplicates_are_known_after_a_restart(tmp_path: Path) -> None:
    log = filled(tmp_path / "orders-0", 20)
    last = make_batch(2, producer_id=7, sequence=38)
    assert append(log, last) == 38
    log.close()
    log = open_log(tmp_path / "orders-0", clean=True)
    assert append(log, last) == 38
    crash(log)
    log = open_log(tmp_path / "orders-0")
    assert append(log, last) == 38
    # The whole log was replayed in the end, or the snapshot plus what follows: earlier batches may be out of order.
    with pytest.raises(KafkaError) as refused:
        append(log, make_batch(2, producer_id=7, sequence=2))
    assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_log_start_beyond_the_end_begins_anew(tmp_path: Path) -> None:
    """Files were lost, but what was deleted stays deleted."""
    log = filled(tmp_path / "orders-0", 3)
    log.close()
    log = PartitionLog.open(
        tmp_path / "orders-0", SETTINGS, now_ms=NOW_MS, clean=False, recovery_point=0, log_start_offset=100
    )
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (100, 100, 0)
    assert append(log, make_batch()) == 100


def test_left_over_files_are_removed(tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    log = filled(directory, 3)
    log.close()
    for name in (f"{0:020d}.log.deleted", f"{9:020d}.index", f"{9:020d}.timeindex", f"{9:020d}.log.cleaned"):
        (directory / name).write_bytes(b"x")
    names = {path.name for path in directory.iterdir()}
    crash(open_log(directory, clean=True))
    assert names - {path.name for path in directory.iterdir()} == {
        f"{0:020d}.log.deleted",
        f"{9:020d}.index",
        f"{9:020d}.timeindex",
        f"{9:020d}.log.cleaned",
    }
