"""What a broker has for share groups, made when the first member comes: other nodes import little of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.coordinators.group.share.offset_requests import ShareGroupOffsets
    from kafkapy.coordinators.group.share.requests import ShareGroupRequests
    from kafkapy.coordinators.share import ShareCoordinator
    from kafkapy.coordinators.share.persister import SharePersister
    from kafkapy.coordinators.transaction.ports import OtherBrokers
    from kafkapy.metadata.internal_topics import TopicCreator
    from kafkapy.metadata.ports import Metadata
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.sharing.sessions import SessionKey, ShareSessions, WantedPartition
    from kafkapy.sharing.share_partitions import SharePartitions

SHARE_VERSION: Final = "share.version"


class Sharing:
    """The share partitions that this broker leads, and the sessions of their members."""

    def __init__(
        self,
        coordinator: ShareCoordinator,
        group_shards: GroupShards,
        others: OtherBrokers,
        controller: TopicCreator,
        partitions: PartitionManager,
        metadata: Metadata,
        settings: CurrentSettings,
        clock: Clock,
        random: Random,
        *,
        node_id: int,
        tells_of_released: bool = True,
    ) -> None:
        """`tells_of_released`: whether fetches that wait hear of records that others release."""
        self._tells_of_released = tells_of_released
        self._coordinator = coordinator
        self._group_shards = group_shards
        self._others = others
        self._controller = controller
        self._leaders = partitions
        self._metadata = metadata
        self._settings = settings
        self._clock = clock
        self.random = random
        self._node_id = node_id
        self._persister: SharePersister | None = None
        self._partitions: SharePartitions | None = None
        self._sessions: ShareSessions | None = None
        self._groups: ShareGroupRequests | None = None
        self._wanted = trio.Event()

    @property
    def is_enabled(self) -> bool:
        """Whether the cluster's level of share.version has share groups."""
        return self._metadata.image.features.get(SHARE_VERSION, 0) > 0

    async def run(self) -> None:
        """Do what takes tasks, until cancelled."""
        await self._wanted.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.persister.run)
            nursery.start_soon(self.partitions.run)
            nursery.start_soon(self.groups.run)

    @property
    def persister(self) -> SharePersister:
        if self._persister is None:
            from kafkapy.coordinators.share.persister import SharePersister

            self._persister = SharePersister(
                self._coordinator, self._others, self._settings, self._clock, self.random, node_id=self._node_id
            )
            self._wanted.set()
        return self._persister

    @property
    def groups(self) -> ShareGroupRequests:
        """Those that this broker coordinates."""
        if self._groups is None:
            from kafkapy.coordinators.group.share.requests import ShareGroupRequests

            self._groups = ShareGroupRequests(self._group_shards, self.persister)
        return self._groups

    def group_offsets(self) -> ShareGroupOffsets:
        """For administrators: how far groups have come."""
        from kafkapy.coordinators.group.share.offset_requests import ShareGroupOffsets
        from kafkapy.sharing.latest_offsets import LatestOffsets

        latest = LatestOffsets(self._leaders, self._others, self._metadata, self._settings, node_id=self._node_id)
        return ShareGroupOffsets(self._group_shards, self.persister, self._metadata, self.groups.states, latest)

    @property
    def partitions(self) -> SharePartitions:
        if self._partitions is None:
            from kafkapy.sharing.share_partitions import SharePartitions

            self._partitions = SharePartitions(
                self._leaders,
                self.persister,
                self._metadata,
                self._settings,
                self._clock,
                self.random,
                self._others,
                self._controller,
                node_id=self._node_id,
                tells_of_released=self._tells_of_released,
            )
        return self._partitions

    @property
    def sessions(self) -> ShareSessions:
        if self._sessions is None:
            from kafkapy.sharing.sessions import ShareSessions

            self._sessions = ShareSessions(
                lambda: self._settings.now.share.group_share_max_share_sessions,
                self._release,
                self.partitions.drop_group,
            )
        return self._sessions

    def _release(self, key: SessionKey, partitions: list[WantedPartition]) -> None:
        from kafkapy.coordinators.share import SharePartitionKey

        for topic_id, index in partitions:
            self.partitions.release(SharePartitionKey(key.group_id, topic_id, index), key.member_id)

    def follow_metadata(self, *_: object) -> None:
        """Give up what this broker does not lead any more; all of it, if share groups are switched off."""
        if self._partitions is None:
            return
        self._partitions.follow_metadata()
        if not self.is_enabled and self._sessions is not None:
            self._sessions.close()
            self._partitions.close()

    def close(self) -> None:
        if self._partitions is not None:
            self._partitions.close()
