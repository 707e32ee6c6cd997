"""Voters move from the settings into the metadata log of a running cluster (kraft.version 0 to 1, KIP-853)."""

from __future__ import annotations

from pathlib import Path

from kafkapy.cluster import Cluster
from kafkapy_controller.voters import QuorumMembership, Voter
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse
from tests.cluster.bounds import cluster_test
from tests.cluster.test_cluster import FAST, cluster, create, partition, produce, until, until_active
from tests.shell.running_node import connect


async def upgrade(made: Cluster, *, validate_only: bool = False) -> UpdateFeaturesResponse:
    """Asked of a broker, which may not be the controller."""
    asked = UpdateFeaturesRequest(
        timeout_ms=10_000,
        feature_updates=[FeatureUpdateKey(feature="kraft.version", max_version_level=1, upgrade_type=1)],
        validate_only=validate_only,
    )
    async with connect(made.nodes[1]) as client:
        return await client.ask(asked, UpdateFeaturesResponse)


def memberships(made: Cluster) -> list[QuorumMembership]:
    return [made.nodes[node_id].metadata_log.quorum.membership for node_id in sorted(made.running)]


def finalized(made: Cluster) -> list[int]:
    """The level by the committed metadata of each node."""
    return [made.nodes[node_id].parts.metadata.image.kraft_version for node_id in sorted(made.running)]


def registered(made: Cluster, node_id: int) -> list[int]:
    """The controllers that are registered, as a node knows them."""
    return list(made.nodes[node_id].parts.metadata.image.controllers)


def told(made: Cluster) -> list[Voter]:
    """The voters as they are: with their directories and addresses."""
    cores = [made.nodes[node_id].metadata_log.quorum for node_id in sorted(made.running)]
    return [Voter(core.me.node_id, core.me.directory_id, core.endpoints) for core in cores]


@cluster_test
async def test_static_voters_are_upgraded_and_restart_with_the_same_settings(tmp_path: Path) -> None:
    async with cluster(tmp_path, settings=FAST, durable=True) as made:
        assert [each.kraft_version for each in memberships(made)] == [0, 0, 0]
        leader = await until_active(made)
        core = made.nodes[leader].metadata_log.quorum
        await until(lambda: core.upgrade_refusal() is None and sorted(registered(made, leader)) == [1, 2, 3])
        assert (await upgrade(made, validate_only=True)).error_code == ErrorCode.NONE
        assert core.membership.kraft_version == 0
        answer = await upgrade(made)
        assert answer.error_code == ErrorCode.NONE, answer
        await until(lambda: memberships(made) == [QuorumMembership(1, tuple(told(made)))] * 3)
        await until(lambda: finalized(made) == [1, 1, 1])
        assert (await upgrade(made)).error_code == ErrorCode.NONE, "it is so already"
        await create(made, 1, "t")
        await made.kill(leader)
        await until_active(made)
        assert [each.kraft_version for each in memberships(made)] == [1, 1]
        await made.start(leader)
        assert await produce(made, "t", b"first") == 0
    made = Cluster(tmp_path, list(made.members), settings=FAST, host="127.0.0.1", durable=True)
    async with made.started():
        await until_active(made)
        assert memberships(made) == [QuorumMembership(1, tuple(told(made)))] * 3
        assert finalized(made) == [1, 1, 1]
        assert partition(made, 1, "t").replicas
