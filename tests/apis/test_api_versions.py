"""ApiVersions says what is served, in the way of each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.apis import API_MODULES
from kafkapy.settings.receiver import CLIENT_METRICS_RECEIVER
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import connect, running_node, trio_test


def a_request(name: str = "apache-kafka-java", version: str = "4.4.0") -> ApiVersionsRequest:
    return ApiVersionsRequest(client_software_name=name, client_software_version=version)


@trio_test
async def test_every_version_announces_what_is_served(tmp_path: Path) -> None:
    settings = {"metric.reporters": CLIENT_METRICS_RECEIVER}
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        for version in range(6):
            response = await client.ask(a_request(), ApiVersionsResponse, version)
            assert response.error_code == ErrorCode.NONE
            announced = {key.api_key: (key.min_version, key.max_version) for key in response.api_keys}
            assert list(announced) == sorted(API_MODULES)
            for key in API_MODULES:
                served = API_VERSIONS[key]
                # librdkafka looks at Produce version 0 to tell whether a broker knows message format v2.
                first = 0 if key is ApiKey.PRODUCE else served.min_version
                assert announced[key] == (first, served.max_version)


@trio_test
async def test_apis_of_client_metrics_are_announced_while_metric_reporters_names_the_receiver(tmp_path: Path) -> None:
    telemetry = {ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, ApiKey.PUSH_TELEMETRY}
    async with running_node(tmp_path) as node, connect(node) as client:
        for reporters, announced in ((None, set()), (CLIENT_METRICS_RECEIVER, telemetry), ("com.acme.Other", set())):
            if reporters is not None:
                config = AlterableConfig(name="metric.reporters", value=reporters)
                resource = AlterConfigsResource(resource_type=4, resource_name="1", configs=[config])
                request = IncrementalAlterConfigsRequest(resources=[resource])
                answer = await client.ask(request, IncrementalAlterConfigsResponse, 1)
                assert answer.responses[0].error_code == ErrorCode.NONE
            response = await client.ask(a_request(), ApiVersionsResponse, 5)
            assert {each.api_key for each in response.api_keys} & telemetry == announced


@trio_test
async def test_features_are_finalized_from_version_3_on(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        old = await client.ask(a_request(), ApiVersionsResponse, 2)
        assert old.finalized_features == []
        for version in (3, 4, 5):
            response = await client.ask(a_request(), ApiVersionsResponse, version)
            finalized = {feature.name: feature.max_version_level for feature in response.finalized_features}
            levels = {**node.broker.metadata.image.features, "kraft.version": 1}
            assert finalized == {name: level for name, level in levels.items() if level}
            assert finalized["metadata.version"] == 33
            assert response.finalized_features_epoch == node.broker.metadata.image.offset
            minimums = {feature.name: feature.min_version for feature in response.supported_features}
            # A minimum of 0 is something that clients before version 4 cannot read: unsaid to them (KIP-1022).
            assert (0 in minimums.values()) == (version >= 4)
            assert (set(finalized) <= set(minimums)) == (version >= 4)


@pytest.mark.parametrize(
    ("name", "version"),
    [("", "1"), ("a", ""), ("a b", "1"), ("-a", "1"), ("a.", "1"), ("a", "1\n"), ("größe", "1"), ("a", "-")],
)
def test_a_software_name_of_other_characters_is_refused(name: str, version: str, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            response = await client.ask(a_request(name, version), ApiVersionsResponse, 3)
            assert response.error_code == ErrorCode.INVALID_REQUEST
            assert response.api_keys == []
            (connection,) = node.server.connections
            assert connection.client.software_name == "unknown"
            assert (await client.ask(MetadataRequest(topics=[]), MetadataResponse)).brokers

    run()


@pytest.mark.parametrize(
    ("cluster", "node_id", "error"),
    [
        (None, -1, ErrorCode.NONE),
        ("ours", 1, ErrorCode.NONE),
        ("ours", 2, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("AAAAAAAAAAAAAAAAAAAAAA", 1, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("", 1, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("ours", -1, ErrorCode.INVALID_REQUEST),
        (None, 1, ErrorCode.INVALID_REQUEST),
        (None, 0, ErrorCode.INVALID_REQUEST),
    ],
)
def test_a_client_that_expects_another_broker_hears_it(
    cluster: str | None, node_id: int, error: ErrorCode, tmp_path: Path
) -> None:
    """KIP-1242. Older versions cannot carry the question."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            request = a_request()
            request.cluster_id = node.broker.cluster_id if cluster == "ours" else cluster
            request.node_id = node_id
            response = await client.ask(request, ApiVersionsResponse, 5)
            assert response.error_code == error
            assert bool(response.api_keys) == (error is ErrorCode.NONE)
            assert (await client.ask(request, ApiVersionsResponse, 4)).error_code == ErrorCode.NONE

    run()


@trio_test
async def test_the_connection_remembers_the_client_software(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.ask(a_request("a-1.b", "1.0-rc.2"), ApiVersionsResponse)
        (connection,) = node.server.connections
        assert (connection.client.software_name, connection.client.software_version) == ("a-1.b", "1.0-rc.2")
