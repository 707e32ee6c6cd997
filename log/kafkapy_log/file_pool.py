"""A bounded pool of open files of all partitions: a file is opened when needed, and closed to make room for others.

Everything here runs on the thread that owns the logs. A descriptor in use (`FileSlice.fd`, a flush in
a worker thread) is held, and a held descriptor is neither closed nor reused: sendfile can never send another file's
bytes. Held files cannot be evicted, so the bound is soft: with more transfers under way than
the pool is large, the pool grows and shrinks again.
"""

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

OPEN_FILES_DEFAULT: Final = 512
_DESCRIPTORS_FOR_OTHERS: Final = 256  # sockets, standard streams, libraries


def default_open_files_max() -> int:
    """512, or fewer if the process may not open that many beside its sockets."""
    soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft_limit == resource.RLIM_INFINITY:
        return OPEN_FILES_DEFAULT
    return max(16, min(OPEN_FILES_DEFAULT, (soft_limit - _DESCRIPTORS_FOR_OTHERS) // 2))


class PooledFile:
    """One file that the pool opens and closes. `path` may change while it is open: descriptors stay valid."""

    __slots__ = ("fd", "held", "is_new", "path", "pool", "recently_used", "retired", "slices")
    flags = os.O_RDWR | os.O_CLOEXEC

    def __init__(self, pool: "FilePool", path: Path, *, is_new: bool = False) -> None:
        """`is_new`: the first opening creates the file. Otherwise a missing file is an error."""
        self.pool = pool
        self.path = path
        self.is_new = is_new
        self.fd = -1
        self.held = 0  # users of the descriptor
        self.slices = 0  # file slices that may still need the descriptor
        self.recently_used = False
        self.retired = False

    def descriptor(self) -> int:
        """An open descriptor, valid until the pool opens another file: use it at once. Raises OSError."""
        self.recently_used = True
        fd = self.fd
        return fd if fd >= 0 else self.pool.open(self)

    def hold(self) -> int:
        """A descriptor that stays open until `release`. Raises OSError."""
        fd = self.descriptor()
        self.held += 1
        return fd

    def release(self) -> None:
        self.held -= 1
        assert self.held >= 0, self.path
        if self.retired and not self.held and not self.slices:
            self.pool.close(self)

    def drop_slice(self) -> None:
        self.slices -= 1
        if self.retired and not self.held and not self.slices:
            self.pool.close(self)

    def retire(self) -> None:
        """The log does not need the file any more, and may unlink it; existing slices remain readable.

        A slice opens its file only when it is sent. So if slices exist, the file is opened now, while its path
        still leads to it.
        """
        self.retired = True
        if self.slices or self.held:
            with suppress(FileNotFoundError):  # deleted already: sending the slices will fail
                self.descriptor()
        else:
            self.pool.close(self)


class FilePool:
    """At most about `open_files_max` descriptors; the second chance (clock) algorithm chooses which to close.

    That needs one attribute store for each use instead of the bookkeeping of a true least-recently-used order.
    """

    __slots__ = ("_open", "open_files_max")

    def __init__(self, open_files_max: int | None = None) -> None:
        self.open_files_max = default_open_files_max() if open_files_max is None else open_files_max
        self._open: dict[PooledFile, None] = {}  # in the order of the clock's hand

    def __len__(self) -> int:
        return len(self._open)

    def open(self, file: PooledFile) -> int:
        while len(self._open) >= self.open_files_max and self._evict():
            pass
        file.fd = os.open(file.path, file.flags | os.O_CREAT if file.is_new else file.flags, 0o644)
        file.is_new = False
        self._open[file] = None
        return file.fd

    def close(self, file: PooledFile) -> None:
        fd = file.fd
        if fd >= 0:
            file.fd = -1
            del self._open[file]
            os.close(fd)

    def _evict(self) -> bool:
        """Close the first file that was not used since the hand last passed. False: after two rounds, all are held."""
        for _ in range(2 * len(self._open)):
            file = next(iter(self._open))
            del self._open[file]
            if not file.held and not file.recently_used and not (file.retired and file.slices):
                fd, file.fd = file.fd, -1
                os.close(fd)
                return True
            file.recently_used = False
            self._open[file] = None
        return False
