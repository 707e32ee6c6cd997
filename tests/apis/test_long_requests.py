"""No request holds the event loop for more than 20 ms: those about thousands of partitions are cut into turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse, TopicPartitions
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from tests.network.longest_turn import watching
from tests.shell.running_node import Client, batch, connect, fetch_request, running_node, trio_test, until_parked

TOPIC = "wide"
PARTITIONS = range(3_000)
HOLD_SECONDS_MAX = 0.02

Ask = Callable[[Client], Awaitable[None]]


async def produce(client: Client) -> None:
    data = [PartitionProduceData(index=index, records=batch([b"value"])) for index in PARTITIONS]
    request = ProduceRequest(acks=-1, timeout_ms=60_000, topic_data=[TopicProduceData(name=TOPIC, partition_data=data)])
    response = await client.ask(request, ProduceResponse, 12)
    assert {answer.error_code for answer in response.responses[0].partition_responses} == {ErrorCode.NONE}


async def fetch(client: Client) -> None:
    response = await client.ask(fetch_request({TOPIC: dict.fromkeys(PARTITIONS, 0)}), FetchResponse, 12)
    assert sum(len(topic.partitions) for topic in response.responses) == len(PARTITIONS)


async def list_offsets(client: Client) -> None:
    partitions = [ListOffsetsPartition(partition_index=index, timestamp=-1) for index in PARTITIONS]
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name=TOPIC, partitions=partitions)])
    response = await client.ask(request, ListOffsetsResponse, 7)
    assert len(response.topics[0].partitions) == len(PARTITIONS)


async def metadata(client: Client) -> None:
    response = await client.ask(MetadataRequest(topics=None), MetadataResponse, 12)
    assert len(response.topics[0].partitions) == len(PARTITIONS)


async def create_and_delete_topics(client: Client) -> None:
    names = [f"narrow-{number}" for number in range(1_500)]
    topics = [CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in names]
    created = await client.ask(CreateTopicsRequest(topics=topics, timeout_ms=60_000), CreateTopicsResponse, 7)
    assert {topic.error_code for topic in created.topics} == {ErrorCode.NONE}
    deleted = await client.ask(DeleteTopicsRequest(topic_names=names, timeout_ms=60_000), DeleteTopicsResponse, 5)
    assert {topic.error_code for topic in deleted.responses} == {ErrorCode.NONE}


async def create_partitions(client: Client) -> None:
    wanted = CreatePartitionsTopic(name=TOPIC, count=2 * len(PARTITIONS), assignments=None)
    request = CreatePartitionsRequest(topics=[wanted], timeout_ms=60_000)
    response = await client.ask(request, CreatePartitionsResponse, 3)
    assert response.results[0].error_code == ErrorCode.NONE


async def elect_leaders(client: Client) -> None:
    every = await client.ask(ElectLeadersRequest(topic_partitions=None), ElectLeadersResponse)
    assert {topic.topic: topic.partition_result for topic in every.replica_election_results} == {TOPIC: []}
    listed = [TopicPartitions(topic=TOPIC, partitions=list(PARTITIONS))]
    response = await client.ask(ElectLeadersRequest(topic_partitions=listed), ElectLeadersResponse)
    codes = [result.error_code for result in response.replica_election_results[0].partition_result]
    assert codes == [ErrorCode.ELECTION_NOT_NEEDED] * len(PARTITIONS)


async def move_replicas(client: Client) -> None:
    partitions = [ReassignablePartition(partition_index=index, replicas=[1]) for index in PARTITIONS]
    request = AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name=TOPIC, partitions=partitions)])
    response = await client.ask(request, AlterPartitionReassignmentsResponse)
    assert [result.error_code for result in response.responses[0].partitions] == [ErrorCode.NONE] * len(PARTITIONS)


ASKED_AGAIN: tuple[Ask, ...] = (produce, fetch, list_offsets, metadata, elect_leaders, move_replicas)


@pytest.mark.parametrize("ask", [*ASKED_AGAIN, create_and_delete_topics, create_partitions])
def test_a_long_request_leaves_others_their_turns(ask: Ask, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic(TOPIC, len(PARTITIONS))
            with watching() as watch:
                await ask(client)  # logs are opened
                await trio.lowlevel.checkpoint()
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, f"at first: {watch}"
            if ask in ASKED_AGAIN:
                with watching() as watch:
                    await ask(client)
                assert watch.quiet_seconds < HOLD_SECONDS_MAX, f"again: {watch}"

    run()


def test_a_parked_fetch_of_thousands_is_answered_in_turns(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client, connect(node) as producer:
            await producer.create_topic(TOPIC, len(PARTITIONS))
            await fetch(client)
            await client.send(fetch_request({TOPIC: dict.fromkeys(PARTITIONS, 0)}, max_wait_ms=3_600_000), 12)
            await until_parked(node)
            with watching() as watch:
                await producer.produce(TOPIC, b"news", partition=PARTITIONS[-1])
                response = await client.receive(FetchResponse)
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
            assert sum(bool(data.records) for data in response.responses[0].partitions) == 1

    run()
