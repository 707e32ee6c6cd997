"""Clients of compacted topics: writers of numbered values per key, and readers of whole tables.

Each record has a name of its own in the header `name`, a tombstone too; a value begins with its record's name. A key is
written by one writer only, so that the order of its writes is known. `compaction_judge.py` judges what they tell.
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import Message, Producer

from compat_tests.crash.clients import OUTSTANDING_MAX, Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.transactions import TransactionalWriter
from compat_tests.crash.whole_reader import WholeReader

KEYS = 40
NAME_HEADER = "name"
TOMBSTONE_CHANCE = 0.1
PADDING_BYTES_MAX = 150


class _KeyedSending(Client):
    """What both writers have in common."""

    producer: Producer
    topic: str
    partitions: int
    prefix: str
    sent_count = 0

    def send_keyed(self) -> None:
        """One record of one of this writer's keys; some keys are written far more often than others."""
        number = min(self.random.randrange(KEYS), self.random.randrange(KEYS))
        key = f"{self.name}/{number}"
        partition = number % self.partitions
        name = f"{self.prefix}-{self.sent_count}"
        self.sent_count += 1
        tombstone = self.random.random() < TOMBSTONE_CHANCE
        told = {"topic": self.topic, "partition": partition, "key": key, "name": name}
        self.note("invoke", "send", **told, tombstone=tombstone)

        def ended(error: Any, message: Any) -> None:
            if error is not None:
                self.note("info", "send", **told, error=str(error))
            else:
                self.note("ok", "send", **told, offset=message.offset())

        self.producer.produce(
            self.topic,
            None if tombstone else f"{name} {'x' * self.random.randrange(PADDING_BYTES_MAX)}",
            key,
            partition,
            headers={NAME_HEADER: name},
            on_delivery=ended,
        )
        self.producer.poll(0)


class KeyedProducer(_KeyedSending):
    """Keyed records with acks=all, in bursts."""

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, topic: str, partitions: int, codec: str
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.topic = topic
        self.partitions = partitions
        self.prefix = name
        self.codec = codec

    def open(self) -> None:
        self.producer = Producer(
            {
                **self.connection,
                "enable.idempotence": True,
                "linger.ms": 2,
                "message.timeout.ms": 60_000,
                "compression.type": self.codec,
            }
        )

    def step(self) -> None:
        if len(self.producer) < OUTSTANDING_MAX:
            for _ in range(self.random.randint(1, 20)):
                self.send_keyed()
        self.producer.poll(0)
        self.pause(self.random.uniform(0.0, 0.2))

    def close(self) -> None:
        self.producer.flush(60)


class KeyedTransactions(TransactionalWriter, _KeyedSending):
    """Keyed records in transactions."""

    RECORDS_MAX = 8
    POLL_CHANCE = 0.2
    COMMIT_CHANCE = 0.7

    def send_one(self) -> None:
        self.send_keyed()


class TableReader(WholeReader):
    """`[partition, offset, key, name, tombstone]` of each record."""

    def told_of(self, message: Message) -> list[object]:
        content = dict(message.headers() or []).get(NAME_HEADER)
        name = content.decode() if isinstance(content, bytes) else "a record without a name"
        value, key = message.value(), message.key()
        assert key is not None
        if value is not None and value.decode().partition(" ")[0] != name:
            name = f"{name} with the value of {value[:40]!r}"
        return [message.partition(), message.offset(), key.decode(), name, value is None]
