"""Share groups in a lab: heartbeats of members, and a share coordinator that answers when the test lets it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Self, cast

import trio
import trio.testing

from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.share.group import ShareGroup
from kafkapy.coordinators.group.share.requests import ShareGroupRequests
from kafkapy.pending import Pending
from kafkapy.settings.broker import ShareSettings
from kafkapy.settings.group import group_defaults
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from kafkapy_wire.uuid import Uuid
from tests.coordinators.consumer_lab import CALLER, ConsumerLab, TopicChanges
from tests.coordinators.group_lab import GROUP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.group.share.kind import ShareGroups
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy.coordinators.share.persister import SharePersister


class SlowPersister:
    """A `SharePersister` whose answers wait for `answer`; now and then it refuses one."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._asked: list[tuple[SharePartitionKey, Pending[None]]] = []
        self.initialized: set[SharePartitionKey] = set()

    def initialize(self, key: SharePartitionKey, _state_epoch: int, _start_offset: int) -> Pending[None]:
        answer: Pending[None] = Pending()
        self._asked.append((key, answer))
        return answer

    def delete(self, key: SharePartitionKey) -> Pending[None]:
        self.initialized.discard(key)
        answer: Pending[None] = Pending()
        self._asked.append((key, answer))
        return answer

    def answer(self, *, refused: float = 0.0) -> None:
        """All that was asked."""
        asked, self._asked = self._asked, []
        for key, answer in asked:
            if self._random.random() < refused:
                answer.refuse(KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE))
            else:
                self.initialized.add(key)
                answer.answer(None)


class ShareGroupLab(ConsumerLab):
    """A `ConsumerLab` for its topics, whose groups are share groups."""

    def __init__(self, seed: int, **settings: int) -> None:
        self.persister = SlowPersister(Random(seed))
        self._share = ShareSettings().replace(settings)
        self._of_groups = group_defaults({name.replace("_", "."): value for name, value in settings.items()})
        self._topics_made = 0
        super().__init__()

    def use_settings(self, **settings: object) -> None:
        super().use_settings(**settings)
        self.settings.now.share = self._share
        self.settings.now.group_defaults = self._of_groups

    def topic(self, name: str, partition_count: int) -> Uuid:
        """One that was deleted comes back with another id."""
        if name not in self.topic_ids:
            self._topics_made += 1
            self.topic_ids[name] = Uuid(f"{name}{self._topics_made}".encode().ljust(16, b"-"))
            self.add_topic(name, partition_count, self.topic_ids[name])
            self._tell(TopicChanges(created=[name], changed=[name]))
            return self.topic_ids[name]
        return super().topic(name, partition_count)

    def _requests(self) -> None:
        self.requests = ShareGroupRequests(self.groups.shards, cast("SharePersister", self.persister))
        assert self.nursery is not None
        self.nursery.start_soon(self.requests.run)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        async with super().running():
            self._requests()
            yield self

    async def restart(self) -> None:
        await super().restart()
        self._requests()

    def share(self, member_id: str, epoch: int, *topics: str, **fields: Any) -> ShareGroupHeartbeatResponse:
        """A heartbeat; with topics it names them. An error shows in the answer."""
        request = ShareGroupHeartbeatRequest(
            group_id=GROUP,
            member_id=member_id,
            member_epoch=epoch,
            subscribed_topic_names=[*topics] if topics else None,
            **fields,
        )
        try:
            return self.requests.heartbeat(request, CALLER).result()
        except KafkaError as error:
            return ShareGroupHeartbeatResponse(error_code=error.code, error_message=error.message)

    async def answered(self, *, refused: float = 0.0) -> None:
        """The share coordinators answer what they were asked, and that is written; large groups are assigned."""
        await self.matched()
        await trio.testing.wait_all_tasks_blocked()
        self.persister.answer(refused=refused)
        await trio.testing.wait_all_tasks_blocked()

    async def matched(self) -> None:
        """Wait until the worker thread has assigned large groups, and that is written."""
        while any(_has_work_in_background(shard) for _, shard in self.groups._runtime.loaded_shards()):
            await trio.lowlevel.checkpoint()

    def share_group(self) -> ShareGroup:
        _, shard = self.groups.shards.find_any(GROUP)
        group = shard.groups.get(GROUP)
        assert isinstance(group, ShareGroup), f"{GROUP} is {group}"
        return group


def _has_work_in_background(shard: GroupShard) -> bool:
    return bool(cast("ShareGroups", shard.kind(GroupType.SHARE))._membership._large_groups._being_assigned)
