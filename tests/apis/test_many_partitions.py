"""Requests about many partitions: others are answered meanwhile; and a crash in the middle of a transaction's end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from kafkapy import turns
from kafkapy.node import Node
from kafkapy.partitions.partition import Partition
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest, DescribeTransactionsResponse
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.uuid import Uuid
from tests.shell.running_node import Client, batch, connect, fetch_request, running_node, trio_test

ID, TOPIC = "orders", "t"
PARTITIONS = range(100)
SETTINGS = {"transaction.state.log.num.partitions": "1"}
READ_COMMITTED = 1


async def begin_transaction(client: Client) -> EndTxnRequest:
    """One record in each partition. Returns what commits them."""
    request, end = await transactional_produce(client)
    response = await client.ask(request, ProduceResponse, 12)
    assert {answer.error_code for answer in response.responses[0].partition_responses} == {ErrorCode.NONE}
    return end


async def transactional_produce(client: Client) -> tuple[ProduceRequest, EndTxnRequest]:
    """One record for each partition of a new topic, and what commits them."""
    await client.create_topic(TOPIC, len(PARTITIONS))
    await client.find_coordinator(ID, key_type=1)
    producer = await client.ask(
        InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000), InitProducerIdResponse
    )
    records = batch(
        [b"value"],
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        base_sequence=0,
        is_transactional=True,
    )
    data = [PartitionProduceData(index=index, records=records) for index in PARTITIONS]
    request = ProduceRequest(
        transactional_id=ID,
        acks=-1,
        timeout_ms=1_000,
        topic_data=[TopicProduceData(name=TOPIC, partition_data=data)],
    )
    end = EndTxnRequest(
        transactional_id=ID,
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        committed=True,
    )
    return request, end


async def state_of(client: Client) -> str:
    response = await client.ask(DescribeTransactionsRequest(transactional_ids=[ID]), DescribeTransactionsResponse)
    return response.transaction_states[0].transaction_state


def offsets_request() -> ListOffsetsRequest:
    wanted = [ListOffsetsPartition(partition_index=index, timestamp=-1) for index in PARTITIONS]
    topic = ListOffsetsTopic(name=TOPIC, partitions=wanted)
    return ListOffsetsRequest(replica_id=-1, isolation_level=READ_COMMITTED, topics=[topic])


async def stable_offsets(client: Client) -> list[int]:
    """The last stable offset of each partition: 0 before its marker, then 2."""
    response = await client.ask(offsets_request(), ListOffsetsResponse)
    return [answer.offset for answer in response.topics[0].partitions]


def of_topic(node: Node) -> list[Partition]:
    return [partition for partition in node.broker.partitions.opened() if partition.topic == TOPIC]


async def half_way(node: Node) -> None:
    """Return when some markers are written, and some are not."""
    while not any(partition.last_stable_offset for partition in of_topic(node)):
        await trio.lowlevel.checkpoint()


@trio_test
async def test_others_are_answered_while_markers_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client, connect(node) as other:
        end = await begin_transaction(client)
        await client.send(end)
        await half_way(node)
        assert await state_of(other) == "PrepareCommit"
        assert {partition.last_stable_offset for partition in of_topic(node)} == {0, 2}
        answer = await client.receive(EndTxnResponse)
        assert answer.error_code == ErrorCode.NONE
        assert await state_of(other) == "CompleteCommit"
        assert await stable_offsets(other) == [2] * len(PARTITIONS)


@trio_test
async def test_what_is_appended_after_the_end_of_its_transaction_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older producer's epoch stays the same (before KIP-890), so only the guard of each partition knows it."""
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client, connect(node) as other:
        request, end = await transactional_produce(client)
        topics = [AddPartitionsToTxnTopic(name=TOPIC, partitions=list(PARTITIONS))]
        add = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=ID,
            v3_and_below_producer_id=end.producer_id,
            v3_and_below_producer_epoch=end.producer_epoch,
            v3_and_below_topics=topics,
        )
        added = await client.ask(add, AddPartitionsToTxnResponse, 3)
        assert {one.partition_error_code for one in added.results_by_topic_v3_and_below[0].results_by_partition} == {0}
        request.topic_data[0].partition_data.reverse()  # the markers are written in ascending order: they meet
        await client.send(request, 11)
        while not any(partition.log.log_end_offset for partition in of_topic(node)):
            await trio.lowlevel.checkpoint()
        assert (await other.ask(end, EndTxnResponse, 4)).error_code == ErrorCode.NONE
        response = await client.receive(ProduceResponse)
        codes = {answer.index: answer.error_code for answer in response.responses[0].partition_responses}
        assert set(codes.values()) == {ErrorCode.NONE, ErrorCode.INVALID_TXN_STATE}
        for partition in of_topic(node):
            assert partition.last_stable_offset == partition.log.log_end_offset
            assert partition.log.log_end_offset == (2 if codes[partition.index] == ErrorCode.NONE else 1)


