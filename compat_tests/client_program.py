"""A client of another language: a program with the command line that `go/main.go` describes."""

from __future__ import annotations

import base64
import itertools
import json
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compat_tests.deadlines import PATIENCE_SECONDS, eventually

PROGRAM_TIMEOUT_SECONDS = 60.0  # above the programs' own patience, so that they say what they were waiting for


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the programs are told it and tell it; `offset` only means something in what was consumed."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    partition: int = 0
    offset: int = field(default=-1, compare=False)

    def to_line(self) -> str:
        return json.dumps(
            {
                "partition": self.partition,
                "timestamp": self.timestamp,
                "key": _base64(self.key),
                "value": _base64(self.value),
                "headers": [{"key": key, "value": _base64(value)} for key, value in self.headers],
            }
        )

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        return cls(
            value=_bytes(line["value"]),
            key=_bytes(line["key"]),
            headers=tuple((header["key"], _bytes(header["value"])) for header in line["headers"]),
            timestamp=line["timestamp"],
            partition=line["partition"],
            offset=line["offset"],
        )


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one produced record; `error` is Kafka's error code."""

    partition: int
    offset: int
    error: int


class LinesOf:
    """A running program and the JSON lines it printed so far."""

    def __init__(self, command: Sequence[str], output: Path, *, stdin: int = subprocess.DEVNULL) -> None:
        self._output = output
        self._errors = output.with_suffix(".errors")
        with output.open("wb") as stdout, self._errors.open("wb") as stderr:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def lines(self) -> list[dict[str, Any]]:
        # A line that a killed process did not finish says nothing.
        whole, _, _ = self._output.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def errors(self) -> str:
        return self._errors.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9, when it still runs."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)


class Member(LinesOf):
    """One member of a consumer group."""

    @property
    def assigned(self) -> list[int]:
        return next((line["assigned"] for line in reversed(self.lines()) if "assigned" in line), [])

    @property
    def assignments(self) -> list[list[int]]:
        """What it was assigned, one after the other; to be told the same again is nothing new."""
        told = [line["assigned"] for line in self.lines() if "assigned" in line]
        return [assigned for assigned, _ in itertools.groupby(told)]

    @property
    def values(self) -> list[str]:
        return [line["value"] for line in self.lines() if "value" in line]

    def leave(self) -> None:
        """TERM: it closes its consumer, which says goodbye to the group."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.errors()


class ProducerProgram(LinesOf):
    """A producer that takes records while it runs."""

    def __init__(self, command: Sequence[str], output: Path) -> None:
        super().__init__(command, output, stdin=subprocess.PIPE)

    def send(self, records: Iterable[Record]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(record.to_line() + "\n" for record in records).encode())
        self.process.stdin.flush()

    def outcomes(self) -> list[Outcome]:
        return [Outcome(**line) for line in self.lines()]

    def finish(self) -> list[Outcome]:
        """Every outcome, once it has sent all it was given."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(PROGRAM_TIMEOUT_SECONDS) == 0, self.errors()
        return self.outcomes()


class ClientProgram:
    """`command` is the program and which of its clients to be; `work` a directory for what it prints."""

    def __init__(self, command: Sequence[str], work: Path) -> None:
        self._command = tuple(command)
        self._work = work
        self._outputs = 0

    def produce(self, bootstrap: str, topic: str, records: Iterable[Record], codec: str = "none") -> list[Outcome]:
        lines = "".join(record.to_line() + "\n" for record in records)
        return [Outcome(**line) for line in self._run("produce", bootstrap, topic, codec, stdin=lines)]

    def consume(self, bootstrap: str, topic: str, count: int, from_timestamp_ms: int | None = None) -> list[Record]:
        """`count` records by partition and offset, from the beginning or from a time on."""
        start = "earliest" if from_timestamp_ms is None else str(from_timestamp_ms)
        records = [Record.from_json(line) for line in self._run("consume", bootstrap, topic, str(count), start)]
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def create(self, bootstrap: str, topic: str, partition_count: int) -> None:
        """A new topic; returns when the broker names all its partitions."""
        self._run("create", bootstrap, topic, str(partition_count))

    def admin(self, bootstrap: str, topic: str, group: str, timestamp_ms: int) -> dict[str, Any]:
        (round_,) = self._run("admin", bootstrap, topic, group, str(timestamp_ms))
        return round_

    @contextmanager
    def producing(self, bootstrap: str, topic: str, codec: str = "none") -> Iterator[ProducerProgram]:
        with ProducerProgram([*self._command, "produce", bootstrap, topic, codec], self._output_file()) as program:
            yield program

    @contextmanager
    def member(
        self, bootstrap: str, group: str, topic: str, *, session_timeout_ms: int = 10_000, instance_id: str = ""
    ) -> Iterator[Member]:
        instance = (instance_id,) if instance_id else ()
        command = [*self._command, "member", bootstrap, group, topic, str(session_timeout_ms), *instance]
        with Member(command, self._output_file()) as member:
            yield member
            assert member.process.poll() in (None, 0, -signal.SIGKILL), member.errors()

    def _output_file(self) -> Path:
        self._outputs += 1
        return self._work / f"program-{self._outputs}.jsonl"

    def _run(self, *arguments: str, stdin: str = "") -> list[dict[str, Any]]:
        result = subprocess.run(
            [*self._command, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=PROGRAM_TIMEOUT_SECONDS,
        )
        assert result.returncode == 0, f"{arguments[0]} failed:\n{result.stderr}{result.stdout[-2_000:]}"
        return [json.loads(line) for line in result.stdout.splitlines()]


def settled(members: Sequence[Member], partition_count: int) -> bool:
    """Whether the members have all partitions among them, each its fair share."""
    assigned = [member.assigned for member in members]
    fair = {partition_count // len(members), -(-partition_count // len(members))}
    return (
        sorted(p for given in assigned for p in given) == list(range(partition_count))
        and {len(given) for given in assigned} <= fair
    )


def until_settled(members: Sequence[Member], partition_count: int) -> None:
    eventually(
        lambda: settled(members, partition_count),
        f"{len(members)} members share {partition_count} partitions: {[m.errors() for m in members]}",
    )


def until_delivered(producer: ProducerProgram, count: int) -> None:
    eventually(lambda: len(producer.outcomes()) >= count, f"{count} outcomes; {producer.errors()}")
