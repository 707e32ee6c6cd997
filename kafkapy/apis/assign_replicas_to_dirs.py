"""AssignReplicasToDirs (API key 73), version 0: a broker says in which log directory each replica is (KIP-858).

Errors of each partition:
        NOT_LEADER_OR_FOLLOWER  the broker has no replica of it
        UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION
Errors of the request:
        STALE_BROKER_EPOCH      no broker has the id and epoch
        UNSUPPORTED_VERSION     metadata.version is below 3.7-IV2
        NOT_CONTROLLER          this node is not the active controller
        KAFKA_STORAGE_ERROR     the metadata log cannot be written
A replica in a directory that has failed leads no more and leaves the ISR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest, AssignReplicasToDirsResponse


async def handle(request: AssignReplicasToDirsRequest, context: NodeContext) -> AssignReplicasToDirsResponse:
    return await context.node.controller.assign_replicas_to_dirs(request)
