"""Clients may send any number as a time-out: APIs check it as Apache Kafka does, and no timer fires again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from kafkapy.apis import API_MODULES
from kafkapy.clock import ManualClock, Timer
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.add_raft_voter import AddRaftVoterRequest
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from kafkapy_wire.messages.create_delegation_token import CreateDelegationTokenRequest
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from kafkapy_wire.messages.share_fetch import FetchPartition, FetchTopic, ShareFetchRequest
from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest, Subtopology, Topology
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from kafkapy_wire.messages.update_features import UpdateFeaturesRequest
from kafkapy_wire.uuid import random_uuid
from tests.shell.running_node import (
    Client,
    batch,
    connect,
    fetch_request,
    produce_request,
    running_node,
    trio_test,
    until_parked,
)

EXTREMES = (-(2**31), -1, 0, 1, 2**31 - 1)
FIRST_VERSIONS = {ApiKey.OFFSET_COMMIT: 2, ApiKey.PRODUCE: 12, ApiKey.FETCH: 12}
"""Versions that have the field, or name topics."""


def join_request(instance_id: str | None = None) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id="readers",
        group_instance_id=instance_id,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


REQUESTS: dict[ApiKey, Callable[[], Message]] = {
    ApiKey.PRODUCE: lambda: produce_request("orders", batch([b"value"])),
    ApiKey.FETCH: lambda: fetch_request({"orders": {1: 0}}),
    ApiKey.LIST_OFFSETS: lambda: ListOffsetsRequest(
        replica_id=-1,
        topics=[ListOffsetsTopic(name="orders", partitions=[ListOffsetsPartition(partition_index=0, timestamp=-1)])],
    ),
    ApiKey.OFFSET_COMMIT: lambda: OffsetCommitRequest(
        group_id="others",
        generation_id_or_member_epoch=-1,
        topics=[
            OffsetCommitRequestTopic(
                name="orders",
                partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=0, committed_metadata="")],
            )
        ],
    ),
    ApiKey.JOIN_GROUP: lambda: join_request("instance"),
    ApiKey.CREATE_TOPICS: lambda: CreateTopicsRequest(
        topics=[CreatableTopic(name="more", num_partitions=1, replication_factor=1)]
    ),
    ApiKey.DELETE_TOPICS: lambda: DeleteTopicsRequest(topics=[DeleteTopicState(name="more")]),
    ApiKey.DELETE_RECORDS: lambda: DeleteRecordsRequest(
        topics=[DeleteRecordsTopic(name="orders", partitions=[DeleteRecordsPartition(partition_index=0, offset=0)])]
    ),
    ApiKey.INIT_PRODUCER_ID: lambda: InitProducerIdRequest(transactional_id="an-id"),
    ApiKey.ELECT_LEADERS: lambda: ElectLeadersRequest(
        election_type=0, topic_partitions=[TopicPartitions(topic="orders", partitions=[0])]
    ),
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: lambda: AlterPartitionReassignmentsRequest(
        topics=[ReassignableTopic(name="orders", partitions=[ReassignablePartition(partition_index=0, replicas=[1])])]
    ),
    ApiKey.LIST_PARTITION_REASSIGNMENTS: lambda: ListPartitionReassignmentsRequest(topics=None),
    ApiKey.UPDATE_FEATURES: UpdateFeaturesRequest,
    ApiKey.ADD_RAFT_VOTER: lambda: AddRaftVoterRequest(voter_id=2),
    ApiKey.CONSUMER_GROUP_HEARTBEAT: lambda: ConsumerGroupHeartbeatRequest(
        group_id="consumers",
        member_id="a-member",
        member_epoch=0,
        rebalance_timeout_ms=10_000,
        subscribed_topic_names=["orders"],
        topic_partitions=[],
    ),
    ApiKey.SHARE_FETCH: lambda: ShareFetchRequest(
        group_id="sharers",
        member_id=str(random_uuid()),
        share_session_epoch=0,
        min_bytes=1,
        max_bytes=1_000,
        max_records=10,
        batch_size=10,
        topics=[FetchTopic(topic_id=random_uuid(), partitions=[FetchPartition(partition_index=0)])],
    ),
    ApiKey.CREATE_PARTITIONS: lambda: CreatePartitionsRequest(topics=[CreatePartitionsTopic(name="orders", count=3)]),
    # Clients that have not logged in have no tokens: how long these last is in tests/apis/test_delegation_tokens.py.
    ApiKey.CREATE_DELEGATION_TOKEN: CreateDelegationTokenRequest,
    ApiKey.RENEW_DELEGATION_TOKEN: RenewDelegationTokenRequest,
    ApiKey.EXPIRE_DELEGATION_TOKEN: ExpireDelegationTokenRequest,
    ApiKey.STREAMS_GROUP_HEARTBEAT: lambda: StreamsGroupHeartbeatRequest(
        group_id="streams",
        member_id="a-member",
        member_epoch=0,
        rebalance_timeout_ms=10_000,
        process_id="a-process",
        topology=Topology(epoch=0, subtopologies=[Subtopology(subtopology_id="0", source_topics=["orders"])]),
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
    ),
}


def time_outs(key: ApiKey) -> list[str]:
    """The durations that a client sends in a request."""
    return [name for name in request_class(key).__annotations__ if name.endswith("_ms")]


CASES = [(key, name) for key in API_MODULES for name in time_outs(key)]


class CountingClock(ManualClock):
    """How many timers have fired."""

    def __init__(self) -> None:
        super().__init__()
        self.fired = 0

    def _fire(self, timer: Timer) -> None:
        self.fired += timer.pending
        super()._fire(timer)


def test_every_time_out_is_looked_at() -> None:
    assert {key for key, _ in CASES} == REQUESTS.keys()


@pytest.mark.parametrize(("key", "name"), CASES, ids=[f"{key.name}-{name}" for key, name in CASES])
@trio_test
async def test_no_time_out_makes_a_timer_fire_again_and_again(tmp_path: Path, key: ApiKey, name: str) -> None:
    clock = CountingClock()
    async with running_node(tmp_path, clock=clock) as node, connect(node) as other:
        await other.create_topic("orders", 2)
        await other.find_coordinator("readers")
        await other.find_coordinator("an-id", key_type=1)
        for value in EXTREMES:
            async with connect(node) as client:
                request = REQUESTS[key]()
                setattr(request, name, value)
                await client.send(request, FIRST_VERSIONS.get(key, API_VERSIONS[key].max_version))
                for _ in range(30):  # it is handled, or parked
                    await trio.lowlevel.checkpoint()
                assert await fired_in_passes(clock) < 20, value
        assert await other.produce("orders", b"served") >= 0
        assert node.bugs.kept == ()


async def join(client: Client, **fields: object) -> JoinGroupResponse:
    request = join_request()
    for name, value in fields.items():
        setattr(request, name, value)
    return await client.ask(request, JoinGroupResponse)


@trio_test
async def test_a_session_of_a_length_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.find_coordinator("readers")
        for value in (-(2**31), -1, 0, 5_999, 1_800_001, 2**31 - 1):
            assert (await join(client, session_timeout_ms=value)).error_code == ErrorCode.INVALID_SESSION_TIMEOUT
        assert (await join(client, session_timeout_ms=6_000)).error_code == ErrorCode.MEMBER_ID_REQUIRED


@trio_test
async def test_a_transaction_of_a_length_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.find_coordinator("an-id", key_type=1)
        for value, error in (
            (-(2**31), ErrorCode.INVALID_TRANSACTION_TIMEOUT),
            (0, ErrorCode.INVALID_TRANSACTION_TIMEOUT),
            (900_001, ErrorCode.INVALID_TRANSACTION_TIMEOUT),
            (900_000, ErrorCode.NONE),
        ):
            request = InitProducerIdRequest(transactional_id="an-id", transaction_timeout_ms=value)
            assert (await client.ask(request, InitProducerIdResponse)).error_code == error, value


async def sync(client: Client, joined: JoinGroupResponse, instance_id: str) -> None:
    assert joined.error_code == ErrorCode.NONE
    request = SyncGroupRequest(
        group_id="readers",
        generation_id=joined.generation_id,
        member_id=joined.member_id,
        group_instance_id=instance_id,
        protocol_type="consumer",
        protocol_name="range",
    )
    assert (await client.ask(request, SyncGroupResponse)).error_code == ErrorCode.NONE


@trio_test
async def test_members_that_are_gone_leave_no_timer_that_spins_even_over_a_restart(tmp_path: Path) -> None:
    """Two static members, restarted with a time-out far below zero; then one of them is made to leave."""
    clock = CountingClock()
    async with running_node(tmp_path, clock=clock) as node, connect(node) as one, connect(node) as two:
        await one.find_coordinator("readers")
        await sync(one, await one.ask(join_request("one"), JoinGroupResponse), "one")
        await two.send(join_request("two"))
        await until_parked(node)
        await sync(one, await one.ask(join_request("one"), JoinGroupResponse), "one")
        await sync(two, await two.receive(JoinGroupResponse), "two")
        for client, instance_id in ((one, "one"), (two, "two")):
            request = join_request(instance_id)
            request.rebalance_timeout_ms = -(2**31)
            assert (await client.ask(request, JoinGroupResponse)).error_code == ErrorCode.NONE
        leaving = LeaveGroupRequest(group_id="readers", members=[MemberIdentity(group_instance_id="two")])
        assert (await two.ask(leaving, LeaveGroupResponse)).members[0].error_code == ErrorCode.NONE
        assert await fired_in_passes(clock) < 20
    clock = CountingClock()
    async with running_node(tmp_path, clock=clock) as node, connect(node) as client:
        assert await fired_in_passes(clock) < 20
        assert (await join(client)).error_code == ErrorCode.MEMBER_ID_REQUIRED


async def fired_in_passes(clock: CountingClock) -> int:
    """How many timers fire in a hundred passes of the event loop."""
    before = clock.fired
    for _ in range(100):
        await trio.lowlevel.checkpoint()
    return clock.fired - before
