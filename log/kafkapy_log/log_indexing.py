"""Rebuilding missing or damaged indexes of closed segments without blocking the log's owner.

A look-up rebuilds them itself, unless the segment is larger than `rebuild_at_once_bytes`; then it raises
IndexRebuildNeeded, nothing has changed, and the owner does the following before it tries again:

    rebuild = log.indexing.begin_rebuild(needed)
    rebuild.run()                                    # in any thread
    log.indexing.end_rebuild(rebuild)
"""

from kafkapy_log.disk_errors import StorageError
from kafkapy_log.indexed_segment import IndexedSegment, IndexRebuildNeeded
from kafkapy_log.log_files import LogFiles
from kafkapy_log.segment_batches import headers_in
from kafkapy_wire.errors import MalformedMessage


class IndexRebuild:
    """One running rebuild. `run` uses a held descriptor, and reads up to the size that the segment had."""

    __slots__ = ("_fd", "_index_interval_bytes", "_size", "result", "segment", "truncations")

    def __init__(self, segment: IndexedSegment, index_interval_bytes: int, truncations: int) -> None:
        """Raises OSError."""
        self.segment = segment
        self.truncations = truncations
        self.result: IndexedSegment | MalformedMessage | OSError = OSError("the indexes were not made")
        self._index_interval_bytes = index_interval_bytes
        self._size = segment.size
        self._fd = segment.file.hold()

    def run(self) -> None:
        """Read the headers of all batches. Blocks; any thread. Errors are raised by `end_rebuild`."""
        try:
            batches = headers_in(lambda: self._fd, 0, self._size)
            self.result = self.segment.rebuilt_from(batches, self._index_interval_bytes)
        except (MalformedMessage, OSError) as error:
            self.result = error


class LogIndexing:
    """Rebuilds indexes of one log."""

    __slots__ = ("_files",)

    def __init__(self, files: LogFiles) -> None:
        self._files = files

    @property
    def rebuild_at_once_bytes(self) -> int:
        """The largest closed segment whose indexes a look-up rebuilds itself; no limit by default."""
        return self._files.segments.rebuild_at_once_bytes

    @rebuild_at_once_bytes.setter
    def rebuild_at_once_bytes(self, size: int) -> None:
        self._files.segments.rebuild_at_once_bytes = size

    def begin_rebuild(self, needed: IndexRebuildNeeded) -> IndexRebuild:
        """Begin a rebuild: call its `run`, then `end_rebuild`, even if `run` has failed. Raises StorageError."""
        files = self._files
        with files.storage_errors:
            return IndexRebuild(needed.segment, files.settings.index_interval_bytes, files.truncations)

    def end_rebuild(self, rebuild: IndexRebuild) -> None:
        """Use the rebuilt indexes, unless the segment was removed or the log truncated meanwhile. Raises StorageError.

        If batches cannot be read, that is remembered: later look-ups raise StorageError.
        """
        files = self._files
        rebuild.segment.file.release()
        result = rebuild.result
        if isinstance(result, OSError):
            raise StorageError(files.topic_partition, result) from result
        if rebuild.truncations == files.truncations and rebuild.segment in set(files.segments):
            rebuild.segment.use_rebuilt(result)
