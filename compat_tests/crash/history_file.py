"""A history for `kafkapy check`, written by many threads and processes while things happen."""

from __future__ import annotations

import heapq
import json
import os
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

TAIL_BYTES = 65_536


class HistoryFile:
    """One JSON object a line, sorted by time; the format is docs/checking-histories.md.

    Each line is in the file when `event` returns: a process that dies has told all that it had to tell. The clock is
    the machine's, so that the files of several processes can be merged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.polled_count = 0
        self.acknowledged_at: dict[str, int] = {}
        """When each process had a send acknowledged last, by the clock of the lines."""
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def event(self, process: str, kind: str, function: str, **fields: object) -> None:
        with self._lock:  # time and place in the file must agree
            now = time.monotonic_ns()
            if kind == "ok" and function == "send":
                self.acknowledged_at[process] = now
            line = {"time": now, "process": process, "type": kind, "f": function, **fields}
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            records = fields.get("records")
            self.polled_count += len(records) if isinstance(records, list) else 0


def merge_histories(parts: Iterable[Path], path: Path) -> None:
    """All lines of `parts`, sorted by time, into `path`."""
    with ExitStack() as opened:
        files = [opened.enter_context(part.open()) for part in parts]
        with path.open("w") as merged:
            merged.writelines(heapq.merge(*files, key=_time))


def last_acknowledged(path: Path) -> int:
    """When the writer of that file had a send acknowledged last; 0: not among its last lines."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        _, *lines = file.read().decode().splitlines()
    return max((_time(line) for line in lines if '"type":"ok","f":"send"' in line), default=0)


def _time(line: str) -> int:
    return int(line[len('{"time":') : line.index(",")])
