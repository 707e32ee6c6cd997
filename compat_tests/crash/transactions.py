"""Transactional producers: what they do when a call in a transaction fails, and one that only sends."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import suppress

from confluent_kafka import KafkaException, Producer

from compat_tests.crash.client_ends import TRANSACTION_TIMEOUT_MS
from compat_tests.crash.clients import CALL_TIMEOUT_SECONDS, Sending
from compat_tests.crash.history_file import HistoryFile

SETTLE_SECONDS = 40.0  # longer than a message's timeout
LEFT_ALONE_CHANCE = 0.03  # of a transaction
INIT_SECONDS_MAX = 60.0  # longer than transaction.timeout.ms


class Transactional(Sending):
    """A transactional producer that is made anew when it has to be, and now and then without need."""

    def open(self) -> None:
        self.new_producer()

    def new_producer(self) -> None:
        self.producer = Producer(
            {
                **self.connection,
                "transactional.id": self.name,
                "linger.ms": 2,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.timeout.ms": 30_000,
            }
        )
        self.dropped_count = 0
        deadline = time.monotonic() + INIT_SECONDS_MAX
        while True:
            try:
                self.producer.init_transactions(CALL_TIMEOUT_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
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
            if self.dropped_count:
                self.crash()
                return False
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
                self.note("info", "end", commit=commit, error=str(error))
                self.crash(str(error))
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

        After an error that ends the transaction librdkafka drops them itself, before anybody can wait: only another
        producer is safe then. (With other batches the sequence numbers do not fit, and it ends itself by
        OUT_OF_ORDER_SEQUENCE_NUMBER.)
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(self.producer) and time.monotonic() < deadline:
            self.producer.flush(1)

    def crash(self, error: str | None = None) -> None:
        """Another producer with the same transactional id: what the old one had open is aborted."""
        self.note("info", "crash", **({"error": error} if error is not None else {}))
        with suppress(KafkaException):  # one that has failed for good says so again
            self.producer.purge()
            self.producer.flush(0)
        self.new_producer()

    def in_transaction(self, failed: KafkaException) -> None:
        """What to do when a call in a transaction failed."""
        if failed.args[0].fatal():
            self.crash(str(failed.args[0]))
        else:
            self.end(commit=False)


class TransactionalWriter(Transactional):
    """Transactions of a few records: most commit, some abort, some are left alone."""

    RECORDS_MAX: int
    POLL_CHANCE: float  # after each record
    COMMIT_CHANCE: float

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
        self.prefix = f"{name}.{incarnation}"
        self.topic = topic
        self.partitions = partitions
        self.sent_count = 0

    @abstractmethod
    def send_one(self) -> None: ...

    def step(self) -> None:
        self.begin()
        try:
            for _ in range(self.random.randint(1, self.RECORDS_MAX)):
                self.send_one()
                if self.random.random() < self.POLL_CHANCE:
                    self.producer.poll(self.random.uniform(0.0, 0.02))
        except KafkaException as failed:
            self.in_transaction(failed)
            return
        chance = self.random.random()
        if chance < LEFT_ALONE_CHANCE:
            self.crash()
        else:
            self.end(commit=chance < self.COMMIT_CHANCE)
        self.pause(self.random.uniform(0.0, 0.1))

    def close(self) -> None:
        self.producer.flush(10)


class TransactionalProducer(TransactionalWriter):
    """Over several partitions of a topic."""

    RECORDS_MAX = 6
    POLL_CHANCE = 0.3
    COMMIT_CHANCE = 0.8

    def send_one(self) -> None:
        self.send(self.topic, self.random.randrange(self.partitions), f"{self.prefix}-{self.sent_count}")
        self.sent_count += 1
