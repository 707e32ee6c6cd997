"""One segment of a partition log: `<base offset>.log` and what belongs to it.

A segment knows positions and offsets of its own file only; which segment to ask and when to roll is the partition
log's business.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy_log.durable_files import read_file, write_file
from kafkapy_log.file_pool import FilePool, PooledFile
from kafkapy_log.indexes import CorruptIndexError, OffsetIndex, TimeIndex
from kafkapy_log.transaction_index import TransactionIndex
from kafkapy_wire.records import BATCH_HEADER_BYTES, BatchHeader, read_batch_header

LOG_SUFFIX: Final = ".log"
INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TRANSACTION_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"
DELETED_SUFFIX: Final = ".deleted"

RELATIVE_OFFSET_MAX: Final = 2**31 - 1
SEGMENT_BYTES_MAX: Final = 2**31 - 1

_SCAN_BYTES: Final = 8192  # index.interval.bytes of small batches and the header of the next, in one read


class BatchPosition(NamedTuple):
    """Where a batch lies in its segment's file."""

    header: BatchHeader
    position: int


def file_name(base_offset: int, suffix: str) -> str:
    """Kafka's name: 20 digits and the suffix."""
    return f"{base_offset:020d}{suffix}"


class Segment:
    """Half-open: `[base_offset, next segment's base_offset)`; `size` bytes of whole batches in the file.

    `offset_of_max_timestamp` is the last offset of the first batch that has `max_timestamp`, the form in which the time
    index keeps it. `first_batch_timestamp` is what rolling by time goes by, None until there is a batch or it is read.
    """

    __slots__ = (
        "_directory",
        "_indexed_size",
        "_offset_index",
        "_time_index",
        "_transaction_index",
        "base_offset",
        "bytes_since_index_entry",
        "created_ms",
        "file",
        "first_batch_timestamp",
        "max_timestamp",
        "offset_of_max_timestamp",
        "roll_jitter_ms",
        "size",
    )

    def __init__(
        self, pool: FilePool, directory: Path, base_offset: int, *, size: int, created_ms: int, roll_jitter_ms: int = 0
    ) -> None:
        self._directory = directory
        self.base_offset = base_offset
        self.file = PooledFile(pool, directory / file_name(base_offset, LOG_SUFFIX))
        self.size = size
        self.created_ms = created_ms
        self.roll_jitter_ms = roll_jitter_ms
        self._offset_index: OffsetIndex | None = None if size else OffsetIndex()
        self._time_index: TimeIndex | None = None if size else TimeIndex()
        self._transaction_index: TransactionIndex | None = None if size else TransactionIndex()
        self._indexed_size = size  # of the log when its index files were written
        self.bytes_since_index_entry = 0
        self.first_batch_timestamp: int | None = None
        self.max_timestamp = -1
        self.offset_of_max_timestamp = base_offset

    def __repr__(self) -> str:
        return f"Segment({self.base_offset}, size={self.size}, max_timestamp={self.max_timestamp})"

    def path(self, suffix: str) -> Path:
        return self._directory / file_name(self.base_offset, suffix)

    # -- indexes

    @property
    def offset_index(self) -> OffsetIndex:
        """Read when first asked for. Raises OSError, CorruptIndexError."""
        index = self._offset_index
        if index is None:
            index = self._offset_index = OffsetIndex.from_bytes(read_file(self.path(INDEX_SUFFIX)), self.size)
        return index

    @property
    def time_index(self) -> TimeIndex:
        """Read when first asked for. Raises OSError, CorruptIndexError."""
        index = self._time_index
        if index is None:
            index = self._time_index = TimeIndex.from_bytes(read_file(self.path(TIME_INDEX_SUFFIX)))
        return index

    @property
    def transaction_index(self) -> TransactionIndex:
        """Read when first asked for, and kept: as a rule it is empty. Raises OSError, CorruptIndexError."""
        index = self._transaction_index
        if index is None:
            try:
                data = read_file(self.path(TRANSACTION_INDEX_SUFFIX))
            except FileNotFoundError:
                data = b""
            index = self._transaction_index = TransactionIndex.from_bytes(data, self.base_offset)
        return index

    def replace_transaction_index(self, index: TransactionIndex) -> None:
        """`index` was made anew from the log; whatever a file says is wrong."""
        index.changed = True
        self._transaction_index = index

    def index_names(self) -> list[str]:
        """The index files that `write_indexes` may have written."""
        names = [self.path(INDEX_SUFFIX).name, self.path(TIME_INDEX_SUFFIX).name]
        if self._transaction_index:  # in memory and not empty
            names.append(self.path(TRANSACTION_INDEX_SUFFIX).name)
        return names

    @property
    def indexes_in_memory(self) -> bool:
        return self._offset_index is not None and self._time_index is not None

    @property
    def indexes_written(self) -> bool:
        """Whether the files have every entry."""
        return self._indexed_size == self.size

    def forget_indexes(self) -> None:
        """Give back the memory of a segment that is not written to; the files have everything."""
        self._offset_index = None
        self._time_index = None

    def load_indexes(self) -> bool:
        """Read both files if they are not in memory. False: missing or corrupt, to be rebuilt. Raises OSError."""
        try:
            self.load_max_timestamp()
            _ = self.offset_index
        except (FileNotFoundError, CorruptIndexError):
            return False
        return True

    def ensure_indexes(self, index_interval_bytes: int) -> None:
        """Have both in memory, rebuilt from the batches where their files are missing or corrupt. Raises OSError."""
        if not self.load_indexes():
            self.rebuild(self.headers_from(0, self.size), index_interval_bytes)

    def load_max_timestamp(self) -> None:
        """What the time index says of it: a closed segment's last entry has the highest timestamp."""
        index = self.time_index
        if index and index.timestamps[-1] > self.max_timestamp:
            self.max_timestamp = index.timestamps[-1]
            self.offset_of_max_timestamp = self.base_offset + index.offsets[-1]

    def write_indexes(self) -> None:
        """Write the files; the time index ends with the highest timestamp, as after Kafka's roll and close.

        Raises OSError.
        """
        time_index = self.time_index
        time_index.maybe_append(self.max_timestamp, self.offset_of_max_timestamp - self.base_offset)
        write_file(self.path(INDEX_SUFFIX), self.offset_index.to_bytes(), fsync=False)
        write_file(self.path(TIME_INDEX_SUFFIX), time_index.to_bytes(), fsync=False)
        self.write_transaction_index()
        self._indexed_size = self.size

    def indexes_are_written(self) -> None:
        """Somebody else has written them: compaction, under names of its own."""
        self._indexed_size = self.size
        self.transaction_index.changed = False

    def write_transaction_index(self) -> None:
        """Have the file say what is in memory: no file when that is nothing. Raises OSError."""
        index = self._transaction_index
        if index is None or not index.changed:
            return
        path = self.path(TRANSACTION_INDEX_SUFFIX)
        if len(index):
            write_file(path, index.to_bytes(), fsync=False)
        else:
            path.unlink(missing_ok=True)
        index.changed = False

    def appended(self, last_offset: int, max_timestamp: int, size: int, index_interval_bytes: int) -> None:
        """A batch of `size` bytes has been written at the end of the file."""
        position = self.size
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.offset_of_max_timestamp = last_offset
        if not position:
            self.first_batch_timestamp = max_timestamp
        if self.bytes_since_index_entry > index_interval_bytes:
            base_offset = self.base_offset
            self.offset_index.append(last_offset - base_offset, position)
            self.time_index.maybe_append(self.max_timestamp, self.offset_of_max_timestamp - base_offset)
            self.bytes_since_index_entry = 0
        self.bytes_since_index_entry += size
        self.size = position + size

    def rebuild(self, batches: Iterator[BatchPosition], index_interval_bytes: int) -> None:
        """Start over with empty indexes and take in `batches`; `size` becomes what they cover."""
        self._offset_index, self._time_index = OffsetIndex(), TimeIndex()
        self.size = 0
        self._indexed_size = -1
        self.bytes_since_index_entry = 0
        self.max_timestamp, self.offset_of_max_timestamp = -1, self.base_offset
        self.first_batch_timestamp = None
        for header, position in batches:
            assert position == self.size, (position, self.size)
            self.appended(header.last_offset, header.max_timestamp, header.size_bytes, index_interval_bytes)

    # -- reading

    def headers_from(self, position: int, end: int | None = None) -> Iterator[BatchPosition]:
        """Each batch header from a batch boundary on. Raises OSError; MalformedMessage where there is no header."""
        end = self.size if end is None else end
        chunk, chunk_start = b"", position
        while position < end:
            if position + BATCH_HEADER_BYTES > chunk_start + len(chunk):
                chunk_start = position
                chunk = os.pread(self.file.descriptor(), min(_SCAN_BYTES, end - position), position)
            header = read_batch_header(chunk, position - chunk_start)
            yield BatchPosition(header, position)
            position += header.size_bytes

    def find(self, offset: int) -> BatchPosition | None:
        """The first batch that ends at `offset` or later; None when all end before it. Raises OSError."""
        start = self.offset_index.position_before(offset - self.base_offset)
        for found in self.headers_from(start):
            if found.header.last_offset >= offset:
                return found
        return None

    def whole_batches_until(self, start: int, limit: int) -> tuple[int, int]:
        """(end position, next offset) of the batches that begin at `start` and end at `limit` or before.

        `(start, -1)` when the first of them is larger. Raises OSError.
        """
        # The index leads to within index.interval.bytes of the limit; from there on headers are read.
        position = max(start, self.offset_index.last_position_up_to(limit))
        end, next_offset = start, -1
        for header, begin in self.headers_from(position):
            if begin + header.size_bytes > limit:
                if begin > start and next_offset < 0:
                    return begin, header.base_offset
                break
            end, next_offset = begin + header.size_bytes, header.next_offset
        return end, next_offset

    def read_batch(self, found: BatchPosition) -> bytes:
        """The whole batch. Raises OSError."""
        return os.pread(self.file.descriptor(), found.header.size_bytes, found.position)

    # -- changing

    def truncate(self, position: int, relative_offset: int) -> None:
        """Cut the file at the batch boundary `position`; `relative_offset` is the first one gone. Raises OSError."""
        self.offset_index.truncate(relative_offset)
        self.time_index.truncate(relative_offset)
        self.transaction_index.truncate(self.base_offset + relative_offset)
        os.ftruncate(self.file.descriptor(), position)
        self.size = position
        self._indexed_size = -1
        self.bytes_since_index_entry = 0
        self.max_timestamp, self.offset_of_max_timestamp = -1, self.base_offset
        self.load_max_timestamp()
        if not position:
            self.first_batch_timestamp = None
        indexed = self.offset_index.position_before(self.offset_of_max_timestamp - self.base_offset)
        for header, _ in self.headers_from(indexed):
            if header.max_timestamp > self.max_timestamp:
                self.max_timestamp, self.offset_of_max_timestamp = header.max_timestamp, header.last_offset

    def rename_deleted(self) -> list[Path]:
        """Mark all files `.deleted`: gone for readers to come, there for transfers under way. Raises OSError.

        Returns what is to be unlinked after file.delete.delay.ms.
        """
        renamed = []
        for suffix in (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
            path = self.path(suffix)
            deleted = path.with_name(path.name + DELETED_SUFFIX)
            try:
                path.rename(deleted)
            except FileNotFoundError:
                continue
            if suffix == LOG_SUFFIX:
                self.file.path = deleted
            renamed.append(deleted)
        self.file.retire()
        return renamed

    def move(self, directory: Path) -> None:
        """The partition's directory has been renamed."""
        self._directory = directory
        self.file.path = directory / self.file.path.name
