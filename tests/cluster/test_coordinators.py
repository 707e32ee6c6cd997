"""Groups and transactions in a cluster of three whose brokers are killed, over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio

from kafkapy.cluster import Cluster
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from kafkapy_wire.records import (
    BatchHeader,
    NewRecord,
    Record,
    build_batch,
    decode_records,
    read_batch_header,
    split_batches,
)
from tests.cluster.bounds import cluster_test
from tests.cluster.test_cluster import FAST, cluster
from tests.shell.running_node import bytes_of, connect

R = TypeVar("R", bound=Message)

SETTINGS = FAST | {
    "offsets.topic.num.partitions": "3",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.num.partitions": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}
GROUPS = ("a", "b", "c")
GROUP_TYPE, TRANSACTION_TYPE = 0, 1
TOPIC, ID = "t", "orders"
MOVES = (
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.CONCURRENT_TRANSACTIONS,
)
"""What clients ask again after, and where they look for the coordinator, or the leader, anew."""


async def coordinator(made: Cluster, key: str, key_type: int = GROUP_TYPE) -> int:
    """By any node that runs; asked until it is one that runs."""
    while True:
        async with connect(made.nodes[next(iter(made.running))]) as client:
            request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
            (found,) = (await client.ask(request, FindCoordinatorResponse)).coordinators
        if found.error_code == ErrorCode.NONE and found.node_id in made.running:
            return found.node_id
        await trio.sleep(0.01)


async def ask(
    made: Cluster,
    key: str,
    request: Message,
    response_class: type[R],
    code_of: Callable[[R], int],
    *,
    key_type: int = GROUP_TYPE,
    version: int | None = None,
) -> R:
    """The answer of whoever coordinates, asked as clients do while it moves."""
    while True:
        async with connect(made.nodes[await coordinator(made, key, key_type)]) as client:
            answer = await client.ask(request, response_class, version)
        if code_of(answer) not in MOVES:
            return answer
        await trio.sleep(0.01)


async def create_topic(made: Cluster, partitions: int) -> None:
    async with connect(made.nodes[1]) as client:
        topic = CreatableTopic(name=TOPIC, num_partitions=partitions, replication_factor=3)
        answer = await client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), CreateTopicsResponse)
        assert answer.topics[0].error_code == ErrorCode.NONE, answer


async def commit(made: Cluster, group_id: str, offset: int) -> None:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topics = [OffsetCommitRequestTopic(name=TOPIC, partitions=[partition])]
    request = OffsetCommitRequest(group_id=group_id, generation_id_or_member_epoch=-1, topics=topics)
    answer = await ask(
        made, group_id, request, OffsetCommitResponse, lambda a: a.topics[0].partitions[0].error_code, version=9
    )
    assert answer.topics[0].partitions[0].error_code == ErrorCode.NONE, answer


async def committed(made: Cluster, group_id: str) -> list[int]:
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group_id, topics=None)])
    answer = await ask(made, group_id, request, OffsetFetchResponse, lambda a: a.groups[0].error_code, version=9)
    assert answer.groups[0].error_code == ErrorCode.NONE, answer
    return [partition.committed_offset for topic in answer.groups[0].topics for partition in topic.partitions]


async def spread(made: Cluster) -> dict[str, int]:
    """The coordinators of the groups, once each broker lists those that it coordinates and refuses the others.

    On a busy machine a broker may miss its heartbeats for a moment, and another one leads meanwhile.
    """
    while True:
        listed: dict[str, int] = {}
        refused = []
        for node_id, node in made.nodes.items():
            async with connect(node) as client:
                for group in (await client.ask(ListGroupsRequest(), ListGroupsResponse)).groups:
                    listed[group.group_id] = node_id
                for group_id in GROUPS:
                    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group_id, topics=None)])
                    answer = await client.ask(request, OffsetFetchResponse, 9)
                    if answer.groups[0].error_code == ErrorCode.NOT_COORDINATOR:
                        refused.append((node_id, group_id))
        found = {group_id: await coordinator(made, group_id) for group_id in GROUPS}
        others = [(node_id, group_id) for node_id in made.nodes for group_id in GROUPS if found[group_id] != node_id]
        if listed == found and refused == others:
            return found
        await trio.sleep(0.05)


@cluster_test
async def test_committed_offsets_outlive_their_coordinators(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=SETTINGS) as made:
        await create_topic(made, 1)
        for offset, group_id in enumerate(GROUPS):
            await commit(made, group_id, offset)
        homes = await spread(made)
        await made.kill(homes["a"])
        assert [await committed(made, group_id) for group_id in GROUPS] == [[0], [1], [2]]
        await commit(made, "a", 10)
        await made.start(homes["a"])
        assert await committed(made, "a") == [10]


@cluster_test
async def test_a_member_goes_on_with_the_next_coordinator(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=SETTINGS) as made:
        protocols = [JoinGroupRequestProtocol(name="range", metadata=b"m")]
        join = JoinGroupRequest(
            group_id="a",
            session_timeout_ms=30_000,
            rebalance_timeout_ms=30_000,
            group_instance_id="static",
            protocol_type="other",
            protocols=protocols,
        )
        joined = await ask(made, "a", join, JoinGroupResponse, lambda answer: answer.error_code)
        assert joined.error_code == ErrorCode.NONE, joined
        sync = SyncGroupRequest(
            group_id="a",
            generation_id=joined.generation_id,
            member_id=joined.member_id,
            group_instance_id="static",
            protocol_type="other",
            protocol_name="range",
            assignments=[SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")],
        )
        assert (await ask(made, "a", sync, SyncGroupResponse, lambda a: a.error_code)).assignment == b"all"
        await made.kill(await coordinator(made, "a"))
        beat = HeartbeatRequest(
            group_id="a",
            generation_id=joined.generation_id,
            member_id=joined.member_id,
            group_instance_id="static",
        )
        answer = await ask(made, "a", beat, HeartbeatResponse, lambda answer: answer.error_code)
        assert answer.error_code == ErrorCode.NONE
        assert (await ask(made, "a", sync, SyncGroupResponse, lambda a: a.error_code)).assignment == b"all"


class Producer:
    """A transactional producer that follows leaders and coordinators."""

    def __init__(self, made: Cluster) -> None:
        self.made = made
        self.producer_id = self.epoch = -1
        self.sequences: dict[int, int] = {}

    async def init(self) -> None:
        request = InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000)
        answer = await self._ask(request, InitProducerIdResponse)
        assert answer.error_code == ErrorCode.NONE, answer
        self._become(answer.producer_id, answer.producer_epoch)

    def _become(self, producer_id: int, epoch: int) -> None:
        self.producer_id, self.epoch = producer_id, epoch
        self.sequences.clear()

    async def _ask(self, request: Message, response_class: type[R]) -> R:
        return await ask(
            self.made, ID, request, response_class, lambda a: getattr(a, "error_code", 0), key_type=TRANSACTION_TYPE
        )

    async def produce(self, value: bytes, index: int) -> None:
        batch = build_batch(
            [NewRecord(0, None, value)],
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=self.sequences.get(index, 0),
            is_transactional=True,
        )
        partition = PartitionProduceData(index=index, records=batch)
        request = ProduceRequest(
            transactional_id=ID,
            acks=-1,
            timeout_ms=5_000,
            topic_data=[TopicProduceData(name=TOPIC, partition_data=[partition])],
        )
        code = ErrorCode.NOT_LEADER_OR_FOLLOWER
        while code is not ErrorCode.NONE:
            assert code in MOVES, code
            leader = leader_of(self.made, index)
            if leader is None:
                await trio.sleep(0.01)
                continue
            async with connect(self.made.nodes[leader]) as client:
                answer = await client.ask(request, ProduceResponse, 12)
            code = ErrorCode(answer.responses[0].partition_responses[0].error_code)
        self.sequences[index] = self.sequences.get(index, 0) + 1

    async def end(self, *, commit: bool) -> None:
        request = EndTxnRequest(
            transactional_id=ID, producer_id=self.producer_id, producer_epoch=self.epoch, committed=commit
        )
        answer = await self._ask(request, EndTxnResponse)
        assert answer.error_code == ErrorCode.NONE, answer
        self._become(answer.producer_id, answer.producer_epoch)


def leader_of(made: Cluster, index: int) -> int | None:
    """The leader of the partition by any running node, if it runs."""
    node = made.nodes[next(iter(made.running))]
    leader = node.parts.metadata.image.topics[TOPIC].partitions[index].leader
    return leader if leader in made.running else None


async def read_committed(made: Cluster, index: int, count: int) -> list[bytes | None]:
    """The committed values of a partition, once there are so many. No transaction of the test is aborted."""
    values: list[bytes | None] = []
    offset = 0
    while len(values) < count:
        leader = leader_of(made, index)
        if leader is None:
            await trio.sleep(0.01)
            continue
        partition = FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=1 << 20)
        topics = [FetchTopic(topic=TOPIC, partitions=[partition])]
        async with connect(made.nodes[leader]) as client:
            request = FetchRequest(isolation_level=1, max_wait_ms=10, min_bytes=1, topics=topics)
            data = (await client.ask(request, FetchResponse, 12)).responses[0].partitions[0]
        assert not data.aborted_transactions
        for header, records in batches_of(data):
            values += [record.value for record in records if not header.is_control and record.offset >= offset]
            offset = header.last_offset + 1
    return values


def batches_of(data: PartitionData) -> list[tuple[BatchHeader, list[Record]]]:
    return [(read_batch_header(batch), list(decode_records(batch))) for _, batch in split_batches(bytes_of(data))]


@cluster_test
async def test_a_transaction_over_three_brokers_outlives_its_coordinator(tmp_path: Path) -> None:
    """Its partitions are led by all three; its coordinator is killed while it is open, and after it has ended."""
    async with cluster(tmp_path, settings=SETTINGS) as made:
        await create_topic(made, 3)
        producer = Producer(made)
        await producer.init()
        expected = []
        for round_number in range(2):
            value = b"%d" % round_number
            expected.append(value)
            for index in range(3):
                await producer.produce(value, index)
            killed = await coordinator(made, ID, TRANSACTION_TYPE)
            if round_number:
                await producer.end(commit=True)
            await made.kill(killed)
            if not round_number:
                await producer.end(commit=True)
            for index in range(3):
                assert await read_committed(made, index, len(expected)) == expected
            await made.start(killed)
