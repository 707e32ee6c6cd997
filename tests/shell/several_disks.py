"""A node with several log directories, and what is asked of it about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from kafkapy.clock import Clock, ManualClock, WallClock
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from kafkapy_wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)
from tests.shell.running_node import Client

DISKS = ("a", "b")


@asynccontextmanager
async def disks(
    directory: Path,
    settings: Mapping[str, str] | None = None,
    *,
    names: Iterable[str] = DISKS,
    metadata: str = "a",
    durable: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[Node]:
    """A running node with a log directory of each name; `metadata` has the metadata log."""
    paths = [directory / name for name in names]
    given = {
        "listeners": "PLAINTEXT://127.0.0.1:0",
        "log.dirs": ",".join(map(str, paths)),
        **(settings or {}),
    }
    node = Node(
        Settings(given),
        directory / metadata,
        log_directories=paths,
        durable=durable,
        clock=clock or ManualClock(),
        liveness_clock=WallClock(),
    )
    async with node.started():
        yield node


def logs_in(directory: Path) -> list[str]:
    """The directories of partitions, but not that of the metadata log and deleted ones."""
    left_out = ("__cluster_metadata-0", "-delete")
    return sorted(each.name for each in directory.iterdir() if each.is_dir() and not each.name.endswith(left_out))


async def described(client: Client) -> dict[str, DescribeLogDirsResult]:
    """By the names of the directories."""
    answer = await client.ask(DescribeLogDirsRequest(topics=None), DescribeLogDirsResponse)
    assert answer.error_code == ErrorCode.NONE
    return {Path(result.log_dir).name: result for result in answer.results}


def partitions_of(result: DescribeLogDirsResult) -> dict[tuple[str, int], DescribeLogDirsPartition]:
    return {(topic.name, each.partition_index): each for topic in result.topics for each in topic.partitions}


async def where(client: Client) -> dict[tuple[str, int], str]:
    """The directory of each replica, without those that are being copied."""
    return {
        key: name
        for name, result in (await described(client)).items()
        for key, partition in partitions_of(result).items()
        if not partition.is_future_key
    }


async def move(client: Client, topic: str, directory: Path, partition: int = 0) -> ErrorCode:
    """By AlterReplicaLogDirs."""
    wanted = AlterReplicaLogDir(
        path=str(directory), topics=[AlterReplicaLogDirTopic(name=topic, partitions=[partition])]
    )
    answer = await client.ask(AlterReplicaLogDirsRequest(dirs=[wanted]), AlterReplicaLogDirsResponse)
    return ErrorCode(answer.results[0].partitions[0].error_code)


async def until_moved(client: Client, topic: str, name: str, partition: int = 0) -> None:
    """Wait until the replica is there and nothing is being copied any more."""
    while not await _is_moved(client, (topic, partition), name):  # noqa: ASYNC110
        await trio.sleep(0.005)


async def _is_moved(client: Client, key: tuple[str, int], name: str) -> bool:
    found = await described(client)
    if any(each.is_future_key for result in found.values() for each in partitions_of(result).values()):
        return False
    return key in partitions_of(found[name])
