"""The transaction APIs through a whole node: what each version of a request hears, and what readers see.

Expected codes are Apache Kafka 4.4.0's answers to the same requests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from kafkapy.clock import ManualClock
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest, DescribeTransactionsResponse
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse
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
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import ZERO_UUID, Uuid, random_uuid
from tests.shell.running_node import Client, connect, running_node, trio_test, until_parked

ID, TOPIC, GROUP = "orders", "t", "readers"
NOW_MS = 1_700_000_000_000
NONE = ErrorCode.NONE


class Producer:
    """A transactional producer of raw requests, one transactional id."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.producer_id = -1
        self.epoch = -1
        self.topic_id = ZERO_UUID

    async def init(self, version: int = 5, *, anew: bool = True) -> ErrorCode:
        await self.client.find_coordinator(ID, key_type=1)
        request = InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000)
        if not anew:
            request.producer_id, request.producer_epoch = self.producer_id, self.epoch
        response = await self.client.ask(request, InitProducerIdResponse, version)
        if response.error_code == NONE:
            self.producer_id, self.epoch = response.producer_id, response.producer_epoch
        return ErrorCode(response.error_code)

    async def produce(
        self,
        version: int,
        *,
        sequence: int = 0,
        index: int = 0,
        named: bool = True,
        transactional: bool = True,
        batches: int = 1,
    ) -> ErrorCode:
        batch = build_batch(
            [NewRecord(NOW_MS, None, b"value")],
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=sequence,
            is_transactional=transactional,
        )
        request = ProduceRequest(
            transactional_id=ID if named else None,
            acks=-1,
            timeout_ms=1_000,
            topic_data=[
                TopicProduceData(
                    name=TOPIC, partition_data=[PartitionProduceData(index=index, records=batch * batches)]
                )
            ],
        )
        response = await self.client.ask(request, ProduceResponse, version)
        return ErrorCode(response.responses[0].partition_responses[0].error_code)

    async def add(self, version: int, *indexes: int, topic: str = TOPIC, verify: bool = False) -> list[ErrorCode]:
        topics = [AddPartitionsToTxnTopic(name=topic, partitions=list(indexes))]
        if version < 4:
            request = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=ID,
                v3_and_below_producer_id=self.producer_id,
                v3_and_below_producer_epoch=self.epoch,
                v3_and_below_topics=topics,
            )
        else:
            transaction = AddPartitionsToTxnTransaction(
                transactional_id=ID,
                producer_id=self.producer_id,
                producer_epoch=self.epoch,
                verify_only=verify,
                topics=topics,
            )
            request = AddPartitionsToTxnRequest(transactions=[transaction])
        response = await self.client.ask(request, AddPartitionsToTxnResponse, version)
        results = (
            response.results_by_topic_v3_and_below if version < 4 else response.results_by_transaction[0].topic_results
        )
        return [ErrorCode(result.partition_error_code) for result in results[0].results_by_partition]

    async def add_offsets(self, version: int) -> ErrorCode:
        request = AddOffsetsToTxnRequest(
            transactional_id=ID, producer_id=self.producer_id, producer_epoch=self.epoch, group_id=GROUP
        )
        response = await self.client.ask(request, AddOffsetsToTxnResponse, version)
        return ErrorCode(response.error_code)

    async def commit_offset(
        self,
        version: int,
        offset: int,
        *,
        topic: str = TOPIC,
        topic_id: Uuid | None = None,
        generation_id: int = -1,
    ) -> ErrorCode:
        """By name, or from version 6 on by the topic's id."""
        request = TxnOffsetCommitRequest(
            transactional_id=ID,
            group_id=GROUP,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            generation_id_or_member_epoch=generation_id,
            topics=[
                TxnOffsetCommitRequestTopic(
                    name=topic,
                    topic_id=self.topic_id if topic_id is None else topic_id,
                    partitions=[TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)],
                )
            ],
        )
        response = await self.client.ask(request, TxnOffsetCommitResponse, version)
        (answered,) = response.topics
        if version >= 6:
            assert (answered.name, answered.topic_id) == ("", request.topics[0].topic_id)
        else:
            assert (answered.name, answered.topic_id) == (topic, ZERO_UUID)
        return ErrorCode(answered.partitions[0].error_code)

    async def end(self, version: int = 5, *, commit: bool = True) -> ErrorCode:
        request = EndTxnRequest(
            transactional_id=ID, producer_id=self.producer_id, producer_epoch=self.epoch, committed=commit
        )
        response = await self.client.ask(request, EndTxnResponse, version)
        if response.error_code == NONE and version >= 5:
            self.producer_id, self.epoch = response.producer_id, response.producer_epoch
        return ErrorCode(response.error_code)


