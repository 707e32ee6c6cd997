"""What all clients of the crash tests are: unmodified librdkafka, each in a thread, each writing down what it does.

They live through the crashes of the broker as an application would: what can be tried again is, what cannot is given up
and written down as unknown. A client that must be made anew says so by a `crash` line, with the error that forced it
to as `error`: `client_ends` knows which may be.
"""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from confluent_kafka import KafkaError, KafkaException, Producer

from compat_tests import client_login
from compat_tests.crash.history_file import HistoryFile

CALL_TIMEOUT_SECONDS = 5.0
OUTSTANDING_MAX = 100
CONNECTION: dict[str, str | int | float | bool] = {
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

    USER: ClassVar[str] = "operator"
    """Whom it logs in as, where clients have to: see `client_login`."""

    def __init__(self, name: str, bootstrap: str, history: HistoryFile, seed: int | str) -> None:
        super().__init__(name=name, daemon=True)
        self.connection = {"bootstrap.servers": bootstrap, **CONNECTION, **client_login.librdkafka(self.USER)}
        self.history = history
        self.random = random.Random(f"{seed} {name}")
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.went_on_at = self.noted_at = time.monotonic()
        """When it got an answer or began a step, and when it wrote its last line."""

    def run(self) -> None:
        try:
            self.open()
            while not self.stopping.is_set():
                self.went_on_at = time.monotonic()
                self.step()
            self.close()
        except BaseException as error:  # told to the main thread, which fails the run by it
            self.failure = error

    def note(self, kind: str, function: str, **fields: object) -> None:
        self.history.event(self.name, kind, function, **fields)
        self.noted_at = time.monotonic()
        if kind != "invoke":
            self.went_on_at = self.noted_at

    def pause(self, seconds: float) -> None:
        self.stopping.wait(seconds)

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def step(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class Sending(Client):
    """What the clients that send have in common."""

    USER = "producer"
    producer: Producer
    dropped_count = 0
    """Of what was sent by this producer, how much the client gave up that may have reached a broker."""

    def send(self, topic: str, partition: int, value: str) -> None:
        self.note("invoke", "send", topic=topic, partition=partition, value=value)

        def ended(error: Any, message: Any) -> None:
            if error is None:
                offset = message.offset()
                place = {"offset": offset} if offset >= 0 else {}
                self.note("ok", "send", topic=topic, partition=message.partition(), value=value, **place)
            else:
                self.dropped_count += error.code() == KafkaError._PURGE_QUEUE
                self.note("info", "send", topic=topic, partition=partition, value=value, error=str(error))

        self.producer.produce(topic, value, partition=partition, on_delivery=ended)
        self.producer.poll(0)


class IdempotentProducer(Sending):
    """Numbered records with acks=all, in bursts, to all partitions of a topic."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        topic: str,
        partitions: int,
        in_flight_max: int = 5,
        incarnation: int = 0,
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.in_flight_max = in_flight_max
        self.prefix = f"{name}.{incarnation}" if incarnation else name
        self.topic = topic
        self.partitions = partitions
        self.sent_count = 0
        self._fatal_error: str | None = None
        """Ends this producer; another is made, as an application does: what was sent last has no answer."""

    def open(self) -> None:
        self.producer = Producer(
            {
                **self.connection,
                "enable.idempotence": True,
                "max.in.flight.requests.per.connection": self.in_flight_max,
                "linger.ms": 2,
                "message.timeout.ms": 60_000,
                "error_cb": self._note_error,
            }
        )

    def _note_error(self, error: Any) -> None:
        if error.fatal():
            self._fatal_error = str(error)

    def step(self) -> None:
        if self._fatal_error is not None:
            self.note("info", "crash", error=self._fatal_error)
            self.producer.purge()
            self.producer.flush(0)
            self._fatal_error = None
            self.open()
        try:
            if len(self.producer) < OUTSTANDING_MAX:
                self._send_burst()
            self.producer.poll(0)
        except SystemError as broken:  # of the C code of confluent-kafka, which `client_ends` knows
            self._fatal_error = str(broken)
        self.pause(self.random.uniform(0.0, 0.2))

    def _send_burst(self) -> None:
        for _ in range(self.random.randint(1, 10)):
            self.sent_count += 1
            try:
                self.send(self.topic, self.random.randrange(self.partitions), f"{self.prefix}-{self.sent_count}")
            except KafkaException as failed:
                if failed.args[0].code() != KafkaError._FATAL:
                    raise
                self._fatal_error = self._fatal_error or str(failed.args[0])
                return

    def close(self) -> None:
        self.producer.flush(60)
