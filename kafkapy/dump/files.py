"""Which of Kafka's files is which, by its name, and all of a directory."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from kafkapy.dump import indexes, small_files
from kafkapy.dump.records import DECODER_OF_TOPIC, DECODERS
from kafkapy.dump.rows import Kind, Row, note, problem
from kafkapy.dump.segments import dump_segment
from kafkapy_log.checkpoint_files import (
    CLEAN_SHUTDOWN,
    CLEANER_CHECKPOINT,
    LEADER_EPOCH_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    META_PROPERTIES,
    PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT,
    REPLICATION_CHECKPOINT,
)
from kafkapy_log.file_names import (
    DELETED_SUFFIX,
    INDEX_SUFFIX,
    LOG_SUFFIX,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
)

SMALL_FILE_BYTES_MAX: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 4

_OFFSET_NAME = re.compile(r"(\d{20})(\.[a-z]+)")
_METADATA_SNAPSHOT = re.compile(r"(\d{20})-\d{10}\.checkpoint|bootstrap\.checkpoint")
_PARTITION_DIRECTORY = re.compile(r"(?P<topic>.+)-\d+(\.[0-9a-f]{32}-(delete|stray|future))?")
_PASSING_SUFFIXES: Final = (DELETED_SUFFIX, ".swap", ".cleaned", ".part")
"""Of a file that is being made or removed: what stands before them says what it is."""
_LOCK: Final = ".lock"
_METADATA: Final = "metadata"
_FOREIGN: Final = "not a file that Kafka writes: passed over"

_SMALL_FILES: Final[dict[str, Callable[[bytes], Iterator[Row]]]] = {
    RECOVERY_POINT_CHECKPOINT: small_files.dump_offset_checkpoint,
    LOG_START_OFFSET_CHECKPOINT: small_files.dump_offset_checkpoint,
    REPLICATION_CHECKPOINT: small_files.dump_offset_checkpoint,
    CLEANER_CHECKPOINT: small_files.dump_offset_checkpoint,
    LEADER_EPOCH_CHECKPOINT: small_files.dump_leader_epochs,
    PARTITION_METADATA: small_files.dump_partition_metadata,
    META_PROPERTIES: small_files.dump_properties,
    CLEAN_SHUTDOWN: small_files.dump_json,
    "quorum-state": small_files.dump_json,
}


def dump(path: Path, *, decoder: str | None = None, with_records: bool = True) -> Iterator[Row]:
    """A file, or all files of a directory and of those in it, each begun by a row of the kind FILE.

    `decoder` is a name of DECODERS, None: what the directory's name says. A link inside a directory is not followed.
    """
    is_empty = True
    for row in _dump(path, decoder, with_records=with_records, depth=0):
        is_empty = False
        if row.kind is Kind.NOTE and row.fields["text"] == _FOREIGN and not path.is_dir():
            yield problem(
                "not a file that Kafka writes: its name does not say what it holds, as 00000000000000000000.log does"
            )
        else:
            yield row
    if is_empty:
        yield problem(f"there are no files in {path}")


def _dump(path: Path, decoder: str | None, *, with_records: bool, depth: int) -> Iterator[Row]:
    try:
        mode = (path.lstat() if depth else path.stat()).st_mode
        if stat.S_ISDIR(mode):
            if depth < DEPTH_MAX:
                # Files first: those of a data directory say what it is.
                for inside in sorted(path.iterdir(), key=lambda one: (one.is_dir(), one.name)):
                    yield from _dump(inside, decoder, with_records=with_records, depth=depth + 1)
            return
        yield Row(Kind.FILE, {"file": str(path)})
        if not stat.S_ISREG(mode):
            yield problem("not a regular file")
            return
        with path.open("rb") as file:
            yield from _dump_file(file, path, decoder, with_records=with_records)
    except OSError as error:
        yield problem(f"cannot read {path} ({error.strerror})")


def _dump_file(file: BinaryIO, path: Path, decoder: str | None, *, with_records: bool) -> Iterator[Row]:
    name = path.name
    for suffix in _PASSING_SUFFIXES:
        name = name.removesuffix(suffix)
    if name in _SMALL_FILES:
        yield from _dump_small(file, _SMALL_FILES[name])
        return
    if _METADATA_SNAPSHOT.fullmatch(name):
        decode = DECODERS[decoder or _METADATA]
        yield from dump_segment(file, file.seek(0, 2), decode, with_records=with_records)
        return
    found = _OFFSET_NAME.fullmatch(name)
    if found is None:
        yield note("the lock of the data directory" if name == _LOCK else _FOREIGN)
        return
    base_offset, suffix = int(found[1]), found[2]
    if suffix == LOG_SUFFIX:
        yield note(f"Log starting offset: {base_offset}")
        decode = DECODERS[decoder or _decoder_of(path)]
        yield from dump_segment(file, file.seek(0, 2), decode, with_records=with_records)
    elif suffix == INDEX_SUFFIX:
        yield from indexes.dump_offset_index(file, base_offset, path.with_name(found[1] + LOG_SUFFIX))
    elif suffix == TIME_INDEX_SUFFIX:
        yield from indexes.dump_time_index(file, base_offset)
    elif suffix == TRANSACTION_INDEX_SUFFIX:
        yield from indexes.dump_transaction_index(file)
    elif suffix == SNAPSHOT_SUFFIX:
        yield from _dump_small(file, small_files.dump_producer_snapshot)
    else:
        yield note(_FOREIGN)


def _dump_small(file: BinaryIO, dump_data: Callable[[bytes], Iterator[Row]]) -> Iterator[Row]:
    size = file.seek(0, 2)
    if size > SMALL_FILE_BYTES_MAX:
        yield problem(f"{size} bytes are too many for a file of this kind")
        return
    file.seek(0)
    yield from dump_data(file.read(SMALL_FILE_BYTES_MAX))


def _decoder_of(path: Path) -> str:
    found = _PARTITION_DIRECTORY.fullmatch(path.absolute().parent.name)
    return DECODER_OF_TOPIC.get(found["topic"], "none") if found else "none"
