"""The clients of the crash tests: unmodified librdkafka, each in a thread, each writing down what it does.

They live through the crashes of the broker as an application would: what can be tried again is, what cannot is given up
and written down as unknown. A client that must be made anew says so by a `crash` line.
"""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from compat_tests.crash.history_file import HistoryFile

CALL_TIMEOUT_SECONDS = 5.0
OUTSTANDING_MAX = 100
# Shorter than a calm between kills: a restarted coordinator waits that long for a member whose client has given up.
SESSION_TIMEOUT_MS = 1000
SETTLE_SECONDS = 40.0  # longer than a message's timeout
CONNECTION = {
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 100,
    "topic.metadata.refresh.fast.interval.ms": 100,
    "socket.timeout.ms": 5000,
    # librdkafka 2.16 begins anew from its bootstrap list when the only broker is down, and may then wait for ever in
    # send_offsets_to_transaction, whatever the timeout: a handle of the old broker keeps the request.
    "metadata.recovery.strategy": "none",
    "log_level": 2,  # a broker that goes away is no news here
}


class Client(threading.Thread, ABC):
    """A thread that works in steps until it is told to stop. What ends it early is in `failure`."""

    def __init__(self, name: str, bootstrap: str, history: HistoryFile, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.connection = {"bootstrap.servers": bootstrap, **CONNECTION}
        self.history = history
        self.random = random.Random(f"{seed} {name}")
        self.stopping = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.open()
            while not self.stopping.is_set():
                self.step()
            self.close()
        except BaseException as error:  # told to the main thread, which fails the run by it
            self.failure = error

    def note(self, kind: str, function: str, **fields: object) -> None:
        self.history.event(self.name, kind, function, **fields)

    def pause(self, seconds: float) -> None:
        self.stopping.wait(seconds)

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def step(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class _Sending(Client):
    """What the clients that send have in common."""

    producer: Producer

    def send(self, topic: str, partition: int, value: str) -> None:
        self.note("invoke", "send", topic=topic, partition=partition, value=value)

        def ended(error: Any, message: Any) -> None:
            if error is None:
                offset = message.offset()
                place = {"offset": offset} if offset >= 0 else {}
                self.note("ok", "send", topic=topic, partition=message.partition(), value=value, **place)
            else:
                self.note("info", "send", topic=topic, partition=partition, value=value, error=str(error))

        self.producer.produce(topic, value, partition=partition, on_delivery=ended)
        self.producer.poll(0)


class IdempotentProducer(_Sending):
    """Numbered records with acks=all, in bursts, to all partitions of a topic."""

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, topic: str, partitions: int
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.topic = topic
        self.partitions = partitions
        self.sent_count = 0

    def open(self) -> None:
        self.producer = Producer(
            {**self.connection, "enable.idempotence": True, "linger.ms": 2, "message.timeout.ms": 60_000}
        )

    def step(self) -> None:
        if len(self.producer) < OUTSTANDING_MAX:
            for _ in range(self.random.randint(1, 10)):
                self.send(self.topic, self.random.randrange(self.partitions), f"{self.name}-{self.sent_count}")
                self.sent_count += 1
        self.producer.poll(0)
        self.pause(self.random.uniform(0.0, 0.2))

    def close(self) -> None:
        self.producer.flush(60)


class _Transactional(_Sending):
    """A transactional producer that is made anew when it has to be, and now and then without need."""

    def open(self) -> None:
        self.new_producer()

    def new_producer(self) -> None:
        self.producer = Producer(
            {
                **self.connection,
                "transactional.id": self.name,
                "linger.ms": 2,
                "transaction.timeout.ms": 30_000,
                "message.timeout.ms": 30_000,
            }
        )
        while True:
            try:
                self.producer.init_transactions(CALL_TIMEOUT_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable() or self.stopping.is_set():
                    raise
            else:
                return

    def begin(self) -> None:
        self.producer.begin_transaction()
        self.note("ok", "begin")

    def end(self, *, commit: bool) -> bool:
        """Whether it ended as it was told to; else it was aborted, or the producer is another one now."""
        if not commit:
            self.settle()
        self.note("invoke", "end", commit=commit)
        finish = self.producer.commit_transaction if commit else self.producer.abort_transaction
        while True:
            try:
                finish(CALL_TIMEOUT_SECONDS)
            except KafkaException as failed:
                error = failed.args[0]
                if error.retriable():
                    continue
                if commit and error.txn_requires_abort():
                    self.note("fail", "end", commit=True, error=str(error))
                    self.end(commit=False)
                    return False
                # Fatal. One such is of the protocol before KIP-890, also with Apache Kafka: the broker was killed
                # before it heard of the first partition, so that the abort meets the transaction before this one, and
                # gets INVALID_TXN_STATE.
                self.note("info", "end", commit=commit, error=str(error))
                self.crash()
                return False
            self.producer.poll(0)
            self.note("ok", "end", commit=commit)
            return True

    def settle(self) -> None:
        """Wait for the answers to all sends: what librdkafka 2.16 asks of those who abort.

        An abort drops what is not answered yet. When the broker had stored it before it was killed, the next
        transaction uses the same sequence numbers again; its records are taken for repetitions and acknowledged at the
        offsets of the dropped ones: a torn transaction, as long as the client's EndTxn is older than version 5
        (KIP-890), whatever the broker. `kafkapy check` found it in these very histories.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(self.producer) and time.monotonic() < deadline:
            self.producer.flush(1)

    def crash(self) -> None:
        """Another producer with the same transactional id: what the old one had open is aborted."""
        self.note("info", "crash")
        with suppress(KafkaException):  # one that has failed for good says so again
            self.producer.purge()
            self.producer.flush(0)
        self.new_producer()

    def in_transaction(self, failed: KafkaException) -> None:
        """What to do when a call in a transaction failed."""
        if failed.args[0].fatal():
            self.crash()
        else:
            self.end(commit=False)


class TransactionalProducer(_Transactional):
    """Transactions of a few records over several partitions: most commit, some abort, some are left alone."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        incarnation: int,
        topic: str,
        partitions: int,
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.incarnation = incarnation
        self.topic = topic
        self.partitions = partitions
        self.sent_count = 0

    def step(self) -> None:
        self.begin()
        try:
            for _ in range(self.random.randint(1, 6)):
                self.send(
                    self.topic,
                    self.random.randrange(self.partitions),
                    f"{self.name}.{self.incarnation}-{self.sent_count}",
                )
                self.sent_count += 1
                if self.random.random() < 0.3:
                    self.producer.poll(self.random.uniform(0.0, 0.02))
        except KafkaException as failed:
            self.in_transaction(failed)
            return
        chance = self.random.random()
        if chance < 0.03:
            self.crash()
        else:
            self.end(commit=chance < 0.8)
        self.pause(self.random.uniform(0.0, 0.1))

    def close(self) -> None:
        self.producer.flush(10)


class _Reading:
    """A consumer of a group that knows where it stands: batches, resumes and commits, all written down."""

    def __init__(self, client: Client, group: str, topics: list[str]) -> None:
        self.client = client
        self.group = group
        self.topics = topics
        self.batch: list[tuple[str, int, int, str]] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.was_rebalanced = False
        self.consumer = Consumer(
            {
                **client.connection,
                "group.id": group,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": SESSION_TIMEOUT_MS // 4,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 20,
            }
        )
        self.consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
        client.note("ok", "subscribe", group=group, topics=topics, isolation="read_committed")

    def gather(self, count: int, seconds: float) -> None:
        """Up to `count` more records into `batch`."""
        for _ in range(count):
            message = self.consumer.poll(seconds)
            if message is None:
                return
            if message.error() is None:
                topic, partition, offset, value = record_of(message)
                self.batch.append((topic, partition, offset, value))
                self.positions[topic, partition] = offset + 1

    def tell(self) -> None:
        """Write the batch down, and forget it."""
        if self.batch:
            self.client.note("ok", "poll", records=self.batch)
            self.batch = []

    def offsets(self) -> list[TopicPartition]:
        return [TopicPartition(topic, partition, offset) for (topic, partition), offset in self.positions.items()]

    def commit(self) -> None:
        self.tell()
        offsets = self.offsets()
        if not offsets:
            return
        self.client.note("invoke", "commit", group=self.group, offsets=as_lists(offsets))
        try:
            answers = self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failed:
            # Perhaps an earlier try was applied and its answer lost: nobody knows.
            self.client.note("info", "commit", error=str(failed.args[0]))
        else:
            refused = any(answer.error is not None for answer in answers)
            self.client.note("info" if refused else "ok", "commit")

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Go to where the group committed: this is what every restart of an application does."""
        self.tell()
        partitions = list(partitions)
        self.positions.clear()
        while not self.client.stopping.is_set():
            self.client.note("invoke", "resume")
            try:
                committed = self.consumer.committed(partitions, CALL_TIMEOUT_SECONDS)
            except KafkaException:
                continue
            if any(partition.error is not None for partition in committed):
                continue
            self.client.note("ok", "resume", group=self.group, offsets=as_lists(committed))
            for partition in committed:
                if partition.offset < 0:
                    partition.offset = OFFSET_BEGINNING
            self.consumer.assign(committed)
            return

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.was_rebalanced = True
        self.resume(partitions)

    def _revoked(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.was_rebalanced = True
        self.tell()
        self.positions.clear()
        self.client.note("ok", "poll", records=[], rebalanced=True)


def record_of(message: Message) -> tuple[str, int, int, str]:
    """Topic, partition, offset, value of a message that is no error."""
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    assert value is not None
    return topic, partition, offset, value.decode()


def as_lists(offsets: Iterable[TopicPartition]) -> list[list[object]]:
    return [[item.topic, item.partition, item.offset if item.offset >= 0 else None] for item in offsets]


class GroupConsumer(Client):
    """A member of a group that commits what it polled, leaves now and then, and resumes where the group committed."""

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, group: str, topics: list[str]
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.group = group
        self.topics = topics

    def open(self) -> None:
        self.reading = _Reading(self, self.group, self.topics)

    def step(self) -> None:
        self.reading.gather(self.random.randint(1, 100), 0.05)
        self.reading.tell()
        chance = self.random.random()
        if chance < 0.3:
            self.reading.commit()
        elif chance < 0.302:
            self.reading.consumer.close()
            self.note("info", "crash")
            self.open()

    def close(self) -> None:
        self.reading.tell()
        self.reading.consumer.close()


class Transformer(_Transactional):
    """Consume, transform, produce, exactly once: each record of `source` becomes one `<value>#<try>` of `target`."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        incarnation: int,
        group: str,
        source: str,
        target: str,
        partitions: int,
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.group = group
        self.source = source
        self.target = target
        self.partitions = partitions
        self.incarnation = incarnation
        self.tries = 0

    def open(self) -> None:
        super().open()
        self.reading = _Reading(self, self.group, [self.source])

    def step(self) -> None:
        reading = self.reading
        reading.was_rebalanced = False
        reading.gather(self.random.randint(1, 30), 0.05)
        if not reading.batch or reading.was_rebalanced:
            if reading.was_rebalanced and reading.batch:
                reading.tell()
                reading.resume(reading.consumer.assignment())
            return
        batch = reading.batch
        self.begin()
        reading.tell()
        self.tries += 1
        try:
            for _, partition, _, value in batch:
                self.send(self.target, partition % self.partitions, f"{value}#{self.incarnation}.{self.tries}")
            offsets = reading.offsets()
            self.note("invoke", "commit", group=self.group, offsets=as_lists(offsets))
            try:
                metadata = reading.consumer.consumer_group_metadata()
                self.producer.send_offsets_to_transaction(offsets, metadata, CALL_TIMEOUT_SECONDS)
            except KafkaException as failed:
                self.note("info", "commit", error=str(failed.args[0]))
                raise
            self.note("ok", "commit")
        except KafkaException as failed:
            self.in_transaction(failed)
            done = False
        else:
            done = self.end(commit=self.random.random() < 0.9)
            if done and not self.committed_last:
                done = False
        if not done:
            reading.resume(reading.consumer.assignment())

    committed_last = False

    def end(self, *, commit: bool) -> bool:
        self.committed_last = commit
        return super().end(commit=commit)

    def close(self) -> None:
        with suppress(KafkaException):
            self.reading.consumer.close()


class Auditor(Client):
    """Reads everything from the first offset on, across all crashes; told to stop, it reads to the end, as `final`."""

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, *, isolation: str, topics: dict[str, int]
    ) -> None:
        super().__init__(name, bootstrap, history, 0)
        self.isolation = isolation
        self.partitions = [(topic, number) for topic, count in topics.items() for number in range(count)]
        self.polled: dict[str, list[str]] = {topic: [] for topic in topics}

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
