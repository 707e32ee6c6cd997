"""IncrementalAlterConfigs (API key 44), versions 0-1: changes single settings of a resource (KIP-339).

v1 flexible

One resource failing leaves the others as they are; within a resource all operations hold or none.
Errors  INVALID_REQUEST             a name or resource twice, a null value, another broker's id, a setting of a broker
                                    that is not dynamic or cannot have this value, an unknown resource type
        INVALID_CONFIG              a value that a topic, group or subscription cannot have; a list operation on no list
        UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_TOPIC_EXCEPTION     no topic could have that name
        UNKNOWN_SERVER_ERROR        an unknown operation (as Apache Kafka 4.4.0)
Not done: a broker's loggers (no name of one is known); `listeners` and `listener.security.protocol.map` of a broker are
refused: its sockets are bound when it starts.
Differs: a broker's `advertised.listeners` can be changed, since a container's port is often known only after its start.
A value with which nobody could connect any more, to undo it either (max.connections=0), is refused. A setting that has
no effect here (docs/settings.md) is stored, with one line in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.altering import ResourceChange
from kafkapy.settings.alter import OperationOn
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError


async def handle(request: IncrementalAlterConfigsRequest, context: RequestContext) -> IncrementalAlterConfigsResponse:
    asked = [
        ResourceChange(
            resource.resource_type,
            resource.resource_name,
            [OperationOn(config.name, config.config_operation, config.value) for config in resource.configs],
            replaces=False,
        )
        for resource in request.resources
    ]
    errors = await context.broker.controller.alter_configs(asked, validate_only=request.validate_only).wait()
    return IncrementalAlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=ErrorCode.NONE if error is None else error.code,
                error_message=None if error is None else error.message,
                resource_type=resource.resource_type,
                resource_name=resource.name,
            )
            for resource, error in zip(asked, errors, strict=True)
        ]
    )


def error_response(request: IncrementalAlterConfigsRequest, error: KafkaError) -> IncrementalAlterConfigsResponse:
    return IncrementalAlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=error.code,
                error_message=error.message,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
            for resource in request.resources
        ]
    )
