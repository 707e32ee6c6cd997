"""How many bytes a second the replication of throttled partitions may take (KIP-73).

leader.replication.throttled.rate holds back what a leader sends to followers outside the ISR,
follower.replication.throttled.rate what such a follower fetches; the topics' settings
leader.replication.throttled.replicas and follower.replication.throttled.replicas say for which partitions. As in Apache
Kafka the rate is that of the last replication.quota.window.num times replication.quota.window.size.seconds, and
replication waits while it is above the bound.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from kafkapy.partitions.windowed_rate import WindowedRate
from kafkapy.settings.topic import LONG_MAX

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.partitions.partition import Partition
    from kafkapy.settings.current import CurrentSettings

ALL_REPLICAS: Final = "*"


class Side(Enum):
    """Whose rate it is: that of what is sent, or of what is fetched."""

    LEADER = "leader"
    FOLLOWER = "follower"


class ReplicationQuota:
    """The rate of one side, measured and bounded."""

    def __init__(self, side: Side, node_id: int, settings: CurrentSettings, clock: Clock) -> None:
        self._side = side
        self._node_id = node_id
        self._settings = settings
        self._rate = WindowedRate(clock, self._windows)

    def is_for(self, partition: Partition) -> bool:
        """Whether the topic's setting names this broker's replica of the partition."""
        settings = partition.settings
        replicas = (
            settings.leader_replication_throttled_replicas
            if self._side is Side.LEADER
            else settings.follower_replication_throttled_replicas
        )
        return bool(replicas) and (ALL_REPLICAS in replicas or f"{partition.index}:{self._node_id}" in replicas)

    def record(self, size: int) -> None:
        """So many bytes of throttled partitions were sent, or fetched."""
        self._rate.record(size)

    @property
    def bytes_per_second(self) -> float:
        """The present rate."""
        return self._rate.bytes_per_second

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound at all."""
        return self._bound() < LONG_MAX

    def is_exceeded(self) -> bool:
        """Whether the rate is above its bound: throttled partitions wait."""
        return self.bytes_per_second > self._bound()

    def _bound(self) -> int:
        replication = self._settings.now.replication
        if self._side is Side.LEADER:
            return replication.leader_replication_throttled_rate
        return replication.follower_replication_throttled_rate

    def _windows(self) -> tuple[int, int]:
        """The length of a window in milliseconds, and how many of them count."""
        quotas = self._settings.now.quotas
        return quotas.replication_quota_window_size_seconds * 1_000, quotas.replication_quota_window_num
