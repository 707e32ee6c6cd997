"""UnregisterBroker (API key 64), version 0: removes the registration of a broker that will not return (KIP-500).

Errors  BROKER_ID_NOT_REGISTERED  no broker has the id
        INVALID_REQUEST           the broker id is this node's own
        KAFKA_STORAGE_ERROR       the metadata log cannot be written
Differs: Apache Kafka unregisters a running broker too; its partitions then have no leader until it restarts. Here a
node refuses to unregister its own broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def handle(request: UnregisterBrokerRequest, context: NodeContext) -> Pending[UnregisterBrokerResponse]:
    unregistered = context.node.controller.unregister_broker(request.broker_id)
    return unregistered.map(lambda _: UnregisterBrokerResponse())
