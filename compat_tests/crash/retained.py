"""Clients of a topic whose old records go: one deletes records, others read what is left. `retention_judge.py` judges.

The records come from an `IdempotentProducer`, whose values are small: see `RECORD_BYTES_MAX`.
"""

from __future__ import annotations

from confluent_kafka import OFFSET_END, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.whole_reader import BoundsReader, WholeReader

# Short: while the broker is dead an admin client of librdkafka 2.16 tries to connect without a pause.
DELETE_SECONDS_MAX = 1.0


class RecordDeleter(Client):
    """An admin client that lets partitions begin somewhere in between, now and then at their ends."""

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, topic: str, partitions: int
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.topic = topic
        self.partitions = partitions

    def open(self) -> None:
        self.bounds = BoundsReader(self.connection, self.topic, self.partitions)

    def step(self) -> None:
        self.pause(self.random.uniform(0.0, 2.0))
        number = self.random.randrange(self.partitions)
        start, end = self.bounds.read()[number]
        # Mostly a few records, so that retention has something to do as well, which goes by segments.
        offset = self.random.randint(start, min(end, start + self.random.choice((1, 20, 1000))))
        self.delete(number, OFFSET_END if self.random.random() < 0.05 else offset)

    def delete(self, number: int, offset: int) -> None:
        told = {"topic": self.topic, "partition": number, "offset": max(offset, -1)}
        self.note("invoke", "delete", **told)
        place = TopicPartition(self.topic, number, offset)
        # librdkafka 2.16 names the leader epoch that it knows, and asks for no other when that one is over:
        # FENCED_LEADER_EPOCH until the handle is made anew.
        admin = AdminClient(self.connection)
        try:
            futures = admin.delete_records([place], request_timeout=DELETE_SECONDS_MAX)
            low_watermark = futures[place].result().low_watermark
        except KafkaException as error:
            self.note("info", "delete", **told, error=str(error))
        else:
            self.note("ok", "delete", **told, low_watermark=low_watermark)

    def close(self) -> None:
        pass


class LeftoverReader(WholeReader):
    """`[partition, offset, value]` of each record."""

    def told_of(self, message: Message) -> list[object]:
        value = message.value()
        assert value is not None
        return [message.partition(), message.offset(), value.decode()]
