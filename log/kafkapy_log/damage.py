"""Damaged and missing records: how they are reported, and where damaged bytes are kept.

A crash may leave a part of a write at the end of the last file. No client has been told that it was stored: it is cut
off, with a line at level info. All other damaged bytes may have been acknowledged: a batch whose CRC is
wrong, one before whole batches or later segments, anything below the recovery point or after a clean stop. They
are moved to a directory beside the log, named like Apache Kafka's stray partitions, so that a user can examine them.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy_log.durable_files import fsync_fd, fsync_path
from kafkapy_log.file_names import (
    INDEX_SUFFIX,
    LOG_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
)
from kafkapy_log.segment import Segment
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import BATCH_HEADER_BYTES, BatchHeader, crc_matches, read_batch_header
from kafkapy_wire.uuid import random_uuid

STRAY_SUFFIX: Final = "-stray"
_NAME_MAX: Final = 255
_READ_BYTES: Final = 1 << 20
_CRC_BYTES_MAX: Final = 1 << 28
"""Of what looks like batches behind a damage. Who has so much of it is believed to have batches there."""


class CutRecords(NamedTuple):
    """Bytes that were taken out of a log, from `position` of `file` to its end and in all later files."""

    topic_partition: str
    file: Path
    position: int
    offset: int
    """The log ends here now."""
    size_bytes: int
    reason: str
    kept_in: Path | None
    """None: the torn end of a last write, which is nowhere now."""


class LostRecords(NamedTuple):
    """Files of the log are missing: it ended below its log start offset, where it begins again without records."""

    topic_partition: str
    log_end_offset: int
    log_start_offset: int


class MissingRecords(NamedTuple):
    """A read found no batch for `[start_offset, end_offset)`: a segment behind begins only there, and nothing compacts
    the log. (Or nothing does any more.)
    """

    topic_partition: str
    start_offset: int
    end_offset: int


Damage = CutRecords | LostRecords | MissingRecords
Tell = Callable[[Damage], None]


class WholeBatches:
    """The batches of a segment from `segment.size` on, up to the first that is torn, has another CRC, or goes back.

    `reason` then says what is wrong with that batch; it is empty if the file ends with a whole batch.
    """

    __slots__ = ("_file_size", "_segment", "is_short", "next_offset", "reason")

    def __init__(self, segment: Segment, next_offset: int, file_size: int) -> None:
        self._segment = segment
        self.next_offset = next_offset
        """Behind the batches so far."""
        self._file_size = file_size
        self.reason = ""
        self.is_short = False
        """Whether the file ends within the batch."""

    def __iter__(self) -> Iterator[tuple[BatchHeader, memoryview]]:
        """(header, batch) of each. Raises OSError."""
        segment, file_size = self._segment, self._file_size
        position = segment.size
        chunk, chunk_start = memoryview(b""), position
        while position + BATCH_HEADER_BYTES <= file_size:
            if position + BATCH_HEADER_BYTES > chunk_start + len(chunk):
                chunk_start, chunk = position, memoryview(os.pread(segment.file.descriptor(), _READ_BYTES, position))
            try:
                header = read_batch_header(chunk, position - chunk_start)
            except MalformedMessage as error:
                self.reason = str(error)
                return
            end = position + header.size_bytes
            self._check_place(header, position)
            if self.reason:
                return
            if end > chunk_start + len(chunk):
                chunk_start = position
                size = max(_READ_BYTES, header.size_bytes)
                chunk = memoryview(os.pread(segment.file.descriptor(), size, position))
            batch = chunk[position - chunk_start : end - chunk_start]
            if not crc_matches(batch):
                self.reason = f"the CRC of the batch at offset {header.base_offset} is wrong"
                return
            position, self.next_offset = end, header.next_offset
            yield header, batch
        if position < file_size:
            self.reason, self.is_short = f"{file_size - position} bytes cannot be a batch", True

    def _check_place(self, header: BatchHeader, position: int) -> None:
        left = self._file_size - position
        if header.base_offset < self.next_offset:
            self.reason = f"a batch at offset {header.base_offset} comes after offset {self.next_offset - 1}"
        elif header.last_offset - self._segment.base_offset > RELATIVE_OFFSET_MAX:
            self.reason = f"a batch at offset {header.base_offset} is too far from the segment's first"
        elif header.size_bytes > left:
            self.reason, self.is_short = f"of a batch of {header.size_bytes} bytes {left} are there", True


def cut_off(
    segment: Segment,
    batches: WholeBatches,
    file_size: int,
    later: Sequence[Segment],
    *,
    may_be_torn: bool,
) -> CutRecords:
    """Cut the segment's file after its last whole batch, at `segment.size`. The log ends there.

    `later`: the segments after it, which are removed, too. `may_be_torn`: the end may be that of an interrupted write.
    Raises OSError: then nothing was removed.
    """
    position, next_offset, directory = segment.size, batches.next_offset, segment.file.path.parent
    fd = segment.file.descriptor()
    is_torn = (
        may_be_torn
        and not later
        and (batches.is_short or _is_zeros(fd, position, file_size))
        and not _has_batch(fd, position, file_size, next_offset)
    )
    kept_in = None if is_torn else _set_aside(directory, segment, file_size, later)
    os.ftruncate(segment.file.descriptor(), position)
    return CutRecords(
        directory.name,
        segment.file.path,
        position,
        next_offset,
        file_size - position + sum(other.size for other in later),
        batches.reason,
        kept_in,
    )


def renamed_directory(directory: Path, topic: str, partition: str, reason: str) -> Path:
    """Kafka's name for a former log: `TOPIC-PARTITION.<32 hex>` and the reason; a long topic is cut."""
    suffix = f"-{partition}.{random_uuid().hex()}{reason}"
    return directory.with_name(topic[: _NAME_MAX - len(suffix)] + suffix)


