"""Reads the batches in the file of one segment from any batch boundary, by their headers and without an index."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy_log.file_names import LOG_SUFFIX, file_name
from kafkapy_log.file_pool import FilePool, PooledFile
from kafkapy_wire.records import BATCH_HEADER_BYTES, BatchHeader, read_batch_header

RELATIVE_OFFSET_MAX: Final = 2**31 - 1
SEGMENT_BYTES_MAX: Final = 2**31 - 1
_SCAN_BYTES: Final = 8192  # index.interval.bytes of small batches and the header of the next, in one read


class BatchPosition(NamedTuple):
    """The position of a batch in its segment's file."""

    header: BatchHeader
    position: int


class SegmentBatches:
    """`size` bytes of whole batches in the file, which begin at `base_offset` or above.

    `first_batch_timestamp` decides rolling by time; None until there is a batch or it is read.
    """

    __slots__ = ("_directory", "base_offset", "file", "first_batch_timestamp", "size")

    def __init__(self, pool: FilePool, directory: Path, base_offset: int, *, size: int) -> None:
        self._directory = directory
        self.base_offset = base_offset
        self.file = PooledFile(pool, directory / file_name(base_offset, LOG_SUFFIX), is_new=not size)
        self.size = size
        self.first_batch_timestamp: int | None = None

    def path(self, suffix: str) -> Path:
        return self._directory / file_name(self.base_offset, suffix)

    def headers_from(self, position: int, end: int | None = None) -> Iterator[BatchPosition]:
        """Each batch header from a batch boundary on. Raises OSError; MalformedMessage where there is no header."""
        return headers_in(self.file.descriptor, position, self.size if end is None else end)

    def timestamp_of_first_batch(self) -> int:
        """The `max_timestamp` of the first batch, which is there; -1 when it has none. Raises OSError."""
        first = self.first_batch_timestamp
        if first is None:
            first = self.first_batch_timestamp = next(self.headers_from(0)).header.max_timestamp
        return first

    def read_batch(self, found: BatchPosition) -> bytes:
        """The whole batch. Raises OSError."""
        return os.pread(self.file.descriptor(), found.header.size_bytes, found.position)


def headers_in(descriptor: Callable[[], int], position: int, end: int) -> Iterator[BatchPosition]:
    """As `SegmentBatches.headers_from`, of a file whose `descriptor` is asked for before each read."""
    chunk, chunk_start = b"", position
    while position < end:
        if position + BATCH_HEADER_BYTES > chunk_start + len(chunk):
            chunk_start = position
            chunk = os.pread(descriptor(), min(_SCAN_BYTES, end - position), position)
        header = read_batch_header(chunk, position - chunk_start)
        yield BatchPosition(header, position)
        position += header.size_bytes
