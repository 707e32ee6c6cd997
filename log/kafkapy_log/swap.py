"""Replaces segments by a cleaned one, so that a crash at any step leaves either the old segments or the new one.

1. `.cleaned`: the files are written and synced beside the old ones. Until here the new segment does not exist.
2. `.cleaned` -> `.swap`, the log last: from now on the new segment is valid.
3. The old files are marked `.deleted`.
4. `.swap` -> the final names.

`finish_swaps` completes a swap that a crash has interrupted, also one of Apache Kafka, which likewise completes
ours: there, too, a `.swap` file is valid if no `.cleaned` file of its offset or a lower one is left. Steps 2 to 4 are
not synced one by one: common file systems replay changes of one directory in order.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from kafkapy_log.file_names import (
    INDEX_SUFFIX,
    LOG_SUFFIX,
    OFFSET_DIGITS,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
    file_name,
    parse_offset,
)
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, read_batch_header

CLEANED_SUFFIX: Final = ".cleaned"
SWAP_SUFFIX: Final = ".swap"
# The order of the renames: the log is last, as its name decides and indexes can be rebuilt.
SEGMENT_SUFFIXES: Final = (INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX, LOG_SUFFIX)


def rename_all(directory: Path, base_offset: int, before: str, after: str) -> None:
    """Give every file of a segment the suffix `after` in place of `before`. Raises OSError."""
    for suffix in SEGMENT_SUFFIXES:
        path = directory / (file_name(base_offset, suffix) + before)
        if suffix is LOG_SUFFIX or path.exists():
            path.rename(directory / (file_name(base_offset, suffix) + after))


def undo_rename(directory: Path, base_offset: int) -> None:
    """Undo a `rename_all` to `.swap` that failed half-way, before it had renamed the log itself."""
    for suffix in SEGMENT_SUFFIXES:
        with suppress(OSError):
            (directory / (file_name(base_offset, suffix) + SWAP_SUFFIX)).unlink()


def finish_swaps(directory: Path) -> None:
    """Complete or undo an interrupted swap; afterwards no `.cleaned` or `.swap` file is left. Raises OSError.

    Only while the log is being opened.
    """
    names = os.listdir(directory)
    cleaned = [name for name in names if name.endswith(CLEANED_SUFFIX)]
    first_cleaned = min((offset for name in cleaned if (offset := _offset(name)) is not None), default=None)
    swaps: list[str] = []
    for name in names:
        if not name.endswith(SWAP_SUFFIX):
            continue
        offset = _offset(name)
        if offset is None or (first_cleaned is not None and offset >= first_cleaned):
            (directory / name).unlink()
        else:
            swaps.append(name)
    for name in cleaned:
        (directory / name).unlink()
    logs = {_offset(name): name for name in swaps if name.endswith(LOG_SUFFIX + SWAP_SUFFIX)}
    for name in [name for name in swaps if _offset(name) not in logs and name.removesuffix(SWAP_SUFFIX) in names]:
        # The old segment was never replaced: a disk error between renames to `.swap`, and the rest was cleared away.
        # Without an old file it is the new log's: Apache Kafka gives that its final name before its indexes.
        (directory / name).unlink()
        swaps.remove(name)
    _remove_replaced(directory, names, [(int(name[:20]), _next_offset(directory / name)) for name in logs.values()])
    _rename_swaps(directory, swaps)


def _remove_replaced(directory: Path, names: Iterable[str], ranges: list[tuple[int, int]]) -> None:
    for name in names:
        offset = _offset(name)
        if offset is None or not name.endswith(SEGMENT_SUFFIXES):
            continue
        if any(first <= offset < end for first, end in ranges):
            (directory / name).unlink()


def _rename_swaps(directory: Path, swaps: list[str]) -> None:
    for name in sorted(swaps, key=lambda name: name.endswith(LOG_SUFFIX + SWAP_SUFFIX)):
        (directory / name).rename(directory / name.removesuffix(SWAP_SUFFIX))


def _next_offset(path: Path) -> int:
    """The offset after the last whole batch; the file's own when it has none. Raises OSError."""
    next_offset = int(path.name[:20])
    with path.open("rb") as file:
        position = 0
        while len(start := file.read(BATCH_HEADER_BYTES)) == BATCH_HEADER_BYTES:
            try:
                header = read_batch_header(start)
            except MalformedMessage:
                break
            next_offset = header.next_offset
            position += header.size_bytes
            file.seek(position)
    return next_offset


def _offset(name: str) -> int | None:
    return parse_offset(name[:OFFSET_DIGITS])
