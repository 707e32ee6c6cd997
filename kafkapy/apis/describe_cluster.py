"""DescribeCluster (API key 60), versions 0-2: the cluster's id, its controller and its brokers (KIP-700).

v1 endpoint_type: brokers or controllers (KIP-919)   v2 fenced brokers if the request asks for them (KIP-1073)

Errors  MISMATCHED_ENDPOINT_TYPE   a broker's listener is asked for controllers, or a controller's for brokers
        INVALID_REQUEST            the same in v0, which can only ask for brokers
        UNSUPPORTED_ENDPOINT_TYPE  endpoint_type is neither brokers nor controllers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.metadata import ALL_CLUSTER_OPERATIONS, NO_OPERATIONS
from kafkapy.metadata.told_controller import told_controller
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext

BROKERS = 1
CONTROLLERS = 2
TYPE_NAMES = {BROKERS: "BROKER", CONTROLLERS: "CONTROLLER"}


def handle(request: DescribeClusterRequest, context: NodeContext) -> DescribeClusterResponse:
    _check_endpoint_type(request, context)
    image = context.node.metadata.image
    listener_name = context.client.listener_name
    controller_id = context.node.controller.leader_id
    if context.at_controller:
        nodes = [
            DescribeClusterBroker(broker_id=node_id, host=context.advertised_host(endpoint), port=endpoint.port)
            for node_id, controller in sorted(image.controllers.items())
            if (endpoint := controller.endpoints.get(listener_name)) is not None
        ]
    else:
        controller_id = told_controller(image, controller_id, context.node.node_id)
        nodes = [
            DescribeClusterBroker(
                broker_id=broker_id,
                host=context.advertised_host(endpoint),
                port=endpoint.port,
                rack=broker.rack,
                is_fenced=broker.fenced,
            )
            for broker_id, broker in sorted(image.brokers.items())
            if (request.include_fenced_brokers or not broker.fenced)
            and (endpoint := broker.endpoints.get(listener_name)) is not None
        ]
    return DescribeClusterResponse(
        endpoint_type=CONTROLLERS if context.at_controller else BROKERS,
        cluster_id=context.node.cluster_id,
        controller_id=controller_id,
        brokers=nodes,
        cluster_authorized_operations=(
            ALL_CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NO_OPERATIONS
        ),
    )


def _check_endpoint_type(request: DescribeClusterRequest, context: NodeContext) -> None:
    """Raises KafkaError: the request is for another kind of listener."""
    if request.endpoint_type not in TYPE_NAMES:
        raise KafkaError(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"Unsupported endpoint type {request.endpoint_type}")
    here = CONTROLLERS if context.at_controller else BROKERS
    if request.endpoint_type != here:
        raise KafkaError(
            ErrorCode.MISMATCHED_ENDPOINT_TYPE if context.api_version else ErrorCode.INVALID_REQUEST,
            f"The request was sent to an endpoint of type {TYPE_NAMES[here]}, but we wanted an endpoint of type "
            f"{TYPE_NAMES[request.endpoint_type]}",
        )
