"""UnregisterBroker (API key 64), version 0: removes the registration of a broker that will not return (KIP-500).

Errors  BROKER_ID_NOT_REGISTERED  no broker has the id
        INVALID_REQUEST           the broker is this node's own, and there is no other
        NOT_CONTROLLER            this node is not the active controller
        KAFKA_STORAGE_ERROR       the metadata log cannot be written
The broker leaves every ISR and leads nothing. With eligible leader replicas (KIP-966) it may stay eligible, if it comes
back under its id.
Differs: Apache Kafka unregisters its only broker too; then no partition has a leader until that broker restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext


async def handle(request: UnregisterBrokerRequest, context: NodeContext) -> UnregisterBrokerResponse:
    await context.node.controller.unregister_broker(request.broker_id)
    return UnregisterBrokerResponse()
