"""The directory of `--ephemeral` and of the test kit: deleted at the end, or by the next such start after a SIGKILL.

```
TMPDIR/kafkapy-ephemeral-XXXXXXXX/
    owner.lock      locked while its owner lives
    data/           the data directory
```
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Final

from kafkapy.errors import StartupError

PREFIX: Final = "kafkapy-ephemeral-"
LOCK: Final = "owner.lock"
DATA: Final = "data"
UNLOCKED_SECONDS_MAX: Final = 60
"""Directories without a lock file are younger, or what somebody who was deleting one has left."""
_ATTEMPTS: Final = 3


class EphemeralDirectory:
    """A data directory of this process, until `remove` or the end of the block."""

    def __init__(self) -> None:
        """Raises StartupError: no directory can be made for temporary files."""
        try:
            self._make()
        except OSError as error:
            raise StartupError(
                f"cannot make a directory for data that is thrown away ({error.strerror}: {error.filename}): set "
                "TMPDIR to a directory that can be written and has space"
            ) from None

    def _make(self) -> None:
        """Raises OSError."""
        while True:
            self._path = Path(tempfile.mkdtemp(prefix=PREFIX))
            lock = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _take(lock) and os.fstat(lock).st_nlink:
                break
            os.close(lock)  # another start took it for abandoned, in the moment before it was locked
        self._lock = lock
        self.data = self._path / DATA
        self.data.mkdir()

    def __enter__(self) -> Path:
        return self.data

    def __exit__(self, *_: object) -> None:
        self.remove()
        os.close(self._lock)

    def remove(self) -> None:
        """Delete everything; any thread. A worker thread may still be making a file when this begins."""
        for _ in range(_ATTEMPTS):
            shutil.rmtree(self._path, ignore_errors=True)
            if not self._path.exists():
                return


@cache
def remove_abandoned_once() -> None:
    """As `remove_abandoned`, in a thread, and only with the first call in this process."""
    Thread(target=remove_abandoned, name="kafkapy-ephemeral", daemon=True).start()


def remove_abandoned() -> None:
    """Delete the directories of processes that are gone. Blocks; any thread."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(path: Path) -> None:
    """Raises OSError."""
    status = path.lstat()
    if status.st_uid != os.geteuid():
        return
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        if time.time() - status.st_mtime > UNLOCKED_SECONDS_MAX:
            shutil.rmtree(path, ignore_errors=True)
        return
    try:
        if _take(lock):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    """Whether nobody else has locked it; then this process has, as long as it lives or until it is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
