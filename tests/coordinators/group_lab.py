"""A group coordinator with a log in memory and a clock moved by hand. Time passes only in `advance`."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Generic, TypeVar

import trio
import trio.testing

from kafkapy.clock import ManualClock
from kafkapy.coordinators.group import GroupCoordinator
from kafkapy.coordinators.group.classic.requests import refused_join
from kafkapy.coordinators.group.group import Caller
from kafkapy.coordinators.group.offset_commits import TopicToCommit
from kafkapy.coordinators.ports import Position, Term
from kafkapy.coordinators.runtime import partition_for
from kafkapy.high_watermark import HighWatermark
from kafkapy.pending import Pending, attempt
from kafkapy.settings import Settings
from kafkapy.settings.broker import GroupCoordinatorSettings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import MemberIdentity
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from kafkapy_wire.records import Record, decode_records
from kafkapy_wire.records.building import BuiltBatch
from kafkapy_wire.uuid import ZERO_UUID, Uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy.coordinators.group.classic.group import ClassicGroup
    from kafkapy_wire.messages.describe_groups import DescribedGroup

T = TypeVar("T")

NODE_ID, OTHER_NODE_ID = 1, 2
FIRST_LEADER_EPOCH = 7
GROUP = "readers"
PARTITION_COUNT = 3
SESSION_MS = 10_000
REBALANCE_MS = 60_000
NEWEST_JOIN = 9

# A consumer's subscription, version 1, to the topic `t`.
SUBSCRIPTION = b"\0\1" + b"\0\0\0\1" + b"\0\1t" + b"\xff\xff\xff\xff" + b"\0\0\0\0"


class MemoryLog:
    """`coordinators.ports.CoordinatorLog` in memory. This broker leads all partitions but those `led_elsewhere`."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.end_offsets: list[int] = []
        self.marks: list[HighWatermark] = []
        self.commits_at_once = True
        """False: nothing is committed before `commit` is called."""
        self.refuse_appends_with: ErrorCode | None = None
        self.creations = 0
        self.leader_epochs = [FIRST_LEADER_EPOCH] * PARTITION_COUNT
        self.led_elsewhere: set[int] = set()

    @property
    def partition_count(self) -> int:
        return len(self.batches)

    def leader_id(self, partition: int) -> int:
        return OTHER_NODE_ID if partition in self.led_elsewhere else NODE_ID

    def term(self, partition: int) -> Term | None:
        if partition >= len(self.batches) or partition in self.led_elsewhere:
            return None
        return Term(ZERO_UUID, self.leader_epochs[partition])

    async def create_topic(self) -> None:
        await trio.lowlevel.checkpoint()
        self.creations += 1
        self.batches = [[] for _ in range(PARTITION_COUNT)]
        self.end_offsets = [0] * PARTITION_COUNT
        self.marks = [HighWatermark(0) for _ in range(PARTITION_COUNT)]

    def position(self, partition: int) -> Position:
        return Position(self.end_offsets[partition], self.marks[partition])

    def commit(self) -> None:
        """What the followers, or the disk, do in the end."""
        for mark, end_offset in zip(self.marks, self.end_offsets, strict=True):
            mark.advance(end_offset)

    def refuse_waiting(self, code: ErrorCode) -> None:
        """What a failed fsync does: nobody knows whether the records will be there."""
        for mark in self.marks:
            mark.refuse(KafkaError(code))

    def append(self, partition: int, batch: BuiltBatch) -> Position:
        if self.refuse_appends_with is not None:
            raise KafkaError(self.refuse_appends_with)
        self.batches[partition].append(batch.data)
        self.end_offsets[partition] += batch.header.record_count
        if self.commits_at_once:
            self.marks[partition].advance(self.end_offsets[partition])
        return self.position(partition)

    def read_batches(self, partition: int) -> Iterator[memoryview]:
        for batch in list(self.batches[partition]):
            yield memoryview(batch)

    def records(self, group_id: str = GROUP) -> list[Record]:
        """Everything in the partition of that group, in order."""
        partition = self.batches[partition_for(group_id, PARTITION_COUNT)] if self.batches else []
        return [record for batch in partition for record in decode_records(batch)]


def to_commit(request: OffsetCommitRequest) -> list[TopicToCommit]:
    """Its topics, as the handler gives those that exist to the coordinator."""
    return [TopicToCommit.of(topic) for topic in request.topics]


