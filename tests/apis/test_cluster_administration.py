"""DescribeQuorum, ElectLeaders, reassignments, UpdateFeatures and UnregisterBroker of a node alone, in each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.node import Node
from kafkapy_controller.decision import Decision
from kafkapy_controller.image import NO_LEADER
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse, TopicPartitions
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from kafkapy_wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord, RegisterBrokerRecord
from tests.shell.running_node import Client, batch, connect, running_node, trio_test

PREFERRED, UNCLEAN = 0, 1
OTHER = 2
"""A broker that is gone."""


def change(node: Node, *records: MetadataRecord) -> None:
    """What a cluster of more nodes has left in the metadata."""
    controller = node.broker.controller
    controller.commit(Decision(list(records), None)).result()  # type: ignore[attr-defined]  # of this very node


async def elect(client: Client, election_type: int, version: int = 2, index: int = 0) -> ErrorCode:
    asked = [TopicPartitions(topic="orders", partitions=[index])]
    request = ElectLeadersRequest(election_type=election_type, topic_partitions=asked)
    response = await client.ask(request, ElectLeadersResponse, version)
    ((result,),) = [topic.partition_result for topic in response.replica_election_results]
    return ErrorCode(result.error_code)


async def move(client: Client, replicas: list[int] | None) -> ErrorCode:
    partitions = [ReassignablePartition(partition_index=0, replicas=replicas)]
    request = AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name="orders", partitions=partitions)])
    response = await client.ask(request, AlterPartitionReassignmentsResponse)
    return ErrorCode(response.responses[0].partitions[0].error_code)


async def under_way(client: Client) -> list[tuple[list[int], list[int], list[int]]]:
    response = await client.ask(ListPartitionReassignmentsRequest(topics=None), ListPartitionReassignmentsResponse)
    found = [partition for topic in response.topics for partition in topic.partitions]
    return [(p.replicas, p.adding_replicas, p.removing_replicas) for p in found]


@trio_test
async def test_the_quorum_is_this_node(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for version in range(3):
            asked = DescribeQuorumRequestTopicData(
                topic_name="__cluster_metadata", partitions=[DescribeQuorumRequestPartitionData(partition_index=0)]
            )
            response = await client.ask(DescribeQuorumRequest(topics=[asked]), DescribeQuorumResponse, version)
            (partition,) = response.topics[0].partitions
            (voter,) = partition.current_voters
            assert (partition.leader_id, partition.leader_epoch, partition.observers) == (1, 1, [])
            assert voter.log_end_offset == partition.high_watermark == node.broker.metadata.image.offset + 1
            assert [endpoint.node_id for endpoint in response.nodes] == ([1] if version >= 2 else [])


@trio_test
async def test_time_that_is_up_elects_and_moves_nobody(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        asked = [TopicPartitions(topic="orders", partitions=[0])]
        for version in range(3):
            late = ElectLeadersRequest(topic_partitions=asked, timeout_ms=0)
            response = await client.ask(late, ElectLeadersResponse, version)
            assert response.replica_election_results[0].partition_result[0].error_code == ErrorCode.REQUEST_TIMED_OUT
            assert response.error_code == (ErrorCode.REQUEST_TIMED_OUT if version else ErrorCode.NONE)
        partitions = [ReassignablePartition(partition_index=0, replicas=[1])]
        topics = [ReassignableTopic(name="orders", partitions=partitions)]
        for version in range(2):
            request = AlterPartitionReassignmentsRequest(topics=topics, timeout_ms=-1)
            moved = await client.ask(request, AlterPartitionReassignmentsResponse, version)
            assert moved.error_code == ErrorCode.REQUEST_TIMED_OUT
            assert moved.responses[0].partitions[0].error_code == ErrorCode.REQUEST_TIMED_OUT


@trio_test
async def test_a_partition_of_a_broker_that_is_gone_is_taken_over_where_somebody_says_so(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        topic_id = node.broker.metadata.image.topics["orders"].topic_id
        change(
            node,
            RegisterBrokerRecord(broker_id=OTHER, broker_epoch=1_000, fenced=True),
            PartitionChangeRecord(
                topic_id=topic_id, partition_id=0, replicas=[OTHER, 1], isr=[OTHER], leader=NO_LEADER
            ),
        )
        refused = await client.produce_batch("orders", batch([b"a"]))
        assert refused.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert await elect(client, PREFERRED) is ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
        assert await elect(client, UNCLEAN) is ErrorCode.NONE
        assert await client.produce("orders", b"a") == 0
        assert await client.values("orders") == [b"a"]

        assert await move(client, [OTHER]) is ErrorCode.NONE
        assert await under_way(client) == [([OTHER, 1], [], [1])], "nobody is in sync who stays"
        assert await move(client, None) is ErrorCode.NONE
        assert await under_way(client) == []
        assert await move(client, [1]) is ErrorCode.NONE
        assert await under_way(client) == []
        partition = node.broker.metadata.image.topics["orders"].partitions[0]
        assert (partition.replicas, partition.isr, partition.leader) == ((1,), (1,), 1)
        assert await client.produce("orders", b"b") == 1

        for broker_id, code in (
            (OTHER, 0),
            (OTHER, ErrorCode.BROKER_ID_NOT_REGISTERED),
            (1, ErrorCode.INVALID_REQUEST),
        ):
            request = UnregisterBrokerRequest(broker_id=broker_id)
            assert (await client.ask(request, UnregisterBrokerResponse)).error_code == code
        assert set(node.broker.metadata.image.brokers) == {1}


@pytest.mark.parametrize("version", range(3))
def test_feature_levels_change_and_hold(tmp_path: Path, version: int) -> None:
    def update(level: int, upgrade_type: int) -> UpdateFeaturesRequest:
        key = FeatureUpdateKey(feature="streams.version", max_version_level=level)
        if version:
            key.upgrade_type = upgrade_type
        return UpdateFeaturesRequest(feature_updates=[key])

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            refused = await client.ask(update(9, 1), UpdateFeaturesResponse, version)
            assert (refused.error_code, refused.results) == (ErrorCode.INVALID_UPDATE_VERSION, [])
            same = await client.ask(update(1, 1), UpdateFeaturesResponse, version)
            assert (same.error_code, len(same.results)) == (ErrorCode.NONE, int(version < 2))
            lower = await client.ask(update(0, 2), UpdateFeaturesResponse, version)
            assert lower.error_code == (ErrorCode.NONE if version else ErrorCode.INVALID_UPDATE_VERSION)
        async with running_node(tmp_path) as node:
            assert ("streams.version" in node.broker.metadata.image.features) is (version == 0)

    run()


def test_of_very_many_updates_the_last_of_each_feature_counts(tmp_path: Path) -> None:
    async def error_of(client: Client, *updates: tuple[str, int]) -> ErrorCode:
        keys = [FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=1) for name, level in updates]
        answer = await client.ask(UpdateFeaturesRequest(feature_updates=keys), UpdateFeaturesResponse)
        return ErrorCode(answer.error_code)

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            too_high = [("streams.version", 9)] * 200
            assert await error_of(client, *too_high, ("streams.version", 1)) is ErrorCode.NONE
            assert await error_of(client, *too_high) is ErrorCode.INVALID_UPDATE_VERSION
            unknown = [(f"feature-{number}", 1) for number in range(200)]
            assert await error_of(client, ("streams.version", 1), *unknown) is ErrorCode.INVALID_UPDATE_VERSION

    run()
