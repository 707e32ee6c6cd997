"""Kafka Streams applications in streams groups, in a JVM of their own; see streams/StreamsGroups.java."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, maven_jars, require_tool
from compat_tests.broker import Reachable
from compat_tests.cluster_view import read_partitions
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.orphans import dying_with_us
from kafkapy_wire.partitioner import partition_for_key

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

STREAMS_DIRECTORY = Path(__file__).parent / "streams"
LOG_SETTINGS = Path(__file__).parent / "java" / "log4j2.properties"
PARTITIONS = 2
WORDS = ["one", "broker", "is", "worth", "what", "its", "log", "is", "worth", "and", "no", "more", "than", "that"]
LINES_A_PART = 30
ALL_TASKS = "0_0,0_1,1_0,1_1"

# Brokers that notice at once who comes and goes.
SETTINGS = {
    "group.streams.min.heartbeat.interval.ms": "100",
    "group.streams.heartbeat.interval.ms": "200",
    "group.streams.min.session.timeout.ms": "1000",
    "group.streams.session.timeout.ms": "3000",
    "group.streams.initial.rebalance.delay.ms": "0",
    "group.streams.assignment.interval.ms": "0",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
}


def classpath() -> str:
    """Streams' jars and the compiled program. Raises MissingTool."""
    pom = STREAMS_DIRECTORY / "pom.xml"
    source = STREAMS_DIRECTORY / "StreamsGroups.java"
    return compiled_java("streams-groups", source, pom, maven_jars(pom, "kafka-streams"))


class StreamsProcess:
    """A JVM that runs instances of applications."""

    def __init__(self, bootstrap: str, state_directory: Path) -> None:
        self._command = [
            *(require_tool("java"), "-Xmx256m", *JVM_FLAGS, f"-Dlog4j2.configurationFile={LOG_SETTINGS}"),
            *("-cp", classpath(), "StreamsGroups", bootstrap, str(state_directory)),
        ]

    def __enter__(self) -> Self:
        self._log = tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".log")
        self._process = subprocess.Popen(
            dying_with_us(self._command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._log, self._process:
            self._process.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def tell(self, *words: str) -> str:
        """The answer to a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, sep="\t", file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline().removesuffix("\n")
        if not answer or answer.startswith("failed"):
            raise AssertionError(f"{words}: {answer or 'the JVM ended'}\n{self.log()}")
        return answer

    def log(self) -> str:
        """What the JVM printed so far."""
        return Path(self._log.name).read_text("utf-8")


class Application:
    """One application: its topics, what went in, and what has to come out."""

    def __init__(self, broker: Reachable, application_id: str, replication_factor: int = 1) -> None:
        self.application_id = application_id
        self.lines, self.labels, self.output = (f"{application_id}-{topic}" for topic in ("lines", "labels", "out"))
        self.words: Counter[str] = Counter()
        self._broker = broker
        self._seeded = random.Random(20_261_128)
        self._producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
        topics = [
            confluent_admin.NewTopic(self.lines, PARTITIONS, replication_factor),
            confluent_admin.NewTopic(self.labels, PARTITIONS, replication_factor),
            confluent_admin.NewTopic(self.output, 1, replication_factor),
        ]
        for created in admin.create_topics(topics).values():
            created.result(PATIENCE_SECONDS)
        for word in set(WORDS):
            # As Kafka's own producer: a label has to be in the partition of its word.
            self._producer.produce(
                self.labels, word.upper(), word, partition=partition_for_key(word.encode(), PARTITIONS)
            )
        self._flush()

    def feed(self) -> None:
        """Send a part of the text."""
        for number in range(LINES_A_PART):
            line = self._seeded.choices(WORDS, k=5)
            self.words.update(line)
            self._producer.produce(self.lines, " ".join(line), partition=number % PARTITIONS)
        self._flush()

    def feed_poison(self) -> None:
        """A line at which the instance that reads it asks all to end."""
        self._producer.produce(self.lines, "poison", partition=0)
        self._flush()

    def _flush(self) -> None:
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def output_of_words(self) -> dict[str, list[str]]:
        """What came out of each word in committed transactions, in order."""
        partition = (self.output, 0)
        found: dict[str, list[str]] = {}
        for record in read_partitions(self._broker, [partition], committed_only=True)[partition]:
            assert record.key is not None
            assert record.value is not None
            found.setdefault(record.key.decode(), []).append(record.value.decode())
        return found

    def expect_all_counted(self, times: int = 1, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Each word exactly once, with its label; `times`: the text was read so often, from its beginning."""
        expected = {
            word: [f"{word.upper()} {number}" for number in range(1, count + 1)] * times
            for word, count in self.words.items()
        }
        wanted = self.words.total() * times
        eventually(
            lambda: sum(map(len, self.output_of_words().values())) >= wanted,
            f"{wanted} words counted",
            seconds=seconds,
            pause_seconds=0.1,
        )
        assert self.output_of_words() == expected


def described(process: StreamsProcess, application: Application) -> tuple[str, list[list[str]]]:
    """State, epochs and subtopologies of the group, and of each member what it has."""
    words = process.tell("describe", application.application_id).split(" ")
    return " ".join(words[:5]), [word.split("/") for word in words[5:]]
