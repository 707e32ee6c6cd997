"""JSON lines -> observations. docs/checking-histories.md is the format's description; this is its only reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NoReturn

from kafkapy.history.observations import HistoryError, Observations, Process
from kafkapy.history.records import Value
from kafkapy.history.transactions import Outcome

__all__ = ["read_history"]

Event = dict[str, object]

_TYPES = ("invoke", "ok", "fail", "info")
_OUTCOMES = {"ok": Outcome.COMMITTED, "fail": Outcome.ABORTED, "info": Outcome.UNKNOWN}
_DONE: dict[str, bool | None] = {"ok": True, "fail": False, "info": None}
_ISOLATIONS = {"read_committed": True, "read_uncommitted": False}


def read_history(lines: Iterable[str | bytes]) -> Observations:
    """All that the lines tell; empty lines are passed over. Raises HistoryError: which line cannot be used, and why."""
    reader = _Reader()
    number = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            event = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise HistoryError(number, f"is not JSON: {error}") from error
        if type(event) is not dict:
            raise HistoryError(number, "is not a JSON object")
        reader.read(number, event)
    if not reader.event_count:
        raise HistoryError(number + 1, "the history ends here, with nothing in it")
    reader.observations.finished()
    return reader.observations


class _Reader:
    def __init__(self) -> None:
        self.observations = Observations()
        self.event_count = 0
        self._time: int | float = 0
        self._time_line = 0
        self._kinds: dict[str, Callable[[int, Event, str, Process], None]] = {
            "send": self._send,
            "poll": self._poll,
            "subscribe": self._subscribe,
            "assign": self._assign,
            "resume": self._resume,
            "commit": self._commit,
            "begin": self._begin,
            "end": self._end,
            "crash": self._crash,
        }

    def read(self, line: int, event: Event) -> None:
        name = event.get("process")
        if type(name) is int:
            name = str(name)
        elif type(name) is not str:
            _refuse(line, event, "process", "an integer or a string")
        time = event.get("time")
        if type(time) is not int and type(time) is not float:
            _refuse(line, event, "time", "a number")
        if time < self._time:
            raise HistoryError(
                line,
                f"time {time} is before that of line {self._time_line}, {self._time}: lines must be sorted by time",
            )
        self._time, self._time_line = time, line
        kind = event.get("type")
        if kind not in _TYPES or type(kind) is not str:
            _refuse(line, event, "type", "one of invoke, ok, fail, info")
        function = event.get("f")
        if type(function) is not str or function not in self._kinds:
            _refuse(line, event, "f", f"one of {', '.join(self._kinds)}")
        process = self.observations.process(name)
        self._kinds[function](line, event, kind, process)
        process.last_line = line
        self.event_count += 1

    def _send(self, line: int, event: Event, kind: str, process: Process) -> None:
        topic = event.get("topic")
        if type(topic) is not str:
            _refuse(line, event, "topic", "a string")
        value = event.get("value")
        if type(value) is not str and type(value) is not int:
            _refuse(line, event, "value", "a string or an integer")
        partition = event.get("partition")
        if partition is not None and (type(partition) is not int or partition < 0):
            _refuse(line, event, "partition", "a number from 0, or null")
        if kind == "invoke":
            self.observations.send_invoked(line, process, topic, partition, value)
            return
        offset = event.get("offset")
        if offset is not None and (type(offset) is not int or offset < 0):
            _refuse(line, event, "offset", "a number from 0, or null")
        place = None if partition is None else (partition, offset)
        if partition is None and offset is not None:
            raise HistoryError(line, "an offset needs its partition")
        self.observations.send_ended(line, topic, value, written=_DONE[kind], place=place)

    def _poll(self, line: int, event: Event, kind: str, process: Process) -> None:
        polled = event.get("records", [])
        if kind in ("invoke", "fail") or (kind == "info" and not polled):
            return  # nothing was seen
        if type(polled) is not list:
            _refuse(line, event, "records", "a list")
        records: list[tuple[str, int, int, Value]] = []
        for item in polled:
            if type(item) is not list or len(item) != 4:
                raise HistoryError(line, f"{item!r} is not [topic, partition, offset, value]")
            topic, partition, offset, value = item
            if (
                type(topic) is not str
                or type(partition) is not int
                or type(offset) is not int
                or partition < 0
                or offset < 0
                or (type(value) is not str and type(value) is not int)
            ):
                raise HistoryError(line, f"{item!r} is not [topic, partition, offset, value]")
            records.append((topic, partition, offset, value))
        committed = _isolation(line, event) if "isolation" in event else process.committed
        self.observations.polled(
            line,
            process,
            records,
            committed=committed,
            final=_flag(line, event, "final"),
            rebalanced=_flag(line, event, "rebalanced"),
        )

    def _subscribe(self, line: int, event: Event, kind: str, process: Process) -> None:
        if kind == "ok":
            self.observations.subscribed(process, _text(line, event, "group"), _isolation(line, event))

    def _assign(self, line: int, event: Event, kind: str, process: Process) -> None:
        if kind == "ok":
            group = _text(line, event, "group") if "group" in event else ""
            partitions = _offsets(line, event, "partitions")
            self.observations.assigned(line, process, group, _isolation(line, event), partitions)

    def _resume(self, line: int, event: Event, kind: str, process: Process) -> None:
        if kind == "invoke":
            self.observations.resume_invoked(line, process)
        elif kind == "ok":
            offsets = _offsets(line, event, "offsets")
            self.observations.resumed(line, process, _text(line, event, "group"), offsets)

    def _commit(self, line: int, event: Event, kind: str, process: Process) -> None:
        if kind == "invoke":
            offsets = _offsets(line, event, "offsets")
            self.observations.commit_invoked(line, process, _text(line, event, "group"), offsets)
        else:
            self.observations.commit_ended(line, process, _OUTCOMES[kind])

    def _begin(self, line: int, _event: Event, kind: str, process: Process) -> None:
        if kind == "ok":
            self.observations.began(line, process)

    def _end(self, line: int, event: Event, kind: str, process: Process) -> None:
        if type(event.get("commit")) is not bool:
            _refuse(line, event, "commit", "true or false")
        commit = event["commit"] is True
        if kind == "invoke":
            self.observations.end_invoked(line, process, commit=commit)
        else:
            self.observations.ended(line, process, _DONE[kind], commit=commit)

    def _crash(self, _line: int, _event: Event, _kind: str, process: Process) -> None:
        self.observations.crashed(process)


def _refuse(line: int, event: Event, field: str, expected: str) -> NoReturn:
    found = f"{event[field]!r} is not" if field in event else "is missing: it must be"
    raise HistoryError(line, f'"{field}" {found} {expected}')


def _text(line: int, event: Event, field: str) -> str:
    text = event.get(field)
    if type(text) is not str:
        _refuse(line, event, field, "a string")
    return text


def _flag(line: int, event: Event, field: str) -> bool:
    flag = event.get(field, False)
    if type(flag) is not bool:
        _refuse(line, event, field, "true or false")
    return flag


def _isolation(line: int, event: Event) -> bool:
    """Whether it is read_committed. Kafka's consumers read uncommitted records when they are told nothing."""
    isolation = event.get("isolation", "read_uncommitted")
    if type(isolation) is not str or isolation not in _ISOLATIONS:
        _refuse(line, event, "isolation", "read_committed or read_uncommitted")
    return _ISOLATIONS[isolation]


def _offsets(line: int, event: Event, field: str) -> list[tuple[str, int, int | None]]:
    """Lists of [topic, partition, offset]; offset null or left out: none."""
    items = event.get(field)
    if type(items) is not list:
        _refuse(line, event, field, "a list")
    offsets: list[tuple[str, int, int | None]] = []
    for item in items:
        if type(item) is not list or len(item) not in (2, 3):
            raise HistoryError(line, f"{item!r} is not [topic, partition, offset]")
        topic, partition, offset = item if len(item) == 3 else (*item, None)
        if (
            type(topic) is not str
            or type(partition) is not int
            or partition < 0
            or (offset is not None and (type(offset) is not int or offset < 0))
        ):
            raise HistoryError(line, f"{item!r} is not [topic, partition, offset]")
        offsets.append((topic, partition, offset))
    return offsets
