"""DescribeCluster (API key 60), versions 0-2: the cluster's id, its controller and its brokers (KIP-700).

v1 endpoint_type: brokers or controllers (KIP-919)   v2 fenced brokers if the request asks for them (KIP-1073)

Errors  MISMATCHED_ENDPOINT_TYPE   a broker's listener is asked for controllers
        UNSUPPORTED_ENDPOINT_TYPE  endpoint_type is neither brokers nor controllers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.metadata import ALL_CLUSTER_OPERATIONS, NO_OPERATIONS
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


def handle(request: DescribeClusterRequest, context: NodeContext) -> DescribeClusterResponse:
    if request.endpoint_type == CONTROLLERS:
        raise KafkaError(
            ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        )
    if request.endpoint_type != BROKERS:
        raise KafkaError(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"Unsupported endpoint type {request.endpoint_type}")
    this_broker = context.node
    listener_name = context.client.listener_name
    brokers = [
        DescribeClusterBroker(
            broker_id=broker_id,
            host=context.advertised_host(endpoint),
            port=endpoint.port,
            rack=broker.rack,
            is_fenced=broker.fenced,
        )
        for broker_id, broker in sorted(this_broker.metadata.image.brokers.items())
        if (request.include_fenced_brokers or not broker.fenced)
        and (endpoint := broker.endpoints.get(listener_name)) is not None
    ]
    return DescribeClusterResponse(
        cluster_id=this_broker.cluster_id,
        controller_id=this_broker.controller.leader_id,
        brokers=brokers,
        cluster_authorized_operations=(
            ALL_CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NO_OPERATIONS
        ),
    )
