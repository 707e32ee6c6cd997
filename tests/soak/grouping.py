"""Members of classic groups that come and go: by LeaveGroup, by vanishing; static ones too; with committed offsets."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from tests.shell.running_node import Client
from tests.soak.world import EVENTS, World

KIND = "group"
PAUSE_SECONDS = 0.05
SESSION_TIMEOUT_MS = 2_000
REBALANCE_TIMEOUT_MS = 3_000
SHARED_GROUPS = 3
NOT_IN_STEP = (
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.ILLEGAL_GENERATION,
    ErrorCode.UNKNOWN_MEMBER_ID,
)
"""Others come and go, and a member that is late loses its place: it joins again, or is out."""


class Out(Exception):
    """The member has to begin anew."""


class Member:
    """One member; `group_instance_id` makes it a static one."""

    def __init__(self, world: World, client: Client, group_id: str, group_instance_id: str | None) -> None:
        self._world = world
        self._client = client
        self._group_id = group_id
        self._group_instance_id = group_instance_id
        self._member_id = ""
        self._generation_id = -1

    def _is_in_step(self, code: int) -> bool:
        """False: join again. Raises Out."""
        if not self._world.tally.error(KIND, code, NOT_IN_STEP):
            return True
        if code in (ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.ILLEGAL_GENERATION):
            return False
        raise Out

    async def join(self) -> None:
        """Become part of the next generation. Raises Out."""
        while not await self._try_to_join():
            pass
        self._world.tally.done["generations joined"] += 1

    async def _try_to_join(self) -> bool:
        answer = await self._ask_to_join()
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self._member_id = answer.member_id
            answer = await self._ask_to_join()
        if not self._is_in_step(answer.error_code):
            return False
        self._member_id, self._generation_id = answer.member_id, answer.generation_id
        assignments = [
            SyncGroupRequestAssignment(member_id=member.member_id, assignment=b"all of it") for member in answer.members
        ]
        sync = SyncGroupRequest(
            group_id=self._group_id,
            generation_id=self._generation_id,
            member_id=self._member_id,
            group_instance_id=self._group_instance_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=assignments if answer.leader == answer.member_id else [],
        )
        return self._is_in_step((await self._client.ask(sync, SyncGroupResponse)).error_code)

    async def _ask_to_join(self) -> JoinGroupResponse:
        await self._client.find_coordinator(self._group_id)
        request = JoinGroupRequest(
            group_id=self._group_id,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            member_id=self._member_id,
            group_instance_id=self._group_instance_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
        )
        return await self._client.ask(request, JoinGroupResponse)

    async def heartbeat(self) -> bool:
        request = HeartbeatRequest(
            group_id=self._group_id,
            generation_id=self._generation_id,
            member_id=self._member_id,
            group_instance_id=self._group_instance_id,
        )
        self._world.tally.done["heartbeats"] += 1
        return self._is_in_step((await self._client.ask(request, HeartbeatResponse)).error_code)

    async def commit(self, offset: int) -> bool:
        request = offset_commit(self._group_id, EVENTS, offset)
        request.member_id = self._member_id
        request.generation_id_or_member_epoch = self._generation_id
        request.group_instance_id = self._group_instance_id
        answer = await self._client.ask(request, OffsetCommitResponse, 9)
        self._world.tally.done["offset commits"] += 1
        return self._is_in_step(answer.topics[0].partitions[0].error_code)

    async def fetch_offset(self) -> None:
        topics = [OffsetFetchRequestTopics(name=EVENTS, partition_indexes=[0])]
        group = OffsetFetchRequestGroup(group_id=self._group_id, topics=topics)
        answer = await self._client.ask(OffsetFetchRequest(groups=[group]), OffsetFetchResponse, 9)
        self._world.tally.error(KIND, answer.groups[0].error_code)

    async def leave(self) -> None:
        identity = MemberIdentity(member_id=self._member_id, group_instance_id=self._group_instance_id)
        request = LeaveGroupRequest(group_id=self._group_id, members=[identity])
        answer = await self._client.ask(request, LeaveGroupResponse)
        self._world.tally.error(KIND, answer.error_code or answer.members[0].error_code, NOT_IN_STEP)


def offset_commit(group_id: str, topic: str, offset: int) -> OffsetCommitRequest:
    """Of partition 0, by nobody's member."""
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    return OffsetCommitRequest(group_id=group_id, topics=[OffsetCommitRequestTopic(name=topic, partitions=[partition])])


async def group_member(world: World) -> None:
    """The life of one member of a group that others share, or of one that nobody had before."""
    random = world.random
    group_id = random.choice((f"shared-{random.randrange(SHARED_GROUPS)}", world.fresh("group")))
    group_instance_id = world.fresh("instance") if random.random() < 0.3 else None
    async with world.connect() as client:
        member = Member(world, client, group_id, group_instance_id)
        try:
            await member.join()
            await member.fetch_offset()
            for offset in range(random.randint(1, 30)):
                in_step = await (member.commit(offset) if random.random() < 0.5 else member.heartbeat())
                if not in_step:
                    await member.join()
                await world.pace.pause(PAUSE_SECONDS)
            if random.random() < 0.6:
                await member.leave()
        except Out:
            await world.pace.pause(PAUSE_SECONDS)
        world.tally.done["lives of members"] += 1


async def lone_committer(world: World) -> None:
    """Offsets of a group without members, as tools and streaming engines commit them."""
    async with world.connect() as client:
        for offset in range(world.random.randint(1, 20)):
            group_id = world.random.choice(("engine", world.fresh("engine")))
            await client.find_coordinator(group_id)
            answer = await client.ask(offset_commit(group_id, EVENTS, offset), OffsetCommitResponse, 9)
            world.tally.error("offset commit", answer.topics[0].partitions[0].error_code)
            world.tally.done["offset commits"] += 1
            await world.pace.pause(PAUSE_SECONDS)
