"""A disk that refuses: system calls that write, counted, and failing with an error number at a chosen call.

A write that fails has taken half of its bytes before, as a disk does that is nearly full.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

MAKES_OR_WRITES = os.O_CREAT | os.O_WRONLY | os.O_RDWR


class FailingDisk:
    """Fails no call as long as `fails_at` is None. `call_count`: calls so far that could have failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.call_count = 0
        self.error_number = 0
        self.fails_at: int | None = None
        self.recovers = True
        """Whether the calls after the one that failed succeed."""
        self.failed_calls: list[str] = []
        self._pwrite = os.pwrite
        self._write = os.write
        for name in ("ftruncate", "rename", "replace", "mkdir"):
            monkeypatch.setattr(os, name, self._failing(name, getattr(os, name)))
        for name in ("fsync", "fdatasync"):  # nobody pulls the plug here, so that there is nothing to wait for
            monkeypatch.setattr(os, name, self._failing(name, lambda _fd: None))
        monkeypatch.setattr(os, "open", self._failing_open(os.open))
        monkeypatch.setattr(os, "pwritev", self._failing_pwritev(os.pwritev))
        monkeypatch.setattr(os, "pwrite", self._failing_write("pwrite", self._pwrite))
        monkeypatch.setattr(os, "write", self._failing_write("write", self._write))

    def fail_at(self, call: int, error_number: int, *, recovers: bool) -> None:
        """Have call number `call` from now on fail, and with `recovers` False all after it."""
        self.call_count = 0
        self.fails_at, self.error_number, self.recovers = call, error_number, recovers
        self.failed_calls.clear()

    def fail_never(self) -> None:
        self.fails_at = None

    def _fails(self, name: str) -> bool:
        self.call_count += 1
        if self.fails_at is None or self.call_count < self.fails_at:
            return False
        if self.recovers and self.call_count > self.fails_at:
            return False
        self.failed_calls.append(name)
        return True

    def _error(self) -> OSError:
        return OSError(self.error_number, os.strerror(self.error_number))

    def _failing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if self._fails(name):
                raise self._error()
            return real(*arguments, **named)

        return call

    def _failing_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
            if flags & MAKES_OR_WRITES and self._fails("open"):
                raise self._error()
            return real(path, flags, *arguments, **named)

        return call

    def _failing_pwritev(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
            if self._fails("pwritev"):
                whole = b"".join(buffers)
                self._pwrite(fd, whole[: len(whole) // 2], offset)
                raise self._error()
            return real(fd, buffers, offset)

        return call

    def _failing_write(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(fd: int, data: bytes | memoryview, *offset: int) -> int:
            if self._fails(name):
                real(fd, data[: len(data) // 2], *offset)
                raise self._error()
            return real(fd, data, *offset)

        return call
