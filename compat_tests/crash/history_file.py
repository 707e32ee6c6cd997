"""A history for `kafkapy check`, written by many threads while things happen."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class HistoryFile:
    """One JSON object a line, in the order of one clock; the format is docs/checking-histories.md."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged_count = 0
        self.transactions_ended = 0
        self.polled_count = 0
        self._file = path.open("w")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def event(self, process: str, kind: str, function: str, **fields: object) -> None:
        with self._lock:  # time and place in the file must agree
            line = {"time": time.monotonic_ns(), "process": process, "type": kind, "f": function, **fields}
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            if kind == "ok":
                self.acknowledged_count += function == "send"
                self.transactions_ended += function == "end"
                records = fields.get("records")
                self.polled_count += len(records) if isinstance(records, list) else 0
