"""DeleteRecords moves the log start offset, for good."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from kafkapy_wire.messages.fetch import FetchResponse
from tests.shell.running_node import Client, connect, fetch_request, running_node, trio_test, until_parked


async def delete(client: Client, offset: int, topic: str = "orders", *, version: int = 2) -> tuple[int, int]:
    """(error code, low watermark)"""
    wanted = DeleteRecordsPartition(partition_index=0, offset=offset)
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=[wanted])], timeout_ms=1_000)
    (answer,) = (await client.ask(request, DeleteRecordsResponse, version)).topics[0].partitions
    return (answer.error_code, answer.low_watermark)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_records_below_the_offset_are_gone(version: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"a", b"b", b"c")
            await client.produce("orders", b"d")
            assert await delete(client, 2, version=version) == (ErrorCode.NONE, 2)
            assert await delete(client, 1, version=version) == (ErrorCode.NONE, 2), "it never goes back"
            assert (await client.fetch("orders", 1)).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
            assert await client.values("orders") == [b"c", b"d"]
            assert await delete(client, -1, version=version) == (ErrorCode.NONE, 4)
            assert await client.values("orders") == []
        async with running_node(tmp_path) as node, connect(node) as client:
            assert (await client.offset("orders", -2), await client.offset("orders", -1)) == (4, 4)
            assert await client.produce("orders", b"e") == 4

    run()


@trio_test
async def test_of_a_partition_named_twice_the_last_offset_counts(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b", b"c")
        for offsets, expected in (((2, 1), (ErrorCode.NONE, 1)), ((3, 99), (ErrorCode.OFFSET_OUT_OF_RANGE, -1))):
            topics = [
                DeleteRecordsTopic(name="orders", partitions=[DeleteRecordsPartition(partition_index=0, offset=offset)])
                for offset in offsets
            ]
            request = DeleteRecordsRequest(topics=topics, timeout_ms=1_000)
            (topic,) = (await client.ask(request, DeleteRecordsResponse, 2)).topics
            assert [(one.error_code, one.low_watermark) for one in topic.partitions] == [expected]
        assert await client.offset("orders", -2) == 1


@trio_test
async def test_the_answer_outlives_a_crash(tmp_path: Path) -> None:
    async with running_node(tmp_path / "killed") as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b", b"c")
        assert await delete(client, 2) == (ErrorCode.NONE, 2)
        shutil.copytree(tmp_path / "killed", tmp_path / "found")
    async with running_node(tmp_path / "found") as node, connect(node) as client:
        assert await client.offset("orders", -2) == 2
        assert await client.values("orders") == [b"c"]


@trio_test
async def test_what_cannot_be_deleted(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a")
        await client.create_topic("compacted", cleanup_policy="compact")
        await client.create_topic("both", cleanup_policy="compact,delete")
        await client.create_topic("__consumer_offsets")
        for offset in (2, -2):
            assert await delete(client, offset) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)
        assert await delete(client, 0, "compacted") == (ErrorCode.POLICY_VIOLATION, -1)
        assert await delete(client, 0, "both") == (ErrorCode.NONE, 0)
        assert await delete(client, 0, "unknown") == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
        assert await delete(client, 0, "__consumer_offsets") == (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)


@trio_test
async def test_a_parked_fetch_below_the_new_start_is_out_of_range_when_its_wait_ends(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as admin:
        await admin.create_topic("orders")
        await admin.produce("orders", b"a")
        await client.send(fetch_request({"orders": {0: 0}}, max_wait_ms=3_600_000, min_bytes=1_000_000), 12)
        await until_parked(node)
        assert await delete(admin, -1) == (ErrorCode.NONE, 1)
        await until_parked(node)
        node.clock.advance(3_600_000)
        (data,) = (await client.receive(FetchResponse)).responses[0].partitions
        assert data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
