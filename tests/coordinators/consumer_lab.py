"""Consumer groups in a lab: heartbeats of members that answer what they are told, and what the group says of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import trio
import trio.lowlevel
import trio.testing

from kafkapy.coordinators.group.consumer.group import ConsumerGroup
from kafkapy.coordinators.group.group import Caller, GroupType
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
    ConsumerGroupHeartbeatResponse,
)
from kafkapy_wire.uuid import Uuid
from tests.coordinators.group_lab import GROUP, GroupLab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from kafkapy.coordinators.group.consumer.kind import ConsumerGroups
    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_wire.messages.consumer_group_describe import DescribedGroup

CALLER = Caller(1, "client", "/127.0.0.1")
Partitions = dict[str, set[int]]


class TopicChanges:
    """What a `MetadataDelta` tells of topics."""

    def __init__(
        self, *, created: Iterable[str] = (), deleted: Iterable[Any] = (), changed: Iterable[str] = ()
    ) -> None:
        self.created_topics = [*created]
        self.deleted_topics = [*deleted]
        self.changed_partitions = [(name, 0) for name in (*created, *changed)]


class ConsumerLab(GroupLab):
    """A `GroupLab` whose groups are consumer groups; they are assigned anew with every heartbeat that asks for it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"group_consumer_assignment_interval_ms": 0, **settings})
        self.topic_ids: dict[str, Uuid] = {}
        self.metadata.image = self.metadata.image._replace(features={"group.version": 1})
        self.clock.freeze()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """With what the coordinator does beside requests, for tests that make their own labs."""
        async with trio.open_nursery() as nursery:
            self.start(nursery)
            nursery.start_soon(self.clock.run)
            await self.groups.when_ready(GROUP).wait()
            await trio.testing.wait_all_tasks_blocked()
            yield self
            nursery.cancel_scope.cancel()

    async def matched(self) -> None:
        """Wait until the worker thread has found the topics of all patterns that were sent, and assigned large groups,
        and that is written."""
        while any(_has_work_in_background(shard) for _, shard in self.groups._runtime.loaded_shards()):
            await trio.lowlevel.checkpoint()

    async def restart(self) -> None:
        """The timers of a killed node are gone."""
        await trio.testing.wait_all_tasks_blocked()
        self.groups.close()
        await super().restart()

    # -- topics

    def topic(self, name: str, partition_count: int) -> Uuid:
        """A topic appears, or has so many partitions now."""
        is_new = name not in self.topic_ids
        topic_id = self.topic_ids.setdefault(name, Uuid(name.encode().ljust(16, b"-")))
        self.add_topic(name, partition_count, topic_id)
        self._tell(TopicChanges(created=[name] if is_new else [], changed=[name]))
        return topic_id

    def delete_topic(self, name: str) -> None:
        image = self.metadata.image
        topics, by_id = dict(image.topics), dict(image.topics_by_id)
        topic = topics.pop(name)
        del by_id[self.topic_ids.pop(name)]
        self.metadata.image = image._replace(topics=topics, topics_by_id=by_id)
        self._tell(TopicChanges(deleted=[topic]))

    def _tell(self, changes: TopicChanges) -> None:
        self.metadata.image = self.metadata.image._replace(offset=self.metadata.image.offset + 1)
        self.groups.follow_metadata(self.metadata.image, cast("MetadataDelta", changes))

    def configure(self, values: Mapping[str, str], group_id: str = GROUP) -> None:
        """Settings of the group's own."""
        resource = (ConfigResourceType.GROUP, group_id)
        configs = {**self.metadata.image.configs, resource: dict(values)}
        self.metadata.image = self.metadata.image._replace(configs=configs)

    # -- heartbeats

    def beat(
        self, member_id: str, epoch: int, *, owned: Partitions | None = None, group_id: str = GROUP, **fields: Any
    ) -> ConsumerGroupHeartbeatResponse:
        """A heartbeat that must be answered at once; an error shows in the answer."""
        partitions = None
        if owned is not None:
            partitions = [
                ConsumerGroupHeartbeatRequestTopicPartitions(topic_id=self._id(name), partitions=sorted(indexes))
                for name, indexes in owned.items()
            ]
        request = ConsumerGroupHeartbeatRequest(
            group_id=group_id, member_id=member_id, member_epoch=epoch, topic_partitions=partitions, **fields
        )
        try:
            return self.groups.consumer.heartbeat(request, CALLER).result()
        except KafkaError as error:
            return ConsumerGroupHeartbeatResponse(error_code=error.code, error_message=error.message)

    def joins(self, member_id: str, *topics: str, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        given = {"rebalance_timeout_ms": 60_000, "subscribed_topic_names": [*topics], **fields}
        return self.beat(member_id, 0, owned={}, **given)

    def _id(self, name: str) -> Uuid:
        return self.topic_ids.get(name, Uuid(name.encode().ljust(16, b"-")))

    # -- what tests look at

    def consumer_group(self, group_id: str = GROUP) -> ConsumerGroup:
        _, shard = self.groups._shards.find_any(group_id)
        group = shard.groups.get(group_id)
        assert isinstance(group, ConsumerGroup), f"{group_id} is {group}"
        return group

    def described(self, group_id: str = GROUP) -> DescribedGroup:
        return self.groups.consumer.describe_group(group_id).result()

    def assigned(self, answer: ConsumerGroupHeartbeatResponse) -> Partitions:
        """What the answer tells the member to own."""
        assert answer.error_code == ErrorCode.NONE, answer
        assert answer.assignment is not None, "it says nothing of an assignment"
        names = {topic_id: name for name, topic_id in self.topic_ids.items()}
        return {
            names.get(topic.topic_id, topic.topic_id.hex()): set(topic.partitions)
            for topic in answer.assignment.topic_partitions
        }

    def epochs(self, group_id: str = GROUP) -> tuple[int, int, dict[str, int]]:
        """The epochs of the group, of its assignment, and of each member."""
        group = self.described(group_id)
        return group.group_epoch, group.assignment_epoch, {m.member_id: m.member_epoch for m in group.members}


def _has_work_in_background(shard: GroupShard) -> bool:
    groups = cast("ConsumerGroups", shard.kind(GroupType.CONSUMER))
    return bool(groups._resolving or groups.membership._large_groups._being_assigned)
