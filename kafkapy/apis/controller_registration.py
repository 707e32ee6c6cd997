"""ControllerRegistration (API key 70), version 0: a controller says where it listens and what it supports (KIP-919).

Errors  UNSUPPORTED_VERSION   metadata.version is below 3.7-IV0
        INVALID_REGISTRATION  an unknown security protocol; too many entries
        NOT_CONTROLLER        this node is not the active controller
        KAFKA_STORAGE_ERROR   the metadata log cannot be written
Differs: to an unknown security protocol Apache Kafka answers UNKNOWN_SERVER_ERROR, and its controller resigns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest, ControllerRegistrationResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def handle(request: ControllerRegistrationRequest, context: NodeContext) -> Pending[ControllerRegistrationResponse]:
    registered = context.node.controller.controller_registration(request)
    return registered.map(lambda _: ControllerRegistrationResponse())
