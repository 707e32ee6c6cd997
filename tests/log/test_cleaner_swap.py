"""A crash at each step of the swap leaves the old segments or the cleaned one, whoever wrote the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kafkapy_log import LogSettings
from kafkapy_log.swap import finish_swaps
from kafkapy_wire.errors import KafkaError
from tests.log.cleaning import append, clean_log, latest_by_key, open_log, read_records

SETTINGS = LogSettings(compact=True, delete=False, segment_bytes=300, index_interval_bytes=1)


class Crash(OSError):
    """The process was killed here."""


def write_log(directory: Path) -> None:
    log = open_log(directory, SETTINGS)
    for number in range(40):
        append(log, (b"key-%d" % (number % 7), b"value-%d" % number), (b"other-%d" % (number % 3), None))
    log.close(fsync=False)


@pytest.mark.parametrize("clean", [True, False])
def test_a_crash_before_any_rename_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool
) -> None:
    write_log(tmp_path / "written")
    original = Path.rename
    steps = 0
    crashed = True
    while crashed:
        crashed = False
        directory = tmp_path / f"crash-{steps}" / "t-0"
        shutil.copytree(tmp_path / "written", directory)
        log = open_log(directory, SETTINGS)
        table, end = latest_by_key(read_records(log)), log.log_end_offset
        left_to_do = steps

        def rename(path: Path, target: Path) -> Path:
            nonlocal left_to_do
            if not left_to_do:
                raise Crash
            left_to_do -= 1
            return original(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            try:
                clean_log(log)
            except KafkaError:
                crashed = True
        log.close(clean=False)

        again = open_log(directory, SETTINGS, clean=clean)
        records = read_records(again)
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets)), f"step {steps}"
        assert latest_by_key(records) == table, f"step {steps}"
        assert again.log_end_offset == end
        left = [path.name for path in directory.iterdir() if path.suffix in (".cleaned", ".swap", ".deleted")]
        assert left == [], f"step {steps}"
        clean_log(again)
        assert latest_by_key(read_records(again)) == table
        again.close(fsync=False)
        steps += 1
    assert steps > 20, "every rename of several swaps was reached"


def test_swap_files_beside_a_cleaned_one_are_undone(tmp_path: Path) -> None:
    """What Apache Kafka leaves when it is killed between the files of one segment: it renames the log first."""
    write_log(tmp_path / "t-0")
    before = read_records(open_log(tmp_path / "t-0", SETTINGS))
    (tmp_path / "t-0" / f"{0:020d}.log.swap").write_bytes(b"")
    (tmp_path / "t-0" / f"{0:020d}.index.cleaned").write_bytes(b"")
    log = open_log(tmp_path / "t-0", SETTINGS)
    assert read_records(log) == before
    assert not list((tmp_path / "t-0").glob("*.swap"))


def test_a_swap_without_its_indexes_is_completed(tmp_path: Path) -> None:
    """Kafka renames indexes after the log, so they may have their final names, or be lost: they are made anew."""
    write_log(tmp_path / "t-0")
    log = open_log(tmp_path / "t-0", SETTINGS)
    before = read_records(log)
    first = tmp_path / "t-0" / f"{0:020d}.log"
    first.rename(first.with_name(first.name + ".swap"))
    for suffix in ("index", "timeindex"):
        (tmp_path / "t-0" / f"{0:020d}.{suffix}").unlink()
    again = open_log(tmp_path / "t-0", SETTINGS)
    assert read_records(again) == before


def test_indexes_whose_log_has_its_final_name_get_theirs(tmp_path: Path) -> None:
    """Apache Kafka, killed in the last renames: the log went first. No start makes a lost `.txnindex` anew."""
    directory = tmp_path / "t-0"
    write_log(directory)
    before = read_records(open_log(directory, SETTINGS))
    aborted = directory / f"{0:020d}.txnindex"
    aborted.unlink(missing_ok=True)
    aborted.with_name(aborted.name + ".swap").write_bytes(b"what it says")
    time_index = directory / f"{0:020d}.timeindex"
    content = time_index.read_bytes()
    time_index.rename(time_index.with_name(time_index.name + ".swap"))
    finish_swaps(directory)
    assert aborted.read_bytes() == b"what it says"
    assert time_index.read_bytes() == content
    assert not list(directory.glob("*.swap"))
    aborted.unlink()
    assert read_records(open_log(directory, SETTINGS)) == before
