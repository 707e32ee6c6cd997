"""The part of the workload whose logs are cleaned under the kills: its topics, clients, judges, and proof of cleaning.

Compacted: a topic of idempotent and transactional writers, and both topics of the coordinators. Retained: a topic of
which retention and DeleteRecords take the oldest records. Segments are as small as can be, and the cleaner never rests.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from compat_tests.crash.client_ends import client_ends
from compat_tests.crash.client_process import ClientProcess
from compat_tests.crash.clients import Client, IdempotentProducer
from compat_tests.crash.compacted import KeyedProducer, TableReader
from compat_tests.crash.compaction_judge import CompactionJudge
from compat_tests.crash.history_file import HistoryFile, merge_histories
from compat_tests.crash.retained import LeftoverReader, RecordDeleter
from compat_tests.crash.retention_judge import RetentionJudge

COMPACTED = "compacted"
RETAINED = "retained"
COORDINATORS_TOPICS = ("__consumer_offsets", "__transaction_state")
COMPACTED_TOPICS = (COMPACTED, *COORDINATORS_TOPICS)
PARTITIONS = 2
COORDINATORS_PARTITIONS = 4
DELETE_RETENTION_MS = 1500
RETENTION_BYTES = 16_384
SETTINGS = {
    "log.cleaner.backoff.ms": "20",
    "log.cleaner.min.cleanable.ratio": "0.01",
    "log.cleaner.delete.retention.ms": str(DELETE_RETENTION_MS),
    "log.initial.task.delay.ms": "50",
    "log.retention.check.interval.ms": "100",
    "log.segment.delete.delay.ms": "300",
}
SMALL_SEGMENTS = {"internal.segment.bytes": "4096", "segment.ms": "500"}
AIM_SECONDS_MAX = 1.0


def create_topics(bootstrap: str) -> None:
    """Those of the coordinators too, before they are used: their `segment.bytes` cannot be small enough."""
    compacted = {**SMALL_SEGMENTS, "cleanup.policy": "compact"}
    topics = [
        NewTopic(COMPACTED, PARTITIONS, 1, config=compacted),
        NewTopic(RETAINED, PARTITIONS, 1, config={**SMALL_SEGMENTS, "retention.bytes": str(RETENTION_BYTES)}),
        *(NewTopic(topic, COORDINATORS_PARTITIONS, 1, config=compacted) for topic in COORDINATORS_TOPICS),
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(topics).values():
        future.result(10)


class CleaningWorkload:
    """Its clients, and what they tell in a history of its own: `kafkapy check` knows nothing of records that go."""

    def __init__(self, bootstrap: str, seed: int, directory: Path, *, transactions: bool) -> None:
        self._directory = directory
        self._part = directory / "cleaned-history-of-threads.jsonl"
        self._history = history = HistoryFile(self._part)
        self.producers: list[Client | ClientProcess] = [
            KeyedProducer(
                f"keyed-{codec}", bootstrap, history, seed, topic=COMPACTED, partitions=PARTITIONS, codec=codec
            )
            for codec in ("none", "lz4")
        ]
        self.producers += [
            IdempotentProducer(RETAINED, bootstrap, history, seed, topic=RETAINED, partitions=PARTITIONS),
            RecordDeleter("deleter", bootstrap, history, seed, topic=RETAINED, partitions=PARTITIONS),
        ]
        self._processes: list[ClientProcess] = []
        if transactions:
            part = directory / "cleaned-history-of-keyed-tx.jsonl"
            arguments = {"bootstrap": bootstrap, "seed": seed, "topic": COMPACTED, "partitions": PARTITIONS}
            self._processes = [ClientProcess(part, kind="keyed", name="keyed-tx", **arguments)]
            self._parts = [self._part, part]
        else:
            self._parts = [self._part]
        self.producers += self._processes
        readers = [
            TableReader(
                f"table {isolation}",
                bootstrap,
                history,
                seed,
                isolation=isolation,
                topic=COMPACTED,
                partitions=PARTITIONS,
            )
            for isolation in ("read_committed", "read_uncommitted")
        ]
        leftovers = LeftoverReader(
            "leftovers",
            bootstrap,
            history,
            seed,
            isolation="read_uncommitted",
            topic=RETAINED,
            partitions=PARTITIONS,
        )
        self.readers: list[Client | ClientProcess] = [*readers, leftovers]
        self.watch = CleaningWatch(directory / "data")
        self.compaction = CompactionJudge(COMPACTED, delete_retention_ms=DELETE_RETENTION_MS)
        self.retention = RetentionJudge(RETAINED, retention_bytes=RETENTION_BYTES)

    def judge(self) -> list[str]:
        """Problems. When all clients have ended."""
        self._history.close()
        whole = self._directory / "cleaned-history.jsonl"
        merge_histories(self._parts, whole)
        lines = whole.read_text().splitlines()
        self.compaction.judge(lines)
        self.retention.judge(lines)
        problems = client_ends(lines).problems()
        problems += [f"{COMPACTED}: {text}" for text in self.compaction.problems.texts()]
        problems += [f"{RETAINED}: {text}" for text in self.retention.problems.texts()]
        if not self.watch.cleanings[COMPACTED]:
            problems.append(f"{COMPACTED} was never cleaned: this run proves nothing of cleaning")
        if not self.retention.starts:
            problems.append(f"{RETAINED} never lost a record: this run proves nothing of retention")
        return problems

    def summary(self) -> str:
        compaction, retention = self.compaction, self.retention
        cleanings = ", ".join(f"{topic} {count}" for topic, count in sorted(self.watch.cleanings.items()))
        met = ", ".join(f"{kind} {count}" for kind, count in sorted(self.watch.met.items()))
        return (
            f"cleanings, at least: {cleanings or 'none'}; kills that met files: {met or 'none'}; "
            f"compacted: {compaction.written} written, {compaction.left} left, {compaction.readings} readings "
            f"({compaction.readings_too_slow} slow); retained: {retention.acknowledged} acknowledged, "
            f"{retention.deletions} deletions, {retention.starts} starts seen, {retention.readings} readings"
        )


class CleaningWatch:
    """What the broker's files tell of cleanings, looked at while it is dead.

    `cleanings`: how often, of each topic, a partition's cleaner checkpoint had advanced since the kill before; several
    cleanings between two kills count as one. `met`: how many kills left files of a cleaning, a swap, a deletion.
    """

    def __init__(self, data: Path) -> None:
        self.cleanings: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self._data = data
        self._checkpoints: dict[tuple[str, str], int] = {}

    def killed(self) -> None:
        checkpoints = self._read_checkpoints()
        for (topic, partition), offset in checkpoints.items():
            self.cleanings[topic] += offset > self._checkpoints.get((topic, partition), 0)
        self._checkpoints = checkpoints
        for suffix in (".cleaned", ".swap", ".deleted"):
            self.met[suffix] += any(True for _ in self._data.glob(f"*/*{suffix}"))

    def await_files(self, suffix: str) -> None:
        """Return when such files are there, or when there are none for AIM_SECONDS_MAX."""
        directories = [path for topic in COMPACTED_TOPICS for path in self._data.glob(f"{topic}-*")]
        deadline = time.monotonic() + AIM_SECONDS_MAX
        while time.monotonic() < deadline:
            if any(name.endswith(suffix) for directory in directories for name in os.listdir(directory)):
                return
            time.sleep(0.0002)  # a swap takes a few milliseconds

    def _read_checkpoints(self) -> dict[tuple[str, str], int]:
        try:
            _version, _count, *entries = (self._data / "cleaner-offset-checkpoint").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {(topic, partition): int(offset) for topic, partition, offset in map(str.split, entries)}
