"""The consumer that sees everything."""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, TopicPartition

from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.polled_record import record_of


class Auditor(Client):
    """Reads everything from the first offset on, across all crashes; told to stop, it reads to the end, as `final`."""

    USER = "reader"

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, *, isolation: str, topics: dict[str, int]
    ) -> None:
        super().__init__(name, bootstrap, history, 0)
        self.isolation = isolation
        self.partitions = [(topic, number) for topic, count in topics.items() for number in range(count)]
        self.polled: dict[str, list[str]] = {topic: [] for topic in topics}
        self.places: set[tuple[str, int, int]] = set()
        """Topic, partition and offset of each record polled."""

    def open(self) -> None:
        self.consumer = self._consumer()
        self.ended: set[tuple[str, int]] = set()

    def _consumer(self) -> Consumer:
        consumer = Consumer(
            {
                **self.connection,
                "group.id": self.name,
                "isolation.level": self.isolation,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 20,
            }
        )
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in self.partitions])
        self.note(
            "ok", "assign", partitions=[[*partition, 0] for partition in self.partitions], isolation=self.isolation
        )
        return consumer

    def step(self) -> None:
        self._poll(0.2)

    def _poll(self, seconds: float) -> None:
        records = []
        for message in self.consumer.consume(500, seconds):
            error = message.error()
            where = str(message.topic()), message.partition()
            if error is None:
                topic, partition, offset, value = record_of(message)
                self.ended.discard((topic, partition))
                records.append((topic, partition, offset, value))
                self.polled[topic].append(value)
                self.places.add((topic, partition, offset))
            elif error.name() == "_PARTITION_EOF":
                self.ended.add((where[0], int(where[1] or 0)))
            elif error.name() in ("_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"):
                raise AssertionError(f"{self.name} fell out of {where}: {error}")
        if records:
            self.note("ok", "poll", records=records)

    def close(self) -> None:
        """A consumer anew reads all from the beginning to the end: that is the final poll."""
        self.consumer.close()
        self.polled = {topic: [] for topic in self.polled}
        self.places = set()
        self.open()
        deadline = threading.Event()
        timer = threading.Timer(120, deadline.set)
        timer.daemon = True
        timer.start()
        while len(self.ended) < len(self.partitions):
            if deadline.is_set():
                raise AssertionError(f"{self.name}: no end of {sorted(set(self.partitions) - self.ended)}")
            self._poll(0.5)
        timer.cancel()
        self.note("ok", "poll", records=[], final=True)
        self.consumer.close()