class Metadata:
    def __init__(self) -> None:
        self.image = MetadataImage()


class Asked(Generic[T]):
    """A request that may still be parked."""

    def __init__(self) -> None:
        self._answer: T | None = None

    @property
    def parked(self) -> bool:
        return self._answer is None

    @property
    def answer(self) -> T:
        assert self._answer is not None, "still parked"
        return self._answer

    def settle(self, pending: Pending[T]) -> None:
        self._answer = pending.result()


class GroupLab:
    def __init__(self, **settings: object) -> None:
        self.nursery: trio.Nursery | None = None
        self.clock = ManualClock(frozen=True)
        self.log = MemoryLog()
        self.metadata = Metadata()
        self.add_topic("t", 2)
        self.use_settings(**settings)

    def use_settings(self, **settings: object) -> None:
        """Begin anew with these settings, and what is in the log once `restart` is called."""
        given = Settings({})
        given.groups = GroupCoordinatorSettings().replace(settings)
        self.settings = CurrentSettings(given)
        self.groups = self._coordinator()

    def start(self, nursery: trio.Nursery) -> None:
        """Have what the coordinator does in the background done in that nursery."""
        self.nursery = nursery
        nursery.start_soon(self.groups.run)

    def _coordinator(self) -> GroupCoordinator:
        groups = GroupCoordinator(self.settings, self.clock, self.log, self.metadata, Random(1))
        if self.nursery is not None:
            self.nursery.start_soon(groups.run)
        return groups

    async def restart(self) -> None:
        """What a killed node does: a new coordinator loads what the log has."""
        self.groups = self._coordinator()
        await self.groups.load()

    def add_topic(self, name: str, partition_count: int, topic_id: Uuid = ZERO_UUID) -> None:
        topic = TopicImage(name, topic_id, (PartitionImage((1,), (1,), 1),) * partition_count)
        image = self.metadata.image
        self.metadata.image = image._replace(
            topics={**image.topics, name: topic}, topics_by_id={**image.topics_by_id, topic_id: topic}
        )

    def advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)

    # -- requests

    async def ask(self, ask: Callable[[], Pending[T]], refuse: Callable[[KafkaError], T]) -> Asked[T]:
        """Send a request and let everything happen that it causes; `refuse` is how its handler answers an error.

        As clients do, have the coordinator looked for before, so that its topic is there.
        """
        await self.groups.when_ready(GROUP).wait()
        asked: Asked[T] = Asked()
        attempt(ask).otherwise(refuse).when_settled(asked.settle)
        await trio.testing.wait_all_tasks_blocked()
        return asked

    async def join(
        self,
        member_id: str = "",
        *,
        group_id: str = GROUP,
        instance_id: str | None = None,
        protocols: tuple[tuple[str, bytes], ...] = (("range", SUBSCRIPTION),),
        protocol_type: str = "consumer",
        session_ms: int = SESSION_MS,
        rebalance_ms: int = REBALANCE_MS,
        version: int = NEWEST_JOIN,
        client_id: str = "client",
    ) -> Asked[JoinGroupResponse]:
        request = JoinGroupRequest(
            group_id=group_id,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name=name, metadata=metadata) for name, metadata in protocols],
        )
        caller = Caller(version, client_id, "/127.0.0.1")
        return await self.ask(
            lambda: self.groups.classic.join_group(request, caller),
            lambda error: refused_join(member_id, error),
        )

    async def new_member_id(self, **options: object) -> str:
        """The id that a first JoinGroup is given to come back with (KIP-394)."""
        answer = (await self.join(**options)).answer  # type: ignore[arg-type]
        assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
        return answer.member_id

    async def sync(
        self,
        member_id: str,
        generation_id: int,
        assignments: dict[str, bytes] | None = None,
        *,
        group_id: str = GROUP,
        instance_id: str | None = None,
        protocol: tuple[str | None, str | None] = ("consumer", "range"),
    ) -> Asked[SyncGroupResponse]:
        request = SyncGroupRequest(
            group_id=group_id,
            generation_id=generation_id,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol[0],
            protocol_name=protocol[1],
            assignments=[
                SyncGroupRequestAssignment(member_id=member, assignment=assignment)
                for member, assignment in (assignments or {}).items()
            ],
        )
        return await self.ask(
            lambda: self.groups.classic.sync_group(request), lambda error: SyncGroupResponse(error_code=error.code)
        )

    def heartbeat(
        self, member_id: str, generation_id: int, *, group_id: str = GROUP, instance_id: str | None = None
    ) -> ErrorCode:
        request = HeartbeatRequest(
            group_id=group_id, generation_id=generation_id, member_id=member_id, group_instance_id=instance_id
        )
        try:
            return self.groups.classic.heartbeat(request).result()
        except KafkaError as error:
            return error.code

    def leave(self, member_id: str, *, group_id: str = GROUP, instance_id: str | None = None) -> ErrorCode:
        identity = MemberIdentity(member_id=member_id, group_instance_id=instance_id)
        try:
            return ErrorCode(self.groups.classic.leave_group(group_id, [identity]).result()[0].error_code)
        except KafkaError as error:
            return error.code

    async def commit(
        self,
        offset: int = 5,
        *,
        member_id: str = "",
        generation_id: int = -1,
        group_id: str = GROUP,
        instance_id: str | None = None,
        topic: str = "t",
        partition: int = 0,
        metadata: str | None = "",
        leader_epoch: int = -1,
        retention_ms: int = -1,
        version: int = 9,
    ) -> ErrorCode:
        request = OffsetCommitRequest(
            group_id=group_id,
            generation_id_or_member_epoch=generation_id,
            member_id=member_id,
            group_instance_id=instance_id,
            retention_time_ms=retention_ms,
        )
        found = self.metadata.image.topics[topic]
        request.topics = [
            OffsetCommitRequestTopic(
                name=topic,
                topic_id=found.topic_id,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=partition,
                        committed_offset=offset,
                        committed_leader_epoch=leader_epoch,
                        committed_metadata=metadata,
                    )
                ],
            )
        ]
        try:
            topics = await self.groups.commit_offsets(request, to_commit(request), version).wait()
        except KafkaError as error:
            return error.code
        return topics[0].partitions[0][1]

    def committed(self, partition: int = 0, *, topic: str = "t", group_id: str = GROUP) -> int:
        asked = OffsetFetchRequestTopics(name=topic, partition_indexes=[partition])
        answer = self.groups.fetch_offsets(group_id, [asked], require_stable=False)
        return answer.result()[0].partitions[0].committed_offset

    # -- what tests look at

    def describe(self, group_id: str = GROUP) -> DescribedGroup:
        return self.groups.classic.describe_group(group_id).result()

    def state(self, group_id: str = GROUP) -> str:
        listed = {group.group_id: group.group_state for group in self.groups.list_groups((), ()).result()}
        return listed.get(group_id, "none")

    def group(self, group_id: str = GROUP) -> ClassicGroup:
        _, shard = self.groups._shards.find_any(group_id)
        group = shard.classic.get(group_id)
        assert group is not None, f"{group_id} is not a classic group"
        return group

    # -- groups in a known state

    async def stable_member(self, **options: object) -> tuple[str, int]:
        """A group of one dynamic member, stable: its id and generation."""
        member_id = await self.new_member_id(**options)
        joined = (await self.join(member_id, **options)).answer  # type: ignore[arg-type]
        assert joined.error_code == ErrorCode.NONE
        assert joined.leader == member_id
        synced = (await self.sync(member_id, joined.generation_id, {member_id: b"all"})).answer
        assert synced.error_code == ErrorCode.NONE
        return member_id, joined.generation_id

    async def stable_pair(self, *, instance_ids: tuple[str | None, str | None] = (None, None)) -> tuple[str, str, int]:
        """A stable group of two: leader, follower, generation."""
        first = await self._first(instance_ids[0])
        if instance_ids[1] is None:
            second = await self.new_member_id()
            joins = (await self.join(second), await self.join(first, instance_id=instance_ids[0]))
        else:
            joins = (await self.join(instance_id=instance_ids[1]), await self.join(first, instance_id=instance_ids[0]))
            second = joins[0].answer.member_id
        generation_id = joins[0].answer.generation_id
        waiting = await self.sync(second, generation_id, instance_id=instance_ids[1])
        await self.sync(first, generation_id, {first: b"one", second: b"two"}, instance_id=instance_ids[0])
        assert waiting.answer.assignment == b"two"
        assert self.state() == "Stable"
        return first, second, generation_id

    async def _first(self, instance_id: str | None) -> str:
        if instance_id is None:
            member_id = await self.new_member_id()
            await self.join(member_id)
            return member_id
        return (await self.join(instance_id=instance_id)).answer.member_id
