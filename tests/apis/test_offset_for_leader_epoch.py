"""OffsetForLeaderEpoch: where an epoch ends, over restarts that begin new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.shell.running_node import Client, connect, running_node, trio_test


async def ask(
    client: Client, epoch: int, *, version: int = 4, current: int = -1, topic: str = "orders"
) -> tuple[int, int, int]:
    wanted = OffsetForLeaderPartition(partition=0, leader_epoch=epoch, current_leader_epoch=current)
    request = OffsetForLeaderEpochRequest(
        replica_id=-1, topics=[OffsetForLeaderTopic(topic=topic, partitions=[wanted])]
    )
    response = await client.ask(request, OffsetForLeaderEpochResponse, version)
    (answer,) = response.topics[0].partitions
    assert (response.topics[0].topic, answer.partition) == (topic, 0)
    return (answer.error_code, answer.leader_epoch, answer.end_offset)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_an_epoch_ends_where_the_next_one_begins(version: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"a", b"b")
            assert await ask(client, 0, version=version) == (ErrorCode.NONE, 0, 2)
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.produce("orders", b"c")
            current = node.broker.partitions.leader("orders", 0).leader_epoch
            assert await ask(client, 0, version=version) == (ErrorCode.NONE, 0, 2)
            assert await ask(client, current, version=version) == (ErrorCode.NONE, current, 3)
            assert await ask(client, current + 1, version=version) == (ErrorCode.NONE, -1, -1)
            assert await ask(client, -1, version=version) == (ErrorCode.NONE, -1, -1)

    run()


@trio_test
async def test_errors_are_of_one_partition(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        assert (await ask(client, 0, topic="unknown"))[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert (await ask(client, 0, current=5))[0] == ErrorCode.UNKNOWN_LEADER_EPOCH
