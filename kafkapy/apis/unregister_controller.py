"""UnregisterController (API key 94), version 0: removes a controller that will not return (KIP-1312).

Errors  CONTROLLER_ID_NOT_REGISTERED  no controller has the id
        INVALID_REQUEST               it is the active controller
        UNSUPPORTED_VERSION           metadata.version is below 4.4-IV2
        NOT_CONTROLLER                this node is not the active controller
        KAFKA_STORAGE_ERROR           the metadata log cannot be written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.unregister_controller import UnregisterControllerRequest, UnregisterControllerResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def handle(request: UnregisterControllerRequest, context: NodeContext) -> Pending[UnregisterControllerResponse]:
    unregistered = context.node.controller.unregister_controller(request.controller_id)
    return unregistered.map(lambda _: UnregisterControllerResponse())
