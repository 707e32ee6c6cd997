"""The indexes beside a segment, entry by entry. `kafkapy_log.indexes` and its neighbour say what the bytes mean.

A broker of Apache Kafka allocates the index of the segment that it writes to in full: zeros follow its entries.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from kafkapy.dump.rows import entry, note, problem
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, read_batch_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.dump.rows import Row

_OFFSET_ENTRY: Final = struct.Struct(">ii")
_TIME_ENTRY: Final = struct.Struct(">qi")
_ABORTED_ENTRY: Final = struct.Struct(">hqqqq")
_ENTRIES_AT_ONCE: Final = 4096
_TRANSACTION_INDEX_VERSION: Final = 0


def dump_offset_index(file: BinaryIO, base_offset: int, segment: Path) -> Iterator[Row]:
    """Entries, each held against the segment where that is there."""
    before = (-1, -1)
    with _opened(segment) as log:
        for number, (relative, position) in enumerate(_entries(file, _OFFSET_ENTRY)):
            if (relative, position) == (0, 0):  # no entry: the batch at position 0 is found without one
                break
            yield entry(offset=base_offset + relative, position=position)
            if relative <= before[0] or position <= before[1]:
                yield problem(f"entry {number} is not above the one before it")
            before = (relative, position)
            if log.file is not None:
                wrong = _mismatch(log.file, base_offset + relative, position)
                if wrong:
                    yield problem(f"entry {number}: {wrong}")
    yield from _rest(file, _OFFSET_ENTRY)


def dump_time_index(file: BinaryIO, base_offset: int) -> Iterator[Row]:
    before = (-1, -1)
    is_alone = file.seek(0, 2) == _TIME_ENTRY.size
    file.seek(0)
    for number, (timestamp, relative) in enumerate(_entries(file, _TIME_ENTRY)):
        if (timestamp, relative) == (0, 0) and not is_alone:  # alone it is of a record of 1970
            break
        yield entry(timestamp=timestamp, offset=base_offset + relative)
        if timestamp <= before[0] or relative < before[1]:
            yield problem(f"entry {number} is not above the one before it")
        before = (timestamp, relative)
    yield from _rest(file, _TIME_ENTRY)


def dump_transaction_index(file: BinaryIO) -> Iterator[Row]:
    for number, (version, producer_id, first, last, stable) in enumerate(_entries(file, _ABORTED_ENTRY)):
        if version != _TRANSACTION_INDEX_VERSION:
            yield problem(f"entry {number} has version {version}")
            return
        yield entry(
            version=version, producerId=producer_id, firstOffset=first, lastOffset=last, lastStableOffset=stable
        )
    yield from _rest(file, _ABORTED_ENTRY)


def _entries(file: BinaryIO, layout: struct.Struct) -> Iterator[tuple[int, ...]]:
    while data := file.read(layout.size * _ENTRIES_AT_ONCE):
        yield from layout.iter_unpack(data[: len(data) - len(data) % layout.size])


def _rest(file: BinaryIO, layout: struct.Struct) -> Iterator[Row]:
    size = file.seek(0, 2)
    if size % layout.size:
        yield problem(f"{size} bytes are no whole number of entries of {layout.size} bytes")
    elif not size:
        yield note("no entries")


class _opened:  # noqa: N801  # used as a function
    """A file that may be missing: `file` is None then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._path.is_file():
            self.file = self._path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def _mismatch(log: BinaryIO, offset: int, position: int) -> str:
    """What is wrong with an entry of the offset index: it names a batch, or the last of those appended together."""
    if position < 0:
        return f"position {position} is negative"
    log.seek(position)
    try:
        header = read_batch_header(log.read(BATCH_HEADER_BYTES))
    except MalformedMessage as error:
        return f"at position {position} of the segment is no batch: {error}"
    if offset < header.base_offset:
        return f"at position {position} of the segment is the batch of offset {header.base_offset}"
    return ""
