"""Kafka Streams' word count, unmodified, stopped or killed in the middle: every word is counted exactly once.

Streams leans on most of a broker: topics it makes for itself (a repartition topic it truncates by DeleteRecords, a
compacted changelog it restores its store from), groups with its own assignor, idempotence or transactions.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import (
    JVM_FLAGS,
    compiled_java,
    maven_jars,
    require_tool,
)
from compat_tests.broker import Broker
from compat_tests.cluster_view import read_partitions
from compat_tests.conftest import StartBroker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.orphans import dying_with_us
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

NewName = Callable[..., str]
STREAMS_DIRECTORY = Path(__file__).parent / "streams"
LOG_SETTINGS = Path(__file__).parent / "java" / "log4j2.properties"
STOP_SECONDS = 90.0
INPUT_PARTITIONS = 2
WORDS = ["one", "broker", "is", "worth", "what", "its", "log", "is", "worth", "and", "no", "more", "than", "that"]
LINES_A_PART = 150


def classpath() -> str:
    """Streams' jars and the compiled word count. Raises MissingTool."""
    pom = STREAMS_DIRECTORY / "pom.xml"
    return compiled_java("word-count", STREAMS_DIRECTORY / "WordCount.java", pom, maven_jars(pom, "kafka-streams"))


class WordCount:
    """One application in one directory, run several times."""

    def __init__(self, broker: Broker, application_id: str, guarantee: str, directory: Path) -> None:
        self.application_id = application_id
        self.input, self.output = f"{application_id}-input", f"{application_id}-output"
        self.state_directory = directory / "state"
        self.log_file = directory / "word-count.log"
        self.words: Counter[str] = Counter()
        self._broker = broker
        self._guarantee = guarantee
        self._seeded = random.Random(20_261_121)
        self._producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    @contextmanager
    def running(self, *, kill: bool = False) -> Iterator[None]:
        """The application runs within the block; it ends with TERM, which lets it finish, or with KILL."""
        command = [
            *(require_tool("java"), "-Xmx256m", *JVM_FLAGS, f"-Dlog4j2.configurationFile={LOG_SETTINGS}"),
            *("-cp", classpath(), "WordCount", self._broker.bootstrap, self.application_id, self.input, self.output),
            *(self._guarantee, str(self.state_directory)),
        ]
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                dying_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield
            assert process.poll() is None, f"the application ended by itself:\n{self.log_file.read_text()}"
        finally:
            if kill:
                process.kill()
            else:
                process.terminate()
            process.wait(STOP_SECONDS)

    def feed(self) -> None:
        """Send a part of the text."""
        for _ in range(LINES_A_PART):
            line = self._seeded.choices(WORDS, k=5)
            self.words.update(line)
            self._producer.produce(self.input, " ".join(line))
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def counts(self, *, committed_only: bool = True) -> dict[str, list[int]]:
        """What came out of each word, in order."""
        partitions = [(self.output, 0)]
        counts: dict[str, list[int]] = {}
        for record in read_partitions(self._broker, partitions, committed_only=committed_only)[self.output, 0]:
            assert record.key is not None
            assert record.value is not None
            counts.setdefault(record.key.decode(), []).append(int.from_bytes(record.value, "big"))
        return counts

    def expect_all_counted(self) -> None:
        expected = {word: list(range(1, count + 1)) for word, count in self.words.items()}
        counted = self.words.total()
        eventually(
            lambda: sum(map(len, self.counts().values())) >= counted, f"{counted} words counted", pause_seconds=0.2
        )
        assert self.counts() == expected


@pytest.fixture(scope="module")
def streams() -> None:
    need(classpath)


@pytest.fixture
def new_word_count(
    streams: None, start_broker: StartBroker, new_name: NewName, tmp_path: Path
) -> Callable[[str], tuple[Broker, WordCount]]:
    def new(guarantee: str) -> tuple[Broker, WordCount]:
        # The application asks for short sessions, so that the next one need not wait long for a killed one's members.
        broker = start_broker(group_min_session_timeout_ms="1000", transaction_state_log_num_partitions="4")
        application = WordCount(broker, new_name("app"), guarantee, tmp_path)
        admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
        topics = [
            confluent_admin.NewTopic(application.input, INPUT_PARTITIONS, 1),
            confluent_admin.NewTopic(application.output, 1, 1),
        ]
        for created in admin.create_topics(topics).values():
            created.result(PATIENCE_SECONDS)
        return broker, application

    return new


def test_counts_go_on_from_the_changelog_when_the_store_is_lost(
    new_word_count: Callable[[str], tuple[Broker, WordCount]],
) -> None:
    """At least once, stopped in order: nothing is counted twice, though the store has to be read from the broker."""
    broker, application = new_word_count("at_least_once")
    application.feed()
    with application.running():
        application.expect_all_counted()
    shutil.rmtree(application.state_directory)
    application.feed()
    with application.running():
        application.expect_all_counted()
    changelog = f"{application.application_id}-counts-changelog"
    policy = topic_settings(broker, changelog)["cleanup.policy"]
    assert policy == "compact"


def test_exactly_once_survives_the_death_of_the_application_and_of_the_broker(
    new_word_count: Callable[[str], tuple[Broker, WordCount]],
) -> None:
    broker, application = new_word_count("exactly_once_v2")
    application.feed()
    with application.running(kill=True):
        eventually(lambda: application.counts(committed_only=False), "something has been counted")
        application.feed()
    application.feed()
    with application.running():
        application.expect_all_counted()
        application.feed()
        broker.stop(kill=True)  # while it counts
        broker.start()
        application.feed()
        application.expect_all_counted()


def topic_settings(broker: Broker, topic: str) -> dict[str, Any]:
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    resource = confluent_admin.ConfigResource(confluent_admin.ResourceType.TOPIC, topic)
    described = admin.describe_configs([resource])[resource].result(PATIENCE_SECONDS)
    return {name: entry.value for name, entry in described.items()}
