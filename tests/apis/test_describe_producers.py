"""DescribeProducers: who a partition remembers (KIP-664)."""

from __future__ import annotations

from pathlib import Path

from kafkapy.clock import ManualClock
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    TopicRequest,
)
from tests.shell.running_node import Client, batch, connect, running_node, trio_test


async def describe(client: Client, topic: str = "orders", partition: int = 0) -> PartitionResponse:
    request = DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[partition])])
    (answer,) = (await client.ask(request, DescribeProducersResponse, 0)).topics[0].partitions
    assert answer.partition_index == partition
    return answer


@trio_test
async def test_producers_are_remembered_until_they_expire(tmp_path: Path) -> None:
    settings = {"producer.id.expiration.ms": "60000", "producer.id.expiration.check.interval.ms": "1000"}
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"without an id")
        assert (await describe(client)).active_producers == []
        now_ms = ManualClock().now_ms()
        for sequence in (0, 2):
            records = batch([b"a", b"b"], timestamp=now_ms, producer_id=7, producer_epoch=3, base_sequence=sequence)
            await client.produce_batch("orders", records)
        (producer,) = (await describe(client)).active_producers
        assert (producer.producer_id, producer.producer_epoch, producer.last_sequence) == (7, 3, 3)
        assert (producer.last_timestamp, producer.coordinator_epoch) == (now_ms, -1)
        assert producer.current_txn_start_offset == -1
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        assert [producer.producer_id for producer in (await describe(client)).active_producers] == [7]
        node.clock.advance(61_000)
        while (await describe(client)).active_producers:
            pass


@trio_test
async def test_an_unknown_partition_is_told(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        for topic, partition in (("unknown", 0), ("orders", 1)):
            answer = await describe(client, topic, partition)
            assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
