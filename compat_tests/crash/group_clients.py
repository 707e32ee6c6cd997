"""Consumers in groups: one that commits by itself, and one that transforms what it reads, exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from compat_tests.crash.clients import CALL_TIMEOUT_SECONDS, Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.polled_record import record_of
from compat_tests.crash.transactions import Transactional

# Shorter than a calm between kills: a restarted coordinator waits that long for a member whose client has given up.
SESSION_TIMEOUT_MS = 1000

PROTOCOLS: dict[str, dict[str, str | int]] = {
    "classic": {"session.timeout.ms": SESSION_TIMEOUT_MS, "heartbeat.interval.ms": SESSION_TIMEOUT_MS // 4},
    # KIP-848: the broker says how often it wants to hear of a member.
    "consumer": {"group.protocol": "consumer"},
}
CONSUMER_SETTINGS = {
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "250",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "3000",
    "group.consumer.assignment.interval.ms": "0",
}

_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION)


class GroupReading:
    """A consumer of a group that knows where it stands: batches, resumes and commits, all written down."""

    def __init__(self, client: Client, group: str, topics: list[str], protocol: str = "classic") -> None:
        self.client = client
        self.group = group
        self.topics = topics
        self.batch: list[tuple[str, int, int, str]] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.was_rebalanced = False
        self._is_closing = False
        self._is_incremental = protocol == "consumer"
        """Partitions come and go one by one, and the others stay."""
        self.consumer = Consumer(
            {
                **client.connection,
                "group.id": group,
                "isolation.level": "read_committed",
                # A broker that was cut off may still take itself for the leader, and have less than was committed. A
                # client that has just started cannot know (Java's and franz-go's commit leader epochs for that); being
                # sent back to the beginning by it would look like a loss.
                "auto.offset.reset": "error",
                "enable.auto.commit": False,
                **PROTOCOLS[protocol],
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
            error = message.error()
            if error is None:
                topic, partition, offset, value = record_of(message)
                self.batch.append((topic, partition, offset, value))
                self.positions[topic, partition] = offset + 1
            elif error.code() in _OUT_OF_RANGE:
                self.resume(self.consumer.assignment())
                return

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

    def resume(self, partitions: Iterable[TopicPartition], *, are_new: bool = False) -> None:
        """Go to where the group committed: this is what every restart of an application does."""
        self.tell()
        partitions = list(partitions)
        self._forget(partitions)
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
            if not self._is_incremental:
                self.consumer.assign(committed)
            elif are_new:
                self.consumer.incremental_assign(committed)
            else:
                for partition in committed:
                    with suppress(KafkaException):  # it is another member's by now
                        self.consumer.seek(partition)
            return

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        if not self._is_incremental:
            self.positions.clear()
        for partition in partitions:
            self.positions.pop((partition.topic, partition.partition), None)

    def close(self) -> None:
        """Leave the group."""
        self._is_closing = True
        self.consumer.close()

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.was_rebalanced = True
        if not self._is_closing:  # librdkafka assigns to a member that has left, and which is told no offset any more
            self.resume(partitions, are_new=True)

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.was_rebalanced = True
        self.tell()
        self._forget(partitions)
        self.client.note("ok", "poll", records=[], rebalanced=True)


def as_lists(offsets: Iterable[TopicPartition]) -> list[list[object]]:
    return [[item.topic, item.partition, item.offset if item.offset >= 0 else None] for item in offsets]


class GroupConsumer(Client):
    """A member of a group that commits what it polled, leaves now and then, and resumes where the group committed."""

    USER = "reader"

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        group: str,
        topics: list[str],
        protocol: str = "classic",
        incarnation: int = 0,
    ) -> None:
        super().__init__(name, bootstrap, history, f"{seed}.{incarnation}" if incarnation else seed)
        self.group = group
        self.topics = topics
        self.protocol = protocol

    def open(self) -> None:
        self.reading = GroupReading(self, self.group, self.topics, self.protocol)

    def step(self) -> None:
        self.reading.gather(self.random.randint(1, 100), 0.05)
        self.reading.tell()
        chance = self.random.random()
        if chance < 0.3:
            self.reading.commit()
        elif chance < 0.302:
            self.reading.close()
            self.note("info", "crash")
            self.open()

    def close(self) -> None:
        self.reading.tell()
        self.reading.close()


class Transformer(Transactional):
    """Consume, transform, produce, exactly once: each record of `source` becomes one `<value>#<try>` of `target`."""

    USER = "transformer"

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
        self.reading = GroupReading(self, self.group, [self.source])

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
            self.reading.close()
