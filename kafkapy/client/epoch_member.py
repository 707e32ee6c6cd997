"""What members of consumer groups (KIP-848) and share groups (KIP-932) have in common: heartbeats with an epoch.

The coordinator assigns; a heartbeat says what the member wants, and its answer what it gets. Heartbeats are sent by
whoever reads records, between two reads, as those of `group_member` are.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, ConnectionLost, TryAgain, check
from kafkapy.client.interrupts import uninterrupted
from kafkapy.client.offsets import Partition
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.uuid import Uuid, random_uuid, uuid_text

LEAVE_SECONDS = 2.0
LEAVE_ATTEMPTS = 3
"""As in `group_member`."""
JOINING_EPOCH, LEAVING_EPOCH = 0, -1
HEARTBEAT_SECONDS_MAX = 1.0
"""However long the coordinator would wait: a command that was given other partitions should see it soon."""
FENCED = frozenset({ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.STALE_MEMBER_EPOCH})


class TopicPartitions(Protocol):
    topic_id: Uuid
    partitions: list[int]


class Heartbeat(Protocol):
    """What the answers of both APIs have."""

    error_code: int
    error_message: str | None
    member_epoch: int
    heartbeat_interval_ms: int


class EpochMember(ABC):
    """One member, with an id of its own making (KIP-1082)."""

    def __init__(self, cluster: Cluster, group_id: str, topics: Sequence[str]) -> None:
        self._cluster = cluster
        self._group_id = group_id
        self._topics = list(topics)
        self._member_id = uuid_text(random_uuid())
        self._epoch = JOINING_EPOCH
        self._has_joined = False
        self._coordinator: Connection | None = None
        self._next_heartbeat = 0.0
        self._topic_names: dict[Uuid, str] = {}

    @abstractmethod
    def _beat_once(self) -> Heartbeat:
        """Ask the coordinator, with the present epoch; an assignment in the answer is taken. Raises TryAgain."""

    def leave(self) -> None:
        """Hand the partitions to the others at once. Whatever goes wrong: the session times out and does it."""
        with uninterrupted():
            if self._has_joined:
                self._cluster.hurry(LEAVE_SECONDS)
                self._has_joined = False
                self._epoch = LEAVING_EPOCH
                with suppress(ClientError):
                    self._send_leaving()
            if self._coordinator is not None:
                self._coordinator.close()

    def _send_leaving(self) -> None:
        for _ in range(LEAVE_ATTEMPTS):
            with suppress(ConnectionLost):
                self._beat_once()
                return

    def _beat(self) -> bool:
        """Whether the coordinator still knows the member; if not, it joins anew with the next heartbeat."""
        answer = self._cluster.retrying(self._beat_once)
        self._next_heartbeat = time.monotonic() + min(answer.heartbeat_interval_ms / 1_000, HEARTBEAT_SECONDS_MAX)
        if answer.error_code in FENCED:
            self._epoch, self._has_joined = JOINING_EPOCH, False
            self._next_heartbeat = 0.0
            return False
        self._epoch, self._has_joined = answer.member_epoch, True
        return True

    def _checked(self, answer: Heartbeat) -> None:
        """Raises TryAgain, Refused; whoever is fenced joins anew."""
        if answer.error_code in FENCED:
            return
        try:
            check(answer.error_code, f"group {self._group_id!r}", answer.error_message)
        except TryAgain:
            if self._coordinator is not None:
                self._coordinator.close()
            raise

    def _connection(self) -> Connection:
        """A connection of our own: behind a waiting fetch a heartbeat would come late. Raises TryAgain."""
        if self._coordinator is None or not self._coordinator.is_open:
            self._coordinator = self._cluster.new_connection(self._cluster.coordinator_id(self._group_id))
        return self._coordinator

    def _named(self, assigned: Iterable[TopicPartitions]) -> list[Partition]:
        """The partitions by name. A topic that is not known (yet) is left out."""
        assigned = list(assigned)
        if any(topic.topic_id not in self._topic_names for topic in assigned):
            metadata = self._cluster.retrying(lambda: self._cluster.metadata(self._topics))
            self._topic_names |= {topic.topic_id: topic.name for topic in metadata.topics if topic.name is not None}
        return sorted(
            (self._topic_names[topic.topic_id], index)
            for topic in assigned
            if topic.topic_id in self._topic_names
            for index in topic.partitions
        )

    def _topic_id(self, name: str) -> Uuid:
        return next(topic_id for topic_id, known in self._topic_names.items() if known == name)
