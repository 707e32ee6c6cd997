"""Which partitions are fetched from which broker: moved as leaders move. Sans-IO."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from kafkapy.partitions.replica import Role
from kafkapy.replication.fetcher import Fetcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.fetching.replication_quota import ReplicationQuota
    from kafkapy.partitions.partition import Partition
    from kafkapy.replication.fetcher import Key, Replica
    from kafkapy.settings.current import CurrentSettings


class Lane(NamedTuple):
    """One of the num.replica.fetchers connections to one broker."""

    source_id: int
    number: int


class Following:
    """The fetcher of each lane, and what each of them fetches."""

    def __init__(
        self, node_id: int, settings: CurrentSettings, quota: ReplicationQuota, replica: Callable[[], Replica]
    ) -> None:
        self._node_id = node_id
        self._settings = settings
        self._quota = quota
        self._replica = replica
        self._followed: dict[Key, tuple[Lane, int]] = {}  # where, and in which leader epoch
        self.fetchers: dict[Lane, Fetcher] = {}

    def note_role(self, partition: Partition, *, now_ms: float, wall_ms: int) -> Lane | None:
        """A replica has got a role, or was retired: follow it, from another broker than before, or no more.

        Returns the lane that has more to fetch now, if there is one. `wall_ms` is the time for what is stored.
        """
        key = (partition.topic_id, partition.index)
        present = self._followed.get(key)
        if partition.role is not Role.FOLLOWER or partition.leader_id in (-1, self._node_id):
            if present is not None:
                del self._followed[key]
                self._remove(key, present[0])
            return None
        lane = self._lane_of(partition)
        if present == (lane, partition.leader_epoch):
            return None
        if present is not None and present[0] != lane:
            self._remove(key, present[0])
        self._followed[key] = (lane, partition.leader_epoch)
        fetcher = self.fetchers.get(lane)
        if fetcher is None:
            fetcher = self.fetchers[lane] = Fetcher(lane.source_id, self._settings, self._quota, self._replica)
        fetcher.add(partition, now_ms=now_ms, wall_ms=wall_ms)
        return lane

    def _remove(self, key: Key, lane: Lane) -> None:
        fetcher = self.fetchers.get(lane)
        if fetcher is not None:
            fetcher.remove(key)

    def _lane_of(self, partition: Partition) -> Lane:
        count = self._settings.now.replication.num_replica_fetchers
        number = 0 if count == 1 else crc32(f"{partition.topic}-{partition.index}".encode()) % count
        return Lane(partition.leader_id, number)

    def end(self, lane: Lane) -> None:
        """Nothing is left to be fetched there: forget the fetcher, and its session."""
        del self.fetchers[lane]