async def committed_offset(client: Client) -> tuple[int, ErrorCode]:
    group = OffsetFetchRequestGroup(
        group_id=GROUP, topics=[OffsetFetchRequestTopics(name=TOPIC, partition_indexes=[0])]
    )
    response = await client.ask(OffsetFetchRequest(groups=[group], require_stable=True), OffsetFetchResponse, 9)
    partition = response.groups[0].topics[0].partitions[0]
    return partition.committed_offset, ErrorCode(partition.error_code)


def read_committed(offset: int = 0, *, max_wait_ms: int = 0) -> FetchRequest:
    partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=1,
        max_bytes=1 << 20,
        isolation_level=1,
        session_epoch=-1,
        topics=[FetchTopic(topic=TOPIC, partitions=[partition])],
    )


async def fetch_committed(client: Client, offset: int = 0) -> PartitionData:
    response = await client.ask(read_committed(offset), FetchResponse, 12)
    return response.responses[0].partitions[0]


async def state_of(client: Client) -> str:
    response = await client.ask(DescribeTransactionsRequest(transactional_ids=[ID]), DescribeTransactionsResponse)
    return response.transaction_states[0].transaction_state


@asynccontextmanager
async def producing(directory: Path, clock: ManualClock | None = None, **settings: str) -> AsyncIterator[Producer]:
    """A node with a topic of two partitions, and an initialised producer."""
    named = {"offsets.topic.num.partitions": "2", "transaction.state.log.num.partitions": "2"}
    named |= {name.replace("_", "."): value for name, value in settings.items()}
    async with running_node(directory, named, clock=clock) as node, connect(node) as client:
        await client.find_coordinator(GROUP)
        producer = Producer(client)
        producer.topic_id = await client.create_topic(TOPIC, 2)
        assert await producer.init() is NONE
        yield producer