@trio_test
async def test_a_crash_between_markers_is_finished_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory as it is between two turns is what a killed node leaves."""
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)
    crashed = tmp_path / "crashed"
    async with running_node(tmp_path / "data", SETTINGS) as node, connect(node) as client:
        end = await begin_transaction(client)
        await client.send(end)
        await half_way(node)
        shutil.copytree(tmp_path / "data", crashed)
        written = sum(partition.last_stable_offset > 0 for partition in of_topic(node))
        assert 0 < written < len(PARTITIONS)
    async with running_node(crashed, SETTINGS) as node, connect(node) as client:
        while await state_of(client) != "CompleteCommit":  # it is served before its markers are all written
            await trio.lowlevel.checkpoint()
        # Those that had a marker have got it again: it takes an offset and changes nothing.
        assert sorted(await stable_offsets(client)) == [2] * (len(PARTITIONS) - written) + [3] * written
        for index in (PARTITIONS[0], PARTITIONS[-1]):
            assert (await client.values(TOPIC, index))[0] == b"value"
        end.producer_epoch += 1
        assert (await client.ask(end, EndTxnResponse)).error_code == ErrorCode.INVALID_TXN_STATE, "it is over"


@pytest.mark.parametrize("request_of", ["produce", "fetch", "fetch by id", "list offsets"])
def test_others_are_answered_while_partitions_are_opened(
    request_of: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, SETTINGS) as node, connect(node) as client, connect(node) as other:
            topic_id = await client.create_topic(TOPIC, len(PARTITIONS))
            request, response_class, version = first_request(request_of, topic_id)
            await client.send(request, version)
            while not (opened := len(node.broker.partitions.opened())):
                await trio.lowlevel.checkpoint()
            assert opened < len(PARTITIONS)
            await other.ask(DescribeTransactionsRequest(), DescribeTransactionsResponse)
            assert len(node.broker.partitions.opened()) < len(PARTITIONS)
            answer = await client.receive(response_class)
            assert [code for code in errors_in(answer) if code != ErrorCode.NONE] == []
            assert len(errors_in(answer)) == len(node.broker.partitions.opened()) == len(PARTITIONS)

    run()


Answer = ProduceResponse | FetchResponse | ListOffsetsResponse


def first_request(what: str, topic_id: Uuid) -> tuple[Message, type[Answer], int]:
    """One that names every partition of the topic."""
    match what:
        case "produce":
            data = [PartitionProduceData(index=index, records=batch([b"value"])) for index in PARTITIONS]
            topic_data = [TopicProduceData(name=TOPIC, partition_data=data)]
            return ProduceRequest(acks=-1, timeout_ms=1_000, topic_data=topic_data), ProduceResponse, 12
        case "fetch":
            return fetch_request({TOPIC: dict.fromkeys(PARTITIONS, 0)}), FetchResponse, 12
        case "fetch by id":
            return fetch_request({topic_id: dict.fromkeys(PARTITIONS, 0)}), FetchResponse, 13
        case _:
            return offsets_request(), ListOffsetsResponse, 9


def errors_in(answer: Answer) -> list[int]:
    match answer:
        case ProduceResponse():
            return [partition.error_code for partition in answer.responses[0].partition_responses]
        case FetchResponse():
            return [partition.error_code for partition in answer.responses[0].partitions]
        case _:
            return [partition.error_code for partition in answer.topics[0].partitions]
