"""DescribeLogDirs: what the data directory holds; AlterReplicaLogDirs: it is the only one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from kafkapy_wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)
from tests.shell.running_node import Client, batch, connect, running_node, trio_test


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


@trio_test
async def test_a_relative_directory_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Apache Kafka: tools name it again, and know nothing of where the broker was started."""
    monkeypatch.chdir(tmp_path)
    async with running_node(Path("data")) as node, connect(node) as client:
        (result,) = (await client.ask(DescribeLogDirsRequest(topics=None), DescribeLogDirsResponse)).results
        assert result.log_dir == str(tmp_path / "data")
        await client.create_topic("orders")
        assert await alter(client, result.log_dir, "orders", 0) == {("orders", 0): ErrorCode.NONE}


@pytest.mark.parametrize(
    ("path", "topic", "index", "code"),
    [
        ("here", "orders", 0, ErrorCode.NONE),
        ("here", "orders", 7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("here", "unknown", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("elsewhere", "orders", 0, ErrorCode.LOG_DIR_NOT_FOUND),
        ("elsewhere", "unknown", 0, ErrorCode.LOG_DIR_NOT_FOUND),
        ("elsewhere", "x" * 213, 0, ErrorCode.LOG_DIR_NOT_FOUND),
        ("elsewhere", "x" * 214, 0, ErrorCode.INVALID_TOPIC_EXCEPTION),
    ],
)
@trio_test
async def test_a_replica_stays_where_it_is(path: str, topic: str, index: int, code: ErrorCode, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    async with running_node(directory) as node, connect(node) as client:
        await client.create_topic("orders")
        assert await alter(client, str(tmp_path / path), topic, index) == {(topic, index): code}
        assert not (directory / "orders-0").exists()


async def alter(client: Client, path: str, topic: str, index: int) -> dict[tuple[str, int], int]:
    asked = AlterReplicaLogDir(path=path, topics=[AlterReplicaLogDirTopic(name=topic, partitions=[index])])
    answer = await client.ask(AlterReplicaLogDirsRequest(dirs=[asked]), AlterReplicaLogDirsResponse)
    return {
        (of_topic.topic_name, result.partition_index): result.error_code
        for of_topic in answer.results
        for result in of_topic.partitions
    }
