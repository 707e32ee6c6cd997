"""AlterPartitionReassignments (API key 45), versions 0-1: moves partitions to other brokers, or cancels such a move.

v1 allow_replication_factor_change: false refuses another number of replicas

Errors of each partition:
        INVALID_REPLICA_ASSIGNMENT   no replica, a replica twice, or a broker that is not registered
        INVALID_REPLICATION_FACTOR   the number of replicas would change, and the request does not allow that
        NO_REASSIGNMENT_IN_PROGRESS  there is nothing to cancel
        UNKNOWN_TOPIC_OR_PARTITION
Errors of the request:
        REQUEST_TIMED_OUT            timeout_ms is not positive
        KAFKA_STORAGE_ERROR          the metadata log cannot be written
On a single node only the removal of replicas completes, and at once. A reassignment that adds a replica waits until the
broker of that replica has started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.errors import KafkaError


async def handle(
    request: AlterPartitionReassignmentsRequest, context: NodeContext
) -> AlterPartitionReassignmentsResponse:
    return await context.node.controller.alter_partition_reassignments(request)


def error_response(
    request: AlterPartitionReassignmentsRequest, error: KafkaError
) -> AlterPartitionReassignmentsResponse:
    return AlterPartitionReassignmentsResponse(
        error_code=error.code,
        error_message=error.message,
        responses=[
            ReassignableTopicResponse(
                name=topic.name,
                partitions=[
                    ReassignablePartitionResponse(
                        partition_index=partition.partition_index, error_code=error.code, error_message=error.message
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )
