"""BrokerHeartbeat (API key 63), versions 0-2: a broker says that it lives, and learns whether it is fenced (KIP-631).

v1 offline_log_dirs (KIP-858)   v2 cordoned_log_dirs (KIP-1066)

Errors  STALE_BROKER_EPOCH   no broker has the id and epoch: it was unregistered, or another incarnation has registered
        INVALID_REQUEST      more log directories than a broker can have
        NOT_CONTROLLER       this node is not the active controller
        KAFKA_STORAGE_ERROR  the metadata log cannot be written
A fenced broker is unfenced once it has replayed its own registration. One that wants to stop is told to
(should_shut_down) when others lead its partitions, and all brokers that go on know that. A broker whose heartbeats stay
away for broker.session.timeout.ms is fenced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse


async def handle(request: BrokerHeartbeatRequest, context: NodeContext) -> BrokerHeartbeatResponse:
    return await context.node.controller.brokers.heartbeat(request)
