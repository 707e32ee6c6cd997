"""Committed offsets through compaction: `__consumer_offsets` shrinks, and groups resume where they were."""

from __future__ import annotations

from pathlib import Path

import trio
import trio.testing

from kafkapy.node import Node
from kafkapy_controller.topic_names import OFFSETS_TOPIC
from kafkapy_log import PartitionLog
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
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
from tests.shell.running_node import TOPIC, Client, connect, running_node, trio_test

HOUR_MS = 3_600_000
SETTINGS = {
    "offsets.topic.num.partitions": "1",
    "log.cleaner.backoff.ms": str(HOUR_MS),
    "connections.max.idle.ms": str(1_000 * HOUR_MS),
}
GROUPS = ("billing", "shipping")


async def commit(client: Client, group: str, offset: int) -> None:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    request = OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=-1,
        topics=[OffsetCommitRequestTopic(name="orders", partitions=[partition])],
    )
    response = await client.ask(request, OffsetCommitResponse, 9)
    assert response.topics[0].partitions[0].error_code == ErrorCode.NONE, response


async def committed(client: Client, group: str) -> int:
    wanted = OffsetFetchRequestGroup(
        group_id=group, topics=[OffsetFetchRequestTopics(name="orders", partition_indexes=[0])]
    )
    response = await client.ask(OffsetFetchRequest(groups=[wanted]), OffsetFetchResponse, 9)
    return response.groups[0].topics[0].partitions[0].committed_offset


def offsets_log(node: Node) -> PartitionLog:
    return node.broker.partitions.leader(OFFSETS_TOPIC, 0).log


@trio_test
async def test_groups_resume_where_they_committed_after_compaction_and_restart(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=list(GROUPS)), FindCoordinatorResponse, 4)
        await client.alter_config(TOPIC, OFFSETS_TOPIC, "internal.segment.bytes", "500")
        for offset in range(30):
            for group in GROUPS:
                await commit(client, group, offset)
        before = offsets_log(node).size_bytes
        node.clock.advance(HOUR_MS)
        while not node.log_cleaning.statistics().cleanings:
            await trio.lowlevel.checkpoint()
        assert offsets_log(node).size_bytes < before / 4
        await commit(client, "billing", 77)
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        assert [await committed(client, group) for group in GROUPS] == [77, 29]
