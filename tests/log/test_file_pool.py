"""Open files are bounded, and nobody's descriptor ever leads to another file."""

import gc
import os
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from kafkapy_log import FilePool, FileSlice
from kafkapy_log.file_pool import OPEN_FILES_DEFAULT, PooledFile, default_open_files_max


def make_files(pool: FilePool, directory: Path, count: int) -> list[PooledFile]:
    files = []
    for n in range(count):
        path = directory / f"file-{n}"
        path.write_bytes(b"%d" % n * 10)
        files.append(PooledFile(pool, path))
    return files


def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    pool = FilePool(3)
    files = make_files(pool, tmp_path, 10)
    for _ in range(3):
        for n, file in enumerate(files):
            assert os.pread(file.descriptor(), 1, 0) == b"%d" % n
            assert len(pool) <= 3


def test_a_file_in_use_stays_open_over_others(tmp_path: Path) -> None:
    pool = FilePool(2)
    busy, *others = make_files(pool, tmp_path, 6)
    busy.descriptor()
    opened = busy.fd
    for file in others:
        file.descriptor()
        busy.descriptor()
    assert busy.fd == opened


def test_a_held_descriptor_is_never_closed(tmp_path: Path) -> None:
    pool = FilePool(1)
    held, *others = make_files(pool, tmp_path, 4)
    fd = held.hold()
    for file in others:
        file.descriptor()
    assert os.pread(fd, 2, 0) == b"00"
    held.release()
    others[0].descriptor()
    others[1].descriptor()
    assert len(pool) <= 2


def test_slices_hold_only_while_they_are_sent(tmp_path: Path) -> None:
    pool = FilePool(2)
    files = make_files(pool, tmp_path, 10)
    slices = [FileSlice(file, 1, 3, 0) for file in files]
    assert len(pool) == 0, "made without opening"
    for n, piece in enumerate(slices):
        assert piece.read() == b"%d" % n * 3
        piece.release()
        piece.release()
    assert len(pool) <= 2


def test_a_forgotten_slice_gives_back_its_descriptor(tmp_path: Path) -> None:
    pool = FilePool(1)
    (file,) = make_files(pool, tmp_path, 1)
    piece = FileSlice(file, 0, 2, 0)
    assert piece.read() == b"00"
    del piece
    gc.collect()
    assert (file.held, file.slices) == (0, 0)
    file.retire()
    assert len(pool) == 0


def test_a_retired_file_is_readable_for_the_slices_it_has(tmp_path: Path) -> None:
    pool = FilePool(1)
    file, other = make_files(pool, tmp_path, 2)
    piece = FileSlice(file, 0, 2, 0)
    file.retire()
    file.path.unlink()
    other.descriptor()
    assert piece.read() == b"00"
    piece.release()
    assert file.fd == -1


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(["use", "hold", "release", "retire"]), st.integers(0, 4)), max_size=60))
def test_every_descriptor_leads_to_its_own_file(steps: list[tuple[str, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        pool = FilePool(2)
        files = make_files(pool, Path(directory), 5)
        held: dict[int, int] = {}
        for step, n in steps:
            file = files[n]
            if step == "use" and not file.retired:
                was_open = file.fd >= 0
                assert os.pread(file.descriptor(), 1, 0) == b"%d" % n
                assert was_open or len(pool) <= max(2, len(held) + 1)
            elif step == "hold" and not file.retired and n not in held:
                held[n] = file.hold()
            elif step == "release" and n in held:
                del held[n]
                file.release()
            elif step == "retire" and not file.retired:
                file.retire()
            for number, fd in held.items():
                assert os.pread(fd, 1, 0) == b"%d" % number
        for n in held:
            files[n].release()
        for file in files:
            file.retire()
        assert len(pool) == 0


def test_the_default_leaves_room_for_sockets() -> None:
    assert 16 <= default_open_files_max() <= OPEN_FILES_DEFAULT
