"""The shards of `__consumer_offsets` that this broker leads, and how a request finds the one of its group."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.coordinators.group.background import Background
from kafkapy.coordinators.runtime import CoordinatorRuntime, partition_for
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import Compression

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.ports import CoordinatorLog
    from kafkapy.coordinators.runtime import Decision
    from kafkapy.metadata.ports import Metadata
    from kafkapy.settings.current import CurrentSettings

logger = logging.getLogger("kafkapy.groups")


class GroupShards:
    """What the requests of every type of group share."""

    def __init__(
        self,
        settings: CurrentSettings,
        clock: Clock,
        log: CoordinatorLog,
        metadata: Metadata,
        random: Random,
        when_loaded: Callable[[list[tuple[int, GroupShard]]], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._random = random  # for member ids
        self.metadata = metadata
        self._background = Background()
        self.runtime: CoordinatorRuntime[GroupShard] = CoordinatorRuntime(
            OFFSETS_TOPIC,
            log,
            clock,
            self._new_shard,
            when_loaded=when_loaded,
            compression=Compression(settings.now.groups.offsets_topic_compression_codec),
            commit_timeout_ms=lambda: settings.now.groups.offsets_commit_timeout_ms,
        )

    async def run(self) -> None:
        """What the groups do beside requests, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.runtime.run)
            nursery.start_soon(self._background.run)

    def find(self, group_id: str) -> tuple[int, GroupShard]:
        """Raises KafkaError: INVALID_GROUP_ID (empty), and as `find_any`."""
        if not group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        return self.find_any(group_id)

    def find_any(self, group_id: str) -> tuple[int, GroupShard]:
        """As `find`, for APIs that allow an empty group id: very old consumers commit offsets with it.

        Raises KafkaError: NOT_COORDINATOR, another broker leads the group's partition, or there is no
        `__consumer_offsets`; COORDINATOR_LOAD_IN_PROGRESS.
        """
        partition_count = self.runtime.partition_count
        if not partition_count:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        partition = partition_for(group_id, partition_count)
        return partition, self.runtime.shard(partition)

    def execute_unasked(self, partition: int, shard: GroupShard, decision: Decision[None]) -> bool:
        """Execute a decision of a timer. False: the append failed, and nothing has changed; the next
        timer tries again. The disk watch logs a full disk.

        A shard that is not in charge any more writes nothing, and its timers are not to come again.
        """
        if not self.runtime.serves(partition, shard):
            return True
        try:
            self.runtime.execute(partition, decision)
        except KafkaError as error:
            logger.info("cannot write to __consumer_offsets-%d: %s", partition, error)
            return False
        return True

    def _new_shard(self, partition: int) -> GroupShard:
        from kafkapy.coordinators.group.shard import GroupShard  # with the record formats, 10 ms a fresh node saves

        def execute(decision: Decision[None]) -> bool:
            return self.execute_unasked(partition, shard, decision)

        shard = GroupShard(self._settings, self._clock, self._random, self.metadata, execute, self._background.do)
        return shard
