"""Members of share groups: librdkafka's, with explicit acknowledgements of which each outcome is written down.

A file of their own, for `share_judge`:

deliver       records [topic, partition, offset, value], and `began`, when the poll was begun that brought them
acknowledge   ok: the broker has said that these [topic, partition, offset] are accepted; info: nobody knows
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaException

from compat_tests import client_login
from compat_tests.crash.clients import CALL_TIMEOUT_SECONDS, Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.polled_record import record_of

SETTINGS = {
    "group.share.min.heartbeat.interval.ms": "100",
    "group.share.heartbeat.interval.ms": "300",
    "group.share.min.session.timeout.ms": "1000",
    "group.share.session.timeout.ms": "3000",
    "group.share.assignment.interval.ms": "0",
    # Locks of clients that are gone end while a run lasts; and a record is given up as late as can be.
    "group.share.min.record.lock.duration.ms": "1000",
    "group.share.record.lock.duration.ms": "2000",
    "group.share.delivery.count.limit": "10",
}
RELEASED_CHANCE = 0.05
POLL_SECONDS = 0.2


def available() -> bool:
    """Whether this confluent-kafka has share consumers."""
    return hasattr(confluent_kafka, "ShareConsumer")


def begin_at_the_beginning(bootstrap: str, group: str) -> None:
    """The group reads from the beginning of its topics."""
    from confluent_kafka import admin

    kafka: Any = admin
    entry = kafka.ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=kafka.AlterConfigOpType.SET)
    resource = kafka.ConfigResource(kafka.ConfigResource.Type.GROUP, group, incremental_configs=[entry])
    client = kafka.AdminClient({"bootstrap.servers": bootstrap, **client_login.librdkafka("operator")})
    client.incremental_alter_configs([resource])[resource].result(30)


class ShareMember(Client):
    """Accepts most of what it gets, releases the rest, and is made anew now and then."""

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
        incarnation: int = 0,
    ) -> None:
        super().__init__(name, bootstrap, history, f"{seed}.{incarnation}")
        self.group = group
        self.topics = topics
        self._accepted: set[tuple[str, int, int]] = set()

    def open(self) -> None:
        kafka: Any = confluent_kafka
        self.consumer = kafka.ShareConsumer(
            {**self.connection, "group.id": self.group, "share.acknowledgement.mode": "explicit"}
        )
        self.consumer.set_acknowledgement_commit_callback(self._acknowledged)
        self.consumer.subscribe(self.topics)

    def step(self) -> None:
        began = time.monotonic_ns()
        try:
            messages = [message for message in self.consumer.poll(POLL_SECONDS) if message.error() is None]
        except KafkaException:
            self.pause(POLL_SECONDS)
            return
        if not messages:
            return
        kafka: Any = confluent_kafka
        self.note("ok", "deliver", records=[record_of(message) for message in messages], began=began)
        for message in messages:
            accepts = self.random.random() > RELEASED_CHANCE
            if accepts:
                self._accepted.add((message.topic(), message.partition(), message.offset()))
            self.consumer.acknowledge(
                message, kafka.AcknowledgeType.ACCEPT if accepts else kafka.AcknowledgeType.RELEASE
            )
        with suppress(KafkaException):
            self.consumer.commit_sync(CALL_TIMEOUT_SECONDS)
        if self.random.random() < 0.002:
            self._close()
            self.open()

    def _acknowledged(self, offsets: Any, error: Any) -> None:
        accepted = [
            (place.topic, place.partition, offset)
            for place, acknowledged in offsets.items()
            for offset in sorted(acknowledged)
            if (place.topic, place.partition, offset) in self._accepted
        ]
        self._accepted.difference_update(accepted)
        if accepted:
            self.note("ok" if error is None else "info", "acknowledge", records=accepted)

    def close(self) -> None:
        self._close()

    def _close(self) -> None:
        with suppress(KafkaException):
            self.consumer.close()
        if self._accepted:
            self.note("info", "acknowledge", records=sorted(self._accepted))
            self._accepted.clear()
