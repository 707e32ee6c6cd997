"""Readers that read a whole topic again and again, and how they learn where partitions begin and end."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from compat_tests.crash.clients import CALL_TIMEOUT_SECONDS, Client
from compat_tests.crash.history_file import HistoryFile

# A reader that kills hold up goes on until this is over; then it is stuck. Longer than transaction.timeout.ms.
READ_SECONDS_MAX = 120.0


class WholeReader(Client):
    """Reads a topic again and again, each time from the first record to the end of every partition.

    Each reading is one `read`: `invoke` before it begins; `ok` with all that it saw, where the partitions began
    afterwards (`starts`) and where it found their ends (`ends`: with read_committed the last stable offsets). The
    last reading, when it is told to stop, has nobody writing beside it; that one goes on to the high watermarks.
    """

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, isolation: str, topic: str, partitions: int
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.isolation = isolation
        self.topic = topic
        self.partitions = partitions

    def open(self) -> None:
        self.bounds = BoundsReader(self.connection, self.topic, self.partitions)
        self.consumer = Consumer(
            {
                **self.connection,
                "group.id": self.name,
                "isolation.level": self.isolation,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "fetch.error.backoff.ms": 20,
            }
        )

    def step(self) -> None:
        self.read([0] * self.partitions)
        self.pause(self.random.uniform(0.0, 1.0))

    def read(self, at_least_to: list[int]) -> None:
        """One reading, to the end and to these offsets of the partitions, whichever is later."""
        deadline = time.monotonic() + READ_SECONDS_MAX
        self.note("invoke", "read", topic=self.topic)
        starts = [start for start, _ in self.bounds.read()]
        self.consumer.assign([TopicPartition(self.topic, number, start) for number, start in enumerate(starts)])
        records: list[object] = []
        ends = [-1] * self.partitions
        while any(end < wanted for end, wanted in zip(ends, at_least_to, strict=True)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: {self.topic} ends at {ends}, not at {at_least_to}")
            for message in self.consumer.consume(500, 0.1):
                error = message.error()
                if error is None:
                    records.append(self.told_of(message))
                elif error.name() == "_PARTITION_EOF":
                    number, end = message.partition(), message.offset()
                    assert number is not None
                    assert end is not None
                    ends[number] = end
        self.consumer.unassign()
        starts = [start for start, _ in self.bounds.read()]
        told = {"topic": self.topic, "isolation": self.isolation, "starts": starts, "ends": ends}
        self.note("ok", "read", **told, records=records)

    @abstractmethod
    def told_of(self, message: Message) -> list[object]:
        """What to write down of a record, beginning with its partition and offset."""

    def close(self) -> None:
        self.read([end for _, end in self.bounds.read()])
        self.consumer.close()


class BoundsReader:
    """Asks where the partitions of a topic begin and end until the broker answers.

    Not by an admin client: the one of librdkafka 2.16 tries to connect without a pause while the broker is dead, and
    then tells the offset -1001 without an error.
    """

    def __init__(self, connection: Mapping[str, str | int | float | bool], topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._consumer = Consumer({**connection, "group.id": "bounds", "isolation.level": "read_uncommitted"})

    def read(self) -> list[tuple[int, int]]:
        """Log start offset and high watermark of each partition, as the broker tells them now."""
        return [self._read(TopicPartition(self._topic, number)) for number in range(self._partitions)]

    def _read(self, place: TopicPartition) -> tuple[int, int]:
        deadline = time.monotonic() + READ_SECONDS_MAX
        why: object = "no answer"
        while time.monotonic() < deadline:
            try:
                bounds = self._consumer.get_watermark_offsets(place, timeout=CALL_TIMEOUT_SECONDS)
            except KafkaException as error:
                why = error
                time.sleep(0.05)
            else:
                if bounds is not None and min(bounds) >= 0:
                    return bounds
                why = bounds
        raise AssertionError(f"where {place} begins and ends: {why}")
