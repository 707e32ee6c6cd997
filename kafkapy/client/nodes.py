"""The brokers of a cluster, dead ones included, and taking one off its books."""

from __future__ import annotations

from typing import NamedTuple

from kafkapy.client.cluster import CONTROLLERS, Cluster
from kafkapy.client.errors import check
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS = 1
FIRST_VERSION_WITH_FENCED_BROKERS = 2


class ClusterNodes(NamedTuple):
    """`nodes`: brokers with their addresses for clients; of a controller's listener, controllers."""

    cluster_id: str
    nodes: list[DescribeClusterBroker]
    are_controllers: bool


def describe_nodes(cluster: Cluster) -> ClusterNodes:
    """The id of the cluster, and its nodes by id; fenced brokers are among them if the broker can tell."""

    def attempt() -> ClusterNodes:
        connection = cluster.any_broker()
        are_controllers = not connection.supports(ApiKey.METADATA)
        request = DescribeClusterRequest(
            endpoint_type=CONTROLLERS if are_controllers else BROKERS,
            include_fenced_brokers=connection.supports(ApiKey.DESCRIBE_CLUSTER, FIRST_VERSION_WITH_FENCED_BROKERS),
        )
        answer = cluster.ask_once(connection, request, DescribeClusterResponse)
        check(answer.error_code, "the cluster", answer.error_message)
        nodes = sorted(answer.brokers, key=lambda broker: broker.broker_id)
        return ClusterNodes(answer.cluster_id, nodes, are_controllers)

    return cluster.retrying(attempt)


def unregister_broker(cluster: Cluster, broker_id: int) -> None:
    """Forget a broker that does not come back. Raises Refused: there is none of this id."""
    from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse

    request = UnregisterBrokerRequest(broker_id=broker_id)

    def attempt() -> None:
        answer = cluster.ask_once(cluster.for_administration(), request, UnregisterBrokerResponse)
        check(answer.error_code, f"broker {broker_id}", answer.error_message)

    cluster.changing(attempt, ErrorCode.BROKER_ID_NOT_REGISTERED)


def unregister_controller(cluster: Cluster, controller_id: int) -> None:
    """Forget a controller that does not come back. Raises Refused: it votes, or there is none of this id."""
    from kafkapy_wire.messages.unregister_controller import UnregisterControllerRequest, UnregisterControllerResponse

    request = UnregisterControllerRequest(controller_id=controller_id)

    def attempt() -> None:
        answer = cluster.ask_once(cluster.for_administration(), request, UnregisterControllerResponse)
        check(answer.error_code, f"controller {controller_id}", answer.error_message)

    cluster.changing(attempt, ErrorCode.CONTROLLER_ID_NOT_REGISTERED)
