"""Closed segments, whose indexes are searched in their files: the right answers, whatever the files hold."""

from __future__ import annotations

import errno
import gc
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from kafkapy_log import FilePool, LogSettings, PartitionLog, StorageError
from kafkapy_log import indexed_segment as segment_module
from kafkapy_log.indexes import OffsetIndex, TimeIndex
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.records import NewRecord, build_batch, split_batches

SEEDS = int(os.environ.get("KAFKAPY_INDEX_SEEDS", "3"))
NOW_MS = 1_700_000_000_000
SETTINGS = LogSettings(segment_bytes=4_000, index_interval_bytes=150)


class Stored(NamedTuple):
    """A batch as the model knows it."""

    base_offset: int
    timestamps: list[int]
    content: bytes

    @property
    def next_offset(self) -> int:
        return self.base_offset + len(self.timestamps)


class Written:
    """A closed log of several segments, and what it must answer."""

    def __init__(self, directory: Path, chance: random.Random, settings: LogSettings = SETTINGS) -> None:
        self.directory = directory
        self.settings = settings
        self.batches: list[Stored] = []
        directory.mkdir()
        log = self.open()
        # No two records have the same time, so that an entry with one bit wrong is never that of another batch. Some
        # come late.
        for number in range(chance.randint(90, 150)):
            count = chance.randint(1, 4)
            is_late = chance.random() < 0.3
            timestamps = [NOW_MS + 1000 * number + place - 70_123 * is_late for place in range(count)]
            value = chance.randbytes(chance.choice([0, 20, 200]))
            batch = build_batch([NewRecord(timestamp, b"key", value) for timestamp in timestamps])
            base_offset = log.append_as_leader(batch, leader_epoch=3, now_ms=NOW_MS).base_offset
            self.batches.append(Stored(base_offset, timestamps, log.read(base_offset, 1).read()))
        assert len(log.segments()) > 4
        self.segments = log.segments()
        self.highest = log.times.offset_of_max_timestamp()
        log.close(fsync=False)
        self.indexes = self.index_files()

    def open(self, *, open_files_max: int = 8) -> PartitionLog:
        pool = FilePool(open_files_max)
        return PartitionLog.open(self.directory, self.settings, now_ms=NOW_MS, clean=True, pool=pool)

    def index_files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.directory.glob("*index"))}

    def check(self, log: PartitionLog, chance: random.Random) -> None:
        """All sorts of questions in any order."""
        questions: list[Callable[[], None]] = [lambda: self.check_segments(log)]
        for batch in chance.sample(self.batches, 40):
            questions.append(lambda batch=batch: self.check_read(log, batch, chance))  # type: ignore[misc]
            questions.append(lambda batch=batch: self.check_time(log, batch.timestamps[0]))  # type: ignore[misc]
            questions.append(lambda batch=batch: self.check_time(log, batch.timestamps[-1] + 1))  # type: ignore[misc]
        chance.shuffle(questions)
        for ask in questions:
            ask()
            log._segments.forget_positions()

    def check_segments(self, log: PartitionLog) -> None:
        assert log.segments() == self.segments
        assert log.times.offset_of_max_timestamp() == self.highest

    def check_read(self, log: PartitionLog, batch: Stored, chance: random.Random) -> None:
        max_bytes = chance.choice([1, len(batch.content) + 150, 1_500, 1 << 20])
        up_to = chance.choice([log.log_end_offset, *(later.next_offset for later in self.batches)])
        piece = log.read(chance.randrange(batch.base_offset, batch.next_offset), max_bytes, up_to_offset=up_to)
        got = piece.read()
        piece.release()
        if up_to < batch.next_offset:
            assert not got
            return
        segment = next(info for info in self.segments if batch.base_offset < info.next_offset)
        end = min(segment.next_offset, up_to)
        contents = [b.content for b in self.batches if batch.base_offset <= b.base_offset < end]
        expected = contents[0]
        for content in contents[1:]:
            if len(expected) + len(content) > max_bytes:
                break
            expected += content
        assert got == expected

    def check_time(self, log: PartitionLog, timestamp: int) -> None:
        found = log.times.offset_for_timestamp(timestamp)
        expected = next(
            (
                (record_timestamp, batch.base_offset + place)
                for batch in self.batches
                for place, record_timestamp in enumerate(batch.timestamps)
                if record_timestamp >= timestamp
            ),
            None,
        )
        assert (None if found is None else (found.timestamp, found.offset)) == expected


Damage = Callable[[bytes, random.Random], bytes | None]


def cut_inside(data: bytes, chance: random.Random) -> bytes:
    entry_bytes = 8 if len(data) % 12 else 4  # torn whichever of the two it is
    return data[: max(1, len(data) - entry_bytes + 1 - 24 * chance.randint(0, 2))]


