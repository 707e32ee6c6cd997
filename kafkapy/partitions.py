"""The partitions that this broker leads: each one's log, its high watermark and who waits for it.

`PartitionManager` follows the metadata image: a partition that appears in it has a log before the answer of the request
that made it leaves, and one that disappears is renamed away at once and deleted later by a worker thread.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trio

    from kafkapy.settings import Settings, TopicSettings
    from kafkapy_controller import MetadataImage, PartitionImage, TopicImage
    from kafkapy_log import AppendResult, LogStore, PartitionLog
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.partitions")


class Partition:
    """One partition that this broker leads. With no followers, what is appended is committed."""

    __slots__ = ("index", "isr", "leader_epoch", "log", "settings", "topic", "topic_id", "waiters")

    def __init__(
        self, topic: TopicImage, index: int, state: PartitionImage, log: PartitionLog, settings: TopicSettings
    ) -> None:
        self.topic = topic.name
        self.topic_id = topic.topic_id
        self.index = index
        self.log = log
        self.settings = settings
        self.leader_epoch = state.leader_epoch
        self.isr = state.isr
        self.waiters: set[trio.Event] = set()  # set once when the high watermark moves or the partition goes away

    def __str__(self) -> str:
        return f"{self.topic}-{self.index}"

    @property
    def high_watermark(self) -> int:
        """End of what the whole ISR has; consumers read strictly below it."""
        return self.log.log_end_offset

    @property
    def last_stable_offset(self) -> int:
        """Start of the earliest open transaction, else the high watermark."""
        return min(self.log.last_stable_offset, self.high_watermark)

    def append(self, batches: memoryview | bytes, *, now_ms: int, from_client: bool) -> AppendResult:
        """Append whole batches and wake who waits for them. Raises KafkaError; then nothing was stored."""
        result = self.log.append_as_leader(
            batches, leader_epoch=self.leader_epoch, now_ms=now_ms, validation=self.settings.append_validation(from_client)
        )
        self.wake()
        return result

    def wake(self) -> None:
        """Have every parked request look at this partition again."""
        if self.waiters:
            for waiter in self.waiters:
                waiter.set()
            self.waiters.clear()

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare what a client believes the leader epoch to be; -1 is no belief (KIP-320)."""
        if current_leader_epoch in (-1, self.leader_epoch):
            return
        if current_leader_epoch < self.leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)
