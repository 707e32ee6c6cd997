"""AlterPartition (API key 56), versions 2-3: the leader of partitions says who is in sync with it (KIP-497).

v2 topic ids   v3 the broker epochs of the replicas in sync (KIP-903)

Errors of each partition:
        NOT_CONTROLLER              the broker knows a newer leader or partition epoch: this controller was replaced
        FENCED_LEADER_EPOCH         there is a newer leader epoch
        INVALID_UPDATE_VERSION      there is a newer partition epoch
        INVALID_REQUEST             the broker does not lead; the ISR is without the leader, has a replica twice or one
                                    that is not assigned; a leader that recovers has followers in sync
        INELIGIBLE_REPLICA          a replica is fenced, stops, is not registered, or has restarted since (v3)
        NEW_LEADER_ELECTED          a reassignment is complete, and the broker leads no more
        UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION
Errors of the request:
        STALE_BROKER_EPOCH          no broker has the id and epoch
        NOT_CONTROLLER              this node is not the active controller
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
An ISR that has all replicas that a reassignment adds completes the reassignment.
Differs: a request that is read after a later one of the same broker, by an older connection, ends that connection.
Apache Kafka carries it out, although the leader may have committed records since that the new ISR lacks. A
leader_recovery_state that does not exist is INVALID_REQUEST; Apache Kafka answers UNKNOWN_SERVER_ERROR, and its
controller resigns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse


async def handle(request: AlterPartitionRequest, context: NodeContext) -> AlterPartitionResponse:
    order = context.client.number, context.correlation_id
    return await context.node.controller.alter_partition(request, context.api_version, order)
