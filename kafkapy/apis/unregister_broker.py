"""UnregisterBroker (API key 64), version 0: forgets a broker that will not come back (KIP-500).

Errors  BROKER_ID_NOT_REGISTERED  no broker has the id
        INVALID_REQUEST           it is the broker of this very node
        KAFKA_STORAGE_ERROR       the metadata log cannot be written
Differs: Apache Kafka unregisters a broker that is running, and its partitions have no leader until it is started anew.
Here the broker of a lone node is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy.pending import Pending


def handle(request: UnregisterBrokerRequest, context: RequestContext) -> Pending[UnregisterBrokerResponse]:
    unregistered = context.broker.controller.unregister_broker(request.broker_id)
    return unregistered.map(lambda _: UnregisterBrokerResponse())
