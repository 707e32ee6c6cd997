"""A node that is taken for a broker of an older release: what it announces, accepts and refuses."""

from __future__ import annotations

import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kafkapy.apis import API_MODULES, RECEIVER_APIS
from kafkapy.cluster import Cluster, members_of
from kafkapy.errors import StartupError
from kafkapy.node import Node
from kafkapy.releases import release_of
from kafkapy.settings import Settings
from kafkapy_controller.features import KRAFT_VERSION
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest
from kafkapy_wire.messages.fetch import FetchRequest, FetchResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse
from tests.shell.running_node import batch, connect, trio_test

ASKED = ApiVersionsRequest(client_software_name="a-test", client_software_version="1")


@asynccontextmanager
async def old_node(
    directory: Path, as_kafka: str | None = None, cap_apis: dict[str, int | None] | None = None
) -> AsyncIterator[Node]:
    settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0"})
    async with Node(settings, directory, durable=False, as_kafka=as_kafka, cap_apis=cap_apis).started() as node:
        yield node


@pytest.mark.parametrize("name", ["2.4", "2.8", "3.3", "3.9", "4.1", "4.4"])
def test_what_is_announced_is_what_the_release_announced(name: str, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        release = release_of(name)
        async with old_node(tmp_path, name) as node, connect(node) as client:
            for version in range(release.apis[ApiKey.API_VERSIONS][1] + 1):
                response = await client.ask(ASKED, ApiVersionsResponse, version)
                announced = {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}
                assert announced == {key: release.apis[key] for key in announced}
                assert announced.keys() >= release.apis.keys() & (API_MODULES.keys() - RECEIVER_APIS)
                supported = {each.name: (each.min_version, each.max_version) for each in response.supported_features}
                if version < 3:
                    assert supported == {}
                elif version == 3:  # which cannot carry a minimum of 0
                    assert supported == {key: levels for key, levels in release.features.items() if levels[0]}
                else:
                    assert supported == release.features
                finalized = {each.name: each.max_version_level for each in response.finalized_features}
                finalized.pop(KRAFT_VERSION, None)
                if version < 3 or not release.is_kraft:
                    assert finalized == {}
                else:
                    assert finalized["metadata.version"] == release.metadata_version
                    assert finalized.keys() <= release.features.keys()

    run()


@pytest.mark.parametrize(("name", "newest"), [("2.4", 3), ("3.8", 3), ("3.9", 4), ("4.4", 5)])
def test_a_newer_api_versions_is_told_which_is_known(name: str, newest: int, tmp_path: Path) -> None:
    """KIP-511, as measured at 2.4.1, 2.8.2, 3.3.2, 3.6.2, 3.9.2 and 4.0.2: the answer has version 0 and one API."""

    @trio_test
    async def run() -> None:
        async with old_node(tmp_path, name) as node, connect(node) as client:
            for version in range(newest + 1, 6):
                await client.send(ASKED, version)
                frame = await client.receive_frame()
                response = decode(ApiVersionsResponse, bytes(frame[4:]), 0)
                assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
                assert [(api.api_key, api.max_version) for api in response.api_keys] == [(18, newest)]
                client._expected.clear()
            assert (await client.ask(ASKED, ApiVersionsResponse, newest)).error_code == ErrorCode.NONE

    run()


@trio_test
async def test_the_versions_of_the_release_are_served_and_newer_ones_end_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with old_node(tmp_path, "2.8") as node:
        async with connect(node) as client:
            assert (await client.ask(FetchRequest(), FetchResponse, 12)).error_code == ErrorCode.NONE
            await client.send(FetchRequest(), 13, answered=False)
            assert await client.closed_by_broker()
        assert "FetchRequest v13" not in caplog.text
        assert "Fetch v13, which is not served: versions 4 to 12 are served, as by Apache Kafka 2.8" in caplog.text
        async with connect(node) as client:  # what was loaded for nobody is not there for the next
            await client.send(FetchRequest(), 13, answered=False)
            assert await client.closed_by_broker()


@trio_test
async def test_apis_that_the_release_did_not_have_end_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with old_node(tmp_path, "2.7") as node, connect(node) as client:
        await client.send(DescribeClusterRequest(), 0, answered=False)
        assert await client.closed_by_broker()
    assert "DescribeCluster v0, which is not served: it is not announced, as by Apache Kafka 2.7" in caplog.text


@trio_test
async def test_an_api_that_is_announced_and_not_served_ends_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """LeaderAndIsr: controllers sent it to brokers while there was ZooKeeper."""
    caplog.set_level(logging.INFO)
    async with old_node(tmp_path, "2.8") as node, connect(node) as client:
        response = await client.ask(ASKED, ApiVersionsResponse, 3)
        assert 4 in {api.api_key for api in response.api_keys}
        await client.stream.send_all(struct.pack(">ihhih", 10, 4, 5, 1, -1))
        assert await client.closed_by_broker()
    assert "API key 4, which is not served" in caplog.text


@trio_test
async def test_a_capped_api(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with old_node(tmp_path, cap_apis={"Fetch": 11, "DescribeCluster": None}) as node, connect(node) as client:
        response = await client.ask(ASKED, ApiVersionsResponse)
        announced = {api.api_key: api.max_version for api in response.api_keys}
        assert announced[ApiKey.FETCH] == 11
        assert ApiKey.DESCRIBE_CLUSTER not in announced
        assert len(announced) == len(API_MODULES) - 1 - len(RECEIVER_APIS)
        assert (await client.ask(FetchRequest(), FetchResponse, 11)).error_code == ErrorCode.NONE
        await client.send(FetchRequest(), 12, answered=False)
        assert await client.closed_by_broker()
    assert "versions 4 to 11 are served, by --cap-api" in caplog.text


@trio_test
async def test_features_cannot_be_raised_above_the_release(tmp_path: Path) -> None:
    async with old_node(tmp_path, "3.5") as node, connect(node) as client:
        update = FeatureUpdateKey(feature="metadata.version", max_version_level=14, upgrade_type=1)
        response = await client.ask(UpdateFeaturesRequest(feature_updates=[update]), UpdateFeaturesResponse, 1)
        assert response.error_code == ErrorCode.INVALID_UPDATE_VERSION
        assert node.broker.metadata.image.features == {"metadata.version": 11}


@trio_test
async def test_a_directory_that_the_release_could_not_read_is_refused(tmp_path: Path) -> None:
    async with old_node(tmp_path):
        pass
    with pytest.raises(StartupError, match=r"taken for Apache Kafka 3\.5 .*: its metadata\.version"):
        async with old_node(tmp_path, "3.5"):
            pass
    async with old_node(tmp_path, "2.8"):  # it has its metadata elsewhere
        pass
    async with old_node(tmp_path, "4.4"):
        pass


@trio_test
async def test_a_directory_of_an_older_release_can_be_taken_on(tmp_path: Path) -> None:
    async with old_node(tmp_path, "3.5"):
        pass
    for later in ("3.5", "3.9", None):
        async with old_node(tmp_path, later) as node:
            assert node.broker.metadata.image.features == {"metadata.version": 11}


@pytest.mark.parametrize("name", ["2.8", "3.3", "3.9"])
def test_the_nodes_of_a_cluster_speak_newer_versions_with_one_another(name: str, tmp_path: Path) -> None:
    """With acks=all the answer waits for the follower, whose fetches are newer than those of the release's clients."""

    @trio_test
    async def run() -> None:
        apis = release_of(name).apis
        cluster = Cluster(tmp_path, members_of(2), host="127.0.0.1", durable=False, kept=False, as_kafka=name)
        async with cluster.started():
            async with connect(cluster.nodes[1]) as client:
                topic = CreatableTopic(name="orders", num_partitions=1, replication_factor=2)
                request = CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
                created = await client.ask(request, CreateTopicsResponse, apis[ApiKey.CREATE_TOPICS][1])
                assert created.topics[0].error_code == ErrorCode.NONE
                metadata = await client.ask(MetadataRequest(topics=None), MetadataResponse, apis[ApiKey.METADATA][1])
                leader_id = metadata.topics[0].partitions[0].leader_id
            async with connect(cluster.nodes[leader_id]) as client:
                answer = await client.produce_batch("orders", batch([b"a"]), version=apis[ApiKey.PRODUCE][1])
                assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, 0)
                await client.send(FetchRequest(), 18, answered=False)
                assert await client.closed_by_broker(), "what nodes may ask, clients may not"

    run()
