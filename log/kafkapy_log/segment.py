"""One segment of a partition log: `<base offset>.log` and what belongs to it.

A segment knows positions and offsets of its own file only; which segment to ask and when to roll is the partition
log's task. `SegmentBatches` reads batches, `IndexedSegment` finds them, `Segment` writes the files beside the log,
loads them after a stop, and removes them.
"""

import os
from pathlib import Path
from typing import Final

from kafkapy_log.disk_errors import passes
from kafkapy_log.durable_files import overwrite_file, read_file
from kafkapy_log.file_names import (
    DELETED_SUFFIX,
    INDEX_SUFFIX,
    LOG_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
)
from kafkapy_log.file_pool import FilePool
from kafkapy_log.indexed_segment import IndexedSegment
from kafkapy_log.indexes import CorruptIndexError, OffsetIndex, TimeIndex
from kafkapy_log.transaction_index import TransactionIndex
from kafkapy_wire.errors import MalformedMessage

# To read so much takes about as long as to open the files that could be made instead.
_READ_AT_ONCE_BYTES: Final = 1 << 16
_READ_AT_ONCE_ENTRIES: Final = 16  # of the offset index, should index.interval.bytes be small


class Segment(IndexedSegment):
    """Half-open: `[base_offset, next segment's base_offset)`; `size` bytes of whole batches in the file."""

    __slots__ = ("_forgotten_transactions", "_transaction_index", "created_ms", "roll_jitter_ms")

    def __init__(
        self, pool: FilePool, directory: Path, base_offset: int, *, size: int, created_ms: int, roll_jitter_ms: int = 0
    ) -> None:
        super().__init__(pool, directory, base_offset, size=size)
        self.created_ms = created_ms
        self.roll_jitter_ms = roll_jitter_ms
        self._transaction_index: TransactionIndex | None = None if size else TransactionIndex()
        self._forgotten_transactions = 0  # aborted ones that are only in the file now

    def __repr__(self) -> str:
        return f"Segment({self.base_offset}, size={self.size}, max_timestamp={self.max_timestamp})"

    # -- indexes

    @property
    def transaction_index(self) -> TransactionIndex:
        """The index: read when first used, kept until `forget_transaction_index`. Raises OSError, CorruptIndexError."""
        index = self._transaction_index
        if index is None:
            try:
                data = read_file(self.path(TRANSACTION_INDEX_SUFFIX))
            except FileNotFoundError:
                data = b""
            index = TransactionIndex.from_bytes(data, self.base_offset)
            if self._forgotten_transactions not in (0, len(index)):
                raise CorruptIndexError(
                    f"transaction index with {len(index)} entries, {self._forgotten_transactions} were written"
                )
            self._transaction_index = index
        return index

    def forget_indexes(self) -> None:
        super().forget_indexes()
        self.forget_transaction_index()

    def forget_transaction_index(self) -> None:
        """Free the index that is in the file. An empty index stays in memory, as it has no file."""
        if self._transaction_index and not self._transaction_index.changed:
            self._forgotten_transactions = len(self._transaction_index)
            self._transaction_index = None

    def replace_transaction_index(self, index: TransactionIndex) -> None:
        """Use `index`, which was rebuilt from the log, instead of the file."""
        index.changed = True
        self._transaction_index = index
        self._forgotten_transactions = 0

    @property
    def needs_no_indexes(self) -> bool:
        """Whether one or two reads of the batches are enough without indexes, and there are no index files."""
        return (
            not self.has_index_files
            and self.size <= _READ_AT_ONCE_BYTES
            and self._offset_index is not None
            and len(self._offset_index) <= _READ_AT_ONCE_ENTRIES
            and not self._transaction_index
        )

    def index_names(self) -> list[str]:
        """The index files that `write_indexes` may have written."""
        names = [self.path(INDEX_SUFFIX).name, self.path(TIME_INDEX_SUFFIX).name]
        if self._transaction_index or (self._transaction_index is None and self._forgotten_transactions):
            names.append(self.path(TRANSACTION_INDEX_SUFFIX).name)
        return names

    def write_indexes(self) -> None:
        """Write the files; the time index ends with the highest timestamp, as after Kafka's roll and close.

        Raises OSError.
        """
        time_index = self._ended_time_index()
        self.has_index_files = True
        overwrite_file(self.path(INDEX_SUFFIX), self.offset_index.to_bytes())
        overwrite_file(self.path(TIME_INDEX_SUFFIX), time_index.to_bytes())
        self.write_transaction_index()
        self._indexed_size = self.size

    def indexes_are_written(self) -> None:
        """Called when compaction has written the index files, with its own suffix."""
        self._indexed_size = self.size
        self.has_index_files = True
        self.transaction_index.changed = False

    def write_transaction_index(self) -> None:
        """Write the index to its file, or delete the file if the index is empty. Raises OSError."""
        index = self._transaction_index
        if index is None or not index.changed:
            return
        path = self.path(TRANSACTION_INDEX_SUFFIX)
        if len(index):
            overwrite_file(path, index.to_bytes())
        else:
            path.unlink(missing_ok=True)
        index.changed = False

    def start_over(self) -> None:
        """Forget all batches and delete the index files: `appended` is called for each batch again. Raises OSError."""
        self._start_at(0, OffsetIndex(), TimeIndex())
        self._transaction_index = TransactionIndex()
        self._forgotten_transactions = 0
        for suffix in (INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
            self.path(suffix).unlink(missing_ok=True)
        self.has_index_files = False
        self._close_stored_indexes()

    def resume(self, offset: int) -> int | None:
        """Know what the index files say of the batches below `offset`, which were synced with them.

        `size` is then where the last batch ends that has an entry: `appended` tells of those behind it again. Returns
        the offset there; None, and knows what it knew, when files are missing, damaged or not of this log.
        Aborted transactions are kept up to `offset` itself. Raises OSError.
        """
        try:
            offsets = OffsetIndex.from_bytes(read_file(self.path(INDEX_SUFFIX)), self.size)
            times = TimeIndex.from_bytes(read_file(self.path(TIME_INDEX_SUFFIX)))
            transactions = self.transaction_index
            offsets.truncate(offset - self.base_offset)
            if not len(offsets):  # so little lies below
                transactions.truncate(offset)
                self._start_at(0, offsets, TimeIndex())
                return self.base_offset
            header, position = next(self.headers_from(offsets.positions[-1]))
        except (FileNotFoundError, CorruptIndexError, MalformedMessage):
            return None
        last = offsets.offsets[-1]
        if header.last_offset - self.base_offset != last or position + header.size_bytes > self.size:
            return None
        times.truncate(last + 1)
        if header.max_timestamp > (times.timestamps[-1] if len(times) else -1):
            return None
        transactions.truncate(offset)
        self._start_at(position + header.size_bytes, offsets, times)
        self.bytes_since_index_entry = header.size_bytes
        self._take_max_timestamp()
        return header.next_offset

    # -- changing

    def truncate(self, position: int, relative_offset: int) -> None:
        """Cut the file at the batch boundary `position`; `relative_offset` is the first removed one. Raises OSError."""
        self.offset_index.truncate(relative_offset)
        self.time_index.truncate(relative_offset)
        self.transaction_index.truncate(self.base_offset + relative_offset)
        os.ftruncate(self.file.descriptor(), position)
        self.size = position
        self._indexed_size = -1
        self._malformed = ""
        self.bytes_since_index_entry = 0
        self.max_timestamp, self.offset_of_max_timestamp = -1, self.base_offset
        self._take_max_timestamp()
        self._max_timestamp_is_known = True
        if not position:
            self.first_batch_timestamp = None
        indexed = self.offset_index.entry_before(self.offset_of_max_timestamp - self.base_offset)
        for header, _ in self.headers_from(indexed.position):
            if header.max_timestamp > self.max_timestamp:
                self.max_timestamp, self.offset_of_max_timestamp = header.max_timestamp, header.last_offset

    def rename_deleted(self) -> list[Path]:
        """Rename all files to `.deleted`; running transfers can still read them. Raises OSError.

        Returns the paths to unlink after file.delete.delay.ms.
        """
        renamed = []
        for suffix in (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
            path = self.path(suffix)
            deleted = path.with_name(path.name + DELETED_SUFFIX)
            try:
                path.rename(deleted)
            except FileNotFoundError:
                continue
            except OSError as error:
                if not passes(error):
                    raise
                # The directory has no room for the longer name: delete it now. Running transfers have it open.
                if suffix == LOG_SUFFIX:
                    self.file.retire()
                path.unlink(missing_ok=True)
                continue
            if suffix == LOG_SUFFIX:
                self.file.path = deleted
            renamed.append(deleted)
        self.retire()
        return renamed

    def move(self, directory: Path) -> None:
        """The partition's directory was renamed."""
        self._directory = directory
        self.file.path = directory / self.file.path.name
        self._close_stored_indexes()

    def retire(self) -> None:
        """The log does not need the files any more: see `PooledFile.retire`."""
        self.file.retire()
        self._close_stored_indexes()
