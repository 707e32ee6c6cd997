"""Histories by hand: one call a line, time running by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kafkapy.history import Verdict, check_history

TOPIC = "orders"
Place = tuple[int, int]  # partition, offset
Seen = tuple[int, int, str]  # partition, offset, value


class History:
    """A history that grows; every method returns the number of its last line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def event(self, process: int | str, kind: str, function: str, **fields: object) -> int:
        line = {"time": len(self.lines) + 1, "process": process, "type": kind, "f": function, **fields}
        self.lines.append(json.dumps(line))
        return len(self.lines)

    def send(self, process: int | str, value: str, partition: int, offset: int | None, end: str = "ok") -> int:
        """A send and its end; `end` "" leaves it open."""
        number = self.event(process, "invoke", "send", topic=TOPIC, partition=partition, value=value)
        if end:
            place = {} if offset is None else {"offset": offset}
            number = self.event(process, end, "send", topic=TOPIC, partition=partition, value=value, **place)
        return number

    def poll(self, process: int | str, *seen: Seen, committed: bool = False, **flags: bool) -> int:
        isolation = "read_committed" if committed else "read_uncommitted"
        records = [[TOPIC, *record] for record in seen]
        return self.event(process, "ok", "poll", records=records, isolation=isolation, **flags)

    def begin(self, process: int | str) -> int:
        return self.event(process, "ok", "begin")

    def ask(self, process: int | str, *, commit: bool = True) -> int:
        return self.event(process, "invoke", "end", commit=commit)

    def end(self, process: int | str, kind: str = "ok", *, commit: bool = True) -> int:
        """The request and the answer."""
        self.ask(process, commit=commit)
        return self.event(process, kind, "end", commit=commit)

    def commit(self, process: int | str, group: str, offset: int, end: str = "ok", partition: int = 0) -> int:
        number = self.event(process, "invoke", "commit", group=group, offsets=[[TOPIC, partition, offset]])
        return self.event(process, end, "commit") if end else number

    def resume(self, process: int | str, group: str, offset: int | None, partition: int = 0) -> int:
        self.event(process, "invoke", "resume")
        return self.event(process, "ok", "resume", group=group, offsets=[[TOPIC, partition, offset]])

    def check(self) -> Verdict:
        return check_history(self.lines)

    def found(self) -> dict[str, int]:
        return self.check().findings.counts


def sent(values: Sequence[str], partition: int = 0, process: int | str = 0) -> History:
    """A history in which one process sent these values, all acknowledged, at offsets from 0."""
    history = History()
    for offset, value in enumerate(values):
        history.send(process, value, partition, offset)
    return history
