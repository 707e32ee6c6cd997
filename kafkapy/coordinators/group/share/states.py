"""The state of the groups' partitions at the share coordinator, which may be another broker: begun and deleted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import trio

from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.pending import all_in_turns
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.coordinators.group.share.kind import ShareGroups
    from kafkapy.coordinators.group.share.membership import Initialization
    from kafkapy.coordinators.group.share.topic_states import Partitions
    from kafkapy.coordinators.runtime import Decision
    from kafkapy.coordinators.share.persister import SharePersister
    from kafkapy.pending import Pending
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.share_groups")

Place = tuple["Uuid", int]
"""topic id and partition."""


class GroupStates:
    """Asks the share coordinators, and has the outcome written."""

    def __init__(self, shards: GroupShards, persister: SharePersister) -> None:
        self._shards = shards
        self._persister = persister
        self._queued: list[Initialization] = []
        self._there_is_work = trio.Event()

    async def run(self) -> None:
        """Do what was begun, until cancelled: a coordinator that cannot be reached holds up nobody else's."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._there_is_work.wait()
                self._there_is_work = trio.Event()
                queued, self._queued = self._queued, []
                for initialization in queued:
                    nursery.start_soon(self._initialize_for_members, initialization)

    def begin(self, initialization: Initialization) -> None:
        """Have states initialized which members wait for. If it fails, a later heartbeat begins anew."""
        self._queued.append(initialization)
        self._there_is_work.set()

    async def _initialize_for_members(self, initialization: Initialization) -> None:
        refused = await self.initialize(initialization)
        if not refused:
            return
        (topic_id, index), error = next(iter(refused.items()))
        logger.error(
            "group %s: the state of partition %d of topic %s is not initialized: %s",
            initialization.group_id,
            index,
            topic_id,
            error,
        )
        partitions = _partitions(initialization.offsets)
        self._write(initialization.group_id, lambda groups: groups.not_initialized(initialization.group_id, partitions))

    async def initialize(self, initialization: Initialization) -> dict[Place, KafkaError]:
        """Have states initialized; if all are, write that the group's partitions can be read. Else the refusals."""
        group_id = initialization.group_id
        offsets = {
            (topic_id, index): offset
            for topic_id, by_index in initialization.offsets.items()
            for index, offset in by_index.items()
        }

        def ask(place: Place) -> Pending[KafkaError | None]:
            key = SharePartitionKey(group_id, *place)
            asked = self._persister.initialize(key, initialization.state_epoch, offsets[place])
            return _refusal(asked)

        refused = await _all(ask, offsets)
        if not refused and offsets:
            partitions = _partitions(initialization.offsets)
            self._write(group_id, lambda groups: groups.initialized(group_id, partitions))
        return refused

    async def delete(self, group_id: str, places: Iterable[Place]) -> dict[Place, KafkaError]:
        """Have states deleted. The refusals."""
        return await _all(lambda place: _refusal(self._persister.delete(SharePartitionKey(group_id, *place))), places)

    def _write(self, group_id: str, decide: Callable[[ShareGroups], Decision[None]]) -> None:
        """As far as this broker still coordinates the group: the next coordinator finds the topics initializing."""
        try:
            partition, shard = self._shards.find(group_id)
            self._shards.runtime.execute(partition, decide(share_groups(shard)))
        except KafkaError as error:
            logger.info("group %s: cannot write which partitions are initialized: %s", group_id, error)


def share_groups(shard: GroupShard) -> ShareGroups:
    return cast("ShareGroups", shard.kind(GroupType.SHARE))


def _refusal(asked: Pending[None]) -> Pending[KafkaError | None]:
    def succeed(_: None) -> KafkaError | None:
        return None

    return asked.map(succeed).otherwise(lambda error: error)


async def _all(ask: Callable[[Place], Pending[KafkaError | None]], places: Iterable[Place]) -> dict[Place, KafkaError]:
    asked = [*places]
    answers = await all_in_turns(ask, asked)
    return {place: error for place, error in zip(asked, answers, strict=True) if error is not None}


def _partitions(offsets: Mapping[Uuid, Mapping[int, int]]) -> Partitions:
    return {topic_id: frozenset(by_index) for topic_id, by_index in offsets.items()}
