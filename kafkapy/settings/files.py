"""The files that settings name: stores of certificates, login modules."""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISREG


def read_regular(path: str, bytes_max: int) -> bytes:
    """At most `bytes_max` bytes. Raises OSError with a reason in plain words, ValueError: there is a NUL in the path.

    A pipe or a device is refused: it may have no byte for ever, and the next one who reads it gets others.
    """
    with open(path, "rb", opener=_open) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not S_ISREG(mode) and not S_ISDIR(mode):
            raise OSError(errno.EINVAL, "a pipe or a device, and not a file")
        return file.read(bytes_max)


def _open(path: str, flags: int) -> int:
    """To open a pipe without a writer would wait for one."""
    return os.open(path, flags | os.O_NONBLOCK)