def cut_between(data: bytes, chance: random.Random) -> bytes:
    entry_bytes = chance.choice([8, 12])  # for the other of the two this may be inside
    return data[: entry_bytes * chance.randint(0, (len(data) - 1) // entry_bytes)]


def zeroed(data: bytes, _chance: random.Random) -> bytes:
    return bytes(len(data))


def zero_tail(data: bytes, chance: random.Random) -> bytes:
    kept = chance.randrange(len(data) - 8)
    return data[:kept] + bytes(len(data) - kept)


def preallocated(data: bytes, _chance: random.Random) -> bytes:
    return data + bytes(24 * 50)


def flipped(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def noise(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(data))


def backwards(data: bytes, _chance: random.Random) -> bytes:
    return b"".join(data[start : start + 24] for start in range(len(data) - 24, -1, -24)) or b"\x00" * 24


def missing(_data: bytes, _chance: random.Random) -> None:
    return None


DAMAGES: list[Damage] = [
    cut_inside, cut_between, zeroed, zero_tail, preallocated, flipped, noise, backwards, missing
]  # fmt: skip
damages = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
seeds = pytest.mark.parametrize("seed", range(SEEDS))


def do_damage(written: Written, damage: Damage, chance: random.Random, *, replace: bool) -> None:
    """To the index files of most closed segments; with `replace` another file has the name afterwards."""
    for info in written.segments[:-1]:
        for suffix in chance.choice([(".index",), (".timeindex",), (".index", ".timeindex")]):
            path = written.directory / f"{info.base_offset:020d}{suffix}"
            if not path.exists() or not path.stat().st_size:
                continue
            content = damage(path.read_bytes(), chance)
            if replace or content is None:
                path.unlink()
            if content is not None:
                path.write_bytes(content)


@seeds
def test_good_files_are_only_read(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    written = Written(tmp_path / "t-0", chance)
    monkeypatch.setattr(segment_module, "write_file", None)
    log = written.open(open_files_max=chance.choice([1, 2, 50]))
    written.check(log, chance)
    log.close(fsync=False)
    assert written.index_files() == written.indexes


@damages
@seeds
def test_damage_at_rest_changes_no_answer(tmp_path: Path, damage: Damage, seed: int) -> None:
    chance = random.Random(seed)
    written = Written(tmp_path / "t-0", chance)
    do_damage(written, damage, chance, replace=True)
    log = written.open()
    written.check(log, chance)
    written.check(log, chance)
    log.close(fsync=False)
    if damage not in (cut_between, zero_tail, flipped, backwards):  # what leads nobody astray may stay
        assert written.index_files() == written.indexes


@damages
@seeds
def test_damage_while_open_changes_no_answer(tmp_path: Path, damage: Damage, seed: int) -> None:
    chance = random.Random(seed)
    written = Written(tmp_path / "t-0", chance)
    log = written.open(open_files_max=chance.choice([1, 4, 50]))
    written.check(log, chance)
    for replace in (False, True, False):
        do_damage(written, damage, chance, replace=replace)
        written.check(log, chance)
    log.close(fsync=False)


@seeds
def test_files_of_other_segments_change_no_answer(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    written = Written(tmp_path / "t-0", chance)
    log = written.open()
    for _ in range(2):
        for suffix in (".index", ".timeindex"):
            paths = [written.directory / f"{info.base_offset:020d}{suffix}" for info in written.segments[:-1]]
            contents = [path.read_bytes() for path in paths]
            for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
                path.write_bytes(content)
        written.check(log, chance)
        log.close(fsync=False)
        log = written.open()
    written.check(log, chance)
    log.close(fsync=False)
    assert written.index_files() == written.indexes


def test_indexes_that_cannot_be_written_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    chance = random.Random(1)
    written = Written(tmp_path / "t-0", chance)
    do_damage(written, missing, chance, replace=True)
    monkeypatch.setattr(segment_module, "write_file", full)
    log = written.open()
    written.check(log, chance)
    log.close(fsync=False)
    monkeypatch.undo()
    log = written.open()
    written.check(log, chance)
    log.close(fsync=False)
    assert written.index_files() == written.indexes


def test_an_offset_index_that_has_lost_its_end_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads nobody astray, yet every read would walk from its last entry on."""
    monkeypatch.setattr(segment_module, "_UNINDEXED_BYTES_MAX", 500)
    written = Written(tmp_path / "t-0", random.Random(2))
    path = tmp_path / "t-0" / f"{0:020d}.index"
    path.write_bytes(path.read_bytes()[:16])
    log = written.open()
    log.read(written.segments[0].next_offset - 1, 1).release()
    assert path.read_bytes() == written.indexes[path.name]
    log.close(fsync=False)


def test_a_large_batch_at_the_end_has_no_entry_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_module, "_UNINDEXED_BYTES_MAX", 500)
    monkeypatch.setattr(segment_module, "write_file", None)
    log = PartitionLog.open(tmp_path, SETTINGS, now_ms=NOW_MS, clean=True)
    for value in (b"", b"", b"", bytes(3_000), bytes(1_000)):
        log.append_as_leader(build_batch([NewRecord(NOW_MS, b"", value)]), leader_epoch=0, now_ms=NOW_MS)
    assert [info.base_offset for info in log.segments()] == [0, 4]
    log._segments.forget_positions()
    assert len(log.read(3, 1)) > 3_000
    log.close(fsync=False)


def test_a_log_that_is_damaged_itself_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(tmp_path / "t-0", random.Random(3))
    index = tmp_path / "t-0" / f"{0:020d}.index"
    offset, position = struct.unpack_from(">ii", index.read_bytes(), 16)
    content = bytearray((tmp_path / "t-0" / f"{0:020d}.log").read_bytes())
    content[position + 16] = 77  # the magic of a batch that an entry leads to
    (tmp_path / "t-0" / f"{0:020d}.log").write_bytes(content)
    log = written.open()
    reads: list[int] = []
    pread = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        reads.append(size)
        return pread(fd, size, at)

    monkeypatch.setattr(os, "pread", counted)
    counts = []
    for _ in range(3):
        reads.clear()
        with pytest.raises(StorageError) as refused:
            log.read(offset, 1)
        assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
        counts.append(sum(reads))
    assert counts[0] > counts[1] == counts[2]
    assert log.segments() == written.segments, "retention goes on"
    last = next(batch for batch in reversed(written.batches) if batch.next_offset <= written.segments[0].next_offset)
    assert log.read(last.base_offset, 1).read() == last.content, "the batches behind it are there as they were"
    log.close(fsync=False)
    assert written.index_files() == written.indexes


def test_entries_for_several_batches_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower of an older release of Kafka: the first position and the last offset of what came in one fetch."""
    chance = random.Random(4)
    written = Written(tmp_path / "t-0", chance)
    for info in written.segments[:-1]:
        base_offset = info.base_offset
        offsets, times = OffsetIndex(), TimeIndex()
        content = (tmp_path / "t-0" / f"{base_offset:020d}.log").read_bytes()
        headers = [header for header, _ in split_batches(content)]
        position = 0
        while headers:
            together = [headers.pop(0) for _ in range(min(len(headers), chance.randint(1, 6)))]
            for header in together:
                times_offset = header.last_offset - base_offset
                times.maybe_append(header.max_timestamp, times_offset)
            if position:
                offsets.append(together[-1].last_offset - base_offset, position)
            position += sum(header.size_bytes for header in together)
        (tmp_path / "t-0" / f"{base_offset:020d}.index").write_bytes(offsets.to_bytes())
        (tmp_path / "t-0" / f"{base_offset:020d}.timeindex").write_bytes(times.to_bytes())
    before = written.index_files()
    monkeypatch.setattr(segment_module, "write_file", None)
    log = written.open()
    written.check(log, chance)
    log.close(fsync=False)
    assert written.index_files() == before


def test_a_look_up_reads_little_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LogSettings(segment_bytes=400_000, index_interval_bytes=1)
    (tmp_path / "t-0").mkdir()
    log = PartitionLog.open(tmp_path / "t-0", settings, now_ms=NOW_MS, clean=True)
    for number in range(20_000):
        batch = build_batch([NewRecord(NOW_MS + number, None, b"")])
        log.append_as_leader(batch, leader_epoch=0, now_ms=NOW_MS)
    assert len(log.segments()) == 4
    log.close(fsync=False)
    gc.collect()
    log = PartitionLog.open(tmp_path / "t-0", settings, now_ms=NOW_MS, clean=True)
    assert log.times.offset_of_max_timestamp() is not None
    reads: list[int] = []
    pread = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        reads.append(size)
        return pread(fd, size, at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", counted)
        for offset in range(0, 15_000, 1_009):
            found = log.times.offset_for_timestamp(NOW_MS + offset)
            assert found is not None
            assert found.offset == offset
            piece = log.read(offset, 10_000)
            assert 9_900 < len(piece) <= 10_000
            assert len(reads) <= 40
            assert sum(reads) <= 60_000
            reads.clear()
    in_memory = [thing for thing in gc.get_objects() if isinstance(thing, OffsetIndex | TimeIndex)]
    assert sum(len(index) > 0 for index in in_memory) <= 2, "those of the segment that is written to"
    log.close(fsync=False)
