"""Streams groups in a lab: heartbeats of members, and what the group says of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import trio
import trio.lowlevel
import trio.testing

from kafkapy.coordinators.group.group import Caller, GroupType
from kafkapy.coordinators.group.streams.group import StreamsGroup
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages import streams_group_heartbeat as messages
from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse
from kafkapy_wire.uuid import Uuid
from tests.coordinators.consumer_lab import TopicChanges
from tests.coordinators.group_lab import GROUP, GroupLab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from kafkapy.coordinators.group.shard import GroupShard
    from kafkapy.coordinators.group.streams.kind import StreamsGroups
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_wire.messages.streams_group_describe import DescribedGroup

Tasks = dict[str, set[int]]

NO_DELAYS = {"group_streams_initial_rebalance_delay_ms": 0, "group_streams_assignment_interval_ms": 0}


def subtopology(
    name: str,
    *sources: str,
    changelogs: Iterable[str] = (),
    repartitions: Mapping[str, int] | None = None,
    sinks: Iterable[str] = (),
) -> messages.Subtopology:
    """`repartitions`: topics that it reads, with their partition counts; 0: as many as those who write to them have."""
    return messages.Subtopology(
        subtopology_id=name,
        source_topics=[*sources],
        state_changelog_topics=[messages.TopicInfo(name=topic) for topic in changelogs],
        repartition_source_topics=[
            messages.TopicInfo(name=topic, partitions=count) for topic, count in (repartitions or {}).items()
        ],
        repartition_sink_topics=[*sinks],
    )


def topology(*subtopologies: messages.Subtopology, epoch: int = 0) -> messages.Topology:
    return messages.Topology(epoch=epoch, subtopologies=[*subtopologies])


def task_ids(tasks: Mapping[str, Iterable[int]]) -> list[messages.StreamsGroupHeartbeatRequestTaskIds]:
    return [
        messages.StreamsGroupHeartbeatRequestTaskIds(subtopology_id=name, partitions=sorted(indexes))
        for name, indexes in tasks.items()
    ]


def told(tasks: Iterable[messages.StreamsGroupHeartbeatResponseTaskIds] | None) -> Tasks:
    assert tasks is not None, "it says nothing of tasks"
    return {task.subtopology_id: set(task.partitions) for task in tasks}


class StreamsLab(GroupLab):
    """A `GroupLab` whose groups are streams groups; by default nothing delays an assignment."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.topic_ids: dict[str, Uuid] = {}
        self.metadata.image = self.metadata.image._replace(features={"streams.version": 1})
        self.clock.freeze()
        self.topology = topology(subtopology("0", "in", changelogs=["log"]))

    def use_settings(self, **settings: Any) -> None:
        super().use_settings(**{**NO_DELAYS, **settings})

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

    async def restart(self) -> None:
        """The timers of a killed node are gone."""
        await trio.testing.wait_all_tasks_blocked()
        self.groups.close()
        await super().restart()

    async def assigned(self) -> None:
        """Wait until the worker thread has assigned large groups, and that is written."""
        while any(has_work_in_background(shard) for _, shard in self.groups._runtime.loaded_shards()):
            await trio.lowlevel.checkpoint()

    # -- topics and settings

    def topic(self, name: str, partition_count: int) -> None:
        """A topic appears, or has so many partitions now."""
        is_new = name not in self.topic_ids
        topic_id = self.topic_ids.setdefault(name, Uuid(name.encode().ljust(16, b"-")))
        self.add_topic(name, partition_count, topic_id)
        self._tell(TopicChanges(created=[name] if is_new else [], changed=[name]))

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
        self,
        member_id: str,
        epoch: int,
        *,
        active: Tasks | None = None,
        standby: Tasks | None = None,
        group_id: str = GROUP,
        version: int = 1,
        **fields: Any,
    ) -> StreamsGroupHeartbeatResponse:
        """A heartbeat that must be answered at once; an error shows in the answer. With `active` or `standby` the
        member says all the tasks that it has.
        """
        if active is not None or standby is not None:
            fields["active_tasks"] = task_ids(active or {})
            fields["standby_tasks"] = task_ids(standby or {})
            fields["warmup_tasks"] = []
        request = StreamsGroupHeartbeatRequest(group_id=group_id, member_id=member_id, member_epoch=epoch, **fields)
        try:
            return self.groups.streams.heartbeat(request, Caller(version, "client", "/127.0.0.1")).result()
        except KafkaError as error:
            return StreamsGroupHeartbeatResponse(error_code=error.code, error_message=error.message)

    def joins(self, member_id: str, **fields: Any) -> StreamsGroupHeartbeatResponse:
        given = {
            "rebalance_timeout_ms": 60_000,
            "topology": self.topology,
            "process_id": f"process-of-{member_id}",
            "active": {},
            **fields,
        }
        return self.beat(member_id, 0, **given)

    # -- what tests look at

    def streams_group(self, group_id: str = GROUP) -> StreamsGroup:
        _, shard = self.groups._shards.find_any(group_id)
        group = shard.groups.get(group_id)
        assert isinstance(group, StreamsGroup), f"{group_id} is {group}"
        return group

    def described(self, group_id: str = GROUP) -> DescribedGroup:
        return self.groups.streams.describe_group(group_id).result()

    def epochs(self, group_id: str = GROUP) -> tuple[int, int, dict[str, int]]:
        """The epochs of the group, of its assignment, and of each member."""
        group = self.described(group_id)
        return group.group_epoch, group.assignment_epoch, {m.member_id: m.member_epoch for m in group.members}


def active(answer: StreamsGroupHeartbeatResponse) -> Tasks:
    """The active tasks that the answer tells the member."""
    assert answer.error_code == ErrorCode.NONE, answer
    return told(answer.active_tasks)


def statuses(answer: StreamsGroupHeartbeatResponse) -> list[int]:
    assert answer.error_code == ErrorCode.NONE, answer
    return [status.status_code for status in answer.status or ()]


def has_work_in_background(shard: GroupShard) -> bool:
    return bool(cast("StreamsGroups", shard.kind(GroupType.STREAMS))._membership._large_groups._being_assigned)
