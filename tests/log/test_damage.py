"""What recovery takes out of a log is told, and kept, unless it is the torn end of a last write."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

import pytest

from kafkapy_log import CutRecords, Damage, LogSettings, LostRecords, PartitionLog, StorageError
from kafkapy_log import damage as damage_module
from kafkapy_wire.records import split_batches
from tests.log.test_recovery import NOW_MS, SETTINGS, all_bytes, append, crash, filled, make_batch


class Opened:
    """A log opened after a stop, and what was said of it."""

    def __init__(
        self,
        directory: Path,
        *,
        clean: bool = False,
        recovery_point: int = 0,
        log_start_offset: int = 0,
        settings: LogSettings = SETTINGS,
    ) -> None:
        self.told: list[Damage] = []
        self.log = PartitionLog.open(
            directory,
            settings,
            now_ms=NOW_MS,
            clean=clean,
            recovery_point=recovery_point,
            log_start_offset=log_start_offset,
            tell=self.told.append,
        )

    @property
    def cut(self) -> CutRecords:
        (cut,) = self.told
        assert isinstance(cut, CutRecords)
        return cut


def crashed(directory: Path, batch_count: int = 20) -> list[Path]:
    """The segments of a log that was not closed."""
    crash(filled(directory, batch_count))
    return segments(directory)


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))


def content(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in segments(directory))


def kept(cut: CutRecords) -> bytes:
    """What was set aside, in order."""
    assert cut.kept_in is not None
    (begin,) = cut.kept_in.glob("*.log.from-*")
    return begin.read_bytes() + content(cut.kept_in)


def strays(directory: Path) -> list[Path]:
    return [path for path in directory.parent.iterdir() if path != directory]


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def batch_positions(path: Path) -> list[int]:
    positions = [0]
    for header, _ in split_batches(path.read_bytes()):
        positions.append(positions[-1] + header.size_bytes)
    return positions[:-1]


def test_a_flipped_byte_before_later_segments_costs_no_record_without_a_word(tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    first, second, *later = crashed(directory)
    position = batch_positions(first)[2]
    flip(first, position + 70)
    before = content(directory)
    opened = Opened(directory)
    cut = opened.cut
    assert (cut.topic_partition, cut.file, cut.position, cut.offset) == ("orders-0", first, position, 4)
    assert cut.reason == "the CRC of the batch at offset 4 is wrong"
    assert cut.size_bytes == len(before) - position
    assert cut.kept_in is not None
    assert cut.kept_in.name.startswith("orders-0.")
    assert cut.kept_in.name.endswith("-stray")
    assert {path.name for path in cut.kept_in.glob("*.log")} == {path.name for path in (second, *later)}
    assert content(directory) + kept(cut) == before
    assert append(opened.log, make_batch()) == 4
    crash(opened.log)
    assert Opened(directory).told == [], "what is cut once is not cut again"


@pytest.mark.parametrize("where", ["length", "magic", "crc", "record"])
def test_a_hole_with_whole_batches_behind_it_is_kept(tmp_path: Path, where: str) -> None:
    directory = tmp_path / "orders-0"
    settings = LogSettings()
    log = PartitionLog.open(directory_of(directory), settings, now_ms=NOW_MS, clean=True)
    for _ in range(5):
        append(log, make_batch(2))
    crash(log)
    (path,) = segments(directory)
    position = batch_positions(path)[2]
    flip(path, position + {"length": 8, "magic": 16, "crc": 20, "record": 70}[where])
    before = content(directory)
    cut = Opened(directory, settings=settings).cut
    assert (cut.position, cut.offset) == (position, 4)
    assert content(directory) + kept(cut) == before


def directory_of(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_a_torn_end_is_told_and_takes_no_room(tmp_path: Path) -> None:
    """The next write of a node that is killed again and again: a stray each time would fill the disk."""
    directory = tmp_path / "orders-0"
    crashed(directory, 3)
    (path,) = segments(directory)
    whole = path.read_bytes()
    last = batch_positions(path)[-1]
    for end in (last + 1, last + 60, last + 61, len(whole) - 1):
        path.write_bytes(whole[:end])
        opened = Opened(directory)
        assert (opened.cut.kept_in, opened.cut.position, opened.cut.offset) == (None, last, 4)
        assert opened.cut.size_bytes == end - last
        crash(opened.log)
    assert strays(directory) == []


def test_zeros_at_the_end_are_a_torn_end(tmp_path: Path) -> None:
    """Some file systems have written the size of a file, and nothing else, when the power fails."""
    directory = tmp_path / "orders-0"
    (path, *_) = crashed(directory, 3)
    with path.open("ab") as file:
        file.write(bytes(3_000_000))
    assert Opened(directory).cut.kept_in is None
    assert strays(directory) == []


@pytest.mark.parametrize("garbage", [b"\xff" * 100, bytes(range(256)) * 8, b"\x02" * 70_000])
def test_garbage_at_the_end_is_kept(tmp_path: Path, garbage: bytes) -> None:
    directory = tmp_path / "orders-0"
    (path, *_) = crashed(directory, 3)
    with path.open("ab") as file:
        file.write(garbage)
    assert kept(Opened(directory).cut) == garbage


def test_a_last_batch_that_is_whole_but_wrong_is_kept(tmp_path: Path) -> None:
    """A crash of the process leaves no such one: the disk did, or the machine."""
    directory = tmp_path / "orders-0"
    *_, last = crashed(directory)
    flip(last, -1)
    cut = Opened(directory).cut
    assert cut.reason == "the CRC of the batch at offset 38 is wrong"
    assert len(kept(cut)) == cut.size_bytes


def test_nothing_below_the_recovery_point_is_a_torn_end(tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    *_, last = crashed(directory)
    os.truncate(last, last.stat().st_size - 1)
    before = content(directory)
    cut = Opened(directory, recovery_point=40).cut
    assert content(directory) + kept(cut) == before


def test_an_end_that_is_torn_after_a_clean_stop_is_kept(tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    filled(directory, 3).close()
    (path,) = segments(directory)
    os.truncate(path, path.stat().st_size - 1)
    before = content(directory)
    opened = Opened(directory, clean=True)
    assert opened.log.log_end_offset == 4
    assert content(directory) + kept(opened.cut) == before


def test_files_that_are_missing_are_told_of(tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    filled(directory, 3).close()
    assert Opened(directory, log_start_offset=100).told == [LostRecords("orders-0", 6, 100)]


def test_what_cannot_be_kept_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    directory = tmp_path / "orders-0"
    first, *_ = crashed(directory)
    flip(first, 70)
    before = content(directory)
    monkeypatch.setattr(damage_module, "_copy", full)
    with pytest.raises(StorageError, match="No space left"):
        Opened(directory)
    assert content(directory) == before
    assert strays(directory) == []
    monkeypatch.undo()
    cut = Opened(directory).cut
    assert content(directory) + kept(cut) == before


@pytest.mark.parametrize("seed", range(100))
def test_records_and_what_is_kept_are_all_that_was_there(tmp_path: Path, seed: int) -> None:
    """Whatever a disk flips, in whichever file: nothing is gone, but for what the end of a last write looks like."""
    random = Random(seed)
    directory = tmp_path / "orders-0"
    paths = crashed(directory)
    for _ in range(random.randint(1, 3)):
        path = random.choice(paths)
        flip(path, random.randrange(path.stat().st_size))
    before = content(directory)
    opened = Opened(directory, recovery_point=random.choice((0, 10, 40)))
    end = all_bytes(opened.log)
    if opened.told:
        cut = opened.cut
        assert cut.offset == opened.log.log_end_offset
        if cut.kept_in is None:
            assert before.startswith(end)
            assert cut.size_bytes == len(before) - len(end) < 200
        else:
            assert content(directory) + kept(cut) == before
            assert cut.size_bytes == len(kept(cut))
    assert append(opened.log, make_batch()) == opened.log.log_end_offset - 1
