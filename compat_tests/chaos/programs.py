"""Clients that are programs of other languages; what they print becomes lines of the history."""

from __future__ import annotations

import json
import subprocess
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from compat_tests import client_login
from compat_tests.apache_kafka import VERIFIABLE_CONSUMER, VERIFIABLE_PRODUCER, java_command
from compat_tests.client_program import Record
from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.orphans import dying_with_us

END_SECONDS_MAX = 90.0
OUTSTANDING_MAX = 200
JAVA_SENDS_A_SECOND = 40
JAVA_PRODUCER_SETTINGS = "retries=2147483647\nenable.idempotence=true\nretry.backoff.ms=50\nreconnect.backoff.ms=20\n"


class Program(Client):
    """A program that prints a JSON object a line. Within `directory` is what it prints."""

    USER = "producer"

    def __init__(self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, directory: Path) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.bootstrap = bootstrap
        self.directory = directory
        self._output = directory / f"{name}.jsonl"
        self._errors = directory / f"{name}.errors"
        self._reading: IO[bytes] | None = None
        self._rest = b""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def heard(self, line: dict[str, Any]) -> None:
        """The program has printed this."""

    def open(self) -> None:
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                dying_with_us(list(self.command())),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                env=client_login.environment(self.USER),
            )
        self._reading = self._output.open("rb")

    def step(self) -> None:
        self.hear()
        if self.process.poll() is not None and not self.stopping.is_set():
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self._said()}")
        self.pause(0.05)

    def hear(self) -> None:
        assert self._reading is not None
        *lines, self._rest = (self._rest + self._reading.read()).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self.heard(json.loads(line))

    def close(self) -> None:
        """The end of its input or SIGTERM, whichever it obeys, and all that it has still to say."""
        self.ask_to_end()
        try:
            self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} does not end: {self._said()}") from None
        finally:
            self.hear()
            assert self.process.stdin is not None
            self.process.stdin.close()
            assert self._reading is not None
            self._reading.close()

    def ask_to_end(self) -> None:
        self.process.terminate()

    def properties_file(self, more: str = "") -> str:
        """The path of a file with settings of Java's clients: how it logs in, and `more`."""
        file = self.directory / f"{self.name}.properties"
        file.write_text(more + client_login.properties(client_login.java(self.USER)))
        return str(file)

    def _said(self) -> str:
        return self._errors.read_text(errors="replace")[-1000:]


class ProducingProgram(Program):
    """An idempotent producer with the command line of go/main.go: it tells the outcomes of a partition in order."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        directory: Path,
        program: Sequence[str],
        topic: str,
        partitions: int,
    ) -> None:
        super().__init__(name, bootstrap, history, seed, directory=directory)
        self._program = program
        self._topic = topic
        self._open: list[deque[str]] = [deque() for _ in range(partitions)]
        self._sent = 0

    def command(self) -> Sequence[str]:
        return [*self._program, "produce", self.bootstrap, self._topic, "none"]

    def step(self) -> None:
        super().step()
        if sum(map(len, self._open)) < OUTSTANDING_MAX:
            lines = []
            for _ in range(self.random.randint(1, 6)):
                partition, value = self.random.randrange(len(self._open)), f"{self.name}-{self._sent}"
                self._sent += 1
                self._open[partition].append(value)
                self.note("invoke", "send", topic=self._topic, partition=partition, value=value)
                lines.append(Record(value.encode(), partition=partition).to_line() + "\n")
            assert self.process.stdin is not None
            self.process.stdin.write("".join(lines).encode())
            self.process.stdin.flush()

    def heard(self, line: dict[str, Any]) -> None:
        partition = line["partition"]
        value = self._open[partition].popleft()
        if line["error"]:
            self.note("info", "send", topic=self._topic, partition=partition, value=value, error=line["error"])
        else:
            self.note("ok", "send", topic=self._topic, partition=partition, value=value, offset=line["offset"])

    def ask_to_end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


class JavaProducer(Program):
    """kafka-verifiable-producer, as an idempotent producer. Its values are known before: NUMBER.0, NUMBER.1, ..."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        directory: Path,
        topic: str,
        number: int,
        seconds: float,
    ) -> None:
        super().__init__(name, bootstrap, history, seed, directory=directory)
        self._topic = topic
        self._number = number
        self._count = int((seconds + END_SECONDS_MAX) * JAVA_SENDS_A_SECOND)

    def command(self) -> Sequence[str]:
        return java_command(
            *(VERIFIABLE_PRODUCER, "--bootstrap-server", self.bootstrap, "--topic", self._topic),
            *("--value-prefix", str(self._number), "--throughput", str(JAVA_SENDS_A_SECOND)),
            *("--max-messages", str(self._count), "--command-config", self.properties_file(JAVA_PRODUCER_SETTINGS)),
        )

    def open(self) -> None:
        for n in range(self._count):
            self.note("invoke", "send", topic=self._topic, partition=None, value=f"{self._number}.{n}")
        super().open()

    def heard(self, line: dict[str, Any]) -> None:
        match line["name"]:
            case "producer_send_success":
                place = {"partition": line["partition"], "offset": line["offset"]}
                self.note("ok", "send", topic=self._topic, value=line["value"], **place)
            case "producer_send_error":
                self.note("info", "send", topic=self._topic, value=line["value"], error=line["exception"])


