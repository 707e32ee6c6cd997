"""A controller that is not the active one names the one that is, as Apache Kafka's do."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.apis.update_features import error_response
from kafkapy.cluster import Cluster, members_of
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import CreateTopicsRequest
from kafkapy_wire.messages.update_features import UpdateFeaturesRequest
from tests.metadata.test_cluster_settings import active_controller
from tests.shell.running_node import trio_test


@trio_test
async def test_a_controller_that_is_not_active_says_which_one_is(tmp_path: Path) -> None:
    async with Cluster(tmp_path, members_of(3), durable=False, kept=False).started() as cluster:
        active = await active_controller(cluster)
        other = next(node for node in cluster.nodes.values() if node is not active).parts.controller
        for ask in (
            lambda: other.create_topics(CreateTopicsRequest(timeout_ms=5_000)),
            lambda: other.unregister_broker(9),
        ):
            with pytest.raises(KafkaError) as refused:
                await ask()
            assert refused.value.code is ErrorCode.NOT_CONTROLLER
            assert refused.value.message == f"The active controller appears to be node {active.node_id}."


def test_features_are_not_blamed_for_another_controller() -> None:
    refused = KafkaError(ErrorCode.NOT_CONTROLLER, "The active controller appears to be node 2.")
    assert error_response(UpdateFeaturesRequest(), refused).error_message == refused.message
    feature = KafkaError(ErrorCode.INVALID_UPDATE_VERSION, "no such level")
    assert (error_response(UpdateFeaturesRequest(), feature).error_message or "").endswith("error: no such level")
