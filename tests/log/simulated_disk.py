"""A disk that keeps what was synced, and of the rest whatever it likes.

The files of a directory tree are real ones, and stand for the page cache. `os.fsync` and `os.fdatasync` are watched:
what a descriptor's file held when it was synced is durable, and so are the names that a directory held when it was
synced. `lose_power` then makes the directory tree that a power failure could have left: of each file any mixture of
sectors as they were synced and as they were written, of any length between the two; of each directory any mixture of
the names as they were synced and as they are.

What it never does, as no disk that is worth the name: damage what was synced and not written again, or put other bytes
into sectors than were ever written there (zeros where nothing was yet). A rename is all or nothing.
"""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest

SECTOR_BYTES = 512
PAGE_BYTES = 4096


class SimulatedDisk:
    """Watches the tree at `root` from now on; what is there is durable."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._content: dict[int, bytes] = {}  # by inode
        self._names: dict[int, dict[str, int]] = {}  # directory's inode -> name -> inode
        self._held: dict[int, int] = {}  # inode -> a descriptor, so that no other file gets its number
        self.sync_count = 0
        fsync, fdatasync = os.fsync, os.fdatasync

        def watched_fsync(fd: int) -> None:
            self._synced(fd)
            fsync(fd)

        def watched_fdatasync(fd: int) -> None:
            self._synced(fd)
            fdatasync(fd)

        monkeypatch.setattr(os, "fsync", watched_fsync)
        monkeypatch.setattr(os, "fdatasync", watched_fdatasync)
        monkeypatch.setattr("kafkapy_log.flush.sync_file_system", lambda _fd: self.sync_file_system())
        self.sync_file_system()

    def sync_file_system(self) -> None:
        """All that there is at `root` is durable."""
        for path, _, names in os.walk(self.root):
            for name in [".", *names]:
                fd = os.open(Path(path, name), os.O_RDONLY)
                self._synced(fd)
                os.close(fd)

    def close(self) -> None:
        for fd in self._held.values():
            os.close(fd)

    def _synced(self, fd: int) -> None:
        self.sync_count += 1
        inode = self._hold(fd)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            self._names[inode] = self._listing(Path(f"/proc/self/fd/{fd}"))
        else:
            self._content[inode] = Path(f"/proc/self/fd/{fd}").read_bytes()

    def _hold(self, fd: int) -> int:
        inode = os.fstat(fd).st_ino
        if inode not in self._held:
            self._held[inode] = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        return inode

    def _listing(self, directory: Path) -> dict[str, int]:
        listing = {}
        for name in os.listdir(directory):
            fd = os.open(directory / name, os.O_RDONLY)
            listing[name] = self._hold(fd)
            os.close(fd)
        return listing

    # -- the power fails

    def lose_power(self, target: Path, chance: random.Random) -> None:
        """Write to `target`, a new directory, what the disk may hold now."""
        target.mkdir()
        fd = os.open(self.root, os.O_RDONLY)
        self._leave(self._hold(fd), target, chance)
        os.close(fd)

    def _leave(self, inode: int, target: Path, chance: random.Random) -> None:
        written = self._listing(Path(f"/proc/self/fd/{self._held[inode]}"))
        synced = self._names.get(inode, {})
        for name in sorted(written.keys() | synced.keys()):
            before, after = synced.get(name), written.get(name)
            found = before if before == after or chance.random() < 0.5 else after
            if found is None:
                continue
            if stat.S_ISDIR(os.fstat(self._held[found]).st_mode):
                (target / name).mkdir()
                self._leave(found, target / name, chance)
            else:
                now = Path(f"/proc/self/fd/{self._held[found]}").read_bytes()
                (target / name).write_bytes(mixture(self._content.get(found, b""), now, chance))


def mixture(synced: bytes, written: bytes, chance: random.Random) -> bytes:
    """What may be on the disk of a file that held `synced` when it was synced and `written` in the end."""
    if synced == written:
        return synced
    match chance.randrange(4):
        case 0:
            return synced
        case 1:
            return written
        case 2:
            unit = PAGE_BYTES
        case _:
            unit = SECTOR_BYTES
    shorter, longer = sorted((len(synced), len(written)))
    size = chance.choice((shorter, longer, chance.randint(shorter, longer)))
    synced, written = synced.ljust(longer, b"\0"), written.ljust(longer, b"\0")
    share = chance.random()
    units = (
        (written if chance.random() < share else synced)[position : position + unit]
        for position in range(0, size, unit)
    )
    return b"".join(units)[:size]