def _set_aside(directory: Path, segment: Segment, file_size: int, later: Sequence[Segment]) -> Path:
    """Copy the bytes after the last whole batch, and move the later segments. Returns the directory."""
    topic, _, partition = directory.name.rpartition("-")
    kept_in = renamed_directory(directory, topic, partition, STRAY_SUFFIX)
    kept_in.mkdir()
    # Not a segment's name: Apache Kafka, which loads strays, would cut it down to nothing.
    copy = kept_in / f"{segment.file.path.name}.from-{segment.size}"
    try:
        _copy(segment, file_size, copy)
    except OSError:  # perhaps the disk is full: a start that is retried must not leave a directory each time
        with suppress(OSError):
            copy.unlink(missing_ok=True)
            kept_in.rmdir()
        raise
    for other in later:
        other.retire()
        for suffix in (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX):
            path = other.path(suffix)
            if path.exists():
                path.rename(kept_in / path.name)
    for changed in (kept_in, directory, directory.parent):
        fsync_path(changed)
    return kept_in


def _copy(segment: Segment, file_size: int, path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        for position in range(segment.size, file_size, _READ_BYTES):
            data = os.pread(segment.file.descriptor(), min(_READ_BYTES, file_size - position), position)
            while data:
                data = data[os.write(fd, data) :]
        fsync_fd(fd)
    finally:
        os.close(fd)


def _is_zeros(fd: int, position: int, end: int) -> bool:
    """Whether the range has only zeros: a file system leaves them if only the file's new size has reached the disk."""
    while position < end:
        data = os.pread(fd, min(_READ_BYTES, end - position), position)
        if not data or data.count(0) != len(data):
            return False
        position += len(data)
    return True


def _has_batch(fd: int, position: int, end: int, next_offset: int) -> bool:
    """Whether `[position, end)` has a whole batch whose offsets may follow `next_offset`. Raises OSError.

    Looks for the magic byte behind the high half of such an offset, then at what a header says, then at the CRC.
    """
    high = next_offset >> 32
    highs = b"|".join(re.escape(number.to_bytes(4, "big")) for number in (high, high + 1) if number < 1 << 31)
    begins_batch = re.compile(b"(?=(?:" + highs + b").{12}\x02)", re.DOTALL)
    crc_bytes = 0
    while position + BATCH_HEADER_BYTES <= end:
        chunk = os.pread(fd, min(_READ_BYTES, end - position), position)
        if len(chunk) < BATCH_HEADER_BYTES:
            return False
        for found in begins_batch.finditer(chunk, 0, len(chunk) - BATCH_HEADER_BYTES + 17):
            try:
                header = read_batch_header(chunk, found.start())
            except MalformedMessage:
                continue
            begin = position + found.start()
            fits = begin + header.size_bytes <= end
            if not fits or not next_offset <= header.base_offset <= next_offset + RELATIVE_OFFSET_MAX:
                continue
            crc_bytes += header.size_bytes
            if crc_bytes > _CRC_BYTES_MAX or crc_matches(os.pread(fd, header.size_bytes, begin)):
                return True
        position += len(chunk) - BATCH_HEADER_BYTES + 1
    return False
