"""One cleaning of a log: map the keys of its dirty part, then write all segments up to there anew without what is old.

A `CleaningPlan` is made by the thread that owns the log; `clean` runs anywhere. It reads files through descriptors of
its own and looks at nothing that others change: segments that are not active are immutable. Each cleaned segment is
given to the owner, which swaps it in or finds that the log has changed meanwhile (a truncation, a deletion, a
cleanup.policy without compaction); then the cleaning ends, and its files are removed.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from kafkapy_log.cleanable import Cleanable
from kafkapy_log.cleaned_transactions import CleanedTransactions
from kafkapy_log.compaction_filter import CleanedBatch, CompactionFilter
from kafkapy_log.durable_files import write_file
from kafkapy_log.file_names import INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX, file_name
from kafkapy_log.indexes import OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES
from kafkapy_log.offset_map import OffsetMap
from kafkapy_log.producer_state import LastRecord
from kafkapy_log.record_scan import ScannedRecords, scan_keys, scan_records
from kafkapy_log.segment import Segment
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX, SEGMENT_BYTES_MAX
from kafkapy_log.settings import LogSettings
from kafkapy_log.swap import CLEANED_SUFFIX, SEGMENT_SUFFIXES
from kafkapy_log.transaction_index import AbortedTransaction
from kafkapy_log.transaction_markers import read_marker
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, BatchHeader, read_batch_header
from kafkapy_wire.records.runs import record_pieces

# Both are pages of their own, which the system has back at once: what the C library has allocated for a thread it keeps
# for that thread, megabytes for each that has ever cleaned a log.
_WRITE_BYTES: Final = 1 << 20
_READ_BYTES: Final = 1 << 18


class CleaningAborted(Exception):
    """The log or its settings changed during the cleaning. Segments that were swapped in before stay."""


class UncleanableLog(Exception):
    """The log holds corrupt bytes: it is not cleaned again until the next start."""


class Source(NamedTuple):
    """A segment to be cleaned. `segment` is for its owner; its files are found by `base_offset`."""

    segment: Segment
    base_offset: int
    next_base_offset: int
    size: int
    modified_ns: int


class CleanedSegment(NamedTuple):
    """A segment whose `.cleaned` files are on the disk, and the segments that it replaces."""

    segment: Segment
    replaced: list[Segment]
    log_version: int


class CleaningProgress:
    """Counts of one cleaning, written by its thread and read by anyone."""

    __slots__ = (
        "bytes_mapped",
        "bytes_read",
        "bytes_to_clean",
        "bytes_to_map",
        "bytes_written",
        "keys",
        "records_read",
        "records_written",
    )

    def __init__(self) -> None:
        self.bytes_to_map = 0
        self.bytes_mapped = 0
        self.bytes_to_clean = 0
        self.bytes_read = 0
        self.bytes_written = 0
        self.records_read = 0
        self.records_written = 0
        self.keys = 0


class CleaningPlan:
    """A snapshot of the log for one cleaning. `close` it in the end."""

    __slots__ = (
        "_is_aborted",
        "aborted_transactions",
        "cleanable",
        "directory",
        "directory_fd",
        "dirty_position",
        "high_watermark",
        "last_records",
        "log_version",
        "now_ms",
        "progress",
        "settings",
        "sources",
    )

    def __init__(
        self,
        directory: Path,
        sources: list[Segment],
        cleanable: Cleanable,
        settings: LogSettings,
        *,
        dirty_position: int,
        aborted_transactions: list[AbortedTransaction],
        last_records: dict[int, LastRecord],
        high_watermark: int,
        log_version: int,
        now_ms: int,
    ) -> None:
        """`sources` are all segments below the first uncleanable offset; `dirty_position` lies in the first dirty one.

        Raises OSError.
        """
        self.directory = directory
        self.cleanable = cleanable
        self.settings = settings
        self.dirty_position = dirty_position
        self.aborted_transactions = aborted_transactions
        self.last_records = last_records
        self.high_watermark = high_watermark
        self.log_version = log_version
        self.now_ms = now_ms
        self.progress = CleaningProgress()
        ends = [segment.base_offset for segment in sources[1:]] + [cleanable.first_uncleanable_offset]
        self.sources = [
            Source(segment, segment.base_offset, end, segment.size, segment.path(LOG_SUFFIX).stat().st_mtime_ns)
            for segment, end in zip(sources, ends, strict=True)
        ]
        self._is_aborted = False
        # A descriptor, not a path: the directory may be renamed and its name taken by a new topic meanwhile.
        self.directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def abort(self) -> None:
        """Make `clean` end soon. Any thread, any number of times."""
        self._is_aborted = True

    def check(self) -> None:
        """Raises CleaningAborted."""
        if self._is_aborted:
            raise CleaningAborted

    def close(self) -> None:
        """To be called after `clean`, however it ended."""
        os.close(self.directory_fd)


def clean(
    plan: CleaningPlan,
    offset_map: OffsetMap,
    *,
    swap_in: Callable[[CleanedSegment], bool],
    pace: Callable[[int], None],
    fsync: bool = True,
) -> int:
    """Clean the log; returns the offset up to which it is clean now. Blocks; any thread.

    `swap_in` gives a cleaned segment to the owner's thread; False: the log has changed. `pace` is called with bytes
    read or written, and may wait. `offset_map` is empty, and is emptied in the end.
    Raises CleaningAborted, UncleanableLog, OSError.
    """
    progress = plan.progress
    try:
        _build_offset_map(plan, offset_map, pace)
        end_offset = offset_map.latest_offset + 1
        sources = [source for source in plan.sources if source.base_offset < end_offset]
        progress.bytes_to_clean = sum(source.size for source in sources)
        transactions = CleanedTransactions(plan.aborted_transactions)
        batch_filter = CompactionFilter(
            offset_map,
            transactions,
            last_records=plan.last_records,
            high_watermark=plan.high_watermark,
            delete_retention_ms=plan.settings.delete_retention_ms,
            now_ms=plan.now_ms,
            record_bytes_max=plan.settings.max_decompressed_message_bytes,
        )
        for group in group_by_size(sources, plan.settings):
            cleaned = _clean_group(plan, group, batch_filter, transactions, pace, fsync=fsync)
            plan.check()
            if not swap_in(cleaned):
                raise CleaningAborted
            if fsync:
                os.fsync(plan.directory_fd)
    except MalformedMessage as malformed:
        plan.check()  # the log may have been truncated meanwhile
        raise UncleanableLog(str(malformed)) from malformed
    except FileNotFoundError as gone:
        raise CleaningAborted from gone
    finally:
        offset_map.clear()
        _remove_cleaned(plan)
    return end_offset


def group_by_size(sources: list[Source], settings: LogSettings) -> list[list[Source]]:
    """Neighbours that together stay within segment.bytes, segment.index.bytes and 32 bits of relative offset.

    Each group becomes one segment. The size of its indexes is estimated: an entry each index.interval.bytes.
    """
    entries_max = settings.segment_index_bytes // max(OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES)
    groups: list[list[Source]] = []
    size = entries = 0
    for source in sources:
        source_entries = source.size // max(1, settings.index_interval_bytes) + 1
        if (
            groups
            and size + source.size <= settings.segment_bytes
            and entries + source_entries <= entries_max
            and source.next_base_offset - 1 - groups[-1][0].base_offset <= RELATIVE_OFFSET_MAX
        ):
            groups[-1].append(source)
            size += source.size
            entries += source_entries
        else:
            groups.append([source])
            size, entries = source.size, source_entries
    return groups


# -- the map


def _build_offset_map(plan: CleaningPlan, offset_map: OffsetMap, pace: Callable[[int], None]) -> None:
    """Add keys from the first dirty offset on, until the map is full or has all cleanable records."""
    offset_map.first_offset = first_dirty = plan.cleanable.first_dirty_offset
    dirty = [source for source in plan.sources if source.next_base_offset > first_dirty]
    progress = plan.progress
    progress.bytes_to_map = sum(source.size for source in dirty)
    transactions = CleanedTransactions(
        transaction for transaction in plan.aborted_transactions if transaction.last_offset >= first_dirty
    )
    for source in dirty:
        position = plan.dirty_position if source.base_offset < first_dirty else 0
        for header, batch in _batches(plan, source, position):
            size = len(batch)
            pace(size)
            progress.bytes_mapped += size
            if header.is_control:
                marker = read_marker(batch) if header.record_count and header.producer_id >= 0 else None
                transactions.may_drop_marker(header, marker)
            elif not transactions.may_drop(header) and header.last_offset >= first_dirty:
                if offset_map.is_full:
                    progress.keys = offset_map.key_count
                    return
                _map_batch(header, batch, offset_map, first_dirty, plan.settings)
            if header.last_offset >= first_dirty:
                offset_map.latest_offset = header.last_offset
        offset_map.latest_offset = source.next_base_offset - 1
        progress.keys = offset_map.key_count


def _map_batch(
    header: BatchHeader, batch: memoryview, offset_map: OffsetMap, first_dirty: int, settings: LogSettings
) -> None:
    is_dense = header.record_count == header.last_offset_delta + 1 and header.base_offset >= first_dirty
    next_offset = header.base_offset
    pieces = record_pieces(header, batch, record_bytes_max=settings.max_decompressed_message_bytes)
    for count, data in pieces:
        scanned = scan_keys(data, count) if is_dense else None
        if scanned is not None:
            keys, tombstones = scanned
            offset_map.put(keys, next_offset, tombstones)
        else:
            _map_one_by_one(header.base_offset, scan_records(data, count), offset_map, first_dirty)
        next_offset += count


def _map_one_by_one(base_offset: int, records: ScannedRecords, offset_map: OffsetMap, first_dirty: int) -> None:
    offset_deltas, keys, keyless, tombstones = records
    without_key = set(keyless)
    without_value = set(tombstones)
    for number, key in enumerate(keys):
        offset = base_offset + offset_deltas[number]
        if offset >= first_dirty and number not in without_key:
            offset_map.put([key], offset, [0] if number in without_value else [])


# -- the segments


def _clean_group(
    plan: CleaningPlan,
    group: list[Source],
    batch_filter: CompactionFilter,
    transactions: CleanedTransactions,
    pace: Callable[[int], None],
    *,
    fsync: bool,
) -> CleanedSegment:
    first = group[0].segment
    cleaned = Segment(first.file.pool, plan.directory, first.base_offset, size=0, created_ms=first.created_ms)
    progress = plan.progress
    interval = plan.settings.index_interval_bytes
    with _CleanedFile(plan, cleaned) as output:
        for source in group:
            for header, batch in _batches(plan, source, 0):
                size = len(batch)
                pace(size)
                progress.bytes_read += size
                progress.records_read += header.record_count
                kept: CleanedBatch | None = batch_filter.clean(header, batch)
                if kept is None:
                    continue
                content = batch if kept.content is None else kept.content
                size = len(content)
                pace(size)
                if cleaned.size + size > SEGMENT_BYTES_MAX:
                    raise UncleanableLog(f"segment {first.base_offset} would grow beyond {SEGMENT_BYTES_MAX} bytes")
                output.write(content)
                cleaned.appended(header.last_offset, kept.max_timestamp, size, interval)
                progress.bytes_written += size
                progress.records_written += kept.kept
            for aborted in transactions.retained_aborted:
                cleaned.transaction_index.append(aborted)
            transactions.retained_aborted.clear()
        output.finish(group[-1].modified_ns, fsync=fsync)
    _write_indexes(plan, cleaned, fsync=fsync)
    return CleanedSegment(cleaned, [source.segment for source in group], plan.log_version)


def _write_indexes(plan: CleaningPlan, cleaned: Segment, *, fsync: bool) -> None:
    cleaned.time_index.maybe_append(cleaned.max_timestamp, cleaned.offset_of_max_timestamp - cleaned.base_offset)
    contents = [
        (INDEX_SUFFIX, cleaned.offset_index.to_bytes()),
        (TIME_INDEX_SUFFIX, cleaned.time_index.to_bytes()),
    ]
    if len(cleaned.transaction_index):
        contents.append((TRANSACTION_INDEX_SUFFIX, cleaned.transaction_index.to_bytes()))
    for suffix, content in contents:
        name = Path(file_name(cleaned.base_offset, suffix) + CLEANED_SUFFIX)
        write_file(name, content, fsync=fsync, directory_fd=plan.directory_fd)
    cleaned.indexes_are_written()


class _CleanedFile:
    """The `.log.cleaned` that is being written, a megabyte at a time."""

    def __init__(self, plan: CleaningPlan, segment: Segment) -> None:
        self._name = file_name(segment.base_offset, LOG_SUFFIX) + CLEANED_SUFFIX
        self._directory_fd = plan.directory_fd
        self._buffer = memoryview(mmap.mmap(-1, _WRITE_BYTES))
        self._buffered = 0

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._fd = os.open(self._name, flags, 0o644, dir_fd=self._directory_fd)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def write(self, content: bytes | memoryview) -> None:
        end = self._buffered + len(content)
        if end > _WRITE_BYTES:
            self._write_out()
            end = len(content)
            if end > _WRITE_BYTES:
                self._write(memoryview(content))
                return
        self._buffer[self._buffered : end] = content
        self._buffered = end

    def finish(self, modified_ns: int, *, fsync: bool) -> None:
        """Write the rest, and give the file the modification time of its sources, which retention uses."""
        self._write_out()
        os.utime(self._fd, ns=(modified_ns, modified_ns))
        if fsync:
            os.fsync(self._fd)

    def _write_out(self) -> None:
        self._write(self._buffer[: self._buffered])
        self._buffered = 0

    def _write(self, view: memoryview) -> None:
        while view:
            view = view[os.write(self._fd, view) :]


def _remove_cleaned(plan: CleaningPlan) -> None:
    for source in plan.sources:
        for suffix in SEGMENT_SUFFIXES:
            with suppress(OSError):  # usually there is none; otherwise the next start removes it
                os.unlink(file_name(source.base_offset, suffix) + CLEANED_SUFFIX, dir_fd=plan.directory_fd)


def _batches(plan: CleaningPlan, source: Source, position: int) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Each batch from `position` on. A view is valid until the next one is asked for. Raises MalformedMessage."""
    fd = os.open(file_name(source.base_offset, LOG_SUFFIX), os.O_RDONLY | os.O_CLOEXEC, dir_fd=plan.directory_fd)
    buffer = memoryview(mmap.mmap(-1, _READ_BYTES))  # for all reads, and no larger than a processor's cache
    try:
        while position < source.size:
            view = buffer[: source.size - position]
            size = os.preadv(fd, [view], position)
            consumed = 0
            while size - consumed >= BATCH_HEADER_BYTES:
                plan.check()
                header = read_batch_header(buffer, consumed)
                end = consumed + header.size_bytes
                if end > size:
                    if consumed:
                        break
                    if position + header.size_bytes > source.size or header.size_bytes <= len(buffer):
                        raise MalformedMessage(f"segment {source.base_offset} ends within the batch at {position}")
                    buffer = memoryview(mmap.mmap(-1, header.size_bytes))
                    break
                yield header, view[consumed:end]
                consumed = end
            if not consumed and size < BATCH_HEADER_BYTES:
                raise MalformedMessage(f"segment {source.base_offset} has {size} bytes at {position}")
            position += consumed
    finally:
        os.close(fd)
