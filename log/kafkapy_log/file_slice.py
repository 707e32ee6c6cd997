"""A range of a segment file that is being sent to a client."""

import os
from typing import Final

from kafkapy_log.file_pool import PooledFile


class FileSlice:
    """`length` bytes from `position` of a segment: whole batches, beginning with the one that has the fetch offset.

    Made without a system call: the file is opened by the first use of `fd`. From then on the descriptor is held, until
    `release` or until the slice is garbage-collected, since a cancelled connection just drops its response. A slice of
    a deleted segment stays readable. Truncation (a follower's) may cut the bytes away: sendfile then returns 0.
    Slices belong to the thread that owns the logs; in another thread only the number `fd` may be used.
    """

    __slots__ = ("_file", "_held", "length", "next_offset", "position")

    def __init__(self, file: PooledFile, position: int, length: int, next_offset: int) -> None:
        self._file: PooledFile | None = file
        self._held = False
        self.position = position
        self.length = length
        self.next_offset = next_offset
        """First offset after the slice: where the reader goes on."""
        file.slices += 1

    def __len__(self) -> int:
        return self.length

    @property
    def fd(self) -> int:
        """An open descriptor, the slice's own until `release`. Raises OSError."""
        file = self._file
        assert file is not None, "slice was released"
        if self._held:
            return file.fd
        fd = file.hold()
        self._held = True
        return fd

    def read(self) -> bytes:
        """The bytes, for TLS and for code that reads the records. Raises OSError."""
        if not self.length:
            return b""
        data = os.pread(self.fd, self.length, self.position)
        while len(data) < self.length:  # Linux reads at most 2 GiB a call, and a signal may cut it short
            more = os.pread(self.fd, self.length - len(data), self.position + len(data))
            if not more:
                break
            data += more
        return data

    def take(self) -> bytes:
        """`read` and `release` in one, at a third of their cost, for bytes that are copied at once. Raises OSError."""
        file, self._file = self._file, None
        assert file is not None, "slice was released"
        assert not self._held, "slice is being sent"
        try:
            return os.pread(file.descriptor(), self.length, self.position)
        finally:
            file.drop_slice()

    def release(self) -> None:
        """The bytes have been sent. May be called again."""
        file, self._file = self._file, None
        if file is None:
            return
        if self._held:
            self._held = False
            file.held -= 1
        file.drop_slice()

    def __del__(self) -> None:
        if self._file is not None:
            self.release()


class EmptySlice(FileSlice):
    """Nothing to read at this offset now; shared, so that a consumer waiting at the end costs no allocation."""

    __slots__ = ()

    def __init__(self) -> None:
        self._file = None
        self._held = False
        self.position = 0
        self.length = 0
        self.next_offset = -1

    @property
    def fd(self) -> int:
        """Never used: there is nothing to send."""
        raise AssertionError("an empty slice has no file")


EMPTY_SLICE: Final = EmptySlice()