class JavaConsumer(Program):
    """kafka-verifiable-consumer in a group of its own."""

    USER = "reader"

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, directory: Path, topic: str, group: str
    ) -> None:
        super().__init__(name, bootstrap, history, seed, directory=directory)
        self._topic = topic
        self._group = group

    def command(self) -> Sequence[str]:
        return java_command(
            *(VERIFIABLE_CONSUMER, "--bootstrap-server", self.bootstrap, "--topic", self._topic),
            *("--group-id", self._group, "--verbose", "--session-timeout", "6000"),
            *("--command-config", self.properties_file()),
        )

    def open(self) -> None:
        self.note("ok", "subscribe", group=self._group, topics=[self._topic], isolation="read_uncommitted")
        super().open()

    def heard(self, line: dict[str, Any]) -> None:
        match line["name"]:
            case "record_data":
                record = line["topic"], line["partition"], line["offset"], line["value"]
                self.note("ok", "poll", records=[record])
            case "partitions_revoked" | "partitions_assigned":
                self.note("ok", "poll", records=[], rebalanced=True)


class KcatProducer(Client):
    """kcat, started anew for a few records each time. It says of all of them together whether they were delivered."""

    USER = client_login.KCAT

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, kcat: str, topic: str, partitions: int
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        settings = {"enable.idempotence": "true", **client_login.librdkafka(self.USER)}
        options = [option for name_value in settings.items() for option in ("-X", "=".join(name_value))]
        self._command = [kcat, "-b", bootstrap, "-P", "-t", topic, *options, "-q"]
        self._topic = topic
        self._partitions = partitions
        self._sent = 0

    def open(self) -> None: ...

    def step(self) -> None:
        partition = self.random.randrange(self._partitions)
        values = [f"{self.name}-{self._sent + n}" for n in range(self.random.randint(1, 5))]
        self._sent += len(values)
        for value in values:
            self.note("invoke", "send", topic=self._topic, partition=partition, value=value)
        done = subprocess.run(
            [*self._command, "-p", str(partition), "-X", "message.timeout.ms=30000"],
            input="\n".join(values) + "\n",
            capture_output=True,
            encoding="utf-8",
            timeout=END_SECONDS_MAX,
        )
        for value in values:
            kind = "info" if done.returncode else "ok"
            self.note(kind, "send", topic=self._topic, partition=partition, value=value)
        self.pause(self.random.uniform(0.1, 0.5))

    def close(self) -> None: ...
