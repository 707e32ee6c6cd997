"""StreamsGroupTopologyDescriptionUpdate (API key 93), version 0: a member of a streams group describes its topology for
people (KIP-1331).

Members do so when an answer to their heartbeat asks for it (topology_description_required), and none does here.

Errors  UNSUPPORTED_VERSION  always
Not done: storing descriptions. A Java class would do so (group.streams.topology.description.plugin.class); Apache Kafka
without such a class refuses them as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.streams_group_topology_description_update import (
    StreamsGroupTopologyDescriptionUpdateResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.streams_group_topology_description_update import (
        StreamsGroupTopologyDescriptionUpdateRequest,
    )


def handle(
    request: StreamsGroupTopologyDescriptionUpdateRequest, context: RequestContext
) -> StreamsGroupTopologyDescriptionUpdateResponse:
    context.broker.groups.streams.refuse_unless_served()
    message = "The broker has no streams group topology description plugin configured."
    return error_response(request, KafkaError(ErrorCode.UNSUPPORTED_VERSION, message))


def error_response(
    request: StreamsGroupTopologyDescriptionUpdateRequest,  # noqa: ARG001
    error: KafkaError,
) -> StreamsGroupTopologyDescriptionUpdateResponse:
    return StreamsGroupTopologyDescriptionUpdateResponse(error_code=error.code, error_message=error.message)
