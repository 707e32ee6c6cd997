"""DescribeLogDirs: what the data directory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)
from tests.shell.running_node import batch, connect, running_node, trio_test


def sizes(result: DescribeLogDirsResult) -> dict[tuple[str, int], int]:
    return {
        (topic.name, partition.partition_index): partition.partition_size
        for topic in result.topics
        for partition in topic.partitions
    }


@pytest.mark.parametrize("version", range(1, 6))
def test_every_partition_with_its_size(version: int, tmp_path: Path) -> None:
    content = batch([b"a", b"b"])

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders", 2)
            await client.create_topic("payments")
            await client.produce_batch("orders", content, 1)
            full = await client.ask(DescribeLogDirsRequest(topics=None), DescribeLogDirsResponse, version)
            (result,) = full.results
            assert (full.error_code, result.error_code) == (ErrorCode.NONE, ErrorCode.NONE)
            assert result.log_dir == str(tmp_path)
            assert sizes(result) == {("orders", 0): 0, ("orders", 1): len(content), ("payments", 0): 0}
            if version >= 4:
                assert 0 < result.usable_bytes <= result.total_bytes
            asked = DescribeLogDirsRequest(
                topics=[
                    DescribableLogDirTopic(topic="orders", partitions=[1, 9]),
                    DescribableLogDirTopic(topic="unknown", partitions=[0]),
                ]
            )
            (result,) = (await client.ask(asked, DescribeLogDirsResponse, version)).results
            assert sizes(result) == {("orders", 1): len(content)}

    run()


@trio_test
async def test_a_partition_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        for partition in (0, 1):
            await client.produce("orders", b"a", partition=partition)
    (segment,) = (tmp_path / "orders-0").glob("*.log")
    segment.unlink()
    segment.mkdir()
    async with running_node(tmp_path) as node, connect(node) as client:
        (result,) = (await client.ask(DescribeLogDirsRequest(topics=None), DescribeLogDirsResponse)).results
        assert list(sizes(result)) == [("orders", 1)]
        answer = await client.produce_batch("orders", batch([b"a"]), 0)
        assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
