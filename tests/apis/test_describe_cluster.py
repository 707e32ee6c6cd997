"""DescribeCluster: the brokers or controllers of this listener, and what Kafka says when the others are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.apis import describe_cluster, metadata
from kafkapy.context import Client, NodeContext
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.record_formats import metadata as m

from .topic_lab import Lab, lab


def ask(node: Lab, **fields: object) -> DescribeClusterResponse:
    request = DescribeClusterRequest()
    for name, value in fields.items():
        setattr(request, name, value)
    response = node.call(describe_cluster, request, 2)
    assert isinstance(response, DescribeClusterResponse)
    return response


def test_the_cluster_and_its_brokers(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        response = ask(node, include_cluster_authorized_operations=True)
        assert (response.error_code, response.endpoint_type, response.cluster_id) == (0, 1, node.broker.cluster_id)
        assert response.controller_id == 1
        assert response.cluster_authorized_operations == 8096
        assert [(b.broker_id, b.host, b.port, b.rack, b.is_fenced) for b in response.brokers] == [
            (1, "host", 9092, None, False)
        ]
        assert ask(node).cluster_authorized_operations == -2147483648


def test_fenced_brokers_come_when_asked_for_and_other_listeners_never(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        for broker_id, listener in ((2, "PLAINTEXT"), (3, "OTHER")):
            endpoint = m.BrokerEndpoint(name=listener, host="other", port=9092)
            node.change_metadata(m.RegisterBrokerRecord(broker_id=broker_id, end_points=[endpoint], fenced=True))
        assert [broker.broker_id for broker in ask(node).brokers] == [1]
        brokers = ask(node, include_fenced_brokers=True).brokers
        assert [(broker.broker_id, broker.is_fenced) for broker in brokers] == [(1, False), (2, True)]


def test_clients_are_told_of_a_controller_that_they_can_reach(tmp_path: Path) -> None:
    """An admin client sends to the controller of these answers; one that is no broker here it cannot look up."""
    with lab(tmp_path) as node:

        def controllers() -> set[int]:
            return {
                node.call(metadata, MetadataRequest(topics=[]), 12).controller_id,
                ask(node).controller_id,
                ask(node, include_fenced_brokers=True).controller_id,
            }

        endpoint = m.BrokerEndpoint(name="PLAINTEXT", host="other", port=9092)
        for broker_id in (0, 2):
            node.change_metadata(m.RegisterBrokerRecord(broker_id=broker_id, end_points=[endpoint], fenced=False))
        assert controllers() == {1}
        for broker_id, left in ((1, {0}), (0, {2}), (2, {-1})):
            epoch = node.image.brokers[broker_id].epoch
            node.change_metadata(m.FenceBrokerRecord(id=broker_id, epoch=epoch))
            assert controllers() == left


@pytest.mark.parametrize(
    ("endpoint_type", "code", "message"),
    [
        (
            2,
            ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        ),
        (3, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type 3"),
    ],
)
def test_controllers_are_not_asked_of_a_broker(
    tmp_path: Path, endpoint_type: int, code: ErrorCode, message: str
) -> None:
    with lab(tmp_path) as node, pytest.raises(KafkaError) as raised:
        context_call(node, endpoint_type)
    assert (raised.value.code, raised.value.message) == (code, message)


def context_call(node: Lab, endpoint_type: int) -> None:
    describe_cluster.handle(DescribeClusterRequest(endpoint_type=endpoint_type), node.context(2))


def at_controller(node: Lab, version: int) -> NodeContext:
    context = NodeContext(node.broker, Client("CONTROLLER", "127.0.0.1", 50_000, "reached.example"))
    context.api_version = version
    return context


def test_a_controllers_listener_tells_the_controllers(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        for controller_id, name, host in ((3, "CONTROLLER", ""), (2, "CONTROLLER", "two"), (4, "OTHER", "four")):
            endpoint = m.ControllerEndpoint(name=name, host=host, port=9093)
            node.change_metadata(m.RegisterControllerRecord(controller_id=controller_id, end_points=[endpoint]))
        response = describe_cluster.handle(DescribeClusterRequest(endpoint_type=2), at_controller(node, 2))
        assert (response.endpoint_type, response.cluster_id, response.controller_id) == (2, node.broker.cluster_id, 1)
        told = [(one.broker_id, one.host, one.port) for one in response.brokers]
        assert told == [(2, "two", 9093), (3, "reached.example", 9093)]


@pytest.mark.parametrize(
    ("endpoint_type", "version", "code", "message"),
    [
        (
            1,
            1,
            ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type BROKER",
        ),
        (
            1,
            0,
            ErrorCode.INVALID_REQUEST,
            "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type BROKER",
        ),
        (3, 2, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type 3"),
    ],
)
def test_brokers_are_not_asked_of_a_controller(
    tmp_path: Path, endpoint_type: int, version: int, code: ErrorCode, message: str
) -> None:
    with lab(tmp_path) as node, pytest.raises(KafkaError) as raised:
        describe_cluster.handle(DescribeClusterRequest(endpoint_type=endpoint_type), at_controller(node, version))
    assert (raised.value.code, raised.value.message) == (code, message)
