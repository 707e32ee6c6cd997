"""Replication of one broker: what it follows, and the ISRs of what it leads.

A node that is alone in its cluster has nothing to replicate: all but this module is imported when the first partition
has another replica.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.fetching.replication_quota import ReplicationQuota
    from kafkapy.partitions.checkpoints import Checkpoints
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.followers import IsrProposal, Proposer
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition
    from kafkapy.replication.awaited_partitions import AwaitedPartitions
    from kafkapy.replication.fetchers import Fetchers
    from kafkapy.replication.isr_requests import IsrRequests
    from kafkapy.replication.ports import Controller, Sources
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage

ASK_AGAIN_MS: Final = 50
SHRINK_INTERVAL_MS_MIN: Final = 10


class Replication:
    """Made before the metadata is loaded; replicates while `run` runs."""

    def __init__(
        self,
        node_id: int,
        settings: CurrentSettings,
        clock: Clock,
        partitions: PartitionManager,
        checkpoints: Checkpoints,
        flusher: Flusher | None,
        disk: DiskWatch,
        bugs: Bugs,
        *,
        liveness_clock: Clock,
        sources: Sources,
        controller: Controller,
        broker_epoch: Callable[[], int],
    ) -> None:
        """`broker_epoch` is that of this broker's present registration. Without `flusher` nothing is ever synced.

        What waits, waits on `liveness_clock`; `clock` has the time that the partitions go by.
        """
        self._node_id = node_id
        self._settings = settings
        self._clock = clock
        self.liveness_clock = liveness_clock
        self._partitions = partitions
        self._checkpoints = checkpoints
        self._flusher = flusher
        self._disk = disk
        self._bugs = bugs
        self._sources = sources
        self._controller = controller
        self._broker_epoch = broker_epoch
        self._leader_quota: ReplicationQuota | None = None
        self._awaited: AwaitedPartitions | None = None
        self._fetchers: Fetchers | None = None
        self._isr_requests: IsrRequests | None = None
        self._isr_proposed = trio.Event()
        self._has_other_replicas = trio.Event()
        self._fetcher_count = settings.now.replication.num_replica_fetchers
        partitions.replicate(self, self._note_role)
        settings.subscribe(self._follow_settings)

    @property
    def leader_quota(self) -> ReplicationQuota:
        """How much may be sent to followers."""
        if self._leader_quota is None:
            from kafkapy.fetching.replication_quota import ReplicationQuota, Side

            self._leader_quota = ReplicationQuota(Side.LEADER, self._node_id, self._settings, self.liveness_clock)
        return self._leader_quota

    @property
    def awaited(self) -> AwaitedPartitions:
        """What followers have yet to name in their fetches."""
        if self._awaited is None:
            from kafkapy.replication.awaited_partitions import AwaitedPartitions

            self._awaited = AwaitedPartitions(self._node_id, self.liveness_clock, self._partitions.is_live)
        return self._awaited

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Called with each new image, after the partitions have it."""
        if len(image.brokers) > 1 and delta.changed_partitions:
            self.awaited.follow_metadata(image, delta)

    def submit(self, partition: Proposer, proposal: IsrProposal) -> None:
        """Ask the controller for the ISR that a partition has proposed."""
        if self._isr_requests is None:
            from kafkapy.replication.isr_requests import IsrRequests

            self._isr_requests = IsrRequests(self._node_id)
        self._isr_requests.submit(partition, proposal)
        self._isr_proposed.set()

    def _note_role(self, partition: Partition) -> None:
        if len(partition.replicas) > 1 and not self._has_other_replicas.is_set():
            self._has_other_replicas.set()
        if self._fetchers is None:
            if partition.leads or partition.leader_id < 0:
                return
            self._fetchers = self._make_fetchers()
        self._fetchers.note_role(partition)

    def _follow_settings(self, settings: Settings) -> None:
        """num.replica.fetchers may change while the broker runs: partitions move to other fetchers."""
        count, self._fetcher_count = self._fetcher_count, settings.replication.num_replica_fetchers
        if self._fetchers is not None and count != self._fetcher_count:
            for partition in self._partitions.opened():
                self._fetchers.note_role(partition)

    def _make_fetchers(self) -> Fetchers:
        from kafkapy.fetching.replication_quota import ReplicationQuota, Side
        from kafkapy.replication.fetcher import Replica
        from kafkapy.replication.fetchers import Fetchers
        from kafkapy.replication.following import Following

        self._has_other_replicas.set()
        quota = ReplicationQuota(Side.FOLLOWER, self._node_id, self._settings, self.liveness_clock)
        following = Following(
            self._node_id, self._settings, quota, lambda: Replica(self._node_id, self._broker_epoch())
        )
        return Fetchers(
            following,
            self._settings,
            self._clock,
            self.liveness_clock,
            self._sources,
            self._checkpoints,
            self._flusher,
            self._disk,
            self._bugs,
        )

    async def run(self) -> None:
        """Replicate, until cancelled."""
        await self._has_other_replicas.wait()
        if self._fetchers is None:
            self._fetchers = self._make_fetchers()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fetchers.run)
            nursery.start_soon(self._ask_for_isrs)
            nursery.start_soon(self._shrink_isrs)

    async def _ask_for_isrs(self) -> None:
        """Send what is proposed to the controller, one request at a time."""
        while True:
            requests = self._isr_requests
            if not requests:
                self._isr_proposed = trio.Event()
                await self._isr_proposed.wait()
                continue
            if await self._ask_for_isrs_once(requests):
                await self.liveness_clock.sleep(ASK_AGAIN_MS)

    async def _ask_for_isrs_once(self, requests: IsrRequests) -> bool:
        """Returns whether something must be asked for again."""
        from kafkapy_wire.messages.alter_partition import AlterPartitionResponse

        # Not longer than that: another controller may be active meanwhile, and until it is asked no ISR changes.
        timeout_ms = self._settings.now.node.broker_session_timeout_ms // 2
        try:
            answer = await self._controller.ask(requests.next_request(self._broker_epoch()), timeout_ms=timeout_ms)
            assert isinstance(answer, AlterPartitionResponse), answer
            return requests.take(answer, self._clock.now_ms())
        except KafkaError:  # no controller in all that time
            requests.lost()
        except Exception as error:
            # A bug costs these ISRs a while: they are asked for again.
            self._bugs.report("in changing ISRs", error)
            requests.lost()
        return True

    async def _shrink_isrs(self) -> None:
        """Twice in replica.lag.time.max.ms, have every partition look for followers that lag."""
        while True:
            interval_ms = self._settings.now.replication.replica_lag_time_max_ms // 2
            await self.liveness_clock.sleep(max(interval_ms, SHRINK_INTERVAL_MS_MIN))
            turn = Turn()
            for partition in self._partitions.opened():
                if partition.followers is not None:
                    try:
                        partition.shrink_isr(now_ms=self._clock.now_ms())
                    except Exception as error:
                        self._bugs.report(f"in looking for followers of {partition} that lag", error)
                if turn.is_over:
                    await turn.share()
