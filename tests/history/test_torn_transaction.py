"""The torn transaction of KIP-890, made with a live broker: `kafkapy check` finds it, and the new protocol has none.

An abort is delayed on the network. Its producer gives it up, asks again and is answered, and begins its next
transaction, in which the delayed one arrives. Before KIP-890 nothing tells to which transaction it belongs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.fetch import FetchResponse, PartitionData
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch, decode_records, split_batches
from tests.history.history_builder import TOPIC, History
from tests.shell.running_node import Client, bytes_of, connect, fetch_request, running_node, trio_test

ID = "transfer"
OLD, NEW = (11, 4), (12, 5)  # versions of Produce and EndTxn: without and with an epoch for each transaction


class Producer:
    """Raw requests of one transactional id, each written down."""

    def __init__(self, client: Client, history: History, versions: tuple[int, int]) -> None:
        self.client = client
        self.history = history
        self.produce_version, self.end_version = versions
        self.sequences = {0: 0, 1: 0}

    async def init(self) -> None:
        await self.client.find_coordinator(ID, key_type=1)
        request = InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000)
        response = await self.client.ask(request, InitProducerIdResponse, 4)
        self.producer_id, self.epoch = response.producer_id, response.producer_epoch

    async def send(self, value: str, partition: int) -> None:
        if self.produce_version < 12:
            request = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=ID,
                v3_and_below_producer_id=self.producer_id,
                v3_and_below_producer_epoch=self.epoch,
                v3_and_below_topics=[AddPartitionsToTxnTopic(name=TOPIC, partitions=[partition])],
            )
            await self.client.ask(request, AddPartitionsToTxnResponse, 3)
        batch = build_batch(
            [NewRecord(0, None, value.encode())],
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=self.sequences[partition],
            is_transactional=True,
        )
        self.sequences[partition] += 1
        data = [TopicProduceData(name=TOPIC, partition_data=[PartitionProduceData(index=partition, records=batch)])]
        produce = ProduceRequest(transactional_id=ID, acks=-1, timeout_ms=1_000, topic_data=data)
        response = await self.client.ask(produce, ProduceResponse, self.produce_version)
        answer = response.responses[0].partition_responses[0]
        assert answer.error_code == ErrorCode.NONE
        self.history.send("p", value, partition, answer.base_offset)

    def end_request(self, *, commit: bool) -> EndTxnRequest:
        return EndTxnRequest(
            transactional_id=ID, producer_id=self.producer_id, producer_epoch=self.epoch, committed=commit
        )

    async def end(self, *, commit: bool) -> None:
        response = await self.client.ask(self.end_request(commit=commit), EndTxnResponse, self.end_version)
        assert response.error_code == ErrorCode.NONE
        self.history.end("p", commit=commit)
        if self.end_version >= 5:
            if response.producer_epoch != self.epoch:
                self.sequences = dict.fromkeys(self.sequences, 0)
            self.producer_id, self.epoch = response.producer_id, response.producer_epoch


async def poll_committed(client: Client, history: History) -> None:
    for partition in (0, 1):
        end = await client.offset(TOPIC, -1, partition)
        seen = []
        offset, is_aborted = 0, False
        while offset < end:
            data = await fetch_committed(client, partition, offset)
            # One producer: what follows the first record of an aborted transaction is aborted, up to the next marker.
            aborted_from = {transaction.first_offset for transaction in data.aborted_transactions or []}
            for header, batch in split_batches(bytes_of(data)):
                offset = header.next_offset
                is_aborted = not header.is_control and (is_aborted or header.base_offset in aborted_from)
                if not header.is_control and not is_aborted:
                    seen += [(partition, it.offset, (it.value or b"").decode()) for it in decode_records(batch)]
        history.poll("c", *seen, committed=True, final=True)


async def fetch_committed(client: Client, partition: int, offset: int) -> PartitionData:
    """What is there, or what comes: EndTxn is answered before the markers are written."""
    request = fetch_request({TOPIC: {partition: offset}}, max_wait_ms=1_000)
    request.isolation_level = 1
    return (await client.ask(request, FetchResponse, 12)).responses[0].partitions[0]


@pytest.mark.parametrize(
    ("versions", "answered", "expected"),
    [
        (OLD, ErrorCode.NONE, {"torn-transaction": 1}),
        (NEW, ErrorCode.PRODUCER_FENCED, {}),
    ],
    ids=["old", "new"],
)
def test_an_abort_that_comes_too_late(
    versions: tuple[int, int], answered: ErrorCode, expected: dict[str, int], tmp_path: Path
) -> None:
    @trio_test
    async def run() -> None:
        history = History()
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic(TOPIC, partitions=2)
            producer = Producer(client, history, versions)
            await producer.init()
            history.begin("p")
            await producer.send("a", 0)
            history.ask("p", commit=False)
            delayed = producer.end_request(commit=False)  # the broker does not hear of it yet
            await producer.end(commit=False)
            history.begin("p")
            await producer.send("b", 0)
            response = await client.ask(delayed, EndTxnResponse, producer.end_version)
            assert response.error_code == answered
            await producer.send("c", 1)
            await producer.end(commit=True)
            await poll_committed(client, history)
        assert history.found() == expected

    run()
