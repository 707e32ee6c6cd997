"""File systems that are small, full, read-only or broken, for brokers that are to meet them.

`SmallDisk` is a tmpfs in a mount namespace of its own, which needs no root where users may make namespaces: a broker
runs `within` it, and the test reaches its files by way of /proc. `BreakableDisk` is an ext4 in a file: it needs root.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from compat_tests.apache_kafka import MissingTool, require_tool

FILL_BYTES = 4096
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, u32): every request fails with EIO from then on
SHUTDOWN_NO_LOG_FLUSH = (2).to_bytes(4, "little")


class SmallDisk:
    """`size_bytes` of disk at `path`, for processes started with `within` before their command. Raises MissingTool."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        path.mkdir()
        own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        mount = 'mount -t tmpfs -o size="$1" small "$2" && echo mounted && exec cat'
        self._holder = subprocess.Popen(
            [require_tool("unshare"), *own_user, "--mount", "sh", "-c", mount, "sh", str(size_bytes), str(path)],
            stdin=subprocess.PIPE,  # the disk is there until we close it, or end
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            errors = self._holder.communicate()[1]
            raise MissingTool(f"the right to mount a tmpfs in a namespace (unshare: {errors.strip()})")
        user = ["--user", "--preserve-credentials"] if own_user else []
        self.within = [require_tool("nsenter"), *user, "--mount", "--target", str(self._holder.pid), "--"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.communicate()

    def seen_from_outside(self, *names: str) -> Path:
        """A file on the disk, for the test."""
        return Path(f"/proc/{self._holder.pid}/root{self.path}", *names)

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Leave no more than `leave_bytes` of room."""
        fd = os.open(self.seen_from_outside("filler"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            with suppress(OSError):
                while self.free_bytes() > leave_bytes:
                    os.write(fd, bytes(FILL_BYTES))
        finally:
            os.close(fd)

    def make_room(self) -> None:
        """Take away what `fill` has put there."""
        self.seen_from_outside("filler").unlink()

    def free_bytes(self) -> int:
        space = os.statvfs(self.seen_from_outside())
        return space.f_bavail * space.f_bsize

    def remount(self, option: str) -> None:
        """`ro` or `rw`."""
        subprocess.run([*self.within, "mount", "-o", f"remount,bind,{option}", str(self.path)], check=True)


class BreakableDisk:
    """A disk at `path` that can be broken under those who use it. Raises MissingTool."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        if os.geteuid() != 0:
            raise MissingTool("root, to mount a file as a disk,")
        self.path = path
        self._image = path.with_suffix(".ext4")
        with self._image.open("wb") as image:
            image.truncate(size_bytes)
        subprocess.run([require_tool("mkfs.ext4"), "-q", str(self._image)], check=True)
        path.mkdir()
        mounted = subprocess.run(["mount", "-o", "loop", str(self._image), str(path)], capture_output=True, text=True)
        if mounted.returncode:
            raise MissingTool(f"a loop device ({mounted.stderr.strip()})")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", str(self.path)], check=True)
        self._image.unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    def break_down(self) -> None:
        """From now on every request fails with EIO, as of a disk that was pulled out."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, SHUTDOWN_NO_LOG_FLUSH)
        finally:
            os.close(fd)

    def abort(self) -> None:
        """Read-only from now on, under those who have files open for writing: what ext4 does after an error."""
        # It fails, as the file system that it remounts is broken by then.
        aborted = subprocess.run(["mount", "-o", "remount,abort", str(self.path)], capture_output=True, text=True)
        number = None
        try:
            self.path.joinpath("probe").touch()
        except OSError as error:
            number = error.errno
        assert number == errno.EROFS, aborted.stderr