@trio_test
async def test_a_newer_produce_puts_its_partition_into_the_transaction(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.produce(12) is NONE
        assert await producer.produce(12, sequence=1) is NONE
        assert await producer.produce(12, index=1, sequence=5) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        open_data = await fetch_committed(producer.client)
        assert (open_data.last_stable_offset, open_data.high_watermark, open_data.records) == (0, 2, b"")
        assert await state_of(producer.client) == "Ongoing"
        assert await producer.end() is NONE
        data = await fetch_committed(producer.client)
        assert (data.last_stable_offset, data.aborted_transactions) == (3, [])


@trio_test
async def test_an_older_produce_is_refused_until_its_partition_was_added(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.produce(9) is ErrorCode.INVALID_TXN_STATE
        assert await producer.produce(11) is ErrorCode.TRANSACTION_ABORTABLE
        assert await producer.add(3, 0) == [NONE]
        assert await producer.produce(9) is NONE
        assert await producer.produce(9, sequence=1, transactional=False) is ErrorCode.INVALID_TXN_STATE
        assert await producer.produce(9, sequence=1, named=False) is ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        assert await producer.end(4, commit=False) is NONE
        data = await fetch_committed(producer.client)
        assert data.aborted_transactions is not None
        assert [(aborted.producer_id, aborted.first_offset) for aborted in data.aborted_transactions] == [
            (producer.producer_id, 0)
        ]
        assert await producer.produce(9, sequence=1) is ErrorCode.INVALID_TXN_STATE, "late"


@trio_test
async def test_without_verification_an_older_produce_is_believed(tmp_path: Path) -> None:
    async with producing(tmp_path, transaction_partition_verification_enable="false") as producer:
        assert await producer.produce(9) is NONE


@trio_test
async def test_adding_partitions(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.add(3, 0, 7) == [
            ErrorCode.OPERATION_NOT_ATTEMPTED,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ]
        assert await producer.add(3, 0, topic="?") == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
        assert await producer.add(0, 0) == [NONE]
        assert await producer.add(4, 0, 1, verify=True) == [NONE, ErrorCode.TRANSACTION_ABORTABLE]
        assert await producer.add(4, 1) == [NONE]
        assert await producer.add(5, 0, 1) == [NONE, NONE]
        assert await producer.add(5, 0, 0) == [NONE, NONE]
        assert await producer.add(5, 0, 0, verify=True) == [NONE], "each partition once"
        assert await producer.add_offsets(3) is NONE
        offsets_topic = "__consumer_offsets"
        assert await producer.add(3, 0, topic=offsets_topic) == [ErrorCode.TOPIC_AUTHORIZATION_FAILED]
        assert await producer.add(4, 0, topic=offsets_topic) == [NONE], "brokers may"
        producer.epoch += 1
        assert await producer.add(1, 0) == [ErrorCode.INVALID_PRODUCER_EPOCH]
        assert await producer.add(2, 0) == [ErrorCode.PRODUCER_FENCED]
        assert await producer.add(4, 0, verify=True) == [ErrorCode.PRODUCER_FENCED]
        producer.producer_id += 1
        assert await producer.add(3, 0) == [ErrorCode.INVALID_PRODUCER_ID_MAPPING]


@pytest.mark.parametrize("version", [1, 5])
@trio_test
async def test_what_a_zombie_hears(tmp_path: Path, version: int) -> None:
    fenced = ErrorCode.PRODUCER_FENCED if version == 5 else ErrorCode.INVALID_PRODUCER_EPOCH
    async with producing(tmp_path) as zombie:
        assert await Producer(zombie.client).init() is NONE
        assert await zombie.end(version) is fenced
        assert await zombie.add_offsets(min(version, 4)) is fenced
        assert await zombie.init(4 if version == 5 else 3, anew=False) is fenced
        assert await zombie.produce(9 if version == 1 else 12) is ErrorCode.INVALID_PRODUCER_EPOCH
        assert await zombie.commit_offset(version, 1) is ErrorCode.INVALID_PRODUCER_EPOCH


@trio_test
async def test_offsets_of_a_transaction_count_when_it_is_committed(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        client = producer.client
        assert await producer.commit_offset(3, 4) is ErrorCode.INVALID_TXN_STATE
        assert await producer.commit_offset(4, 4) is ErrorCode.TRANSACTION_ABORTABLE
        assert await producer.commit_offset(5, 4, topic="?") is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert await producer.commit_offset(5, 4, generation_id=3) is ErrorCode.ILLEGAL_GENERATION
        assert await producer.commit_offset(5, 4) is NONE
        assert await committed_offset(client) == (-1, ErrorCode.UNSTABLE_OFFSET_COMMIT)
        assert await producer.end() is NONE
        assert await committed_offset(client) == (4, NONE)
        assert await producer.add_offsets(3) is NONE
        assert await producer.commit_offset(0, 9) is NONE
        assert await producer.end(4, commit=False) is NONE
        assert await committed_offset(client) == (4, NONE)
    async with running_node(tmp_path) as node, connect(node) as client:
        assert await committed_offset(client) == (4, NONE), "after a restart"


@trio_test
async def test_offsets_of_a_transaction_by_topic_id(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.commit_offset(6, 4, topic_id=random_uuid()) is ErrorCode.UNKNOWN_TOPIC_ID
        assert await producer.commit_offset(6, 4, generation_id=3) is ErrorCode.GROUP_ID_NOT_FOUND
        assert await producer.commit_offset(6, 4, topic="?") is NONE, "the name does not count"
        assert await producer.end() is NONE
        assert await committed_offset(producer.client) == (4, NONE)
    async with running_node(tmp_path) as node, connect(node) as client:
        assert await committed_offset(client) == (4, NONE), "after a restart"


@trio_test
async def test_a_plain_commit_overtakes_the_one_of_an_open_transaction(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.commit_offset(5, 4) is NONE
        plain = OffsetCommitRequestPartition(partition_index=0, committed_offset=99)
        request = OffsetCommitRequest(
            group_id=GROUP,
            generation_id_or_member_epoch=-1,
            topics=[OffsetCommitRequestTopic(name=TOPIC, partitions=[plain])],
        )
        response = await producer.client.ask(request, OffsetCommitResponse, 9)
        assert response.topics[0].partitions[0].error_code == NONE
        assert await committed_offset(producer.client) == (-1, ErrorCode.UNSTABLE_OFFSET_COMMIT)
        assert await producer.end() is NONE
        assert await committed_offset(producer.client) == (99, NONE)
    async with running_node(tmp_path) as node, connect(node) as client:
        assert await committed_offset(client) == (99, NONE), "after a restart"


@trio_test
async def test_a_parked_read_committed_fetch_wakes_when_the_transaction_ends(tmp_path: Path) -> None:
    named = {"transaction.state.log.num.partitions": "1"}
    async with running_node(tmp_path, named) as node, connect(node) as client, connect(node) as reader:
        await client.create_topic(TOPIC, 2)
        producer = Producer(client)
        assert await producer.init() is NONE
        assert await producer.produce(12) is NONE
        await reader.send(read_committed(max_wait_ms=15_000), 12)
        await until_parked(node)
        assert await producer.produce(12, sequence=1) is NONE
        await until_parked(node)
        assert await producer.end() is NONE
        with trio.fail_after(60):
            answer = await reader.receive(FetchResponse)
        assert answer.responses[0].partitions[0].last_stable_offset == 3


@trio_test
async def test_a_transaction_that_takes_too_long_is_aborted(tmp_path: Path) -> None:
    clock = ManualClock()
    async with producing(tmp_path, clock) as producer:
        assert await producer.produce(12) is NONE
        clock.advance(61_000)
        while await state_of(producer.client) == "Ongoing":
            await trio.lowlevel.checkpoint()
        assert await state_of(producer.client) == "CompleteAbort"
        assert await producer.produce(12, sequence=1) is ErrorCode.INVALID_PRODUCER_EPOCH


@trio_test
async def test_markers_of_another_coordinator(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.produce(12) is NONE

        async def write(epoch: int, coordinator_epoch: int = 0, transaction_version: int = 0) -> list[ErrorCode]:
            marker = WritableTxnMarker(
                producer_id=producer.producer_id,
                producer_epoch=epoch,
                transaction_result=False,
                coordinator_epoch=coordinator_epoch,
                transaction_version=transaction_version,
                topics=[WritableTxnMarkerTopic(name=TOPIC, partition_indexes=[0, 9])],
            )
            request = WriteTxnMarkersRequest(markers=[marker])
            response = await producer.client.ask(request, WriteTxnMarkersResponse, 2)
            return [ErrorCode(partition.error_code) for partition in response.markers[0].topics[0].partitions]

        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert await write(0, transaction_version=2) == [ErrorCode.INVALID_PRODUCER_EPOCH, unknown]
        assert await write(0) == [NONE, unknown]
        assert (await fetch_committed(producer.client)).last_stable_offset == 2
        assert await write(0, 5) == [NONE, unknown]
        assert await write(0, 4) == [ErrorCode.TRANSACTION_COORDINATOR_FENCED, unknown]


@trio_test
async def test_an_answer_to_markers_has_each_producer_and_partition_once(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:

        def marker(*indexes: int, producer_id: int = 5, epoch: int = 0) -> WritableTxnMarker:
            topics = [WritableTxnMarkerTopic(name=TOPIC, partition_indexes=list(indexes))]
            return WritableTxnMarker(producer_id=producer_id, producer_epoch=epoch, topics=topics)

        async def write(*markers: WritableTxnMarker) -> dict[int, list[tuple[int, int]]]:
            response = await producer.client.ask(
                WriteTxnMarkersRequest(markers=list(markers)), WriteTxnMarkersResponse, 2
            )
            return {
                result.producer_id: [
                    (partition.partition_index, partition.error_code)
                    for topic in result.topics
                    for partition in topic.partitions
                ]
                for result in response.markers
            }

        assert await write(marker(0), marker(1), marker(1), marker(0, producer_id=6)) == {
            5: [(0, NONE), (1, NONE)],
            6: [(0, NONE)],
        }
        assert await write(marker()) == {}
        end_offset = (await fetch_committed(producer.client)).high_watermark
        assert await write(marker(0, producer_id=-1), marker(0, epoch=-1)) == {
            -1: [(0, ErrorCode.INVALID_REQUEST)],
            5: [(0, ErrorCode.INVALID_REQUEST)],
        }
        assert (await fetch_committed(producer.client)).high_watermark == end_offset


@trio_test
async def test_what_is_not_one_batch_begins_no_transaction(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        assert await producer.produce(12, batches=2) is ErrorCode.INVALID_RECORD
        assert await state_of(producer.client) == "Empty"
        assert await producer.produce(9, batches=2) is ErrorCode.INVALID_RECORD, "not INVALID_TXN_STATE"


@trio_test
async def test_describing_and_listing(tmp_path: Path) -> None:
    async with producing(tmp_path) as producer:
        client = producer.client
        assert await producer.produce(12, index=1) is NONE
        request = DescribeTransactionsRequest(transactional_ids=[ID, "?", ""])
        known, unknown, empty = (await client.ask(request, DescribeTransactionsResponse)).transaction_states
        assert (known.transaction_state, known.producer_id, known.producer_epoch) == (
            "Ongoing",
            producer.producer_id,
            0,
        )
        assert [(topic.topic, topic.partitions) for topic in known.topics] == [(TOPIC, [1])]
        assert unknown.error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
        assert empty.error_code == ErrorCode.INVALID_REQUEST

        async def listed(version: int = 2, **filters: Any) -> tuple[list[str], list[str], int]:
            answer = await client.ask(ListTransactionsRequest(**filters), ListTransactionsResponse, version)
            ids = [state.transactional_id for state in answer.transaction_states]
            return ids, answer.unknown_state_filters, answer.error_code

        assert await listed(0) == ([ID], [], NONE)
        assert await listed(state_filters=["Ongoing", "Funny"]) == ([ID], ["Funny"], NONE)
        assert await listed(state_filters=["Funny", "Funny"]) == ([], ["Funny"], NONE)
        assert await listed(producer_id_filters=[producer.producer_id + 1]) == ([], [], NONE)
        assert await listed(duration_filter=3_600_000) == ([], [], NONE)
        assert await listed(transactional_id_pattern="ord.*") == ([ID], [], NONE)
        assert await listed(transactional_id_pattern="rder") == ([], [], NONE)
        assert await listed(transactional_id_pattern="(") == ([], [], ErrorCode.INVALID_REGULAR_EXPRESSION)
        # What backtracks sees after years that this is no match.
        assert await listed(transactional_id_pattern="(" * 20 + ".+" + ")+" * 20 + "!") == ([], [], NONE)
