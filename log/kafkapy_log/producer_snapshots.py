"""The `.snapshot` files of one log: the producer state at some offsets.

One lies where each segment begins, as in Apache Kafka, so that a start reads one segment at most; and one within the
last segment, where the log was closed or settled.
"""

from bisect import insort
from contextlib import suppress
from pathlib import Path

from kafkapy_log.durable_files import write_file
from kafkapy_log.file_names import SNAPSHOT_SUFFIX, file_name
from kafkapy_log.producer_state import ProducerState
from kafkapy_log.segment_list import SegmentList


class ProducerSnapshots:
    """`offsets`, ascending, are those that have a file."""

    __slots__ = ("_segments", "directory", "offsets")

    def __init__(self, directory: Path, segments: SegmentList, offsets: list[int]) -> None:
        self.directory = directory
        self.offsets = offsets
        self._segments = segments

    def covers(self, offset: int) -> bool:
        """Whether there is a snapshot at `offset` or above."""
        return bool(self.offsets) and self.offsets[-1] >= offset

    def write(self, producers: ProducerState) -> None:
        """Write the present state, unless the last snapshot is the same. Raises OSError.

        Not synced: a torn file is detected, and the log has the same information.
        """
        offset = producers.end_offset
        if self.covers(offset):
            return
        path = self._path(offset)
        try:
            write_file(path, producers.to_snapshot(), fsync=False)
        except OSError:
            with suppress(OSError):  # remove the incomplete file
                path.unlink()
            raise
        self.note(offset)

    def note(self, offset: int) -> None:
        """A snapshot was written at `offset`."""
        if offset not in self.offsets[-2:]:
            insort(self.offsets, offset)
            self._drop_passed()

    def unlink(self, offset: int) -> None:
        """Delete the file, even if it is not in `offsets`; if that fails, the next start deletes it."""
        with suppress(OSError):
            self._path(offset).unlink(missing_ok=True)

    def remove(self, offset: int) -> None:
        """Delete the snapshot at `offset`, if there is one. Raises OSError."""
        if offset in self.offsets:
            self.offsets.remove(offset)
            self._path(offset).unlink(missing_ok=True)

    def remove_above(self, offset: int) -> None:
        """Delete snapshots above `offset`, as their records are truncated. Raises OSError."""
        while self.offsets and self.offsets[-1] > offset:
            self.remove(self.offsets[-1])

    def _drop_passed(self) -> None:
        """Delete snapshots within a segment, except the last one."""
        for offset in self.offsets[-3:-1]:
            if not self._segments.begins_at(offset):
                self.offsets.remove(offset)
                self.unlink(offset)

    def _path(self, offset: int) -> Path:
        return self.directory / file_name(offset, SNAPSHOT_SUFFIX)
